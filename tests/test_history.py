"""The public side of the journal: found turns, restoring, a copy."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from openai_server import Gate, OpenAIServer

import nbaudio as nba
from nbaudio.conversation import chats
from nbaudio.errors import ClipError, NbaudioError
from nbaudio.journal.watcher import journal

CLIP = nba.Clip.from_pcm16(bytes(range(200)) * 24)


def test_what_is_found_is_the_turn_with_its_sound(server: OpenAIServer, journal_file: Path) -> None:
    chat = nba.Conversation(name="dogs")
    reply = chat.say("Is a golden retriever a good dog?", CLIP, voice="coral")
    (found,) = nba.history.search("retriever")
    assert (found.role, found.chat, found.chat_id, found.state, found.sounds) == ("user", "dogs", chat.id, "kept", 1)
    assert found.notebook == str(Path.cwd())
    assert found.turn == chat[0]
    (answer,) = nba.history.search("gentle")
    turn = answer.turn
    assert turn == reply
    assert turn.clip.parked
    assert turn.usage == reply.usage
    assert turn.voice == "coral"
    assert turn.id == reply.id


def test_a_notebook_is_known_by_the_name_that_jupyter_tells(
    server: OpenAIServer, journal_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "work/dogs.ipynb")
    nba.Conversation().say("Hello.")
    assert {found.notebook for found in nba.history.latest()} == {"work/dogs.ipynb"}


def test_tables_are_plain_and_escaped(journal_file: Path) -> None:
    chat = nba.Conversation(name="<b>bold</b>")
    chat.append("<script>alert(1)</script>\x1b[31m \u202e|")
    for table in (nba.history.latest(), nba.history.chats()):
        bundle = table._repr_mimebundle_()
        assert "<script>" not in bundle["text/html"]
        assert "<b>" not in bundle["text/html"]
        assert "&lt;b&gt;bold" in bundle["text/html"]
        assert "\x1b" not in "".join(bundle.values())
        assert "\u202e" not in "".join(bundle.values())
        assert bundle["text/plain"] == repr(table)
    assert str(nba.history.search("nowhere")) == "Nothing found."
    nba.history.clear()
    assert str(nba.history.chats()) == "Nothing has been written down yet."


def crash() -> None:
    """What is left of a kernel that was killed: only the file."""
    chats._chats.clear()
    journal.close()


def test_after_a_crash_one_line_takes_the_conversation_up_again(server: OpenAIServer, journal_file: Path) -> None:
    chat = nba.chat()
    chat.instructions = "Be brief."
    first = chat.say("Is it a good dog?", CLIP)
    server.words, server.gate = "Yes, it is.", Gate(3)
    events = chat.stream("Why?")
    arrived = [next(events)]
    while sum(isinstance(event, nba.AudioDelta) for event in arrived) < 3:
        arrived.append(next(events))
    crash()
    restored = nba.history.restore()
    assert nba.chat() is restored
    assert [turn.role for turn in restored] == ["user", "assistant", "user", "assistant"]
    assert list(restored)[:2] == [chat[0], first]
    partial = restored[3]
    assert partial.partial
    assert partial.text == "Yes, it is."
    sound = b"".join(event.pcm16 for event in arrived if isinstance(event, nba.AudioDelta))
    assert partial.clip.encode("pcm16") == sound
    assert "broke off" in partial.note
    assert restored.instructions == "Be brief."
    events.close()
    assert (chat[3].text, chat[3].clip, chat[3].marks) == (partial.text, partial.clip, partial.marks)
    server.gate.open()
    restored.say("Go on.")
    body = server.requests[-1].body["messages"]
    assert [message["role"] for message in body] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert body[2] == {"role": "assistant", "audio": {"id": first.audio_id}}
    crash()
    assert len(nba.history.restore()) == 6


def test_a_question_without_an_answer_can_be_asked_again(server: OpenAIServer, journal_file: Path) -> None:
    chat, question = nba.chat(), nba.Turn("user", "Anybody?", (CLIP,))
    journal.asked(chat, question)
    crash()
    restored = nba.history.restore()
    assert list(restored) == [question]
    assert restored.retry().text
    assert len(restored) == 2


def test_restoring_twice_gives_the_same_and_harms_nothing(server: OpenAIServer, journal_file: Path) -> None:
    nba.chat().say("One.", CLIP)
    crash()
    first, second = nba.history.restore(), nba.history.restore()
    assert list(first) == list(second)
    first.say("Two.")
    second.say("Three.")
    assert sorted(chat.turns for chat in nba.history.chats()) == [2, 4, 4]


def test_a_conversation_that_runs_is_not_taken_for_the_one_that_crashed(
    server: OpenAIServer, journal_file: Path
) -> None:
    nba.chat().say("Before the crash.")
    crash()
    nba.chat().say("After it.")
    nba.chat("cats").say("Cats?")
    with pytest.raises(NbaudioError, match=r"The one that runs is nba.chat\('cats'\)"):
        nba.history.restore("cats")
    assert nba.history.restore()[0].text == "Before the crash."


def test_by_name_by_id_and_the_latest(
    server: OpenAIServer, journal_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nba.chat("dogs").say("Dogs?")
    nba.chat("cats").say("Cats?")
    once = nba.Conversation()
    once.say("Once?")
    crash()
    assert nba.history.restore("dogs")[0].text == "Dogs?"
    assert nba.history.restore(once.id)[0].text == "Once?"
    assert set(nba.chats()) == {"dogs"}
    assert nba.history.restore(None)[0].text == "Once?"
    with pytest.raises(NbaudioError, match=r"no conversation 'birds' .*chats\(\) lists"):
        nba.history.restore("birds")
    monkeypatch.setenv("JPY_SESSION_NAME", "elsewhere.ipynb")
    with pytest.raises(NbaudioError, match=r"is restored by its id: restore\('"):
        nba.history.restore("cats")


def test_a_sound_that_was_cleared_meanwhile_is_told(server: OpenAIServer, journal_file: Path) -> None:
    nba.chat().say("One.", CLIP)
    found = nba.history.search("One")[0]
    turn = found.turn
    nba.history.clear()
    with pytest.raises(ClipError, match=r"no longer in the journal .* It was cleared"):
        _ = turn.clip.samples
    with pytest.raises(NbaudioError, match="no longer in the journal"):
        _ = found.turn


def test_a_sound_plays_also_when_the_journal_is_off_or_another(
    server: OpenAIServer, journal_file: Path, tmp_path: Path
) -> None:
    nba.chat().say("One.", CLIP)
    turn = nba.history.search("One")[0].turn
    nba.NbAudio.instance().journal = str(tmp_path / "other.sqlite3")
    nba.Conversation().append("x")
    assert turn.clip == CLIP
    nba.NbAudio.instance().journal = "off"
    assert nba.Clip(turn.clip).samples.shape == CLIP.samples.shape


def test_a_sound_that_is_damaged_is_told(server: OpenAIServer, journal_file: Path) -> None:
    nba.chat().say("One.", CLIP)
    turn = nba.history.search("One")[0].turn
    journal.read(lambda store: store.connection.execute("UPDATE sound SET data = zeroblob(length(data))"))
    with pytest.raises(ClipError, match="is damaged"):
        _ = turn.clip.samples


def test_a_copy_is_whole_and_private_and_takes_no_ones_place(
    server: OpenAIServer, journal_file: Path, tmp_path: Path
) -> None:
    nba.chat().say("One.", CLIP)
    copy = nba.history.export(tmp_path / "copy.sqlite3")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    connection = sqlite3.connect(copy)
    assert connection.execute("SELECT count(*) FROM turn").fetchone() == (2,)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    with pytest.raises(NbaudioError, match="already"):
        nba.history.export(copy)
    with pytest.raises(NbaudioError, match="can't be copied"):
        nba.history.export(copy / "under a file")
    nba.NbAudio.instance().journal = str(copy)
    assert nba.history.search("One")[0].turn.clip == CLIP


@pytest.mark.parametrize("wrong", [0, -1])
def test_a_list_of_none_is_refused(wrong: int, journal_file: Path) -> None:
    for call in (nba.history.chats, nba.history.latest):
        with pytest.raises(NbaudioError, match="1 or more"):
            call(wrong)
    with pytest.raises(NbaudioError, match="1 or more"):
        nba.history.search("x", limit=wrong)
    with pytest.raises(NbaudioError, match="0 or more"):
        nba.history.clear(-1)
