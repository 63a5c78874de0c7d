"""What the journal holds of a conversation, and that a talk never hears of it."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from openai_server import Gate, OpenAIServer

import nbaudio as nba
from nbaudio import errors
from nbaudio.journal.watcher import journal

CLIP = nba.Clip.from_pcm16(bytes(range(200)) * 24)


def rows(file: Path, query: str = "SELECT role, words, state FROM turn ORDER BY chat, position, number") -> list[tuple]:  # type: ignore[type-arg]
    connection = sqlite3.connect(file)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_all_that_is_said_is_in_it(server: OpenAIServer, journal_file: Path) -> None:
    chat = nba.Conversation(name="dogs")
    reply = chat.say("Is it a good dog?", CLIP)
    assert rows(journal_file) == [("user", "Is it a good dog?", "kept"), ("assistant", reply.text, "kept")]
    assert rows(journal_file, "SELECT data FROM sound ORDER BY rowid") == [
        (CLIP.as_kept()[0],),
        (reply.clip.as_kept()[0],),
    ]
    assert rows(journal_file, "SELECT name FROM chat") == [("dogs",)]
    assert rows(journal_file, "SELECT count(*) FROM piece") == [(0,)]


def test_a_sound_that_is_said_twice_is_stored_once(server: OpenAIServer, journal_file: Path) -> None:
    for _ in range(2):
        nba.Conversation().say(nba.Clip(CLIP.as_kept()[0]), aloud=False)
    assert rows(journal_file, "SELECT count(*) FROM sound") == [(1,)]
    assert rows(journal_file, "SELECT count(*) FROM turn_sound") == [(2,)]


def test_a_question_is_in_it_before_it_is_sent_and_pieces_when_they_come(
    server: OpenAIServer, journal_file: Path
) -> None:
    asked: list[object] = []
    server.words = lambda body: str(asked.append(rows(journal_file)) or "Yes, it is.")
    server.gate = Gate(2)
    events = nba.Conversation().stream("Is it good?", CLIP)
    sound = b""
    while not sound:
        event = next(events)
        sound = event.pcm16 if isinstance(event, nba.AudioDelta) else b""
    assert asked == [[("user", "Is it good?", "asked")]]
    assert b"".join(data for (data,) in rows(journal_file, "SELECT data FROM piece WHERE NOT sample_rate")) == (
        b"Yes, it is."
    )
    assert rows(journal_file, "SELECT data FROM piece WHERE sample_rate = 24000 LIMIT 1") == [(sound,)]
    server.gate.open()
    assert isinstance(list(events)[-1], nba.Finished)
    assert rows(journal_file, "SELECT count(*) FROM piece") == [(0,)]


def test_a_question_without_an_answer_can_be_found(server: OpenAIServer, journal_file: Path) -> None:
    server.fail_next("quota")
    with pytest.raises(errors.QuotaExceeded):
        nba.Conversation().say("Is anybody there?")
    assert rows(journal_file) == [("user", "Is anybody there?", "unanswered")]


def test_edits_are_followed(server: OpenAIServer, journal_file: Path) -> None:
    chat = nba.Conversation()
    chat.say("One?")
    chat.say("Two?")
    chat.edit(0, "First?")
    chat.insert(0, "Before all.")
    chat.undo()
    assert rows(journal_file, "SELECT words FROM turn WHERE state = 'kept' ORDER BY position") == [
        (turn.words,) for turn in chat
    ]
    removed = rows(journal_file, "SELECT words FROM turn WHERE state = 'removed' ORDER BY number")
    assert removed == [("Two?",), ("Yes, they are loyal and gentle.",)]
    del chat[0]
    chat.append("Before all.")
    assert [
        words for (words,) in rows(journal_file, "SELECT words FROM turn WHERE state = 'kept' ORDER BY position")
    ] == [turn.words for turn in chat]


def test_a_retry_takes_the_place_of_the_answer(server: OpenAIServer, journal_file: Path) -> None:
    chat = nba.Conversation()
    chat.say("Is it good?")
    server.words = "No."
    chat.retry()
    assert rows(journal_file) == [
        ("user", "Is it good?", "kept"),
        ("assistant", "Yes, they are loyal and gentle.", "removed"),
        ("assistant", "No.", "kept"),
    ]


def test_a_retry_that_fails_leaves_the_old_answer(server: OpenAIServer, journal_file: Path) -> None:
    chat = nba.Conversation()
    chat.say("Is it good?")
    before = rows(journal_file)
    server.fail_next("cut_stream")
    with pytest.raises(errors.RequestError):
        chat.retry()
    assert rows(journal_file) == before


def test_forks_and_conversations_of_one_question_are_written_too(
    server: OpenAIServer, journal_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = nba.Conversation()
    chat.say("Is it good?", CLIP)
    read: list[object] = []
    as_kept = nba.Clip.as_kept
    monkeypatch.setattr(nba.Clip, "as_kept", lambda clip: read.append(clip) or as_kept(clip))
    fork = chat.fork()
    fork.say("Why?", aloud=False)
    assert read == []  # the sounds of a fork are there already
    assert rows(journal_file, f"SELECT count(*) FROM turn WHERE chat = '{fork.id}'") == [(4,)]
    assert rows(journal_file, f"SELECT count(*) FROM turn WHERE chat = '{chat.id}'") == [(2,)]
    assert len(nba.history.search("good")) == 1


def test_the_sound_of_a_turn_that_changes_by_edit_is_its_new_one(server: OpenAIServer, journal_file: Path) -> None:
    chat = nba.Conversation()
    chat.say("Is it good?", CLIP)
    other = nba.Clip.from_pcm16(bytes(4800))
    chat.edit(0, other)
    (found,) = nba.history.chats()
    restored = nba.history.restore(found.id)
    assert restored[0].clip == other
    assert restored[0].text == ""


def test_the_log_is_moved_into_the_file_behind_an_answer_and_not_before_a_question_is_sent(
    server: OpenAIServer, journal_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = journal_file.with_name(journal_file.name + "-wal")
    sizes: list[tuple[int, int]] = []

    def words(_: object) -> str:
        sizes.append((journal_file.stat().st_size, log.stat().st_size))
        return "Yes."

    server.words = words
    chat = nba.Conversation()
    chat.say(CLIP, aloud=False)
    before = journal_file.stat().st_size
    chat.say(nba.Clip.from_pcm16(bytes(range(250)) * 24_000), aloud=False)  # 6 MB
    assert sizes[-1][0] == before
    assert sizes[-1][1] > 6_000_000
    assert journal_file.stat().st_size > 6_000_000


def test_only_its_owner_can_read_it(server: OpenAIServer, journal_file: Path) -> None:
    nba.Conversation().say("Hello.")
    files = list(journal_file.parent.iterdir())
    assert {file.name for file in files} == {journal_file.name + ending for ending in ("", "-wal", "-shm")}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(journal_file.parent.stat().st_mode) == 0o700


def test_a_file_that_others_could_read_is_theirs_no_longer(server: OpenAIServer, journal_file: Path) -> None:
    nba.Conversation().say("Hello.")
    journal.close()
    journal_file.chmod(0o644)
    nba.Conversation().say("Hello.")
    assert stat.S_IMODE(journal_file.stat().st_mode) == 0o600


def test_no_key_is_in_it(server: OpenAIServer, journal_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sk-proj-0123456789-a-key-of-somebody"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setattr(server, "api_key", key)
    chat = nba.Conversation(name="keys", voice="ash", instructions="Be brief.")
    chat.say("Hello.", CLIP)
    server.fail_next("bad_key")
    with pytest.raises(errors.AuthenticationFailed):
        chat.say("And now?")
    everything = b"".join(file.read_bytes() for file in journal_file.parent.iterdir())
    assert b"And now?" in everything
    assert key.encode() not in everything
    assert b"Bearer" not in everything


def test_off_writes_nothing_not_even_afterwards(server: OpenAIServer, journal_file: Path) -> None:
    chat = nba.Conversation()
    chat.say("Before.")
    nba.NbAudio.instance().journal = "off"
    chat.say("Meanwhile.")
    with pytest.raises(errors.NbaudioError, match="The journal is off"):
        nba.history.latest()
    nba.NbAudio.instance().journal = str(journal_file)
    chat.say("After.")
    assert [words for (words,) in rows(journal_file, "SELECT words FROM turn WHERE role = 'user'")] == [
        "Before.",
        "After.",
    ]
    assert len(nba.history.latest()) == 4


def test_an_answer_to_what_was_asked_while_it_was_off_is_not_written(server: OpenAIServer, journal_file: Path) -> None:
    nba.NbAudio.instance().journal = "off"
    events = nba.Conversation().stream("Unwritten?")
    next(events)
    nba.NbAudio.instance().journal = str(journal_file)
    assert list(events)
    assert nba.history.latest() == []


def test_another_file_gets_all_of_a_conversation(server: OpenAIServer, journal_file: Path, tmp_path: Path) -> None:
    chat = nba.Conversation()
    chat.say("One.")
    nba.NbAudio.instance().journal = str(tmp_path)
    chat.say("Two.")
    assert len(rows(tmp_path / "journal.sqlite3")) == 4
    assert len(rows(journal_file)) == 2


def test_words_that_no_database_takes_are_written_and_come_back(server: OpenAIServer, journal_file: Path) -> None:
    chat = nba.Conversation(name="odd\ud800")
    odd = nba.Turn("user", "half \ud83d and \0 and '); DROP TABLE turn; --", time=1.0)
    chat.append(odd)
    (found,) = nba.history.latest()
    assert found.turn == odd
    assert "half ? and" in found.words
    assert nba.history.search("drop table")[0].turn_id == odd.id


def test_a_sound_whose_file_is_gone_does_not_hide_its_words(journal_file: Path) -> None:
    def gone() -> bytes:
        raise errors.ClipError("gone")

    clip = nba.Clip(CLIP)
    clip.park(gone)
    nba.Conversation().append(nba.Turn("user", "Hm?", (clip,)))
    assert nba.history.latest()[0].turn == nba.Turn("user", "Hm?")


def test_a_file_that_is_deleted_while_it_is_open_is_begun_anew(server: OpenAIServer, journal_file: Path) -> None:
    chat = nba.Conversation()
    chat.say("One.")
    for file in journal_file.parent.iterdir():
        file.unlink()
    chat.say("Two.")
    assert len(rows(journal_file)) == 4
