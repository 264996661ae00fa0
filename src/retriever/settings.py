"""Every knob once: its name, default and meaning. Read from the command line, the environment and retriever.toml.

The command line wins over `RETRIEVER_` variables, they over the file, it over the defaults. A name that is none of
these is an error, since a misspelt setting that is ignored in silence is worse than none.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from retriever.defaults import (
    DEFAULT_FEEDBACK,
    DEFAULT_FEEDBACK_DAYS,
    DEFAULT_K,
    DEFAULT_KEEP,
    DEFAULT_LANG,
    DEFAULT_MAX_BODY,
    DEFAULT_MESSAGE,
    DEFAULT_MIN_CONFIDENCE,
    DEFAULT_MODEL,
    DEFAULT_QUEUE,
    DEFAULT_REMEMBER,
    DEFAULT_REVIEW_DAYS,
    DEFAULT_TITLE,
)
from retriever.errors import SettingsError

PREFIX = "RETRIEVER_"
FILE = "retriever.toml"


def _knob(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, with their defaults."""

    corpus: tuple[Path, ...] = _knob((Path("corpus"),), "files and folders that hold the FAQ")
    index: Path = _knob(Path("index"), "folder of the index")
    model: str = _knob(DEFAULT_MODEL, "encoder: a packaged name, `best`, a folder, or a hub id")
    precision: Literal["int8", "fp32"] = _knob("int8", "`int8`: exported once, fast, no torch to answer; or `fp32`")
    encoders: Path = _knob(Path("~/.cache/retriever/encoders"), "folder where exported encoders are kept")
    allow_download: bool = _knob(False, "fetch a model that is given by its hub id, once")
    lang: str = _knob(DEFAULT_LANG, "language of entries that name none")
    keep: int = _knob(DEFAULT_KEEP, "how many snapshots to keep")
    review_days: int = _knob(DEFAULT_REVIEW_DAYS, "days after its last review at which `lint` calls an entry overdue")
    threads: int = _knob(0, "threads that encode in a build; 0 is all cores. A question takes one")
    k: int = _knob(DEFAULT_K, "how many hits to return, 1 to 50")
    min_confidence: float = _knob(DEFAULT_MIN_CONFIDENCE, "least confidence, 0 to 1, at which a question is answered")
    expired: Literal["withhold", "label"] = _knob("withhold", "entries not valid today: `withhold` or `label` them")
    message: str = _knob(DEFAULT_MESSAGE, "what askers are told when there is no good answer")
    host: str = _knob("127.0.0.1", "address to serve on")
    port: int = _knob(8000, "port to serve on; 0 takes a free one")
    workers: int = _knob(0, "processes that serve; 0 is one a core, at most 4")
    queue: int = _knob(DEFAULT_QUEUE, "questions that a process takes at once; more are told to come again (503)")
    remember: int = _knob(DEFAULT_REMEMBER, "questions whose vectors a process remembers; 0 remembers none")
    max_body: int = _knob(DEFAULT_MAX_BODY, "most bytes of a request's body")
    origins: tuple[str, ...] = _knob(
        (), "sites whose pages may ask from where they are, such as `https://shop.example`; `*` is every site"
    )
    title: str = _knob(DEFAULT_TITLE, "title of the page")
    language: Literal["en", "de", "auto"] = _knob("en", "language of the page: `en`, `de`, or `auto`, the browser's")
    texts: Path | None = _knob(None, "TOML file of your own wording, by the keys of the page's texts")
    logo: Path | None = _knob(None, "logo of the page: SVG, PNG, WebP or JPEG, at most 512 kB")
    accent: str | None = _knob(None, "colour of links and buttons, such as `#0b6bcb`; its shades are made to be read")
    public_url: str | None = _knob(None, "where browsers find this server, such as `https://faq.example.org`")
    robots: Literal["index", "noindex"] = _knob("index", "whether search engines may list the entries: or `noindex`")
    feedback: str = _knob(
        DEFAULT_FEEDBACK, "file, beside the index, of what askers say of answers; empty keeps none and shows no buttons"
    )
    log_questions: bool = _knob(False, "keep the questions that are asked as well, for `questions` and for builds")
    feedback_days: int = _knob(DEFAULT_FEEDBACK_DAYS, "days that feedback and questions are kept")
    admin_token: str = field(
        default="", repr=False, metadata={"meaning": "who sends this may have `/admin/rebuild` build; empty is nobody"}
    )
    work: Path = _knob(Path(".evaluate"), "folder where `evaluate` keeps its indexes, so that texts are encoded once")
    watch: bool = _knob(False, "let `serve` build again whenever the corpus changes")
    verify: bool = _knob(False, "let `info` check the digest of every file")
    json: bool = _knob(False, "print JSON")


