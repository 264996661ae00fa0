"""Spreadsheets, documents, PDFs and archives as small as they can be, made by hand, for tests."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKED = "http://schemas.openxmlformats.org/package/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"

_XML = '<Default Extension="xml" ContentType="application/xml"/>'


def packed(files: Mapping[str, str | bytes]) -> bytes:
    """Return a zip of `files`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def _rels(**targets: tuple[str, str]) -> str:
    rows = [f'<Relationship Id="{name}" Type="{_LINKS}/{kind}" Target="{to}"/>' for name, (kind, to) in targets.items()]
    return f'<Relationships xmlns="{_PACKED}">{"".join(rows)}</Relationships>'


def xlsx(sheets: Mapping[str, Sequence[Sequence[object]]], dimension: str = "") -> bytes:
    """Return a workbook; texts are inline, numbers numbers, True and False truth values."""
    names, files = [], {}
    for number, (name, rows) in enumerate(sheets.items(), 1):
        names.append(f'<sheet name="{escape(name)}" sheetId="{number}" r:id="r{number}"/>')
        body = "".join(
            f'<row r="{y}">{"".join(_cell(chr(64 + x), y, value) for x, value in enumerate(row, 1))}</row>'
            for y, row in enumerate(rows, 1)
        )
        claimed = f'<dimension ref="{dimension}"/>' if dimension else ""
        files[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{_MAIN}">{claimed}<sheetData>{body}</sheetData></worksheet>'
        )
    book = f"<sheets>{''.join(names)}</sheets>"
    links = {f"r{number}": ("worksheet", f"worksheets/sheet{number}.xml") for number in range(1, len(sheets) + 1)}
    return packed(
        {
            "[Content_Types].xml": f'<Types xmlns="{_TYPES}">{_XML}</Types>',
            "_rels/.rels": _rels(a=("officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_LINKS}">{book}</workbook>',
            "xl/_rels/workbook.xml.rels": _rels(**links),
            **files,
        }
    )


def _cell(column: str, row: int, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return f'<c r="{column}{row}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{column}{row}"><v>{value}</v></c>'
    return f'<c r="{column}{row}" t="inlineStr"><is><t xml:space="preserve">{escape(str(value))}</t></is></c>'


def docx(*paragraphs: tuple[str, str], body: str = "", head: str = "") -> bytes:
    """Return a document of (style, text) paragraphs; the style may be `Heading1`, `bold` or nothing."""
    for style, text in paragraphs:
        look = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style.startswith("Heading") else ""
        bold = "<w:rPr><w:b/></w:rPr>" if style == "bold" else ""
        body += f'<w:p>{look}<w:r>{bold}<w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{n}"><w:name w:val="heading {n}"/></w:style>' for n in (1, 2, 3)
    )
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    types = f'<Override PartName="/word/document.xml" ContentType="{kind}.document.main+xml"/>'
    return packed(
        {
            "[Content_Types].xml": f'<Types xmlns="{_TYPES}">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f"{_XML}{types}</Types>",
            "_rels/.rels": _rels(a=("officeDocument", "word/document.xml")),
            "word/_rels/document.xml.rels": _rels(s=("styles", "styles.xml")),
            "word/styles.xml": f'<w:styles xmlns:w="{_WORD}">{styles}</w:styles>',
            "word/document.xml": f'{head}<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>',
        }
    )


def _drawn(text: str) -> str:
    return text.replace("(", r"\(").replace(")", r"\)")


def pdf(*pages: Sequence[tuple[int, int, str]], font: str = "Helvetica") -> bytes:
    """Return a PDF of pages of (size, height above the foot, text) lines."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids = []
    for lines in pages:
        drawn = "".join(
            f"BT /F1 {size} Tf 1 0 0 1 50 {y} Tm ({_drawn(text)}) Tj ET\n" for size, y, text in lines
        ).encode("cp1252")
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents %d 0 R /Resources << /Font << /F1 "
            b"<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >> >> >> >>"
            % (len(objects), font.encode())
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"xref\n0 %d\n0000000000 65535 f \n%strailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1,
        table,
        len(objects) + 1,
        len(out),
    )
