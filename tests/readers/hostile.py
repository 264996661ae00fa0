"""A folder of corpus files that break readers, with two good ones among them, for tests here and end to end."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from readers.making import docx, packed, pdf, xlsx

GOOD = {"good.md": 2, "good.jsonl": 3}
"""The files that nothing is wrong with, and the entries that each holds."""

ENTRY = '{"question": "%s", "answer": "%s"}'
Q = b"Does it work?"
A = b"Yes, it does."
DASHED = b"Intro.\n-\n" + Q + b"\n" + A + b"\n"


def _jsonl(*pairs: tuple[str, str]) -> bytes:
    return "\n".join(json.dumps({"question": q, "answer": a}) for q, a in pairs).encode()


def _bombs() -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    return "\n".join(["---", *lines, "---", "# How?", "", "So."]).encode()


def _locked(data: bytes) -> bytes:
    """Return a zip that says of its files that they are encrypted."""
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.index(mark) + place
        data = data[:start] + b"\x01" + data[start + 1 :]
    return data


_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
_ALIASES = b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (n, n, n - 1, n - 1) for n in range(98, 120))
_ALIASES_RST = b"Bomb?\n=====\n\n|a9|\n\n.. |a0| replace:: x\n" + b"".join(
    b".. |a%d| replace:: %s\n" % (n, b"|a%d| " % (n - 1) * 10) for n in range(1, 10)
)
_TABLES = "<w:tbl><w:tr><w:tc>" * 5_000 + "<w:p/>" + "</w:tc></w:tr></w:tbl>" * 5_000
_PDF = pdf([(11, 700, "Is it whole?"), (11, 680, "No.")])
_IN_ZIP = {"good-in-zip.md": "# Is a zip good?\n\nYes.\n"}

# name → (content, outcome): "indexed" is all of it, "partly" some entries and some refusals, "refused" no entry and at
# least one refusal, "page" page text and no entry, "passed over" a ledger line that counts nothing, "unseen" no line.
FILES: dict[str, tuple[bytes, str]] = {
    "good.md": (b"# FAQ\n\n## What is good?\n\nThis file.\n\n## Is it whole?\n\nIt is, always.\n", "indexed"),
    "good.jsonl": (_jsonl(("One good?", "One."), ("Two good?", "Two."), ("Three good?", "Three.")), "indexed"),
    "empty.txt": (b"", "refused"),
    "blank.md": (b" \n\t\n", "refused"),
    "empty.json": (b"", "refused"),
    "empty.csv": (b"\n\n", "refused"),
    "empty-list.json": (b"[]", "refused"),
    "binary.txt": (bytes(range(256)) * 40, "refused"),
    "png.md": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(200), "refused"),
    "picture.png": (b"\x89PNG\r\n\x1a\n", "passed over"),
    "no-suffix": (b"text", "passed over"),
    "golden.jsonl": (b'{"query": "x", "entry": "y"}', "passed over"),
    "cp1252.txt": ("-\nWhat is a café?\nA place – with “coffee”, 2 € a cup.\n".encode("cp1252"), "indexed"),
    "broken-utf8.txt": ("-\nWas heißt öde?\nÜberall größte Mühe.\n".encode() + b"\xff\n", "refused"),
    "utf8-bom.csv": (b"\xef\xbb\xbfquestion,answer\nIs there a mark?,There is.\n", "indexed"),
    "utf16-le.txt": (b"\xff\xfe" + "-\nSechzehn Bit, klein?\nJa, mit ö.\n".encode("utf-16-le"), "indexed"),
    "utf16-be.jsonl": (b"\xfe\xff" + (ENTRY % ("Sixteen, big?", "Yes.")).encode("utf-16-be"), "indexed"),
    "utf32.txt": (b"\xff\xfe\0\0" + "-\nThirty-two?\nYes.\n".encode("utf-32-le"), "indexed"),
    "utf16-no-bom.txt": (DASHED.decode().encode("utf-16-le"), "refused"),
    "utf16-odd.txt": (b"\xff\xfe" + DASHED.decode().encode("utf-16-le") + b"\x00", "refused"),
    "nul.txt": (DASHED + b"\0\0\n", "refused"),
    "nul-in-json.jsonl": (b'{"question": "Is \\u0000 there?", "answer": "It is dropped."}', "indexed"),
    "line-50mb.jsonl": (b'{"question": "Long?", "answer": "' + b"x" * 50_000_000 + b'"}\n', "refused"),
    "line-50mb.txt": (b"-\nLong?\n" + b"x" * 2_000_000, "refused"),
    "sparse-4gb.txt": (b"", "refused"),
    "html.json": (b'[{"question": "HTML?", "answer": "<p>Yes, <b>bold</b></p><ul><li>one<li>two</ul>"}]', "indexed"),
    "script.json": (
        b'[{"question": "Script?", "answer": "<p>ok<script>alert(1)</script><img src=x onerror=alert(2)></p>"}]',
        "indexed",
    ),
    "only-script.json": (b'[{"question": "Only script?", "answer": "<p></p><script>alert(1)</script>"}]', "refused"),
    "declaration.md": (b"# What is <![x?\n\nIt is <![CDATA[ and <![x\n", "indexed"),
    "javascript-url.json": (b'[{"question": "URL?", "answer": "x", "url": "JavaScript:alert(1)"}]', "refused"),
    "duplicate-ids.jsonl": (
        b'{"_id": 1, "question": "Id a?", "answer": "a"}\n{"_id": "1", "question": "Id b?", "answer": "b"}',
        "partly",
    ),
    "bad-ids.jsonl": (
        b'{"_id": "", "question": "a?", "answer": "a"}\n{"_id": [], "question": "b?", "answer": "b"}',
        "refused",
    ),
    "no-answer.md": (b"# FAQ\n\n## Who answers this?\n\n## Who answers that?\n\nI do.\n", "partly"),
    "no-question.jsonl": (b'{"answer": "An answer."}', "refused"),
    "no-question.md": (b"Just an answer.\n", "page"),
    "no-form.txt": (b"Some prose that is no FAQ.\n", "refused"),
    "long-question.jsonl": (_jsonl(("x" * 1001, "a")), "refused"),
    "long-answer.jsonl": (_jsonl(("Too long?", "x" * 100_001)), "refused"),
    "deep.json": (b"[" * 100_000, "refused"),
    "deep-object.jsonl": (
        b'{"question": "d?", "answer": "d", "metadata": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
        "refused",
    ),
    "deep-metadata.json": (b'[{"question": "d?", "answer": "d", "m": ' + b"[" * 500 + b"]" * 500 + b"}]", "refused"),
    "broken.json": (b'[{"question": "Before the break?", "answer": "Kept."}, {"question": "x" "answer"}]', "partly"),
    "not-entries.json": (b'{"name": "package", "version": 1}', "refused"),
    "number.json": (b"42", "refused"),
    "one-bad-line.jsonl": (_jsonl(("First line?", "1")) + b"\n{oops\n" + _jsonl(("Third line?", "3")), "partly"),
    "nan.jsonl": (b'{"question": "NaN?", "answer": "a", "rank": NaN}\n{"question": NaN, "answer": "a"}', "refused"),
    "infinite.jsonl": (b'{"question": "Inf?", "answer": "a", "metadata": {"n": 1e999}}', "refused"),
    "surrogate.jsonl": (
        b'{"question": "Half \\ud800?", "answer": "a"}\n{"question": "Half?", "answer": "\\udfff"}',
        "refused",
    ),
    "huge-int.jsonl": (b'{"question": "Huge?", "answer": "a", "n": ' + b"9" * 5_000 + b"}", "refused"),
    "types.jsonl": (b'{"question": ["x"], "answer": "a"}\n{"question": "x?", "answer": {}}\n[1]\n"x"\nnull', "refused"),
    "quotes.csv": (b'question,answer\nBefore quote?,Yes\nOpen?,"never closed\nAfter quote?,Yes too\n', "partly"),
    "quotes2.csv": (b'question,answer\n"Open?,never\nStill read?,Yes\n"Quoted?","In ""quotes"""\n', "partly"),
    "one-column.csv": (b"question\nWhere is the answer?\n", "refused"),
    "ragged.csv": (b"question,answer\nRagged?,Yes, really\nStraight?,Yes\n", "partly"),
    "huge-cell.csv": (b"question,answer\nHuge?,%s\nSmall?,Yes\n" % (b"x" * 200_000), "partly"),
    "bare-cr.csv": (b"question,answer\rBare CR?,Yes\rTwice?,Yes\r", "indexed"),
    "bare-cr.txt": (DASHED.replace(b"\n", b"\r").replace(b"work", b"carry"), "indexed"),
    "bomb.md": (_bombs(), "refused"),
    "bad-front.md": (b"---\ntitle: [unclosed\n---\n# How?\n\nSo.\n", "refused"),
    "python-front.md": (b"---\ntitle: !!python/object/apply:os.system ['true']\n---\n# How?\n\nSo.\n", "refused"),
    "deep-front.md": (b"---\na: " + b"[" * 5_000 + b"\n---\n# How?\n\nSo.\n", "refused"),
    "fence.md": (b"# Is the fence closed?\n\nNo:\n\n```\n# code\n", "indexed"),
    "comment.md": (b"# Is the comment closed?\n\nNo.\n\n<!-- never\n\n# Lost?\n", "indexed"),
    "brackets.md": (b"# Brackets?\n\n" + b"[" * 20_000 + b"\n", "indexed"),
    "marks.md": (b"# Marks?\n\n" + b"![" * 100_000 + b"\n", "refused"),
    "nested.md": (b"# Nested?\n\n" + b"> " * 1_000 + b"deep\n", "refused"),
    "tags.jsonl": (_jsonl(("Tags?", "<div>" * 20_000 + "</div>")), "refused"),
    "good.html": (b"<h2>Is a page good?</h2><p>It is.</p>", "indexed"),
    "nested.html": (b"<div>" * 100_000, "refused"),
    "attribute.html": (b'<h2>Long?</h2><p title="' + b"x" * 50_000_000 + b'">No.</p>', "refused"),
    "unclosed.html": (b"<h2>Closed?<p>No <b>tag <i>is<td><li><table" * 50, "indexed"),
    "marked.html": (b"<h2>Marked?</h2><p>A <![x b", "indexed"),
    "broken-data.html": (b'<script type="application/ld+json">[{]</script><h2>Data?</h2><p>None.</p>', "indexed"),
    "binary.html": (bytes(range(256)) * 40, "refused"),
    "broken.xlsx": (b"PK\x03\x04" + bytes(100), "refused"),
    "no-sheet.xlsx": (packed({"a.txt": "x"}), "refused"),
    "blank.xlsx": (xlsx({"S": []}), "refused"),
    "one-column.xlsx": (xlsx({"S": [["Why?"], ["How?"]]}), "refused"),
    "locked.xlsx": (_OLE, "refused"),
    "locked.docx": (_OLE, "refused"),
    "lying.xlsx": (xlsx({"S": [["question", "answer"], ["Does a sheet lie?", "Yes."]]}, "A1:A1"), "indexed"),
    "broken.docx": (docx(("", "x"))[:-30], "refused"),
    "no-document.docx": (packed({"a.txt": "x"}), "refused"),
    "entities.docx": (docx(("", "x"), head='<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]>'), "refused"),
    "nested.docx": (docx(body=_TABLES), "refused"),
    "not-xml.docx": (packed({"word/document.xml": "<w:document"}), "refused"),
    "bomb.docx": (packed({"word/document.xml": bytes(60_000_000)}), "refused"),
    "broken.pdf": (b"%PDF-1.7\n" + b"<</A" * 50_000, "refused"),
    "scan.pdf": (pdf([]), "refused"),
    "circle.pdf": (_PDF.replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]"), "refused"),
    "aliases.yaml": (_ALIASES, "refused"),
    "deep.yaml": (b"[" * 100_000, "refused"),
    "object.yaml": (b"- question: A?\n  answer: !!python/object/apply:os.system ['true']\n", "refused"),
    "scalar.yaml": (b"just a text\n", "refused"),
    "large.yaml": (b"- a\n" * 200_000, "refused"),
    "include.rst": (
        b"Secret?\n=======\n\nNo.\n\n.. include:: /etc/passwd\n\n.. raw:: html\n\n   <script>\n",
        "indexed",
    ),
    "bomb.rst": (_ALIASES_RST, "indexed"),
    "line.rst": (b"Long?\n=====\n\n" + b"*" * 20_000 + b"\n", "refused"),
    "broken.zip": (packed(_IN_ZIP)[:-30], "refused"),
    "empty.zip": (packed({}), "refused"),
    "locked.zip": (_locked(packed(_IN_ZIP)), "refused"),
    "slip.zip": (packed({**_IN_ZIP, "../out.md": "# Out?\n\nx", "/etc/x.md": "# Root?\n\nx"}), "partly"),
    "nested.zip": (packed({"in.zip": packed(_IN_ZIP)}), "refused"),
    "bomb.zip": (packed({"a.txt": bytes(70_000_000)}), "refused"),
    "many.zip": (packed({f"{n}.md": "" for n in range(1_001)}), "refused"),
    "-rf.md": (b"# Is a dash harmless?\n\nYes.\n", "indexed"),
    "new\nline.md": (b"# Is a newline in a name harmless?\n\nYes.\n", "indexed"),
    "sp ace & <b>.md": (b"# Are tags in a name harmless?\n\nYes.\n", "indexed"),
    ".hidden.md": (b"# Hidden?\n\nYes.\n", "unseen"),
}


