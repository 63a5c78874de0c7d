"""What the journal costs a talk: a question, a piece of an answer, a finished turn, a search, at 10 and at 1,000 turns.

    python benchmarks/journal.py

Prints medians, and the slowest of each, in milliseconds. Pieces are 100 ms of sound, turns 5 s.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nbaudio as nba
from nbaudio.journal.watcher import journal

PIECE = nba.AudioDelta(os.urandom(4800))
PIECES, TURNS = 50, (10, 1000)


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
            print(f"  {name:<9} {statistics.median(values):7.2f} ms, slowest {max(values):7.2f} ms")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        nba.NbAudio.instance().journal = str(Path(folder) / "journal.sqlite3")
        main()
        journal.close()
