"""``%talk``: what its options make of the widget that it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from traitlets.config import Config

import nbaudio as nba
from nbaudio.errors import CellError
from nbaudio.magics import talking
from nbaudio.magics.cells import NbAudioMagics
from nbaudio.widgets.voice_chat import VoiceChat

Talk = Callable[[str], VoiceChat]


def dogs(breed: str) -> str:
    """Say what a breed is like."""
    return breed


@pytest.fixture
def magics(journal_file: object, monkeypatch: pytest.MonkeyPatch) -> NbAudioMagics:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-nobody")  # a server, also without the offline engine
    made = NbAudioMagics(shell=None, config=Config())
    made.shell = SimpleNamespace(kernel=None, user_ns={"dogs": dogs, "tongue": "fr"})
    return made


@pytest.fixture
def talk(magics: NbAudioMagics, monkeypatch: pytest.MonkeyPatch) -> Iterator[Talk]:
    shown: list[VoiceChat] = []
    monkeypatch.setattr(talking, "display", shown.append)

    def run(line: str) -> VoiceChat:
        assert magics.talk(line) is None
        return shown[-1]

    yield run
    for widget in shown:
        widget.close()


def test_it_is_an_open_session_with_the_notebooks_conversation(talk: Talk) -> None:
    widget = talk("")
    assert widget.chat is nba.chat()
    assert (widget.realtime, widget.hold_to_talk, widget.aloud, widget.session) == (True, False, True, "closed")


def test_options_become_those_of_the_session(talk: Talk, magics: NbAudioMagics) -> None:
    line = "--voice coral --hold --language {tongue} --tools dogs --words --chat french -o widget"
    widget = talk(f'{line} --instructions "Be patient." --model gpt-realtime')
    assert magics.shell is not None
    assert magics.shell.user_ns["widget"] is widget
    assert widget.chat is nba.chat("french")
    assert (widget.voice, widget.hold_to_talk, widget.aloud) == ("coral", True, False)
    made: list[Any] = []
    widget._talk.open = lambda make, _: made.append(make(None))  # type: ignore[method-assign]
    widget.voice = "ash"  # chosen on the page
    widget.begin_talking()
    options = made[0].options
    assert (options.model, options.voice, options.instructions) == ("gpt-realtime", "ash", "Be patient.")
    assert (options.language, options.aloud, options.push_to_talk) == ("fr", False, True)
    assert [tool["name"] for tool in options.as_session()["tools"]] == ["dogs"]


def test_where_the_server_says_when_a_turn_is_over(talk: Talk) -> None:
    made: list[Any] = []
    widget = talk("--semantic --once")
    assert widget.chat is not nba.chat()
    widget._talk.open = lambda make, _: made.append(make(None))  # type: ignore[method-assign]
    widget.begin_talking()
    assert made[0].options.turn_detection == {"type": "semantic_vad"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--hold --semantic", "exclude each other"),
        ("hello", "does not know what to do with 'hello'"),
        ("--holds", "Did you mean --hold?"),
        ("--tools cats", "no function 'cats'"),
    ],
)
def test_what_can_not_be(magics: NbAudioMagics, line: str, said: str) -> None:
    with pytest.raises(CellError, match=said.replace("?", r"\?")):
        magics.talk(line)


def test_a_terminal_is_told_what_to_do(magics: NbAudioMagics) -> None:
    magics.shell = SimpleNamespace(user_ns={})
    with pytest.raises(CellError, match=r"nbaudio\.Realtime talks from a program"):
        magics.talk("")


def test_help(magics: NbAudioMagics, capsys: pytest.CaptureFixture[str]) -> None:
    magics.talk("--help")
    assert "Begin talking" in (said := capsys.readouterr().out)
    assert "--hold" in said
