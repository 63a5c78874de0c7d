"""A journal that can't be written: one warning, the talk goes on, and what was written stays."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from openai_server import OpenAIServer
from rights import HAVE_RIGHTS, without_rights

import nbaudio as nba
from nbaudio.errors import NbaudioError, NbaudioWarning
from nbaudio.journal import schema
from nbaudio.journal.watcher import journal

CLIP = nba.Clip.from_pcm16(bytes(range(200)) * 24)


@contextmanager
def told_once(match: str) -> Iterator[None]:
    """Exactly one warning of the journal, whatever is said in the block."""
    with pytest.warns(NbaudioWarning, match=match) as caught:
        yield
    told = [str(warning.message) for warning in caught]
    assert len([line for line in told if not line.startswith("Today's total")]) == 1, told


def words_in(file: Path) -> list[str]:
    connection = sqlite3.connect(file)
    try:
        return [words for (words,) in connection.execute("SELECT words FROM turn WHERE role = 'user' ORDER BY number")]
    finally:
        connection.close()


def talk(*questions: str) -> nba.Conversation:
    chat = nba.Conversation()
    for question in questions:
        assert chat.say(question, CLIP).text
    return chat


def test_a_folder_that_can_not_be(server: OpenAIServer, tmp_path: Path, journal_file: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    nba.NbAudio.instance().journal = str(tmp_path / "file" / "journal.sqlite3")
    with told_once("can't be written .* The talk goes on"):
        assert len(talk("One.", "Two.")) == 4
    with pytest.raises(NbaudioError, match="can't be written"):
        nba.history.latest()


def test_a_warning_that_is_made_an_error_ends_no_talk(server: OpenAIServer, tmp_path: Path, journal_file: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    nba.NbAudio.instance().journal = str(tmp_path / "file" / "journal.sqlite3")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(talk("One.")) == 2


@pytest.mark.skipif(not HAVE_RIGHTS, reason="rights are other on this system")
def test_a_folder_that_is_read_only(server: OpenAIServer, journal_file: Path) -> None:
    talk("Before.")  # so that all is imported that nobody may read
    folder = Path(tempfile.mkdtemp())
    written = folder / "journal.sqlite3"
    nba.NbAudio.instance().journal = str(written)
    talk("Written.")
    journal.close()
    new = folder / "locked"
    new.mkdir()
    for path, mode in ((written, 0o444), (new, 0o555), (folder, 0o555)):
        path.chmod(mode)
    try:
        with without_rights():
            with told_once("can't be written"):
                talk("Not written.")
            nba.NbAudio.instance().journal = str(new / "journal.sqlite3")
            with told_once("can't be written"):
                talk("Nor this.")
    finally:
        journal.close()
        for path, mode in ((folder, 0o755), (new, 0o755), (written, 0o600)):
            path.chmod(mode)
    assert words_in(written) == ["Written."]
    shutil.rmtree(folder)


FULL = """
import resource, sys, warnings
import nbaudio as nba
clip = nba.Clip.from_pcm16(bytes(range(200)) * 240)
chat = nba.Conversation()
chat.say("Before.", clip)
size = sum(file.stat().st_size for file in __import__("pathlib").Path(sys.argv[1]).parent.iterdir())
resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))  # no file may grow: as on a full disk
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for number in range(12):
        chat.say(f"Full {number}.", nba.Clip.from_pcm16(bytes([number]) * 48_000))
