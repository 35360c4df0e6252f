"""The settings: flags first, then the environment, then a TOML file, then the defaults."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Meta

PREFIX = "SCROLLBACK_"
CONFIG_VARIABLE = "SCROLLBACK_CONFIG"
CONFIG_FILE = "scrollback.toml"

_UNITS = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_BOOLEANS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}
_SIZE = re.compile(r"\s*(\d{1,18})\s*([A-Za-z]*)\s*")


class SettingsError(Exception):
    """Settings are wrong. The text names each value, where it came from and what is allowed."""


Names = tuple[str, ...]
Bytes = Annotated[int, Meta(extra={"unit": "bytes"})]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be configured. Times are in seconds, sizes in bytes.

    Made by `load_settings`, which checks each value; made directly, it takes what it is given.
    """

    store: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9+]*://.+",
            description="The URL of the store; a relative path is below the working directory.",
        ),
    ] = "sqlite:///scrollback.db"
    host: Annotated[str, Meta(min_length=1, description="The address or name to listen on.")] = (
        "127.0.0.1"
    )
    port: Annotated[
        int, Meta(ge=0, le=65535, description="The port to listen on; 0 takes any that is free.")
    ] = 8000
    log_level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"],
        Meta(description="The least important lines that are logged."),
    ] = "info"
    log_format: Annotated[
        Literal["auto", "json", "text"],
        Meta(description="How a line is logged; auto is text for a terminal, else JSON."),
    ] = "auto"
    allowed_origins: Annotated[
        Names,
        Meta(
            description="Origins of other sites whose pages may call the API, such as "
            "`https://chat.example`; `*` for every site. The server's own pages and those of this "
            "computer always may."
        ),
    ] = ()
    allowed_hosts: Annotated[
        Names,
        Meta(
            description="Names under which the server may be asked for, beside those of this "
            "computer; `*` for any."
        ),
    ] = ()
    graphiql: Annotated[
        bool, Meta(description="Whether a browser gets GraphiQL at `/graphql`.")
    ] = True
    body_limit: Annotated[
        Bytes, Meta(ge=1024, le=1 << 30, description="The largest request, and WebSocket message.")
    ] = 1 << 20
    operation_timeout: Annotated[
        float, Meta(ge=0.1, le=3600, description="How long a query or mutation may take.")
    ] = 10.0
    drain_seconds: Annotated[
        float, Meta(ge=0, le=3600, description="How long running operations may take at a stop.")
    ] = 10.0
    page_size: Annotated[
        int, Meta(ge=1, le=10_000, description="The size of a page where a query names none.")
    ] = 50
    max_page_size: Annotated[
        int, Meta(ge=1, le=10_000, description="The largest page that a query may ask for.")
    ] = 100
    max_node_ids: Annotated[
        int, Meta(ge=1, le=10_000, description="How many ids `nodes(ids:)` takes.")
    ] = 100
    max_nodes: Annotated[
        int, Meta(ge=1, le=10_000_000, description="How many objects a query may ask for.")
    ] = 10_000
    max_depth: Annotated[
        int, Meta(ge=1, le=100, description="How deep the fields of a query nest.")
    ] = 12
    max_aliases: Annotated[
        int, Meta(ge=0, le=10_000, description="How many aliases a query has.")
    ] = 30
    max_directives: Annotated[
        int, Meta(ge=0, le=10_000, description="How many directives a query has.")
    ] = 20
    max_query_characters: Annotated[
        int, Meta(ge=1000, le=1 << 30, description="How long the text of a query is.")
    ] = 100_000
    max_input_values: Annotated[
        int,
        Meta(
            ge=10,
            le=1_000_000,
            description="How many objects and list items the variables of a request hold.",
        ),
    ] = 2000
    max_tokens: Annotated[
        int, Meta(ge=10, le=1_000_000, description="How many lexical tokens a query has.")
    ] = 1000
    max_messages_per_mutation: Annotated[
        int, Meta(ge=1, le=10_000, description="How many messages one mutation adds.")
    ] = 100
    max_message_bytes: Annotated[
        Bytes, Meta(ge=1000, le=1 << 30, description="The largest message.")
    ] = 1_000_000
    max_metadata_bytes: Annotated[
        Bytes, Meta(ge=100, le=1 << 30, description="The largest metadata of a session or message.")
    ] = 65_536
    compiled: Annotated[
        bool,
        Meta(description="Whether operations that repeat are compiled; without, they are slower."),
    ] = True
    operations_per_socket: Annotated[
        int, Meta(ge=1, le=10_000, description="How many operations run at once on one WebSocket.")
    ] = 20
    socket_init_timeout: Annotated[
        float,
        Meta(ge=0.1, le=3600, description="How long a WebSocket may wait to introduce itself."),
    ] = 10.0
    heartbeat_seconds: Annotated[
        float, Meta(ge=1, le=3600, description="How often an idle connection is tried.")
    ] = 15.0
    send_timeout: Annotated[
        float,
        Meta(ge=0.1, le=3600, description="How long a client may leave what it is sent unread."),
    ] = 10.0
    document_cache: Annotated[
        int, Meta(ge=0, le=1_000_000, description="How many parsed queries are kept.")
    ] = 1000
    catch_up_seconds: Annotated[
        float,
        Meta(
            ge=2,
            le=5,
            description="How often followed sessions are looked at for changes by other processes.",
        ),
    ] = 3.0

    def __post_init__(self) -> None:
        """Raises ValueError where values do not fit each other."""
        if self.page_size > self.max_page_size:
            raise ValueError(
                f"page_size is {self.page_size}; it can be at most max_page_size, which is "
                f"{self.max_page_size}"
            )


