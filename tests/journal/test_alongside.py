"""A recording is in the journal while it is recorded, whole when it is said, and not at all if it is not."""

from __future__ import annotations

import base64
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai_server import OpenAIServer

import nbaudio as nba
from nbaudio import errors
from nbaudio.journal import alongside, reading, tidying
from nbaudio.journal.alongside import settled
from nbaudio.journal.store import Store
from nbaudio.journal.watcher import journal
from nbaudio.sound import recorded
from nbaudio.sound.parts import HEADER_BYTES, PART_BYTES, Whole
from nbaudio.widgets.recordings import latest
from nbaudio.widgets.take import Take

SECOND = 24_000
FIRST_PARTS = 3
LONG_S = 20  # three parts that are full, and a rest


def piece(number: int) -> bytes:
    """A second of sound, another for each number."""
    return random.Random(number).randbytes(2 * SECOND)


def recording(folder: Path, seconds: int = LONG_S, *, leave_out: tuple[int, ...] = ()) -> Take:
    """A recording that is still going on."""
    take = Take(SECOND, folder=folder / "recordings", to_say=True)
    for number in range(seconds):
        if number not in leave_out:
            take.add(number, piece(number))
    assert settled()
    return take


def ended(take: Take, seconds: int = LONG_S) -> nba.Clip:
    take.expect(seconds, seconds * SECOND)
    take.finish()
    clip = take.clip
    assert clip is not None
    return clip


def rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(file)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def sounds(file: Path) -> list[bytes]:
    """Every sound that a turn has, as a reader finds it."""
    store = Store(file)
    try:
        digests = store.connection.execute("SELECT DISTINCT digest FROM turn_sound").fetchall()
        return [reading.sound(store, digest) or b"" for (digest,) in digests]
    finally:
        store.close()


def all_bytes(file: Path) -> bytes:
    return b"".join(one.read_bytes() for one in file.parent.iterdir())


def sent(server: OpenAIServer) -> bytes:
    """The sound that the server heard last."""
    return base64.b64decode(server.requests[-1].body["messages"][-1]["content"][-1]["input_audio"]["data"])


# -- while it is recorded, and when it is said --------------------------------------------------------------


def test_what_is_recorded_is_in_it_before_the_end(journal_file: Path, tmp_path: Path) -> None:
    take = recording(tmp_path)
    parts = rows(journal_file, "SELECT position, data FROM part ORDER BY position")
    assert [position for position, _ in parts] == [1, 2, 3]
    assert b"".join(data for _, data in parts) == b"".join(map(piece, range(LONG_S)))[: 3 * PART_BYTES]
    assert rows(journal_file, "SELECT recording FROM long_sound") == [(str(take.path),)]
    assert nba.history.latest() == []


def test_what_is_said_is_a_sound_as_any_other(server: OpenAIServer, journal_file: Path, tmp_path: Path) -> None:
    take = recording(tmp_path)
    asked: list[list[bytes]] = []
    server.words = lambda body: str(asked.append(sounds(journal_file)) or "Yes.")
    chat = nba.Conversation()
    chat.say("Hm?", ended(take), aloud=False)
    take.release()
    assert settled()

    file = take.path.read_bytes()
    assert asked == [[file]]  # before the answer
    assert sent(server) == file
    assert sounds(journal_file) == [file]
    assert rows(journal_file, "SELECT recording FROM long_sound") == [(None,)]
    assert rows(journal_file, "SELECT digest FROM sound") == [(Whole(file).name,)]
    (found, _) = reversed(nba.history.latest())
    assert found.turn.clip == nba.Clip(take.path)
    assert nba.history.restore(chat.id)[0].clip == nba.Clip(take.path)


@pytest.mark.parametrize("seconds", [1, 5, 6, 11], ids=str)
def test_recordings_of_every_length(server: OpenAIServer, journal_file: Path, tmp_path: Path, seconds: int) -> None:
    take = recording(tmp_path, seconds)
    nba.Conversation().say(ended(take, seconds), aloud=False)
    assert sounds(journal_file) == [take.path.read_bytes()]
    assert sent(server) == take.path.read_bytes()


