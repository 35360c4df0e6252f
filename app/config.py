"""The settings: flags first, then the environment, then a TOML file, then the defaults."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit, urlunsplit

from annotated_types import Ge, Le
from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

PREFIX = "SCROLLBACK_"
CONFIG_VARIABLE = "SCROLLBACK_CONFIG"
CONFIG_FILE = "scrollback.toml"

_UNITS = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_SIZE = re.compile(r"\s*(\d+)\s*([A-Za-z]*)\s*")


class SettingsError(Exception):
    """Settings are wrong. The text names each value, where it came from and what is allowed."""


def _names(value: object) -> object:
    """Splits text from a flag or the environment at its commas."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return value


def _bytes(value: object) -> object:
    """Reads a size with its unit, `512 KiB`; a bare number is bytes."""
    if isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        unit = _UNITS.get(match[2].upper())
        return value if unit is None else int(match[1]) * unit
    return value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]
Bytes = Annotated[int, BeforeValidator(_bytes)]


class Settings(BaseSettings):
    """Everything that can be configured. Times are in seconds, sizes in bytes.

    Made by `load_settings`; made directly, it takes what it is given and looks nowhere else.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX)

    store: str = Field(
        default="sqlite:///scrollback.db",
        pattern=r"^[a-z][a-z0-9+]*://.+",
        description="The URL of the store; a relative path is below the working directory.",
    )
    host: str = Field(
        default="127.0.0.1", min_length=1, description="The address or name to listen on."
    )
    port: int = Field(
        default=8000, ge=0, le=65535, description="The port to listen on; 0 takes any that is free."
    )
    log_level: Literal["debug", "info", "warning", "error", "critical"] = Field(
        default="info", description="The least important lines that are logged."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="How a line is logged; auto is text for a terminal, else JSON."
    )
    allowed_origins: Names = Field(
        default=(),
        description="Origins of other sites whose pages may call the API, such as "
        "`https://chat.example`; `*` for every site. The server's own pages and those of this "
        "computer always may.",
    )
    allowed_hosts: Names = Field(
        default=(),
        description="Names under which the server may be asked for, beside those of this "
        "computer; `*` for any.",
    )
    graphiql: bool = Field(
        default=True, description="Whether a browser gets GraphiQL at `/graphql`."
    )
    body_limit: Bytes = Field(
        default=1 << 20,
        ge=1024,
        le=1 << 30,
        description="The largest request, and WebSocket message.",
    )
    operation_timeout: float = Field(
        default=10.0, ge=0.1, le=3600, description="How long a query or mutation may take."
    )
    drain_seconds: float = Field(
        default=10.0, ge=0, le=3600, description="How long running operations may take at a stop."
    )
    page_size: int = Field(
        default=50, ge=1, le=10_000, description="The size of a page where a query names none."
    )
    max_page_size: int = Field(
        default=100, ge=1, le=10_000, description="The largest page that a query may ask for."
    )
    max_node_ids: int = Field(
        default=100, ge=1, le=10_000, description="How many ids `nodes(ids:)` takes."
    )
    max_nodes: int = Field(
        default=10_000, ge=1, le=10_000_000, description="How many objects a query may ask for."
    )
    max_depth: int = Field(
        default=12, ge=1, le=100, description="How deep the fields of a query nest."
    )
    max_aliases: int = Field(
        default=30, ge=0, le=10_000, description="How many aliases a query has."
    )
    max_directives: int = Field(
        default=20, ge=0, le=10_000, description="How many directives a query has."
    )
    max_query_characters: int = Field(
        100_000, ge=1000, le=1 << 30, description="How long the text of a query is."
    )
    max_input_values: int = Field(
        2000,
        ge=10,
        le=1_000_000,
        description="How many objects and list items the variables of a request hold.",
    )
    max_tokens: int = Field(
        default=1000, ge=10, le=1_000_000, description="How many lexical tokens a query has."
    )
    max_messages_per_mutation: int = Field(
        default=100, ge=1, le=10_000, description="How many messages one mutation adds."
    )
    max_message_bytes: Bytes = Field(
        default=1_000_000, ge=1000, le=1 << 30, description="The largest message."
    )
    max_metadata_bytes: Bytes = Field(
        default=65_536,
        ge=100,
        le=1 << 30,
        description="The largest metadata of a session or message.",
    )
    compiled: bool = Field(
        True,
        description="Whether operations that repeat are compiled; without, they are slower.",
    )
    operations_per_socket: int = Field(
        default=20, ge=1, le=10_000, description="How many operations run at once on one WebSocket."
    )
    socket_init_timeout: float = Field(
        default=10.0,
        ge=0.1,
        le=3600,
        description="How long a WebSocket may wait to introduce itself.",
    )
    heartbeat_seconds: float = Field(
        default=15.0, ge=1, le=3600, description="How often an idle connection is tried."
    )
    send_timeout: float = Field(
        default=10.0,
        ge=0.1,
        le=3600,
        description="How long a client may leave what it is sent unread.",
    )
    document_cache: int = Field(
        default=1000, ge=0, le=1_000_000, description="How many parsed queries are kept."
    )
    catch_up_seconds: float = Field(
        default=3.0,
        ge=2,
        le=5,
        description="How often followed sessions are looked at for changes by other processes.",
    )

    @model_validator(mode="after")
    def _pages_fit(self) -> Settings:
        if self.page_size > self.max_page_size:
            raise ValueError(
                f"page_size is {self.page_size}; it can be at most max_page_size, which is "
                f"{self.max_page_size}"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leaves the search for values to `load_settings`, which can say where each is from."""
        return (init_settings,)


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
    try:
        settings = Settings(**{name: one.value for name, one in given.items()})  # type: ignore[arg-type]
    except ValidationError as error:
        wrong += _describe(error, given)
    if wrong:
        raise SettingsError("\n".join(wrong))
    return settings