def write_hostile(folder: Path) -> dict[str, str]:
    """Fill `folder`; return the expected outcome by file name (in the ledger, control characters are written out)."""
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for name, (content, outcome) in FILES.items():
        (folder / name).write_bytes(content)
        expected[name.replace("\n", "\\n")] = outcome
    os.truncate(folder / "sparse-4gb.txt", 4 * 1024**3)
    return expected | _odd(folder)


def _odd(folder: Path) -> dict[str, str]:
    """Write what is no plain file; what this system does not offer is left out."""
    outside = folder.parent / "outside-the-corpus.md"
    outside.write_text("# Is this secret?\n\nYes.\n")
    (folder / "directory.md").mkdir(exist_ok=True)
    (folder / "directory.md" / "inside.md").write_text("# Is a folder called x.md harmless?\n\nYes.\n")
    (folder / "__pycache__").mkdir(exist_ok=True)
    (folder / "__pycache__" / "x.md").write_text("# Cached?\n\nYes.\n")
    mode_000 = folder / "mode-000.md"
    mode_000.write_text("# Who may read this?\n\nRoot.\n")
    mode_000.chmod(0)
    makers: dict[str, tuple[Callable[[Path], object], str]] = {
        "loop": (lambda path: path.symlink_to(folder), "passed over"),
        "itself.md": (lambda path: path.symlink_to(path), "refused"),
        "nowhere.md": (lambda path: path.symlink_to(folder / "gone.md"), "refused"),
        "outside.md": (lambda path: path.symlink_to(outside), "refused"),
        "outside-folder": (lambda path: path.symlink_to(folder.parent), "refused"),
        "twin.md": (lambda path: path.symlink_to(folder / "good.md"), "passed over"),
        "pipe.md": (os.mkfifo, "refused"),
        os.fsdecode(b"latin-\xe9.md"): (
            lambda path: path.write_text("# Is Latin-1 in a name harmless?\n\nYes.\n"),
            "indexed",
        ),
    }
    for name, (make, _) in makers.items():
        if not (folder / name).is_symlink() and not (folder / name).exists():
            make(folder / name)
    expected = {os.fsencode(name).decode("utf-8", "backslashreplace"): outcome for name, (_, outcome) in makers.items()}
    readable = os.access(mode_000, os.R_OK)
    return expected | {"directory.md/inside.md": "indexed", "mode-000.md": "indexed" if readable else "refused"}