def test_it_is_stored_once_however_it_is_said(server: OpenAIServer, journal_file: Path, tmp_path: Path) -> None:
    take = recording(tmp_path)
    clip = ended(take)
    other = recording(tmp_path)
    for said in (clip, nba.Clip(take.path), clip, ended(other)):
        nba.Conversation().say(said, aloud=False)
    other.release()
    assert settled()
    assert rows(journal_file, "SELECT count(*) FROM sound") == [(1,)]
    assert rows(journal_file, "SELECT count(*) FROM turn_sound") == [(4,)]
    assert rows(journal_file, "SELECT count(*) FROM long_sound") == [(1,)]
    assert rows(journal_file, "SELECT count(*) FROM part") == [(5,)]


def cost_of_the_end(
    monkeypatch: pytest.MonkeyPatch, server: OpenAIServer, journal_file: Path, tmp_path: Path, seconds: int
) -> tuple[int, int]:
    """Bytes that are read of the recording from its end until its request begins, and that the journal writes then."""
    take = recording(tmp_path, seconds)
    # So that what is written now makes the log grow.
    journal.read(lambda store: store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())
    log = journal_file.with_name(journal_file.name + "-wal")
    read, grown = [0], [0]
    real = recorded._read_at

    def reads(descriptor: int, start: int, length: int) -> bytes:
        if threading.current_thread().name == "nbaudio-loop":  # httpx has sent the headers, and wants the body
            grown[0] = grown[0] or log.stat().st_size
        elif not grown[0] and threading.current_thread() is threading.main_thread():
            read[0] += length
        return real(descriptor, start, length)

    monkeypatch.setattr(recorded, "_read_at", reads)
    nba.Conversation().say(ended(take, seconds), aloud=False)
    monkeypatch.setattr(recorded, "_read_at", real)
    assert take.path.read_bytes() in sounds(journal_file)
    return read[0], grown[0]


def test_its_end_costs_the_same_at_any_length(
    monkeypatch: pytest.MonkeyPatch, server: OpenAIServer, journal_file: Path, tmp_path: Path
) -> None:
    nba.Conversation().say(nba.Clip.from_pcm16(piece(0)), aloud=False)  # so that all is open
    for seconds in (12, 180):
        read, written = cost_of_the_end(monkeypatch, server, journal_file, tmp_path, seconds)
        assert 0 < read <= PART_BYTES
        assert 0 < written <= 2 * PART_BYTES


# -- what comes late ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [2, 13, 18], ids=["a full part", "two parts", "the last part"])
def test_a_piece_that_comes_late_is_mended_in_it_too(
    server: OpenAIServer, journal_file: Path, tmp_path: Path, late: int
) -> None:
    take = recording(tmp_path, 60, leave_out=(late,))
    assert take.silent_frames == SECOND
    take.add(late, piece(late))
    nba.Conversation().say(ended(take, 60), aloud=False)
    assert take.path.read_bytes()[HEADER_BYTES:] == b"".join(map(piece, range(60)))
    assert sounds(journal_file) == [take.path.read_bytes()]


def test_a_piece_that_comes_after_it_was_said_changes_nothing_that_was_said(
    server: OpenAIServer, journal_file: Path, tmp_path: Path
) -> None:
    take = recording(tmp_path, leave_out=(2,))
    first = ended(take)
    nba.Conversation().say(first, aloud=False)
    silent = take.path.read_bytes()

    take.add(2, piece(2))
    assert settled()

    assert first.as_kept()[0] == silent == sounds(journal_file)[0]
    second = take.clip
    assert second is not None
    nba.Conversation().say(second, aloud=False)
    assert second.as_kept()[0] == take.path.read_bytes() != silent
    assert sorted(sounds(journal_file)) == sorted([silent, take.path.read_bytes()])


def test_what_has_come_so_far_can_be_said_while_it_goes_on(
    server: OpenAIServer, journal_file: Path, tmp_path: Path
) -> None:
    take = recording(tmp_path)
    early = take.clip
    assert early is not None
    nba.Conversation().say(early, aloud=False)
    so_far = sent(server)
    for number in range(LONG_S, 40):
        take.add(number, piece(number))
    nba.Conversation().say(ended(take, 40), aloud=False)
    assert early.as_kept()[0] == so_far
    assert sorted(map(len, sounds(journal_file))) == [44 + 2 * SECOND * LONG_S, 44 + 2 * SECOND * 40]
    assert so_far in sounds(journal_file)
    assert take.path.read_bytes() in sounds(journal_file)


