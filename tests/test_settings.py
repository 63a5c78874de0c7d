"""Settings: who wins, what a project file may not say, and what a wrong value is told."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from nbaudio import errors
from nbaudio.errors import NoBackend, SetupError, mask
from nbaudio.settings import OFFLINE_URL, OPENAI_URL, Backend, NbAudio, missing_offline_packages, settings
from nbaudio.wire.dialects import dialect_for

KEY = "sk-test-0123456789abcdefghij"
MINE = (
    "backend",
    "base_url",
    "api_key_env",
    "dialect",
    "hear_with",
    "speak_with",
    "servers_file",
    "brain",
    "journal",
    "journal_days",
    "journal_mb",
    "prices",
    "day_totals",
    "cache_folder",
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with no project file in or above it, and no key of another test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(errors, "_secrets", set())
    monkeypatch.setattr(errors, "_pieces", set())
    return tmp_path


def project(folder: Path, table: str) -> Path:
    file = folder / "pyproject.toml"
    file.write_text(table, encoding="utf-8")
    return file


# -- who wins -----------------------------------------------------------------------------------------------


def test_the_first_of_four_places_wins(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert NbAudio().voice == "alloy"
    project(elsewhere, '[tool.nbaudio]\nvoice = "from the project"')
    assert NbAudio().voice == "from the project"
    monkeypatch.setenv("NBAUDIO_VOICE", "from the environment")
    assert NbAudio().voice == "from the environment"
    assert NbAudio(config=Config({"NbAudio": {"voice": "from a profile"}})).voice == "from a profile"
    assert NbAudio(voice="given").voice == "given"


def test_config_in_a_cell_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.setenv("NBAUDIO_VOICE", "from the environment")
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    try:
        shell.run_line_magic("load_ext", "nbaudio")
        assert settings().voice == "from the environment"
        shell.run_line_magic("config", "NbAudio.voice = 'from a cell'")
        assert settings().voice == "from a cell"
        shell.run_line_magic("config", "NbAudio.retries = 7")
        assert settings().retries == 7
    finally:
        InteractiveShell.clear_instance()


def test_a_profile_that_says_something_else_leaves_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBAUDIO_VOICE", "from the environment")

    assert NbAudio(config=Config({"NbAudio": {"model": "m"}})).voice == "from the environment"


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBAUDIO_VOICE", "")

    assert NbAudio().voice == "alloy"


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("NBAUDIO_STREAM", "0", False),
        ("NBAUDIO_STREAM", "true", True),
        ("NBAUDIO_RETRIES", "0", 0),
        ("NBAUDIO_TIMEOUT_S", "1.5", 1.5),
        ("NBAUDIO_AUDIO_FORMAT", "mp3", "mp3"),
        ("NBAUDIO_BACKEND", "offline", "offline"),
        ("NBAUDIO_INSTRUCTIONS", '"Quoted"', '"Quoted"'),
        ("NBAUDIO_INSTRUCTIONS", "~", "~"),
        ("NBAUDIO_INSTRUCTIONS", "None", "None"),
    ],
)
def test_the_environment_is_read_by_type_and_words_stay_as_they_are(
    variable: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)

    assert getattr(NbAudio(), variable.removeprefix("NBAUDIO_").lower()) == value


def test_the_nearest_project_file_with_a_table_counts(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(elsewhere, '[tool.nbaudio]\nvoice = "outer"\nretries = 5\nstream = false')
    inner = elsewhere / "inner"
    inner.mkdir()
    project(inner, '[project]\nname = "has no table of ours"')
    monkeypatch.chdir(inner)

    chosen = NbAudio()

    assert (chosen.voice, chosen.retries, chosen.stream) == ("outer", 5, False)


@pytest.mark.parametrize("text", ["not [ toml", "tool = 3", "[tool]\nnbaudio = 3", "\xff"])
def test_somebody_elses_broken_project_file_is_passed_over(text: str, elsewhere: Path) -> None:
    (elsewhere / "pyproject.toml").write_text(text, encoding="latin-1")

    assert NbAudio().voice == "alloy"


def test_a_folder_that_is_gone_has_no_project(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(os, "getcwd", gone)

    assert NbAudio().voice == "alloy"


# -- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MINE)
def test_a_project_file_cannot_say_where_requests_and_keys_go(name: str, elsewhere: Path) -> None:
    file = project(elsewhere, f'[tool.nbaudio]\n{name} = "openai"')

    with pytest.raises(SetupError) as caught:
        NbAudio()

    assert str(caught.value).startswith(f"{file} sets {name}, which only you can")
    assert f"Set NBAUDIO_{name.upper()} in the environment" in caught.value.next_step


def test_all_options_that_are_the_persons_own_are_known_here() -> None:
    assert set(NbAudio.class_trait_names(mine=True)) == set(MINE)


@pytest.mark.parametrize(
    ("name", "hint"), [("voise", "Did you mean voice?"), ("zzzzzz", "Known ones: api_key_env, audio_format")]
)
def test_an_unknown_name_in_a_project_file_gets_the_nearest(name: str, hint: str, elsewhere: Path) -> None:
    file = project(elsewhere, f'[tool.nbaudio]\n{name} = "x"')

    with pytest.raises(SetupError) as caught:
        NbAudio()

    assert caught.value.cause == f"{file} has an unknown option [tool.nbaudio] {name}."
    assert caught.value.next_step.startswith(hint)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stream", "perhaps"),
        ("retries", "many"),
        ("retries", "-1"),
        ("timeout_s", "0"),
        ("audio_format", "aac"),
        ("backend", "cloud"),
        ("max_completion_tokens", "1.5"),
    ],
)
def test_a_wrong_value_names_where_it_comes_from(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"NBAUDIO_{name.upper()}", text)

    with pytest.raises(SetupError) as caught:
        NbAudio()

    assert caught.value.cause == f"NBAUDIO_{name.upper()} has a value for {name} that can't be: {text!r}."
    assert caught.value.next_step


@pytest.mark.parametrize("value", ['"many"', "true", "1.5", "[1]"])
def test_a_wrong_value_in_a_project_file_names_the_file(value: str, elsewhere: Path) -> None:
    file = project(elsewhere, f"[tool.nbaudio]\nmax_completion_tokens = {value}")

    with pytest.raises(SetupError) as caught:
        NbAudio()

    assert caught.value.cause.startswith(f"{file} has a value for max_completion_tokens that can't be: ")


# -- where requests go --------------------------------------------------------------------------------------


def resolved(**options: object) -> Backend:
    return NbAudio(**options).resolve()


def test_a_key_alone_goes_to_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    backend = resolved()

    assert (backend.name, backend.base_url, backend.key, backend.key_from) == (
        "OpenAI", OPENAI_URL, KEY, "OPENAI_API_KEY"
    )  # fmt: skip
    assert backend.model == "gpt-audio-1.5"
    assert backend.dialect.name == "openai"
    assert not backend.offline


def test_no_key_and_no_server_is_offline_where_the_engine_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbaudio.settings.missing_offline_packages", list)

    backend = resolved()

    assert backend.offline
    assert (backend.base_url, backend.key, backend.dialect.name) == (OFFLINE_URL, "", "offline")


def test_offline_wins_over_a_key_where_it_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbaudio.settings.missing_offline_packages", list)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:8000/v1")

    backend = resolved(backend="offline")

    assert backend.offline
    assert backend.key == ""


def test_nothing_at_all_says_what_to_set_or_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbaudio.settings.missing_offline_packages", lambda: ["hibari"])

    with pytest.raises(NoBackend, match=r"Set a key, or install the engine: pip install 'nbaudio\[offline\]'"):
        resolved()


def test_openai_without_a_key_says_which_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoBackend, match=r"The backend is OpenAI, but MY_KEY is not set\. Set MY_KEY"):
        resolved(backend="openai", api_key_env="MY_KEY")


def test_the_environments_server_is_taken_with_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", " http://localhost:8000/v1/ ")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    backend = resolved()

    assert (backend.name, backend.base_url, backend.key) == ("localhost:8000", "http://localhost:8000/v1", KEY)
    assert backend.dialect.name == "compatible"


def test_a_server_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:8000/v1")

    assert (resolved().key, resolved().key_from) == ("", "")


def test_the_option_wins_over_the_environments_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:8000/v1")

    assert resolved(base_url="https://mine.openai.azure.com/openai/v1").dialect.name == "azure"


def test_another_variable_can_hold_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)

    assert (resolved(api_key_env="MY_KEY").key, resolved(api_key_env="MY_KEY").key_from) == (KEY, "MY_KEY")


def test_a_model_and_a_dialect_can_be_chosen() -> None:
    backend = resolved(base_url="http://localhost:8000/v1", model="llama", dialect="openai")

    assert (backend.model, backend.dialect.keeps_audio_ids) == ("llama", True)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:hunter2secret@host/v1",
        "https://hunter2secret@host/v1",
        "user:hunter2secret@host/v1",
        "ftp://user:hunter2secret@host/v1",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(SetupError) as caught:
        resolved(base_url=url)

    assert caught.value.cause == "NbAudio.base_url holds a user name or password."
    assert "hunter2secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["localhost:8000/v1", "ftp://host/v1", "https:///v1", "//host/v1", "http://[bad", "http://host:99999/v1", "words"],
)
def test_what_is_no_address_says_where_it_was_set(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)

    with pytest.raises(SetupError) as caught:
        resolved()

    assert str(caught.value) == (
        f"OPENAI_BASE_URL is {url!r}, which is no address of a server. Write it as https://host/v1."
    )


@pytest.mark.parametrize("url", [f"https://host/v1?key={KEY}", f"https://host/v1#{KEY}"])
def test_nothing_may_follow_the_path_of_an_address(url: str) -> None:
    with pytest.raises(SetupError, match=r"goes on after the path, with \? or #") as caught:
        resolved(base_url=url)

    assert KEY not in str(caught.value)


@pytest.mark.parametrize("key", ["two words here", "line\nend-of-key", "kéy-with-accent", "tab\tinside"])
def test_what_can_be_no_key_is_refused_before_it_is_sent(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)

    with pytest.raises(SetupError, match="OPENAI_API_KEY holds what no key does") as caught:
        resolved()

    assert key not in str(caught.value)


def test_a_key_is_trimmed_and_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"  {KEY}\n")

    backend = resolved()

    assert backend.key == KEY
    assert KEY not in repr(backend)
    assert KEY not in str(backend)
    assert mask(f"wrong key {KEY}") == "wrong key [key]"


def test_every_option_has_help() -> None:
    for name, trait in NbAudio.class_traits(config=True).items():
        assert trait.help, name


def test_every_option_is_in_the_documented_table() -> None:
    page = (Path(__file__).parents[1] / "docs" / "settings.md").read_text(encoding="utf-8")
    told = {
        name
        for line in page.splitlines()
        if line.startswith("| `")
        for name in re.findall("`(.+?)`", line.split("|")[1])
    }
    assert told == set(NbAudio.class_trait_names(config=True))


def test_missing_packages_are_told_by_name_and_nothing_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util
    import sys

    def find_spec(name: str) -> object:
        if name == "hibari":
            raise ModuleNotFoundError(name)
        if name == "tqdm":
            raise ValueError(f"{name}.__spec__ is None")
        return None if name == "xllamacpp" else object()

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    before = set(sys.modules)

    assert missing_offline_packages() == ["hibari", "xllamacpp", "tqdm"]
    assert set(sys.modules) == before


# -- a profile ----------------------------------------------------------------------------------------------


class Shells:
    """Makes a shell as a profile has it start."""

    def __call__(self, **profile: object) -> InteractiveShell:
        return InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}, "NbAudio": {**profile}}))


@pytest.fixture
def shell_with() -> Iterator[Shells]:
    yield Shells()
    InteractiveShell.clear_instance()


PROFILE = {"voice": "ash", "budget_usd": 1.0, "journal": "off"}


def of_profile() -> dict[str, object]:
    return {name: getattr(settings(), name) for name in PROFILE}


@pytest.mark.parametrize("reads", ["settings()", "NbAudio.instance()"])
def test_a_profile_counts_whoever_reads_the_options_first(
    shell_with: Shells, monkeypatch: pytest.MonkeyPatch, reads: str
) -> None:
    monkeypatch.setenv("NBAUDIO_JOURNAL", "of the environment")
    shell = shell_with(**PROFILE)
    shell.run_cell(f"from nbaudio.settings import NbAudio, settings\nfirst = {reads}")
    assert of_profile() == PROFILE
    shell.run_line_magic("load_ext", "nbaudio")
    assert of_profile() == PROFILE
    assert settings() is shell.user_ns["first"]
    shell.run_line_magic("config", "NbAudio.voice = 'sage'")
    assert settings().voice == "sage"


def test_a_profile_of_a_shell_that_came_later_leaves_what_was_set(shell_with: Shells) -> None:
    chosen = settings()
    chosen.voice, chosen.retries = "coral", 2  # which is the default, and was set all the same
    chosen.base_url = "http://localhost:8000/v1"
    shell = shell_with(**PROFILE, retries=5, server="kitchen")
    shell.run_line_magic("load_ext", "nbaudio")
    assert of_profile() == {**PROFILE, "voice": "coral"}
    assert (chosen.retries, chosen.base_url, chosen.server) == (2, "http://localhost:8000/v1", "")
    chosen.voice = "sage"
    shell.run_line_magic("reload_ext", "nbaudio")
    assert chosen.voice == "sage"


def test_a_profile_of_a_shell_that_came_later_leaves_the_connection(shell_with: Shells) -> None:
    backend = Backend("mine", "http://localhost:8000/v1", "m", dialect_for("http://localhost:8000/v1"))
    settings().connect(backend)
    shell_with(base_url="http://localhost:9000/v1", api_key_env="MINE").run_line_magic("load_ext", "nbaudio")
    assert settings().resolve() is backend
    assert settings().api_key_env == "MINE"


@pytest.mark.parametrize(
    ("names", "counts"), [({"server"}, "server"), ({"server", "base_url"}, "server"), ({"base_url"}, "base_url")]
)
def test_a_later_profile_names_one_server(shell_with: Shells, names: set[str], counts: str) -> None:
    chosen = settings()
    shell_with(**dict.fromkeys(names, "http://kitchen")).run_line_magic("load_ext", "nbaudio")
    assert {name for name in ("server", "base_url") if getattr(chosen, name)} == {counts}
