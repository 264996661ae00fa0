"""The nouns: what an entry, a passage, a hit, an answer and a manifest are, and the two seams.

Everything here is frozen and knows nothing of files, models or HTTP. A score is higher-is-better everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:  # so that a process which only reads files does not wait for it
    import numpy as np
    from numpy.typing import NDArray

EntryKind = Literal["faq", "page"]
"""`faq` is a question with its answer; `page` is text that belongs to a page and answers no question of its own."""
PassageKind = Literal["question", "alternate", "answer", "sentence", "entry"]
"""`answer` is a paragraph, `sentence` one of several in it, `entry` the question and the answer as one text."""
Validity = Literal["valid", "expired", "upcoming"]
"""Whether today is within an entry's `valid_from` and `valid_until`, both included; `upcoming` is not yet."""
Expired = Literal["withhold", "label"]
"""What becomes of entries that do not hold today: they are not found, or found and labelled."""
FoundKind = Literal["question", "alternate", "answer"]
Level = Literal["high", "medium", "low", "none"]
Role = Literal["query", "passage"]
Vectors: TypeAlias = "NDArray[np.float32]"
Rows: TypeAlias = "NDArray[np.int64]"
Mask: TypeAlias = "NDArray[np.bool_]"


CATEGORY = "category"
"""The name by which entries are browsed: `metadata.category` of filters and facets is `Entry.category`."""