# -- what is not said ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [Take.discard, lambda take: (take.finish(), take.release())], ids=["dropped", "over"])
def test_what_is_not_said_is_no_longer_in_the_file(
    end: Callable[[Take], object], journal_file: Path, tmp_path: Path
) -> None:
    nba.Conversation().append("stays")
    take = recording(tmp_path)
    secret = piece(3)[:100]
    assert secret in all_bytes(journal_file)

    end(take)
    assert settled()

    assert rows(journal_file, "SELECT count(*) FROM long_sound") == [(0,)]
    assert rows(journal_file, "SELECT count(*) FROM part") == [(0,)]
    assert secret not in all_bytes(journal_file)
    assert [found.words for found in nba.history.latest()] == ["stays"]


def test_what_was_said_stays_when_it_is_released_or_its_file_is_deleted(
    server: OpenAIServer, journal_file: Path, tmp_path: Path
) -> None:
    take = recording(tmp_path)
    file = (nba.Conversation().say(ended(take), aloud=False), take.path.read_bytes())[1]
    take.discard()
    assert settled()
    assert sounds(journal_file) == [file]


def test_a_copy_of_the_journal_has_nothing_that_was_not_said(journal_file: Path, tmp_path: Path) -> None:
    nba.Conversation().append(nba.Turn("user", "said", (nba.Clip.from_pcm16(piece(50) * 10),)))
    take = recording(tmp_path)
    copy = nba.history.export(tmp_path / "copy.sqlite3")
    assert piece(3)[:100] not in copy.read_bytes()
    assert sounds(copy) == sounds(journal_file) != []
    assert rows(copy, "SELECT count(*) FROM long_sound") == [(1,)]
    take.discard()


def test_clear_takes_it_too_and_what_is_said_then_is_whole(
    server: OpenAIServer, journal_file: Path, tmp_path: Path
) -> None:
    nba.Conversation().append("before")
    take = recording(tmp_path)
    assert nba.history.clear() == 1
    assert piece(3)[:100] not in all_bytes(journal_file)
    nba.Conversation().say(ended(take), aloud=False)
    assert sounds(journal_file) == [take.path.read_bytes()]
    assert nba.history.clear() == 2
    assert rows(journal_file, "SELECT count(*) FROM part") == [(0,)]
    assert piece(3)[:100] not in all_bytes(journal_file)


def test_a_long_sound_goes_with_its_turn(journal_file: Path, tmp_path: Path) -> None:
    clip = nba.Clip.from_pcm16(piece(1) * 20)
    nba.Conversation().append(nba.Turn("user", "old", (clip,)))
    nba.Conversation().append(nba.Turn("user", "new", (nba.Clip.from_pcm16(piece(2) * 20),)))
    journal.read(lambda store: store.connection.execute("UPDATE turn SET written = written - 9e6 WHERE words = 'old'"))
    nba.history.clear(older_than_days=30)
    assert rows(journal_file, "SELECT count(*) FROM long_sound") == [(1,)]
    assert sounds(journal_file) == [nba.Clip.from_pcm16(piece(2) * 20).as_kept()[0]]


# -- where there is no journal, or it can't be written ------------------------------------------------------


def test_off_writes_nothing_of_it(server: OpenAIServer, journal_file: Path, tmp_path: Path) -> None:
    nba.NbAudio.instance().journal = "off"
    take = recording(tmp_path)
    assert not journal_file.exists()
    nba.Conversation().say(ended(take), aloud=False)
    assert sent(server) == take.path.read_bytes()
    assert not journal_file.exists()


def test_what_was_in_it_goes_although_it_is_off_by_then(journal_file: Path, tmp_path: Path) -> None:
    take = recording(tmp_path)
    assert rows(journal_file, "SELECT count(*) FROM part") == [(FIRST_PARTS,)]
    nba.NbAudio.instance().journal = "off"
    take.discard()
    assert settled()
    assert rows(journal_file, "SELECT count(*) FROM part") == [(0,)]


