"""The log of the journal: it goes into the file while others write, and nobody waits for that."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from openai_server import OpenAIServer

import nbaudio as nba
from nbaudio.journal import tidying
from nbaudio.journal.store import Store
from nbaudio.journal.tidying import Tidying
from nbaudio.journal.watcher import journal

CLIP = nba.Clip.from_pcm16(bytes(range(200)) * 1000)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is long at once."""
    monkeypatch.setattr(tidying, "LOG_BYTES", 100_000)


def log_of(file: Path) -> Path:
    return file.with_name(file.name + "-wal")


def in_the_file(file: Path) -> int:
    """How many turns stand in the file itself, as it is without its log."""
    alone = file.parent / "alone.sqlite3"
    alone.write_bytes(file.read_bytes())
    connection = sqlite3.connect(f"{alone.as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM turn").fetchone()[0])
    finally:
        connection.close()


@pytest.mark.usefixtures("tiny")
def test_a_long_log_goes_into_the_file_and_begins_anew(server: OpenAIServer, journal_file: Path) -> None:
    chat = nba.Conversation()
    chat.say("Is it good?", CLIP)
    journal.read(lambda store: store._tidying.wait())
    assert in_the_file(journal_file) == 2
    assert log_of(journal_file).stat().st_size <= 100_000  # cut by who begins it anew


def test_a_short_one_is_left_where_it_is(server: OpenAIServer, journal_file: Path) -> None:
    nba.Conversation().append("Hello.")
    journal.read(lambda store: store._tidying.wait())
    assert log_of(journal_file).stat().st_size > 0
    assert threading.active_count() == len([one for one in threading.enumerate() if "tidy" not in one.name])


@pytest.mark.usefixtures("tiny")
def test_others_write_meanwhile(journal_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    connect = Tidying._connect

    def slow(self: Tidying) -> sqlite3.Connection:
        begun.set()
        assert go_on.wait(10)
        return connect(self)

    monkeypatch.setattr(Tidying, "_connect", slow)
    chat = nba.Conversation()
    chat.append(CLIP)
    assert begun.wait(10)
    chat.append("while it is at work")  # which begins no second one
    assert journal.read(lambda store: store.connection.execute("SELECT count(*) FROM turn").fetchone()) == (2,)
    go_on.set()
    journal.close()
    assert in_the_file(journal_file) == 2


@pytest.mark.usefixtures("tiny")
def test_closing_waits_so_that_nothing_has_the_file_open(journal_file: Path) -> None:
    for _ in range(5):
        nba.Conversation().append(CLIP)
        journal.close()
        assert not log_of(journal_file).exists()  # the last to close takes it away


@pytest.mark.usefixtures("tiny")
def test_a_file_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    store = Store(tmp_path / "a.sqlite3")
    store.close()
    for file in tmp_path.iterdir():
        file.unlink()
    log_of(store.path).write_bytes(bytes(200_000))
    store.tidy()
    store._tidying.wait()
    assert [file.name for file in tmp_path.iterdir()] == ["a.sqlite3-wal"]


@pytest.mark.usefixtures("tiny")
def test_answers_of_which_none_ends_do_not_make_it_grow(journal_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "MOST_LOG_BYTES", 400_000)
    chats = [nba.Conversation() for _ in range(4)]
    questions = [nba.Turn("user", f"question {number}") for number in range(4)]
    for chat, question in zip(chats, questions, strict=True):
        journal.asked(chat, question)
    sizes = []
    for step in range(60):
        for question in questions:
            journal.came(question, nba.AudioDelta(bytes([step]) * 4800), nba.TextDelta(f"{step} "))
        journal.read(lambda store: store._tidying.wait())
        sizes.append(log_of(journal_file).stat().st_size)
    assert 300_000 < max(sizes) < 600_000  # they hand over 1,200,000 bytes
    assert min(sizes[30:]) < 100_000  # begun anew, more than once
    journal.close()
    for found in nba.history.chats():
        reply = nba.history.restore(found.id)[-1]
        assert reply.clip is not None
        assert reply.clip.encode("pcm16") == b"".join(bytes([step]) * 4800 for step in range(60))
        assert reply.text == "".join(f"{step} " for step in range(60))


@pytest.mark.usefixtures("tiny")
def test_while_somebody_reads_for_long_nobody_waits_and_it_is_not_tried_again_and_again(
    journal_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "MOST_LOG_BYTES", 200_000)
    tries = []
    tidy = Tidying._tidy_amid_answers
    monkeypatch.setattr(Tidying, "_tidy_amid_answers", lambda self: (tries.append(1), tidy(self)))
    question = nba.Turn("user", "Well?")
    journal.asked(nba.Conversation(), question)
    reader = sqlite3.connect(journal_file, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM turn").fetchone()
    for _ in range(60):
        journal.came(question, nba.AudioDelta(bytes(9600)))
        journal.read(lambda store: store._tidying.wait())
    assert len(tries) == 1
    assert log_of(journal_file).stat().st_size > 500_000
    reader.close()
    journal.read(lambda store: setattr(store._tidying, "_amid_again", 0.0))  # later
    journal.came(question, nba.AudioDelta(bytes(9600)))
    journal.read(lambda store: store._tidying.wait())
    assert log_of(journal_file).stat().st_size < 100_000
