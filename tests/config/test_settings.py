"""Settings come from flags, then the environment, then a file; what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config import (
    PREFIX,
    SETTINGS,
    Settings,
    SettingsError,
    allowed_values,
    default_of,
    load_settings,
)

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, text: str, name: str = "scrollback.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_without_anything_the_defaults_hold() -> None:
    assert load_settings() == Settings()
    assert load_settings().store == "sqlite:///scrollback.db"


def test_a_file_goes_before_defaults_the_environment_before_it_and_a_flag_before_both(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(empty_folder, 'host = "file"\nport = 1\nlog_level = "error"')
    monkeypatch.setenv("SCROLLBACK_HOST", "environment")
    monkeypatch.setenv("SCROLLBACK_PORT", "2")
    settings = load_settings({"host": "flag", "port": None})
    assert (settings.host, settings.port, settings.log_level) == ("flag", 2, "error")


def test_a_named_file_takes_the_place_of_the_one_in_the_working_directory(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(empty_folder, "port = 1")
    other = write(empty_folder, "port = 2", "other.toml")
    third = write(empty_folder, "port = 3", "third.toml")
    monkeypatch.setenv("SCROLLBACK_CONFIG", str(third))
    assert load_settings().port == 3
    assert load_settings(config=other).port == 2


def test_lists_are_separated_by_commas_in_the_environment_and_are_lists_in_a_file(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(empty_folder, 'allowed_hosts = ["a.example", "b.example"]')
    monkeypatch.setenv("SCROLLBACK_ALLOWED_ORIGINS", "https://a.example, https://b.example")
    settings = load_settings()
    assert settings.allowed_origins == ("https://a.example", "https://b.example")
    assert settings.allowed_hosts == ("a.example", "b.example")


@pytest.mark.parametrize(
    ("written", "size"), [("2048", 2048), ("2 KiB", 2048), ("3MiB", 3 << 20), ("1 gib", 1 << 30)]
)
def test_a_size_may_have_a_unit(monkeypatch: pytest.MonkeyPatch, written: str, size: int) -> None:
    monkeypatch.setenv("SCROLLBACK_BODY_LIMIT", written)
    assert load_settings().body_limit == size


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *((word, True) for word in ("true", "Yes", "on", "1")),
        *((word, False) for word in ("False", "no", "OFF", "0")),
    ],
)
def test_a_switch_is_turned_by_any_of_the_usual_words(
    monkeypatch: pytest.MonkeyPatch, written: str, value: bool
) -> None:
    monkeypatch.setenv("SCROLLBACK_GRAPHIQL", written)
    assert load_settings().graphiql is value


def test_a_number_may_be_grouped_and_its_variable_be_written_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("scrollback_max_nodes", " 20_000 ")
    monkeypatch.setenv("SCROLLBACK_SEND_TIMEOUT", "2.5")
    settings = load_settings()
    assert (settings.max_nodes, settings.send_timeout) == (20_000, 2.5)


def test_a_file_may_quote_numbers_and_leave_out_fractions(empty_folder: Path) -> None:
    write(empty_folder, 'port = "9000"\nsend_timeout = 5\nbody_limit = "2 MiB"')
    settings = load_settings()
    assert (settings.port, settings.send_timeout) == (9000, 5.0)
    assert type(settings.send_timeout) is float
    assert settings.body_limit == 2 << 20


@pytest.mark.parametrize("line", ["host = 5", "store = true", "port = []", "allowed_hosts = [1]"])
def test_a_value_of_another_type_is_an_error(empty_folder: Path, line: str) -> None:
    write(empty_folder, line)
    with pytest.raises(SettingsError, match=r" can't be .* \(from scrollback\.toml\); allowed: "):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PORT", "x", "a whole number from 0 to 65535"),
        ("PORT", "65536", "a whole number from 0 to 65535"),
        ("LOG_LEVEL", "loud", "debug, info, warning, error or critical"),
        ("GRAPHIQL", "perhaps", "true or false"),
        ("CATCH_UP_SECONDS", "9", "a number of seconds from 2 to 5"),
        ("CATCH_UP_SECONDS", "nan", "a number of seconds from 2 to 5"),
        ("BODY_LIMIT", "9" * 5000, "bytes from 1024 to 1073741824, or a size such as 512 KiB"),
        ("BODY_LIMIT", "2 parsecs", "bytes from 1024 to 1073741824, or a size such as 512 KiB"),
        ("STORE", "chats.db", "a URL such as sqlite:///scrollback.db"),
        ("HOST", "", "text that is not empty"),
    ],
)
def test_a_wrong_value_is_named_with_its_place_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    expected = f"{name.lower()} can't be {value!r} (from {PREFIX}{name}); allowed: {allowed}"
    assert str(caught.value).startswith(expected)


def test_a_wrong_flag_and_a_wrong_line_of_the_file_are_named_together(empty_folder: Path) -> None:
    write(empty_folder, 'page_size = "many"')
    with pytest.raises(SettingsError) as caught:
        load_settings({"port": -1})
    assert str(caught.value).splitlines() == [
        "port can't be -1 (from --port); allowed: a whole number from 0 to 65535",
        "page_size can't be 'many' (from scrollback.toml); allowed: a whole number from 1 to 10000",
    ]


def test_an_unknown_name_in_the_environment_is_an_error_with_the_name_that_was_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SCROLLBACK_PROT", "1")
    with pytest.raises(
        SettingsError, match=r"^SCROLLBACK_PROT is no setting; did you mean SCROLLBACK_PORT"
    ):
        load_settings()


def test_an_unknown_name_in_the_file_is_an_error(empty_folder: Path) -> None:
    write(empty_folder, "bananas = 3")
    with pytest.raises(
        SettingsError, match=r"^bananas in scrollback\.toml is no setting; see docs"
    ):
        load_settings()


def test_a_default_page_larger_than_the_largest_is_an_error() -> None:
    with pytest.raises(SettingsError, match="page_size is 200; it can be at most max_page_size"):
        load_settings({"page_size": 200})


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe"])
def test_a_file_that_is_not_toml_is_an_error(empty_folder: Path, content: bytes) -> None:
    (empty_folder / "scrollback.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=r"the configuration file scrollback\.toml is not TOML"):
        load_settings()


def test_a_named_file_that_is_missing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCROLLBACK_CONFIG", "gone.toml")
    with pytest.raises(
        SettingsError, match=r"gone\.toml \(from SCROLLBACK_CONFIG\) can't be read: No such file"
    ):
        load_settings()


def test_settings_made_directly_look_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCROLLBACK_PORT", "1")
    assert Settings().port == 8000


def test_settings_do_not_change() -> None:
    settings = Settings()
    with pytest.raises(AttributeError):
        settings.port = 1  # type: ignore[misc]
    assert settings.port == 8000


def test_the_page_of_settings_lists_each_as_it_is() -> None:
    _, _, page = PAGE.read_text(encoding="utf-8").partition("<!-- settings -->")
    table = page.partition("<!-- /settings -->")[0].strip().splitlines()
    expected = []
    for name, setting in SETTINGS.items():
        default = default_of(setting)
        shown = f"`{default}`" if default else "none"
        variable = f"{PREFIX}{name.upper()}"
        expected.append(
            f"| `{name}` | `{variable}` | {shown} | {allowed_values(setting)} "
            f"| {setting.description} |"
        )
    assert table[2:] == expected


def test_the_defaults_on_the_page_are_taken_as_they_stand_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, setting in SETTINGS.items():
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", default_of(setting))
    assert load_settings() == Settings()