def test_a_journal_that_is_locked_meanwhile_gets_it_at_the_end(
    server: OpenAIServer, journal_file: Path, tmp_path: Path
) -> None:
    nba.Conversation().append("So that it is there.")
    other = sqlite3.connect(journal_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    take = recording(tmp_path)
    other.execute("ROLLBACK")
    other.close()
    assert rows(journal_file, "SELECT count(*) FROM part") == [(0,)]
    nba.Conversation().say(ended(take), aloud=False)
    assert sounds(journal_file) == [take.path.read_bytes()]


def test_a_journal_that_can_not_be_ends_no_recording(server: OpenAIServer, journal_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    nba.NbAudio.instance().journal = str(tmp_path / "file" / "journal.sqlite3")
    take = recording(tmp_path)
    with pytest.warns(errors.NbaudioWarning, match="The talk goes on"):
        nba.Conversation().say(ended(take), aloud=False)
    assert sent(server) == take.path.read_bytes()
    take.release()


def test_what_is_written_goes_from_the_log_into_the_file_meanwhile(
    journal_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "LOG_BYTES", 2_000_000)
    for part in "abcdef":
        recording(tmp_path / part, 100)  # 4.8 MB
        journal.read(lambda store: store._tidying.wait())
    assert journal_file.with_name(journal_file.name + "-wal").stat().st_size < 16_000_000  # of 29 MB
    assert journal_file.stat().st_size > 16_000_000


# -- kernels that die, and two at once ----------------------------------------------------------------------


def recorder(tmp_path: Path, journal_file: Path, seconds: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "recording.py"), str(tmp_path / "recordings"), str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def hear(process: subprocess.Popen[str], seconds: int) -> None:
    assert process.stdout is not None
    for second in range(seconds):
        assert process.stdout.readline() == f"{second}\n"


@pytest.mark.parametrize("seconds", [3, 9, 17], ids=str)
def test_a_kernel_that_is_killed_in_the_middle_leaves_a_journal_and_the_recording(
    seconds: int, journal_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = recorder(tmp_path, journal_file, 60)
    hear(process, seconds)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL

    sound = b"".join(map(piece, range(seconds)))
    assert rows(journal_file, "PRAGMA integrity_check") == [("ok",)]
    (path,) = (tmp_path / "recordings").glob("*.wav")
    monkeypatch.setattr("nbaudio.widgets.recordings.recordings_folder", lambda: tmp_path / "recordings")
    assert nba.Clip(path).encode("pcm16")[: len(sound)] == sound
    assert latest() == path
    parts = rows(journal_file, "SELECT data FROM part ORDER BY position")
    in_it = b"".join(data for (data,) in parts)
    assert len(in_it) >= len(sound) - len(sound) % PART_BYTES
    assert nba.Clip(path).encode("pcm16").startswith(in_it)
    assert nba.history.latest() == []

    connection = sqlite3.connect(journal_file)  # a day later
    connection.execute("UPDATE long_sound SET begun = begun - 90000")
    connection.commit()
    connection.close()
    journal.close()
    assert nba.history.latest() == []
    assert rows(journal_file, "SELECT count(*) FROM part") == [(0,)]


def test_a_kernel_that_ends_leaves_nothing_that_was_not_said(journal_file: Path, tmp_path: Path) -> None:
    process = recorder(tmp_path, journal_file, 12)
    hear(process, 12)
    assert rows(journal_file, "SELECT count(*) FROM part") == [(2,)]
    process.communicate()  # it reads the end of its input, and ends
    assert process.returncode == 0
    assert rows(journal_file, "SELECT count(*) FROM part") == [(0,)]
    assert piece(3)[:100] not in all_bytes(journal_file)
    assert len(list((tmp_path / "recordings").glob("*.wav"))) == 1


def test_two_kernels_record_at_once(server: OpenAIServer, journal_file: Path, tmp_path: Path) -> None:
    process = recorder(tmp_path, journal_file, 100)
    begun = time.monotonic()
    said = []
    for _ in range(3):
        take = recording(tmp_path, 30)
        nba.Conversation().say(ended(take, 30), aloud=False)
        said.append(take.path.read_bytes())
        take.release()
    hear(process, 100)
    assert time.monotonic() - begun < 250
    assert settled()  # what was released here may have a part in the journal until then
    assert set(sounds(journal_file)) == set(said)
    parts = rows(
        journal_file,
        "SELECT data FROM part JOIN long_sound ON number = long_sound WHERE recording NOT NULL ORDER BY position",
    )
    whole = b"".join(map(piece, range(100)))
    assert b"".join(data for (data,) in parts) == whole[: len(whole) - len(whole) % PART_BYTES]
    process.kill()
    process.communicate()


def test_whatever_happens_on_its_thread_it_goes_on(journal_file: Path, tmp_path: Path) -> None:
    alongside._worker.do(lambda: 1 / 0)
    assert settled()
    take = recording(tmp_path)
    assert rows(journal_file, "SELECT count(*) FROM part") == [(FIRST_PARTS,)]
    take.discard()
