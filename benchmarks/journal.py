"""What the journal costs a talk: a question, a piece of an answer, a finished turn, a search, at 10 and at 1,000 turns.

    python benchmarks/journal.py

Prints medians, and the slowest of each, in milliseconds. Pieces are 100 ms of sound, turns 5 s. Then what a question
costs that is a recording, from its end until it may be sent: its clip is made and it is in the journal.
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


def main() -> None:
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


def show(name: str, values: list[float]) -> None:
    print(f"  {name:<9} {statistics.median(values):7.2f} ms, slowest {max(values):7.2f} ms")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        nba.NbAudio.instance().journal = str(Path(folder) / "journal.sqlite3")
        main()
        journal.close()