def settings_fields() -> tuple[Field[Any], ...]:
    """Return the fields of Settings, in order."""
    return fields(Settings)


def load_settings(
    given: Mapping[str, Any], *, environ: Mapping[str, str] | None = None, file: Path | None = None
) -> Settings:
    """Return the settings: `given` (None is not given) over the environment, over the file, over the defaults.

    `file` defaults to $RETRIEVER_CONFIG, and that to retriever.toml in the working folder, where there is one.
    Raises SettingsError naming the option, variable or key.
    """
    environ = os.environ if environ is None else environ
    values = _from_file(file or (Path(environ[PREFIX + "CONFIG"]) if environ.get(PREFIX + "CONFIG") else None))
    values |= _from_environment(environ)
    values |= _from_options(given)
    _check_bounds(values)
    return Settings(**values)


def check_settings(
    given: Mapping[str, Any], *, environ: Mapping[str, str] | None = None
) -> tuple[Settings, list[SettingsError]]:
    """Return the settings as far as they can be taken, and every error that `load_settings` would raise, one by one."""
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    errors: list[SettingsError] = []

    def take(one: Callable[[], Mapping[str, Any]]) -> None:
        try:
            found = one()
            _check_bounds(found)
            values.update(found)
        except SettingsError as error:
            errors.append(error)

    try:
        file, table = _read_file(Path(environ[PREFIX + "CONFIG"]) if environ.get(PREFIX + "CONFIG") else None)
    except SettingsError as error:
        errors.append(error)
        file, table = Path(FILE), {}
    for key, value in table.items():
        take(partial(_from_table, {key: value}, file))
    for variable, text in environ.items():
        take(partial(_from_environment, {variable: text}))
    take(partial(_from_options, given))
    return Settings(**values), errors


def _from_options(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _convert(name, value, f"--{name.replace('_', '-')}") for name, value in given.items() if value is not None
    }


def _from_file(file: Path | None) -> dict[str, Any]:
    file, table = _read_file(file)
    return _from_table(table, file)


def _read_file(file: Path | None) -> tuple[Path, dict[str, Any]]:
    """Return the file that holds settings, and its table: an empty one where none is named and there is none."""
    if file is None:
        file = Path(FILE)
        if not file.is_file():
            return file, {}
    try:
        return file, tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error}") from error
    except ValueError as error:
        mend = "It is TOML, in UTF-8: a name, = and a value a line, texts in quotes."
        raise SettingsError(f"{file} cannot be read: {error}", mend=mend) from error


def _from_table(table: Mapping[str, Any], file: Path) -> dict[str, Any]:
    return {_known(key, f"{file}: {key}"): _convert(key, value, f"{file}: {key}") for key, value in table.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for variable, text in environ.items():
        if variable.startswith(PREFIX) and variable != PREFIX + "CONFIG":
            name = _known(variable.removeprefix(PREFIX).lower(), variable)
            values[name] = _convert(name, _listed(name, text), variable)
    return values


def _known(name: str, origin: str) -> str:
    names = [f.name for f in settings_fields()]
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=1)
    mend = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(names)}."
    raise SettingsError(f"{origin} is not a setting", mend=mend)


def _convert(name: str, value: Any, origin: str) -> Any:
    """Return `value` as the type of setting `name`: from a variable's text, TOML, or the command line."""
    kind = get_type_hints(Settings)[name]
    if name in _LISTS and isinstance(value, (str, Path)):
        value = [value]
    if kind is bool and isinstance(value, str) and value.lower() in {"yes", "no", "on", "off"}:
        value = value.lower() in {"yes", "on"}
    if name in SECRET:
        return _secret(value, origin)
    try:
        converted = msgspec.convert(_plain(value), kind, strict=not isinstance(value, str), dec_hook=_path)
    except msgspec.ValidationError as error:
        allowed = get_args(kind) if get_origin(kind) is Literal else ()
        mend = f"Give it one of: {', '.join(allowed)}." if allowed else None
        raise SettingsError(f"{origin} is {value!r}: {error}", mend=mend) from error
    return _CHECKS[name](converted, origin) if name in _CHECKS and converted is not None else converted


SECRET = frozenset({"admin_token"})
"""Settings that are shown nowhere, and are no options: any user of a machine may read a command line."""
_LEAST_SECRET = 16