@dataclass(frozen=True, slots=True)
class Setting:
    """What is said of a setting beside its value."""

    name: str
    type: Any
    """As it is annotated, with its limits."""
    default: object
    description: str


def _describe_settings() -> dict[str, Setting]:
    return {
        field.name: Setting(
            field.name,
            field.type,
            field.default,
            next(mark.description for mark in _marks(field.type) if mark.description),
        )
        for field in msgspec.structs.fields(Settings)
    }


def _marks(kind: Any) -> list[Meta]:
    return [mark for mark in get_args(kind)[1:] if isinstance(mark, Meta)]


SETTINGS: Mapping[str, Setting] = _describe_settings()
"""Every setting by its name, in the order of `Settings`."""


def shown_url(url: str) -> str:
    """Returns the URL of a store as it may be shown: without its password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user, _, place = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:***@{place}"))


@dataclass(frozen=True, slots=True)
class _Given:
    value: object
    origin: str


def load_settings(
    flags: Mapping[str, object] | None = None, *, config: Path | None = None
) -> Settings:
    """Returns the settings of flags (None: not given), environment and file.

    The file is `config`, or what SCROLLBACK_CONFIG names, or `scrollback.toml` in the working
    directory where there is one. Raises `SettingsError`.
    """
    wrong: list[str] = []
    given = (
        _from_file(config, wrong)
        | _from_environment(wrong)
        | {
            name: _Given(value, f"--{name.replace('_', '-')}")
            for name, value in (flags or {}).items()
            if value is not None
        }
    )
    values: dict[str, Any] = {}
    for name, setting in SETTINGS.items():
        if (one := given.get(name)) is None:
            continue
        try:
            values[name] = _convert(one.value, setting.type)
        except msgspec.ValidationError:
            allowed = allowed_values(setting)
            wrong.append(f"{name} can't be {one.value!r} (from {one.origin}); allowed: {allowed}")
    if wrong:
        raise SettingsError("\n".join(wrong))
    try:
        return Settings(**values)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def _convert(value: object, kind: Any) -> object:
    """Returns a value as its setting has it; text stands for what it would be in the file.

    Raises `msgspec.ValidationError` for what is not allowed.
    """
    if isinstance(value, str) and (read := _READERS.get(_bare(kind))):
        value = read(value, kind)
    return msgspec.convert(value, kind, strict=False)


def _read_number(text: str, kind: Any) -> object:
    if _is_size(kind) and (match := _SIZE.fullmatch(text)):
        unit = _UNITS.get(match[2].upper())
        return text if unit is None else int(match[1]) * unit
    return text.strip().replace("_", "")


def _read_bool(text: str, _: Any) -> object:
    return _BOOLEANS.get(text.strip().lower(), text)


def _read_names(text: str, _: Any) -> object:
    return tuple(name.strip() for name in text.split(",") if name.strip())


_READERS: Mapping[object, Callable[[str, Any], object]] = {
    bool: _read_bool,
    float: _read_number,
    int: _read_number,
    tuple: _read_names,
}


def _bare(kind: Any) -> Any:
    """Returns the plain class of an annotation, and Literal for one of that."""
    bare = get_args(kind)[0]
    return get_origin(bare) or bare


def _is_size(kind: Any) -> bool:
    return any((mark.extra or {}).get("unit") == "bytes" for mark in _marks(kind))


def allowed_values(setting: Setting) -> str:
    """Returns in words what a setting can be."""
    kind = _bare(setting.type)
    marks = _marks(setting.type)
    low = next((mark.ge for mark in marks if mark.ge is not None), None)
    high = next((mark.le for mark in marks if mark.le is not None), None)
    if kind is Literal:
        options = get_args(get_args(setting.type)[0])
        return ", ".join(options[:-1]) + f" or {options[-1]}"
    if kind is bool:
        return "true or false"
    if kind is float:
        return f"a number of seconds from {low:g} to {high:g}"
    if _is_size(setting.type):
        return f"bytes from {low} to {high}, or a size such as 512 KiB or 2 MiB"
    if kind is int:
        return f"a whole number from {low} to {high}"
    if kind is tuple:
        return "a list of names; in the environment, separated by commas"
    if setting.name == "store":
        return "a URL such as sqlite:///scrollback.db"
    return "text that is not empty"


def _from_environment(wrong: list[str]) -> dict[str, _Given]:
    known = {f"{PREFIX}{name}".upper(): name for name in SETTINGS}
    given: dict[str, _Given] = {}
    for name, value in sorted(os.environ.items()):
        capitals = name.upper()
        if capitals in known:
            given[known[capitals]] = _Given(value, capitals)
        elif capitals.startswith(PREFIX) and capitals != CONFIG_VARIABLE:
            wrong.append(f"{name} is no setting{_meant(capitals, sorted(known))}")
    return given


def _from_file(config: Path | None, wrong: list[str]) -> dict[str, _Given]:
    named = os.environ.get(CONFIG_VARIABLE)
    path = config or Path(named or CONFIG_FILE)
    if config is None and not named and not path.exists():
        return {}
    origin = "--config" if config else CONFIG_VARIABLE if named else "the working directory"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"the configuration file {path} (from {origin}) can't be read: {error.strerror}"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the configuration file {path} is not TOML: {error}") from error
    for name in values.keys() - SETTINGS.keys():
        hint = _meant(name, sorted(SETTINGS))
        wrong.append(f"{name} in {path} is no setting{hint}")
    return {name: _Given(value, str(path)) for name, value in values.items() if name in SETTINGS}


def _meant(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else "; see docs/configuration.md for all of them"


def default_of(setting: Setting) -> str:
    """Returns a setting's default as it would be written in the environment."""
    value = setting.default
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
