"""What the journal costs a talk: a question, a piece of an answer, a finished turn, a search, at 10 and at 1,000 turns.

    python benchmarks/journal.py

Prints medians, and the slowest of each, in milliseconds. Pieces are 100 ms of sound, turns 5 s. Then what a question
costs that is a recording, from its end until it may be sent: its clip is made and it is in the journal. At last 200
answers of a minute at once, at the speed of speech, and how long the journal's log becomes.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nbaudio as nba
from nbaudio.conversation.turnlist import turn_of
from nbaudio.journal.alongside import settled
from nbaudio.journal.watcher import journal
from nbaudio.widgets.take import Take

PIECE = nba.AudioDelta(os.urandom(4800))
PIECES, TURNS = 50, (10, 1000)
RECORDINGS_S = (10, 600)
AT_ONCE, LONG_S = 200, 60


def timed(into: list[float], call: Callable[[], object]) -> None:
    begun = time.perf_counter()
    call()
    into.append((time.perf_counter() - begun) * 1000)


def exchange(chat: nba.Conversation, number: int, taken: dict[str, list[float]]) -> None:
    """One question and its answer, as a conversation tells of them."""
    question = nba.Turn("user", f"question {number}", (nba.Clip.from_pcm16(os.urandom(240_000)),), time.time())
    reply = nba.Reply(text=f"answer {number}", clips=(nba.Clip.from_pcm16(os.urandom(240_000)),), time=time.time())
    timed(taken["question"], lambda: journal.asked(chat, question))
    for _ in range(PIECES):
        timed(taken["piece"], lambda: journal.came(question, PIECE))
    chat._turns += [question, reply]  # as an answer is kept: no edit
    timed(taken["kept"], lambda: journal.kept(chat, question, (question, reply)))
    for turn in (question, reply):
        turn.clips[0].park(bytes)  # memory is not what is measured


def recording(folder: Path, seconds: int, taken: list[float]) -> None:
    """A recording that ends, and is asked."""
    take = Take(24_000, folder=folder, to_say=True)
    for number in range(10 * seconds):
        take.add(number, os.urandom(4800))
    settled()  # it has been recorded for long
    chat = nba.Conversation()

    def end() -> None:
        take.finish()
        journal.asked(chat, turn_of([take.clip]))

    timed(taken, end)
    take.discard()


def at_once(log: Path) -> None:
    """Answers that all come, of which none ends."""
    chats = [nba.Conversation() for _ in range(AT_ONCE)]
    questions = [nba.Turn("user", f"question {number}") for number in range(AT_ONCE)]
    for chat, question in zip(chats, questions, strict=True):
        journal.asked(chat, question)
    taken: list[float] = []
    longest, began = 0, time.monotonic()
    for step in range(10 * LONG_S):
        time.sleep(max(0.0, began + step / 10 - time.monotonic()))
        for question in questions:
            timed(taken, lambda asked=question: journal.came(asked, PIECE))  # type: ignore[misc]
        longest = max(longest, log.stat().st_size)
    show("piece", taken)
    print(f"  {'log':<9} {longest / 1e6:7.0f} MB at most")


def main(file: Path) -> None:
    chat = nba.Conversation()
    for turns in TURNS:
        names = ("question", "piece", "kept")
        while len(chat) < turns:
            exchange(chat, len(chat), {name: [] for name in names})
        taken: dict[str, list[float]] = {name: [] for name in (*names, "search")}
        for _ in range(20):
            exchange(chat, len(chat), taken)
            timed(taken["search"], lambda: nba.history.search("question 7"))
        print(f"after {turns} turns:")
        for name, values in taken.items():
            show(name, values)
    print("the end of a recording of")
    for seconds in RECORDINGS_S:
        ends: list[float] = []
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(5):
                recording(Path(folder), seconds, ends)
        show(f"{seconds} s", ends)
    print(f"{AT_ONCE} answers of {LONG_S} s at once:")
    at_once(file.with_name(f"{file.name}-wal"))


def show(name: str, values: list[float]) -> None:
    print(f"  {name:<9} {statistics.median(values):7.2f} ms, slowest {max(values):7.2f} ms")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "journal.sqlite3"
        nba.NbAudio.instance().journal = str(file)
        main(file)
        journal.close()
