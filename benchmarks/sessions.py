"""Realtime sessions and requests at one served engine: how soon each is answered, alone and with the others.

    python benchmarks/sessions.py
    python benchmarks/sessions.py --seconds 60 --sessions 1 4 8 --requesters 6

Everybody asks the recorded question of the notebooks, aloud, one after the other and with no pause, which is more
than people do: a session by push to talk, a request streamed. Times are from the end of the question to the first
sound of its answer. The server is a process of its own with its usual limits; all share the machine.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbaudio as nba
from nbaudio.settings import Backend

QUESTION = Path(__file__).parents[1] / "notebooks" / "question.wav"


@contextmanager
def served() -> Iterator[str]:
    """The address of a server."""
    command = [sys.executable, "-m", "nbaudio", "serve", "--port", "0", "--sessions", "64"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    try:
        yield next(found[0] for line in server.stdout if (found := re.findall(r"OPENAI_BASE_URL=(http\S+)", line)))
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def talk(backend: Backend, until_s: float, waits: list[float]) -> None:
    """One session."""
    clip = nba.Clip(QUESTION)
    with nba.Realtime(backend=backend, turn_detection="push_to_talk") as session:
        while time.monotonic() < until_s:
            began, waited = time.monotonic(), 0.0
            session.send(clip)
            for event in session:
                if isinstance(event, nba.AudioDelta):
                    waited = waited or time.monotonic() - began
                if isinstance(event, nba.Finished):
                    break
            waits.append(waited)


def ask(backend: Backend, until_s: float, waits: list[float]) -> None:
    """One who sends requests."""
    clip = nba.Clip(QUESTION)
    while time.monotonic() < until_s:
        began, waited = time.monotonic(), 0.0
        for event in nba.Conversation(backend=backend).stream(clip):
            if isinstance(event, nba.AudioDelta):
                waited = waited or time.monotonic() - began
        waits.append(waited)


def line(waits: list[float]) -> str:
    if not waits:
        return f"{'-':>24}"
    waits = sorted(waits)
    return f"{statistics.median(waits):6.2f} {waits[int(0.95 * (len(waits) - 1))]:6.2f} {len(waits):10}"


def run(base_url: str, sessions: int, requesters: int, seconds: float) -> None:
    talked: list[float] = []
    asked: list[float] = []
    until_s = time.monotonic() + seconds
    people: list[tuple[Callable[[Backend, float, list[float]], None], list[float]]] = [(talk, talked)] * sessions
    people += [(ask, asked)] * requesters
    threads = []
    for number, (does, waits) in enumerate(people):
        backend = nba.connect(base_url, "offline", key=f"key-of-{number:04}", dialect="offline")
        threads.append(threading.Thread(target=does, args=(backend, until_s, waits)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{sessions:8} {requesters:10}   {line(talked)}   {line(asked)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="for each line (%(default)s)")
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 4, 8], help="how many at once (%(default)s)")
    parser.add_argument("--requesters", type=int, default=6, help="beside them (%(default)s)")
    chosen = parser.parse_args()
    with served() as base_url:
        talk(nba.connect(base_url, "offline", key="key-of-nobody", dialect="offline"), time.monotonic() + 1, [])
        print("                       first sound of a session   first sound of a request")
        print("sessions requesters   median   95 %    answers   median   95 %    answers")
        run(base_url, 0, chosen.requesters, chosen.seconds)
        for sessions in chosen.sessions:
            run(base_url, sessions, 0, chosen.seconds)
            run(base_url, sessions, chosen.requesters, chosen.seconds)


if __name__ == "__main__":
    main()
