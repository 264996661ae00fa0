"""The error tree. Each error says what is wrong, where, and what to do about it.

RetrieverError
├── InputError            what was asked cannot be taken; `field` names it
├── SettingsError         an option, variable or retriever.toml key that is unknown or has a bad value
├── CorpusError           a corpus path is missing, or nothing in it can be indexed
├── EncoderError          a model cannot be found, loaded or trusted
├── FeedbackError         what askers said or asked cannot be kept or read
└── SnapshotError         something is wrong with an index folder
    ├── NoSnapshot        there is no index here yet
    ├── SnapshotDamaged   a file is missing, extra or not what the manifest says
    ├── FormatMismatch    the snapshot was written by another version of retriever
    ├── EncoderMismatch   the encoder is not the one the snapshot was made with
    ├── IndexStale        the corpus is no longer the one the snapshot was made of
    ├── BuildBusy         another build holds the lock
    └── PublishFailed     the disk would not take the snapshot; the old one still serves
"""

from __future__ import annotations


class RetrieverError(Exception):
    """Base of all errors that retriever raises on purpose. `mend` is the command or change that mends it."""

    def __init__(self, problem: str, *, mend: str | None = None) -> None:
        super().__init__(problem if mend is None else f"{problem}\n  {mend}")
        self.problem = problem
        self.mend = mend


class InputError(RetrieverError):
    """What was asked cannot be taken. `field` is the name in the request, such as `question` or `filters.tags`."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class SettingsError(RetrieverError):
    """An option, variable or retriever.toml key that is unknown or has a value that cannot be used."""


class CorpusError(RetrieverError):
    """A corpus path is missing, or nothing in it can be indexed."""


class EncoderError(RetrieverError):
    """A model cannot be found, loaded or trusted."""


class FeedbackError(RetrieverError):
    """What askers said or asked cannot be kept or read."""


class SnapshotError(RetrieverError):
    """Base of what can be wrong with an index folder."""


class NoSnapshot(SnapshotError):
    """There is no index here yet."""


class SnapshotDamaged(SnapshotError):
    """A file of the snapshot is missing, extra, or not what the manifest says. `file` names it."""

    def __init__(self, file: str, problem: str, *, mend: str | None = None) -> None:
        super().__init__(f"{file}: {problem}", mend=mend)
        self.file = file


class FormatMismatch(SnapshotError):
    """The snapshot was written in a format that this version does not read."""


class EncoderMismatch(SnapshotError):
    """The encoder is not the one the snapshot was made with."""


class IndexStale(SnapshotError):
    """The corpus is no longer the one the snapshot was made of."""


class BuildBusy(SnapshotError):
    """Another build holds the lock."""


class PublishFailed(SnapshotError):
    """The disk would not take the new snapshot; what was served before still is."""
