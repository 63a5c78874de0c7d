"""``%nbaudio use``, and the warning for a key that is typed in a cell, in a real shell."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from nbaudio import errors
from nbaudio.errors import CellError, NbaudioWarning, SetupError, mask
from nbaudio.servers import typed
from nbaudio.settings import NbAudio, settings

KEY = "sk-proj-0123456789abcdefghij"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[InteractiveShell]:
    monkeypatch.setattr(typed, "_told", set())
    monkeypatch.setattr(errors, "_secrets", set())
    monkeypatch.setattr(errors, "_pieces", set())
    file = tmp_path / "servers.toml"
    file.touch(mode=0o600)
    file.write_text('[servers.kitchen]\nurl = "http://192.168.1.7:11434/v1"\nmodel = "gemma3n"\n', encoding="utf-8")
    monkeypatch.setenv("NBAUDIO_SERVERS_FILE", str(file))
    NbAudio.clear_instance()
    made = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    made.run_line_magic("load_ext", "nbaudio")
    yield made
    InteractiveShell.clear_instance()


def use(shell: InteractiveShell, line: str) -> None:
    shell.run_cell(f"%nbaudio use {line}").raise_error()


@pytest.mark.offline
def test_a_name_of_ones_own(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    use(shell, "kitchen")

    assert (settings().resolve().profile, settings().resolve().model) == ("kitchen", "gemma3n")
    printed = capsys.readouterr().out
    assert "requests go to  192.168.1.7:11434: http://192.168.1.7:11434/v1 (kitchen in " in printed
    assert "hears           by itself\nspeaks          by the offline engine" in printed


def test_an_address_with_options(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    use(
        shell,
        "http://localhost:8000/v1 --model m --dialect vllm --key env:MY_KEY --hear-with nobody --speak-with offline",
    )
    backend = settings().resolve()

    assert (backend.base_url, backend.model, backend.dialect.name) == ("http://localhost:8000/v1", "m", "vllm")
    assert (backend.key, backend.hear_with) == (KEY, "nobody")
    assert backend.speak_with.offline  # type: ignore[union-attr]


def test_alone_it_lists_the_names(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    use(shell, "")
    printed = capsys.readouterr().out

    assert "kitchen" in printed
    assert "http://192.168.1.7:11434/v1" in printed
    for name in ("openai", "openrouter", "ollama", "mistral", "offline"):
        assert f"\n{name} " in printed


def test_help_says_what_there_is(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    use(shell, "--help")
    printed = capsys.readouterr().out

    for word in ("--model NAME", "--key PLACE", "--speak-with NAME|URL", "%nbaudio use ollama --model llama3.2"):
        assert word in printed


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ollama llama3.2", "does not know what to do with 'llama3.2'"),
        ("--model llama3.2", "does not know what to do with '--model llama3.2'"),
        ("ollama --modle x", "There is no option --modle. Did you mean --model?"),
    ],
)
def test_what_it_does_not_understand(shell: InteractiveShell, line: str, words: str) -> None:
    with pytest.raises(CellError) as caught:
        use(shell, line)

    assert words in str(caught.value)


def test_an_unknown_name_leaves_things_as_they_are(shell: InteractiveShell) -> None:
    use(shell, "ollama")
    with pytest.raises(SetupError, match="Did you mean kitchen"):
        use(shell, "kitchn")

    assert settings().resolve().dialect.name == "ollama"


@pytest.mark.parametrize(
    "cell",
    [
        f"%env OPENAI_API_KEY={KEY}",
        f"%config NbAudio.api_key_env = '{KEY}'",
        f"import nbaudio as nba\nbackend = nba.connect('openai', key='{KEY}')",
        f"import os\nos.environ['OPENAI_API_KEY'] = '{KEY}'",
    ],
)
def test_a_key_in_a_cell_works_and_is_warned_of_once(
    shell: InteractiveShell, cell: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-before-0123456789")
    capsys.readouterr()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        shell.run_cell(cell).raise_error()
        shell.run_cell(cell).raise_error()

    (warning,) = (one for one in caught if issubclass(one.category, NbaudioWarning))
    assert "A key is typed in this cell" in str(warning.message)
    assert KEY not in str(warning.message)
    assert mask(KEY) == "[key]"


def test_a_key_of_another_shape_is_seen_where_it_is_given(shell: InteractiveShell) -> None:
    with pytest.warns(NbaudioWarning, match="A key is typed in this cell"):
        shell.run_cell(
            "import nbaudio\nb = nbaudio.connect('http://localhost:8000/v1', key='0123456789abcdef')",
            store_history=True,
        ).raise_error()
    assert settings().resolve().key == "0123456789abcdef"


def test_a_key_that_is_asked_for_is_not_warned_of(shell: InteractiveShell) -> None:
    shell.user_ns["typed_elsewhere"] = KEY
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shell.run_cell(
            "import nbaudio\nb = nbaudio.connect('openai', key=typed_elsewhere)", store_history=True
        ).raise_error()

    assert settings().resolve().key == KEY


def test_loading_twice_looks_once(shell: InteractiveShell) -> None:
    from nbaudio.magics.typed_keys import warn_of_typed_keys

    shell.run_line_magic("reload_ext", "nbaudio")

    assert shell.events.callbacks["pre_run_cell"].count(warn_of_typed_keys) == 1