print(len(chat), [str(warning.message) for warning in caught])
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
chat.say("After.", clip)
print(len(nba.history.latest(100)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
def test_a_full_disk(server: OpenAIServer, journal_file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(journal_file)], capture_output=True, text=True, check=True, timeout=120
    )
    first, second = done.stdout.splitlines()
    count, _, told = first.partition(" ")
    assert count == "26"
    assert told.count("The journal") == 1, told
    assert "The talk goes on" in told
    assert second == "28"  # with room again all of the conversation is there
    connection = sqlite3.connect(journal_file)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


@pytest.mark.parametrize("where", ["at its beginning", "in the middle", "cut"])
def test_a_damaged_file_is_set_aside(where: str, server: OpenAIServer, journal_file: Path) -> None:
    talk("Before.", "And before.")
    journal.close()
    data = journal_file.read_bytes()
    spoilt = {
        "at its beginning": b"\xff" * 4096 + data[4096:],
        "in the middle": data[:4096] + b"\xff" * (len(data) - 4096),
        "cut": data[: len(data) // 3],
    }[where]
    journal_file.write_bytes(spoilt)
    with told_once("is damaged .* It is kept as .*damaged.* and a new one is begun"):
        talk("After.", "And after.")
    assert words_in(journal_file) == ["After.", "And after."]
    (kept,) = journal_file.parent.glob("journal.damaged-*.sqlite3")
    assert kept.read_bytes()[4096:] == spoilt[4096:]
    assert len(kept.read_bytes()) == len(spoilt)
    journal.close()
    journal_file.write_bytes(spoilt)
    with told_once("It is kept as .*damaged"):  # for it is another one
        talk("Last.")
    assert len(list(journal_file.parent.glob("journal.damaged-*.sqlite3"))) == 2


def test_a_file_that_is_damaged_while_it_is_open(server: OpenAIServer, journal_file: Path) -> None:
    chat = talk("Before.")
    journal.read(lambda store: store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())
    size = journal_file.stat().st_size
    with journal_file.open("r+b") as file:
        file.write(b"\xff" * size)
    journal.read(lambda store: store.connection.execute("PRAGMA shrink_memory"))
    with told_once("is damaged"):
        for number in range(3):
            chat.say(f"After {number}.")
    assert words_in(journal_file) == ["Before.", "After 0.", "After 1.", "After 2."]


def test_a_file_that_another_program_holds(server: OpenAIServer, journal_file: Path) -> None:
    chat = talk("Before.")
    other = sqlite3.connect(journal_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    with told_once("is locked by another program"):
        chat.say("Meanwhile.", CLIP)
        chat.say("Still.", CLIP)
    assert time.monotonic() - begun < 10
    other.execute("ROLLBACK")
    other.close()
    chat.say("After.")
    assert words_in(journal_file) == ["Before.", "Meanwhile.", "Still.", "After."]


def test_pieces_that_could_not_be_written_come_with_the_next(server: OpenAIServer, journal_file: Path) -> None:
    chat = nba.Conversation()
    question = nba.Turn("user", "Hm?")
    journal.asked(chat, question)
    other = sqlite3.connect(journal_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    journal.came(question, nba.TextDelta("one "))
    journal.came(question, nba.TextDelta("two "))
    other.execute("ROLLBACK")
    other.close()
    journal.came(question, nba.TextDelta("three"))
    (found,) = nba.history.chats()
    assert nba.history.restore(found.id)[-1].text == "one two three"


def test_where_one_answer_had_to_give_up_others_do_not_wait_as_well(
    journal_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbaudio.journal.watcher._PIECE_PATIENCE_MS", 300)
    monkeypatch.setattr("nbaudio.journal.watcher._PIECES_AGAIN_S", 60.0)
    chats = [nba.Conversation() for _ in range(20)]
    questions = [nba.Turn("user", "Hm?") for _ in chats]
    for chat, question in zip(chats, questions, strict=True):
        journal.asked(chat, question)
    other = sqlite3.connect(journal_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    for question in questions:
        journal.came(question, nba.TextDelta("one "))
    assert time.monotonic() - begun < 3  # each by itself: 6
    other.execute("ROLLBACK")
    other.close()
    for question in questions:
        journal.came(question, nba.TextDelta("two"))
    assert {nba.history.restore(chat.id)[-1].text for chat in nba.history.chats()} == {"one two"}


def test_a_piece_does_not_wait_for_who_reads_long_and_comes_with_the_next(
    journal_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbaudio.journal.watcher._BUSY_S", 60.0)
    chat, question = nba.Conversation(), nba.Turn("user", "Hm?")
    journal.asked(chat, question)
    reads, go_on = threading.Event(), threading.Event()

    def read() -> None:
        journal.read(lambda store: (reads.set(), go_on.wait(30)))

    reader = threading.Thread(target=read)
    reader.start()
    assert reads.wait(10)
    begun = time.monotonic()
    for word in ("one ", "two "):  # the second one does not wait at all
        journal.came(question, nba.TextDelta(word))
    assert time.monotonic() - begun < 5
    go_on.set()
    reader.join(10)
    connection = sqlite3.connect(journal_file)
    assert connection.execute("SELECT count(*) FROM piece").fetchone() == (0,)
    connection.close()
    journal.came(question, nba.TextDelta("three"))
    (found,) = nba.history.chats()
    assert nba.history.restore(found.id)[-1].text == "one two three"


def test_a_newer_file_is_left_alone(server: OpenAIServer, journal_file: Path) -> None:
    talk("Before.")
    journal.close()
    connection = sqlite3.connect(journal_file)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = journal_file.read_bytes()
    with told_once("written by a newer nbaudio, and is left as it is"):
        talk("After.", "And after.")
    assert journal_file.read_bytes() == before


def test_another_programs_database_is_left_alone(server: OpenAIServer, journal_file: Path) -> None:
    journal_file.parent.mkdir()
    connection = sqlite3.connect(journal_file)
    connection.execute("CREATE TABLE bills (amount)")
    connection.close()
    journal_file.chmod(0o640)
    before = journal_file.read_bytes()
    with told_once("another program's database"):
        talk("After.", "And after.")
    assert journal_file.read_bytes() == before
    assert journal_file.stat().st_mode & 0o777 == 0o640


def test_an_older_file_gets_what_is_new(
    server: OpenAIServer, journal_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk("Before.")
    journal.close()
    newer = (*schema.MIGRATIONS, ("ALTER TABLE chat ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'",))
    monkeypatch.setattr(schema, "MIGRATIONS", newer)
    talk("After.")
    connection = sqlite3.connect(journal_file)
    assert connection.execute("SELECT colour FROM chat").fetchall() == [("red",), ("red",)]
    assert connection.execute("PRAGMA user_version").fetchone() == (len(newer),)
    connection.close()
    journal.close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*newer, ("ALTER TABLE chat ADD COLUMN size TEXT", "SELECT nonsense")))
    with told_once("The talk goes on"):
        talk("Not written.")
    assert words_in(journal_file) == ["Before.", "After."]
    connection = sqlite3.connect(journal_file)
    # A migration that fails leaves nothing.
    assert connection.execute("PRAGMA user_version").fetchone() == (len(newer),)
    assert "size" not in [row[1] for row in connection.execute("PRAGMA table_info(chat)")]
    connection.close()


def test_settings_that_can_not_be_read_end_no_talk(journal_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBAUDIO_JOURNAL_DAYS", "many")
    chat = nba.Conversation()
    with told_once("NBAUDIO_JOURNAL_DAYS has a value"):
        chat.append("Hello.")
        chat.append("Again.")
    assert len(chat) == 2