def allowed_values(field: FieldInfo) -> str:
    """Returns in words what a setting can be."""
    kind = field.annotation
    low = next((mark.ge for mark in field.metadata if isinstance(mark, Ge)), None)
    high = next((mark.le for mark in field.metadata if isinstance(mark, Le)), None)
    if get_origin(kind) is Literal:
        return ", ".join(get_args(kind)[:-1]) + f" or {get_args(kind)[-1]}"
    if kind is bool:
        return "true or false"
    if kind is float:
        return f"a number of seconds from {low:g} to {high:g}"
    if kind is int and any(mark == BeforeValidator(_bytes) for mark in field.metadata):
        return f"bytes from {low} to {high}, or a size such as 512 KiB or 2 MiB"
    if kind is int:
        return f"a whole number from {low} to {high}"
    if get_origin(kind) is tuple:
        return "a list of names; in the environment, separated by commas"
    if field is Settings.model_fields["store"]:
        return "a URL such as sqlite:///scrollback.db"
    return "text that is not empty"


def _from_environment(wrong: list[str]) -> dict[str, _Given]:
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in {*known, CONFIG_VARIABLE}:
            wrong.append(f"{name} is no setting{_meant(name.upper(), sorted(known))}")
    return {
        name: _Given(value, f"{PREFIX}{name}".upper())
        for name, value in EnvSettingsSource(Settings, env_prefix=PREFIX)().items()
        if name in Settings.model_fields
    }


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
    for name in values.keys() - Settings.model_fields.keys():
        hint = _meant(name, sorted(Settings.model_fields))
        wrong.append(f"{name} in {path} is no setting{hint}")
    return {
        name: _Given(value, str(path))
        for name, value in values.items()
        if name in Settings.model_fields
    }


def _meant(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else "; see docs/configuration.md for all of them"


def _describe(error: ValidationError, given: Mapping[str, _Given]) -> list[str]:
    lines = []
    for fault in error.errors(include_url=False):
        name = str(fault["loc"][0]) if fault["loc"] else ""
        if name in given and name in Settings.model_fields:
            one = given[name]
            allowed = allowed_values(Settings.model_fields[name])
            lines.append(f"{name} can't be {one.value!r} (from {one.origin}); allowed: {allowed}")
        else:
            lines.append(fault["msg"].removeprefix("Value error, "))
    return list(dict.fromkeys(lines))


def default_of(field: FieldInfo) -> str:
    """Returns a setting's default as it would be written in the environment."""
    value: Any = field.default
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
