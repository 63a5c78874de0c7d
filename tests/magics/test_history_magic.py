"""``%nbaudio history`` in an IPython shell."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from openai_server import Gate, OpenAIServer, ToolCall
from traitlets.config import Config

import nbaudio as nba
from nbaudio.conversation import chats
from nbaudio.errors import CellError, NbaudioError
from nbaudio.journal.watcher import journal

CLIP = nba.Clip.from_pcm16(bytes(range(200)) * 240)


@pytest.fixture
def run(server: OpenAIServer, journal_file: Path) -> Iterator[Any]:
    """Runs ``%nbaudio history`` with a line, and gives what it prints and shows."""
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "nbaudio")

    def run_line(line: str) -> tuple[str, list[dict[str, str]]]:
        with capture_output() as captured:
            shell.run_line_magic("nbaudio", f"history {line}")
        return captured.stdout, [output.data for output in captured.outputs]

    yield run_line
    InteractiveShell.clear_instance()


def test_it_lists_the_latest(run: Any) -> None:
    assert run("")[1][0]["text/plain"] == "Nothing has been written down yet."
    nba.chat().say("Is a golden retriever a good dog?")
    _, (talks, turns) = run("")
    assert "notebook" in talks["text/plain"]
    assert "golden retriever" in turns["text/html"]


def test_it_searches_and_replays_a_few(run: Any) -> None:
    for number in range(5):
        nba.chat().say(f"Question {number} about <b>dogs</b>", CLIP, aloud=False)
    _, (table, *replays) = run("question dogs")
    assert table["text/plain"].count("Question") == 5
    assert len(replays) == 3
    for replay, number in zip(replays, (4, 3, 2), strict=True):
        assert "<audio" in replay["text/html"]
        assert f"Question {number}" in replay["text/plain"]
        assert "<b>" not in replay["text/html"]
    assert run("nothing of that kind")[1][0]["text/plain"] == "Nothing found."


def test_a_damaged_sound_does_not_hide_the_others(run: Any, journal_file: Path) -> None:
    for number in range(3):
        sound = random.Random(number).randbytes(48_000)
        nba.chat().append(nba.Turn("user", f"dogs {number}", (nba.Clip.from_pcm16(sound),)))
    journal.close()
    with sqlite3.connect(journal_file) as damaged:
        ((digest, data),) = damaged.execute("SELECT digest, data FROM sound ORDER BY rowid DESC LIMIT 1")
        changed = data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]
        damaged.execute("UPDATE sound SET data = ? WHERE digest = ?", (changed, digest))
    damaged.close()
    said, (_, *replays) = run("dogs")
    assert said.count(" is damaged.") == 1
    assert [replay["text/plain"] for replay in replays] == ["dogs 1 [1.0 s]", "dogs 0 [1.0 s]"]


def test_words_that_are_commands_are_searched_behind_dashes(run: Any) -> None:
    nba.chat().say("Turn it off.")
    assert "Turn it off." in run("-- off")[1][0]["text/plain"]
    with pytest.raises(CellError, match="-- off the record"):
        run("off the record")


def test_off_and_on(run: Any, journal_file: Path) -> None:
    assert "Nothing is written down" in run("off")[0]
    run("off")
    nba.chat().say("Unwritten.")
    assert not journal_file.exists()
    with pytest.raises(NbaudioError, match="history on"):
        run("")
    run("on")
    assert nba.NbAudio.instance().journal == str(journal_file)
    nba.chat().say("Written.")
    assert [found.words for found in nba.history.latest() if found.role == "user"] == ["Written."]


def test_restore_says_what_is_here_again(run: Any) -> None:
    nba.chat().say("Hello.")
    chats._chats.clear()
    assert "'notebook' is here again, with 2 turns." in run("restore")[0]
    assert nba.chat()[0].text == "Hello."
    with pytest.raises(NbaudioError, match="no conversation 'cats'"):
        run("restore cats")


def test_what_a_kill_cut_short_is_found_and_replayed(run: Any, server: OpenAIServer) -> None:
    server.gate = Gate(2)
    events = nba.chat().stream("Is it good?")
    while not isinstance(next(events), nba.AudioDelta):
        continue
    _, (table, replay) = run("loyal and gentle")
    assert "model (partial)" in table["text/plain"]
    assert "<audio" in replay["text/html"]
    assert server.words in replay["text/plain"]
    events.close()


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (0, "The last question has no answer; nba.chat().retry() asks it again."),
        (1, "The last question has no answer; nba.chat().retry() goes on from what tools have done."),
        (2, "The last question has no answer; nba.chat().retry() goes on from what tools have done."),
        (3, "The last answer broke off; what had come of it is kept."),
    ],
)
def test_restore_says_how_far_the_last_question_had_come(
    run: Any, server: OpenAIServer, tmp_path: Path, events: int, told: str
) -> None:
    def look() -> str:
        """What is there."""
        return "a dog"

    server.script = [[ToolCall("look", {})], "I see a dog."]
    coming = nba.chat().stream("What is there?", tools=[look])
    if events:
        for _ in range(events):
            next(coming)
    else:
        journal.asked(nba.chat(), nba.Turn("user", "What is there?"))
    nba.history.export(tmp_path / "copy.sqlite3")
    coming.close()
    chats._chats.clear()
    nba.NbAudio.instance().journal = str(tmp_path / "copy.sqlite3")
    assert run("restore")[0].endswith(f" turn{'s' if events else ''}. {told}\n")


def test_export_and_clear(run: Any, tmp_path: Path) -> None:
    nba.chat().say("Hello.")
    copy = tmp_path / "my copy.sqlite3"
    assert str(copy) in run(f'export "{copy}"')[0]
    assert copy.exists()
    with pytest.raises(CellError, match="Where to"):
        run("export")
    assert run("clear 30")[0] == "Deleted 0 turns.\n"
    assert run("clear")[0] == "Deleted 2 turns.\n"
    with pytest.raises(CellError, match="no number of days"):
        run("clear all")


def test_help_and_an_option_that_is_none(run: Any) -> None:
    assert "restore NAME" in run("--help")[0]
    with pytest.raises(CellError, match="no option --hlep"):
        run("--hlep")