def _secret(value: Any, origin: str) -> str:
    """Return a secret; whatever is wrong with it, the error does not show it."""
    if not isinstance(value, str):
        raise SettingsError(f"{origin} is not a text")
    text = value.strip()
    if 0 < len(text) < _LEAST_SECRET or not text.isprintable() or " " in text:
        raise SettingsError(
            f"{origin} is too short to be a secret, or holds what is no letter, digit or mark",
            mend="Take 16 characters or more: python3 -c 'import secrets; print(secrets.token_urlsafe())'",
        )
    return text


# What parts the values of a list in a variable.
_LISTS = {"corpus": os.pathsep, "origins": ","}


def _listed(name: str, text: str) -> str | list[str]:
    if name == "origins" and not text.strip():  # none are named
        return []
    return [part.strip() for part in text.split(_LISTS[name])] if name in _LISTS else text


def variables_of(settings: Settings) -> dict[str, str]:
    """Return the settings as the environment of another process says them, less what is secret."""
    variables = {}
    for knob in settings_fields():
        value = getattr(settings, knob.name)
        if value is not None and knob.name not in SECRET:
            text = _LISTS[knob.name].join(map(str, value)) if isinstance(value, tuple) else str(value)
            variables[PREFIX + knob.name.upper()] = text.lower() if isinstance(value, bool) else text
    return variables


_SITE = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {("http", "80"), ("https", "443")}


def _sites(values: tuple[str, ...], origin: str) -> tuple[str, ...]:
    """Return origins as browsers send them. Raises SettingsError naming the value that is none."""
    if "*" in values and len(values) > 1:
        raise SettingsError(f"{origin} is '*' and more", mend="Say '*' alone for every site, or leave it out.")
    return values if values == ("*",) else tuple(_site(value, origin) for value in values)


def _site(value: str, origin: str) -> str:
    found = _SITE.fullmatch(value.lower())
    if not found or int(found[3] or 1) not in range(1, 65536):
        mend = "Write scheme://host or scheme://host:port, with no path and no slash at the end: https://shop.example"
        raise SettingsError(f"{origin} is {value!r}, which is no origin", mend=mend)
    scheme, host, port = found.groups()
    return f"{scheme}://{host}" + (f":{int(port)}" if port and (scheme, port) not in _DEFAULT_PORTS else "")


def _web_site(value: str, origin: str) -> str:
    if not value.lower().startswith(("http://", "https://")):
        raise SettingsError(f"{origin} is {value!r}, which begins with neither https:// nor http://")
    return _site(value.removesuffix("/"), origin)


def _colour(value: str, origin: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise SettingsError(f"{origin} is {value!r}", mend="Write a colour as #rrggbb, such as #0b6bcb.")
    return value.lower()


_CHECKS: dict[str, Callable[[Any, str], Any]] = {"origins": _sites, "public_url": _web_site, "accent": _colour}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str) and value:
        return Path(value).expanduser()
    raise TypeError("expected a path")


# Least and most of each number.
_BOUNDS = {
    "k": (1, 50),
    "keep": (1, 1000),
    "review_days": (1, 36_500),
    "threads": (0, 1024),
    "port": (0, 65535),
    "workers": (0, 256),
    "queue": (1, 100_000),
    "remember": (0, 1_000_000),
    "min_confidence": (0, 1),
    "feedback_days": (1, 36_500),
    "max_body": (1024, 1 << 30),
}


def _check_bounds(values: Mapping[str, Any]) -> None:
    for name, (least, most) in _BOUNDS.items():
        if name in values and not least <= values[name] <= most:
            raise SettingsError(f"{name} is {values[name]}; it must be between {least} and {most}")


def settings_table() -> str:
    """Return the settings as a Markdown table, for the README."""
    rows = ["| option | variable | default | meaning |", "|---|---|---|---|"]
    rows += [
        f"| {_option_of(knob.name)} | `{PREFIX}{knob.name.upper()}` | {_shown(knob.default)} "
        f"| {knob.metadata['meaning']} |"
        for knob in settings_fields()
    ]
    return "\n".join(rows) + "\n"


def _option_of(name: str) -> str:
    return "none" if name in SECRET else f"`--{name.replace('_', '-')}`"


def _shown(default: Any) -> str:
    if isinstance(default, tuple):
        default = " ".join(map(str, default)) or "none"
    if default is None or default == "":
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


if __name__ == "__main__":
    print(settings_table(), end="")  # noqa: T201  (`make docs` puts it into the README)
