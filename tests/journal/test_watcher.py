"""What the journal holds of a conversation, and that a talk never hears of it."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from pathlib import Path

import pytest
from openai_server import Gate, OpenAIServer, ToolCall

import nbaudio as nba
from nbaudio import errors
from nbaudio.journal import tidying
from nbaudio.journal.watcher import Journal, journal

COMING = "SELECT (SELECT count(*) FROM piece), (SELECT count(*) FROM long_sound WHERE question NOT NULL)"
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
    found = rows(journal_file, "SELECT sample_rate, data FROM part JOIN long_sound ON long_sound = number")
    assert {sample_rate for sample_rate, _ in found} == {24_000}
    assert b"".join(data for _, data in found).startswith(sound)
    server.gate.open()
    assert isinstance(list(events)[-1], nba.Finished)
    assert rows(journal_file, COMING) == [(0, 0)]


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
    chat.append(chat[0])  # is there twice, and not moved
    assert len(chat) == 4
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


# -- tools ------------------------------------------------------------------------------------------------

PARTS = "SELECT role, words, state, question IS NOT NULL FROM turn ORDER BY chat, position, number"


def look(at: int) -> str:
    """What is there."""
    return f"thing {at}"


def calls(count: int) -> list[ToolCall]:
    return [ToolCall("look", {"at": at}, id=f"call_{at}") for at in range(count)]


def test_calls_and_results_are_in_it_as_they_come(server: OpenAIServer, journal_file: Path) -> None:
    server.script = [calls(2), "I see."]
    events = nba.Conversation(tools=[look]).stream("What is there?")
    question, calling = ("user", "What is there?", "asked", 0), ("assistant", "", "asked", 1)
    first, second = ("tool", "thing 0", "asked", 1), ("tool", "thing 1", "asked", 1)
    assert isinstance(next(events), nba.ToolCalled)
    assert rows(journal_file, PARTS) == [question, calling]
    assert isinstance(next(events), nba.ToolCalled)
    assert isinstance(next(events), nba.ToolReturned)
    assert rows(journal_file, PARTS) == [question, calling, first]
    assert isinstance(next(events), nba.ToolReturned)
    assert rows(journal_file, PARTS) == [question, calling, first, second]
    assert isinstance(list(events)[-1], nba.Finished)
    assert rows(journal_file, PARTS) == [
        ("user", "What is there?", "kept", 0),
        ("assistant", "", "kept", 0),
        ("tool", "thing 0", "kept", 0),
        ("tool", "thing 1", "kept", 0),
        ("assistant", "I see.", "kept", 0),
    ]
    assert rows(journal_file, "SELECT count(*) FROM piece") == [(0,)]


def test_when_it_is_over_it_is_as_if_it_had_been_written_then(
    server: OpenAIServer, journal_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready: list[asyncio.Event] = []

    async def late(at: int) -> str:
        """What is there, the second before the first."""
        ready[:] = ready or [asyncio.Event()]
        if at:
            ready[0].set()
        await ready[0].wait()
        return f"thing {at}"

    tables = (
        "SELECT role, words, state, question, position FROM turn ORDER BY chat, position",
        "SELECT json_extract(record, '$.tool_calls'), json_extract(record, '$.note') FROM turn ORDER BY chat, position",
        "SELECT data FROM sound ORDER BY digest",
        "SELECT turn.position, digest FROM turn_sound JOIN turn ON number = turn ORDER BY 1, 2",
        "SELECT position, (SELECT words FROM said WHERE rowid = number) FROM turn ORDER BY position",
        "SELECT count(*) FROM said",
        "SELECT count(*) FROM piece",
    )

    def talk() -> list[object]:
        server.script = [
            [ToolCall("late", {"at": at}, id=f"call_{at}") for at in range(3)],
            calls(2),
            "I see.",
        ]
        chat = nba.Conversation(tools=[look, late])
        ready.clear()
        asyncio.run(chat.asay("What is there?", nba.Clip(CLIP.as_kept()[0])))
        return [rows(Path(nba.NbAudio.instance().journal or journal_file), table) for table in tables]

    as_it_comes = talk()
    monkeypatch.setattr(nba.NbAudio.instance(), "journal", str(tmp_path / "other.sqlite3"))
    monkeypatch.setattr(Journal, "went_on", lambda *_: None)
    assert as_it_comes == talk()
    assert [words for _, words, *_ in as_it_comes[0]][2:5] == ["thing 0", "thing 1", "thing 2"]  # type: ignore[misc]


def test_what_nobody_keeps_can_be_found(server: OpenAIServer, journal_file: Path) -> None:
    chat = nba.Conversation(tools=[look])
    old = chat.say("What is there?")
    server.script = [calls(1)]

    def broken(at: int) -> str:
        server.fail_next("quota")
        return f"thing {at}"

    broken.__name__ = "look"
    with pytest.raises(errors.QuotaExceeded):
        chat.retry(tools=[broken])
    assert list(chat)[1:] == [old]
    assert rows(journal_file, PARTS + ", number")[0] == ("user", "What is there?", "kept", 0)
    assert sorted(rows(journal_file, PARTS)[1:]) == [
        ("assistant", "", "removed", 0),
        ("assistant", old.text, "kept", 0),
        ("tool", "thing 0", "removed", 0),
    ]
    assert [found.state for found in nba.history.search("thing")] == ["removed"]
    assert [found.turns for found in nba.history.chats()] == [2]


def test_an_interrupt_in_the_first_tool_leaves_the_question_unanswered(
    server: OpenAIServer, journal_file: Path
) -> None:
    server.script = [calls(1)]
    events = nba.Conversation(tools=[look]).stream("What is there?")
    assert isinstance(next(events), nba.ToolCalled)
    events.close()
    assert rows(journal_file, PARTS) == [
        ("user", "What is there?", "unanswered", 0),
        ("assistant", "", "removed", 0),
    ]


def test_a_question_that_is_asked_again_in_vain_stands_as_before(server: OpenAIServer, journal_file: Path) -> None:
    chat = nba.Conversation()
    chat.append("Anybody?")
    server.fail_next("quota")
    with pytest.raises(errors.QuotaExceeded):
        chat.retry()
    assert rows(journal_file) == [("user", "Anybody?", "kept")]
    asked: list[object] = []
    server.words = lambda body: str(asked.append(rows(journal_file)) or "Yes.")
    chat.retry()
    assert asked == [[("user", "Anybody?", "asked")]]  # a kill now would leave a question without an answer
    assert rows(journal_file) == [("user", "Anybody?", "kept"), ("assistant", "Yes.", "kept")]


def test_results_that_come_while_it_is_off_are_not_written(server: OpenAIServer, journal_file: Path) -> None:
    server.script = [calls(3), "I see."]
    events = nba.Conversation(tools=[look]).stream("What is there?")
    for event in events:
        if isinstance(event, nba.ToolReturned):
            nba.NbAudio.instance().journal = "off" if event.result.text == "thing 0" else str(journal_file)
    assert [row[:3] for row in rows(journal_file, PARTS)] == [
        ("user", "What is there?", "kept"),
        ("assistant", "", "kept"),
        ("tool", "thing 0", "kept"),
        ("tool", "thing 2", "kept"),
        ("assistant", "I see.", "kept"),
    ]


def test_results_that_could_not_be_written_come_with_the_next(server: OpenAIServer, journal_file: Path) -> None:
    server.script = [calls(2), "I see."]
    server.gate = Gate(100)
    events = nba.Conversation(tools=[look]).stream("What is there?")
    assert isinstance(next(events), nba.ToolCalled)
    assert isinstance(next(events), nba.ToolCalled)
    other = sqlite3.connect(journal_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.warns(errors.NbaudioWarning, match="is locked by another program"):
        assert isinstance(next(events), nba.ToolReturned)
    other.execute("ROLLBACK")
    other.close()
    assert isinstance(next(events), nba.ToolReturned)
    assert [row[1] for row in rows(journal_file, PARTS)] == ["What is there?", "", "thing 0", "thing 1"]
    assert list(events)
    assert len(rows(journal_file)) == 5


def test_what_is_cleared_in_the_middle_is_written_at_the_end(server: OpenAIServer, journal_file: Path) -> None:
    def look(at: int) -> int:
        return nba.history.clear()

    server.script = [calls(2), "I see."]
    chat = nba.Conversation(tools=[look])
    chat.say("What is there?")
    assert [turn.text for turn in chat][2:4] == ["2", "0"]
    assert [row[1:3] for row in rows(journal_file)] == [
        (words, "kept") for words in ("What is there?", "", "2", "0", "I see.")
    ]


def test_two_questions_at_once_keep_their_results_apart(
    server: OpenAIServer, journal_file: Path, tmp_path: Path
) -> None:
    chat = nba.Conversation(tools=[look], name="both")
    server.script = [calls(1), calls(2)]
    first, second = chat.stream("First?"), chat.stream("Second?")
    for events, count in ((first, 1), (second, 2)):
        for _ in range(count):
            assert isinstance(next(events), nba.ToolCalled)
    for events in (second, first, second):
        assert isinstance(next(events), nba.ToolReturned)
    nba.history.export(tmp_path / "copy.sqlite3")
    first.close()
    second.close()
    nba.NbAudio.instance().journal = str(tmp_path / "copy.sqlite3")
    restored = nba.history.restore(chat.id)
    assert [turn.text for turn in restored] == ["First?", "", "thing 0", "Second?", "", "thing 0", "thing 1"]


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
    monkeypatch.setattr(tidying, "LOG_BYTES", 4_000_000)
    chat = nba.Conversation()
    chat.say(CLIP, aloud=False)
    before = journal_file.stat().st_size
    chat.say(nba.Clip.from_pcm16(bytes(range(250)) * 24_000), aloud=False)  # 6 MB
    assert sizes[-1][0] == before
    assert sizes[-1][1] > 6_000_000
    journal.read(lambda store: store._tidying.wait())
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