# --- the corpus ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """Where an entry was written: `file` relative to the corpus with `/`, `line` counted from 1."""

    file: str
    line: int | None = None
    url: str | None = None
    anchor: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One block of an answer. `html` is sanitised, and its characters, white space aside, are those of `text`."""

    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One FAQ entry. `id` stays the same when its file is reordered or another entry is edited.

    `reviewed` is when its owner last looked at it. `pin_for` are questions for which it comes first, whatever the rest
    of the evidence says.
    """

    id: str
    question: str
    answer: tuple[Paragraph, ...]
    source: Source
    alternates: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    lang: str = "en"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    kind: EntryKind = "faq"
    owner: str | None = None
    reviewed: date | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    pin_for: tuple[str, ...] = ()

    @property
    def category(self) -> Any:
        """What it is browsed under: its `category`, a text or a list, or else the section of its page; or None."""
        named = (value for key, value in self.metadata.items() if key.casefold() == CATEGORY and value)
        return next(named, None) or self.metadata.get("section")

    def validity(self, today: date) -> Validity:
        """Return whether the entry holds on the day that is given."""
        if self.valid_until and self.valid_until < today:
            return "expired"
        return "upcoming" if self.valid_from and self.valid_from > today else "valid"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something in the corpus that was not taken, and why. `line` counts from 1; None is the whole file."""

    file: str
    line: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file's line in the ledger: `seen == indexed + merged + len(refused)`, always.

    A file that cannot be read at all counts as one entry seen and refused. `pages` counts page texts, which are not
    entries. `notes` say what was done to the file that its owner may not expect.
    """

    file: str
    seen: int = 0
    indexed: int = 0
    merged: int = 0
    pages: int = 0
    refused: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Corpus:
    """All that was read: entries (page texts among them) in the order of files and lines, and the ledger."""

    entries: tuple[Entry, ...]
    ledger: tuple[FileReport, ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question of golden.jsonl. `ids` are the ids or the questions of entries that answer it; none is no answer."""

    question: str
    ids: tuple[str, ...]
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Golden:
    """The labelled questions of a corpus, and the lines that could not be taken. `digest` is empty without a file."""

    questions: tuple[Labelled, ...]
    refused: tuple[Refusal, ...]
    digest: str


# --- a build ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Passage:
    """One text that is encoded.

    `number` counts the entry's texts from 1: its second alternate, its third answer paragraph. `start` and `end` are
    character offsets of `text` in that text, which it fills unless it is a sentence or was split to fit the window.
    """

    kind: PassageKind
    text: str
    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """What made a vector. Two vectors compare only if their specs are equal; `model` is only how to find it again.

    `weights`, `tokenizer` and `graph` are sha256 digests: of what the model's authors published, and of the exported
    graph that runs it, if one does. `window` is in tokens, the special ones included.
    """

    model: str = field(compare=False)
    weights: str
    tokenizer: str
    dimension: int
    window: int
    pooling: str
    query_prompt: str
    passage_prompt: str
    precision: str
    graph: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a snapshot holds."""

    files: int
    entries: int
    pages: int
    passages: int
    split: int
    merged: int
    refused: int


@dataclass(frozen=True, slots=True)
class Curve:
    """A logistic curve: the probability is sigmoid(intercept + weights · features)."""

    intercept: float
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Separation:
    """Whether an answer's being there can be told at all, from `questions` of the corpus asked of its answers alone.

    `own` is the share of other answers that a question's own is nearer than, on average. `near` is the probability that
    a question is nearer to some answer with its own among them than another without, `far` than one off topic: .5 where
    nothing separates.
    """

    questions: int
    own: float
    near: float
    far: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a score becomes a confidence, for one corpus and encoder.

    `floor` is the mean cosine of texts that have nothing in common. `scope` is the curve of whether a question is about
    the corpus at all, `right` of whether the first hit then answers it. `slope` and `shift` are what the owner's own
    labelled questions changed, `labelled` how many there were.
    """

    floor: float
    scope: Curve
    right: Curve
    slope: float = 1.0
    shift: float = 0.0
    labelled: int = 0
    separation: Separation | None = None


@dataclass(frozen=True, slots=True)
class Nearest:
    """How near rows are found: `exact`, all in `half` precision, or in `lists`, of which `probes` are read.

    `recall` is the share of the ten best rows that it finds, as measured at build.
    """

    kind: Literal["exact", "half", "lists"] = "exact"
    lists: int = 0
    probes: int = 0
    recall: float = 1.0


EXACTLY = Nearest()


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a snapshot answers to a labelled question: its first hit, the decision, and whether that is right.

    Right is the entry that was wanted, answered; or no answer, where none was wanted.
    """

    entry_id: str | None
    question: str | None
    answered: bool
    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class Wrong:
    """A labelled question that is answered wrongly."""

    question: str
    file: str
    line: int
    now: Replayed


@dataclass(frozen=True, slots=True)
class Difference:
    """A labelled question that is answered by another entry than before, or no longer, or newly.

    A regression was right and is wrong, and not for the confidence curve alone, which labelled questions move.
    """

    question: str
    file: str
    line: int
    before: Replayed
    now: Replayed
    regression: bool


@dataclass(frozen=True, slots=True)
class Recalled:
    """A question that was asked before, and the ids of the entries that its askers said had helped."""

    question: str
    helpful: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Given:
    """What is answered to a question: the first entry, None where there is none, and whether it is given."""

    entry_id: str | None
    question: str | None
    answered: bool
    confidence: float


@dataclass(frozen=True, slots=True)
class Shift:
    """A question asked before that is answered by another entry than it was, or no longer, or newly.

    A regression was answered by an entry that helped, which is still there, and is not any more.
    """

    question: str
    before: Given
    now: Given
    regression: bool


@dataclass(frozen=True, slots=True)
class Gate:
    """What the labelled questions say of a snapshot beside the one served before it, `against`; kept as gate.json.

    `golden` is the digest of golden.jsonl, `judged` how many questions name an entry that there is, or none, and
    `right` how many of these are answered rightly. `wrong` are the others, as they are answered now. `findings` are
    lines of golden.jsonl to mend. `separation` is the probability that a question with an answer is given a greater
    confidence than one that is off topic. `forced` is a regression that was published on demand. `asked` is how many
    questions that were asked before were replayed as well, `shifts` those that are answered differently now;
    `regressions` are of both.
    """

    golden: str
    against: str | None
    judged: int
    right: int
    right_before: int | None
    regressions: int
    forced: bool
    separation: float | None
    differences: tuple[Difference, ...]
    wrong: tuple[Wrong, ...]
    findings: tuple[Refusal, ...]
    asked: int = 0
    shifts: tuple[Shift, ...] = ()

    @property
    def refuses(self) -> bool:
        """Whether the snapshot must not be published."""
        return bool(self.regressions) and not self.forced


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot is and must contain. `files` maps each file's name to its sha256, `sizes` to its bytes."""

    id: str
    format: int
    created: str
    corpus: str
    encoder: EncoderSpec
    counts: Counts
    calibration: Calibration
    lang: str
    files: Mapping[str, str]
    nearest: Nearest = EXACTLY
    sizes: Mapping[str, int] = field(default_factory=dict)


class Encoder(Protocol):
    """Text to unit vectors. Implemented by the real encoder, and by the tests' hashing encoder."""

    @property
    def spec(self) -> EncoderSpec: ...

    @property
    def files(self) -> Mapping[str, Path]:
        """What must travel with a snapshot for it to be served elsewhere, by name."""
        ...

    def words(self) -> frozenset[str]:
        """Return the words, lower-case, that its tokenizer knows whole: they are words of its language, not slips."""
        ...

    def encode(self, texts: Sequence[str], role: Role) -> Vectors:
        """Return float32 unit vectors of shape (len(texts), dimension). Cuts what exceeds the window: see `fit`."""
        ...

    def fit(self, text: str) -> int:
        """Return how many leading characters of a passage's `text` the window holds: len(text) if all of it."""
        ...


class VectorStore(Protocol):
    """Unit vectors by row, searched by inner product. Implemented exactly, and by a rough index of some rows."""

    def __len__(self) -> int: ...

    def search(self, query: Vectors, k: int, allowed: Allowed | None = None) -> Candidates:
        """Return the k best rows (fewer where fewer are allowed) for one query of shape (dimension,), best first."""
        ...

    def get(self, rows: Rows) -> Vectors:
        """Return the vectors of `rows`, shape (len(rows), dimension)."""
        ...

    def compare(self, query: Vectors, rows: Rows) -> NDArray[np.float32]:
        """Return the inner product of one query of shape (dimension,) with each of `rows`, as `search` scores them."""
        ...

    def beside(self, rows: Rows) -> Callable[[Vectors], NDArray[np.float32]]:
        """Return what does the same for queries to come, sooner where that takes memory: for rows compared often."""
        ...

    @property
    def laid(self) -> Vectors | None:
        """All vectors, shape (rows, dimension), where they lie in memory as they are; else None. Not to be changed."""
        ...


# --- a search -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Allowed:
    """Rows that a search may return: how many, and a bit each, the first the lowest of the first byte."""

    count: int
    bits: NDArray[np.uint8]

    @classmethod
    def of(cls, mask: Mask) -> Allowed:
        """Return the rows where `mask`, shape (rows,), is true."""
        import numpy as np

        return cls(int(np.count_nonzero(mask)), np.packbits(mask, bitorder="little"))


@dataclass(frozen=True, slots=True)
class Candidates:
    """Rows of one stage with their scores, best first."""

    rows: Rows
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AnswerText:
    """An answer as plain text, and as sanitised HTML with the sentence that answers best in <mark>."""

    text: str
    html: str


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """The passage nearest to the question asked; `paragraph` counts from 1, None for a question or alternate."""

    kind: FoundKind
    text: str
    paragraph: int | None


@dataclass(frozen=True, slots=True)
class Highlight:
    """The sentence of an answer that answers best: `start` and `end` are its character offsets in `answer.text`."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """What each kind of evidence added to the score that ordered a hit: `total` is the sum of `parts`."""

    total: float
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry found. `score` is the cosine similarity of the question asked and `passage`, -1 to 1.

    `link` is the source's page, opened at the highlighted sentence where a text fragment can name it.
    """

    rank: int
    entry_id: str
    score: float
    question: str
    answer: AnswerText
    passage: FoundPassage
    highlight: Highlight
    source: Source
    link: str | None
    tags: tuple[str, ...]
    lang: str
    kind: EntryKind
    metadata: Mapping[str, Any]
    explain: Explanation | None = None
    owner: str | None = None
    reviewed: date | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    validity: Validity = "valid"


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds that an answer took: until there was a vector and the words were looked up; the rest; both."""

    encode: float
    search: float
    total: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What every door returns: the hits, best first, and the decision whether the first of them answers.

    `confidence` is the probability that it does, `level` the same in a word. `missing` are words of the question that
    the first hit does not have and that tell it from other questions. `corrected` is the question as it was searched
    where a word in it was misspelt.
    """

    question: str
    answered: bool
    confidence: float
    level: Level
    message: str | None
    missing: tuple[str, ...]
    corrected: str | None
    snapshot: str
    took_ms: Timings
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Facet:
    """A value that can be filtered on, and how many entries carry it."""

    value: str
    entries: int


@dataclass(frozen=True, slots=True)
class Facets:
    """The categories and tags of all entries that can be found, those that most entries carry first."""

    categories: tuple[Facet, ...] = ()
    tags: tuple[Facet, ...] = ()


@dataclass(frozen=True, slots=True)
class Related:
    """Another entry, near in meaning."""

    entry_id: str
    question: str
    lang: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text, and whether it is what was typed."""

    text: str
    match: bool


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question, or another wording of it, that may be meant; the texts of its `parts` are the whole of it."""

    entry_id: str
    question: str
    lang: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What may be meant by what was typed so far, best first, one an entry.

    `corrected` is what was typed with its misspelt words put right, where there are any and something was found.
    """

    query: str
    suggestions: tuple[Suggestion, ...]
    corrected: str | None
    snapshot: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Some of `total` entries, in the order of files and lines; `start` is the place of the first, from 0."""

    total: int
    start: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Filters:
    """What an entry must carry to be found: any of `tags`, any of `source` (files), the `lang`, the `kind`.

    `metadata` names keys, each with values of which the entry must have any: texts as they are, numbers as JSON writes
    them, `true` and `false`.
    """

    tags: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    lang: str | None = None
    kind: EntryKind = "faq"
    metadata: Mapping[str, Sequence[str]] = field(default_factory=dict)
