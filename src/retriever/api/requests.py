"""What `/ask` and its like take, as the OpenAPI docs show it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from retriever.catalog import MAX_LISTED
from retriever.defaults import DEFAULT_K, DEFAULT_SUGGESTED, MAX_K, MAX_QUESTION
from retriever.types import CATEGORY, EntryKind, Filters


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; ask something")
    return text


def _pair(text: str) -> str:
    key, colon, _ = text.partition(":")
    if not (key and colon):
        raise ValueError("is not key:value, such as team:billing")
    return text


_Question = Annotated[str, Field(max_length=MAX_QUESTION), AfterValidator(_not_blank)]
_K = Annotated[
    Annotated[int, Field(ge=1, le=MAX_K)] | None,
    Field(description=f"Hits to return, one an entry: 1 to {MAX_K}. {DEFAULT_K} unless the server says otherwise."),
]
_Confidence = Annotated[float | None, Field(ge=0, le=1, description="Least confidence at which this is answered.")]
_Values = Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=100)]

_CORRECT = Field(True, description="Put misspelt words right; false searches for the question as it was typed.")


class AskFilters(BaseModel):
    """What an entry must carry to be found."""

    model_config = ConfigDict(extra="forbid")

    tags: _Values = Field([], description="Any of these tags.")
    source: _Values = Field([], description="Any of these files, as `source.file` names them.")
    lang: str | None = Field(None, description="This language.", max_length=100)
    kind: EntryKind = Field("faq", description="`faq` entries, or `page` texts, which answer no question of their own.")

    def to_filters(self) -> Filters:
        """Return the same as the noun that searches take."""
        return Filters(tuple(self.tags), tuple(self.source), self.lang, self.kind)


class BodyFilters(AskFilters):
    """The same, metadata included."""

    metadata: dict[Annotated[str, Field(max_length=200)], _Values] = Field(
        {}, description="For each of these keys, any of its values, as texts.", max_length=20
    )

    def to_filters(self) -> Filters:
        """Return the same as the noun that searches take."""
        return Filters(tuple(self.tags), tuple(self.source), self.lang, self.kind, self.metadata)


_NO_FILTERS = BodyFilters()


class AskRequest(BaseModel):
    """The body of `POST /ask`."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"question": "How do I rebuild the index?", "k": 3}]},
    )

    question: _Question = Field(description="The question, in the asker's own words.")
    k: _K = None
    filters: BodyFilters = Field(default_factory=lambda: _NO_FILTERS)  # else made or copied, deep, for each request
    explain: bool = Field(False, description="Say for each hit what each kind of passage scored.")
    min_confidence: _Confidence = None
    correct: bool = _CORRECT


class QueryFilters(AskFilters):
    """The same in an address, where metadata is `key:value`."""

    metadata: Annotated[list[Annotated[str, Field(max_length=1200), AfterValidator(_pair)]], Field(max_length=100)] = (
        Field([], description="Each `key:value`: for each of these keys, any of its values.")
    )

    def to_filters(self) -> Filters:
        """Return the same as the noun that searches take."""
        metadata: dict[str, list[str]] = {}
        for pair in self.metadata:
            key, _, value = pair.partition(":")
            metadata.setdefault(key, []).append(value)
        return replace(AskFilters.to_filters(self), metadata=metadata)


class AskQuery(QueryFilters):
    """The query string of `GET /ask`."""

    q: _Question = Field(description="The question, in the asker's own words.")
    k: _K = None
    explain: bool = False
    min_confidence: _Confidence = None
    correct: bool = _CORRECT


class SuggestQuery(BaseModel):
    """The query string of `GET /suggest`."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field("", max_length=MAX_QUESTION, description="What was typed so far; a blank suggests nothing.")
    k: int = Field(DEFAULT_SUGGESTED, ge=1, le=MAX_K, description=f"How many suggestions, one an entry: 1 to {MAX_K}.")
    tag: _Values = Field([], description="Any of these tags.")
    category: _Values = Field([], description="Any of these categories.")

    def to_filters(self) -> Filters:
        """Return the filters as the noun that searches take."""
        return Filters(tags=tuple(self.tag), metadata={CATEGORY: self.category} if self.category else {})


class ListQuery(QueryFilters):
    """The query string of `GET /entries`."""

    start: int = Field(0, ge=0, description="The place of the first, counted from 0.")
    count: int = Field(50, ge=1, le=MAX_LISTED, description=f"How many, 1 to {MAX_LISTED}.")


class FeedbackRequest(BaseModel):
    """The body of `POST /feedback`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"question": "May I pay later?", "entry_id": "pay-1a2b", "helpful": True}]},
    )

    question: _Question = Field(description="The question that was asked.")
    entry_id: Annotated[str, Field(min_length=1, max_length=1000)] = Field(description="The entry that was shown.")
    helpful: bool = Field(description="Whether it helped.")
    snapshot: str | None = Field(None, max_length=100, description="The `snapshot` of the answer.")
