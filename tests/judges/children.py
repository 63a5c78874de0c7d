"""A process that a test talks with by lines, and that ends with the test."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

__all__ = ["Child"]

_WAIT_S = 120.0


class Child:
    """A running process.

    Parameters
    ----------
    command : sequence of str
    environment : dict
        On top of what this process has, but no key and no address of a server.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("OPENAI_", "NBAUDIO_", "LITELLM_"))}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**kept, **environment},
            cwd=Path(__file__).parents[2],
        )
        self._all: list[str] = []
        self._answers: queue.Queue[str] = queue.Queue()  # the lines of its standard output
        self._lines: queue.Queue[str] = queue.Queue()  # and those of both; the last is empty
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._reading = [
            threading.Thread(target=self._read, args=(self._process.stdout, self._answers), daemon=True),
            threading.Thread(target=self._read, args=(self._process.stderr, queue.Queue()), daemon=True),
        ]
        for thread in self._reading:
            thread.start()

    def _read(self, stream: IO[str], into: queue.Queue[str]) -> None:
        for line in stream:
            self._all.append(line)
            into.put(line)
            self._lines.put(line)
        into.put("")
        self._lines.put("")

    def ask(self, line: str) -> str:
        """The next line that it says on its standard output after it was told one."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        answer = self._answers.get(timeout=_WAIT_S)
        assert answer, self.said()
        return answer

    def wait_for(self, words: str) -> str:
        """The first line with these words in it, as soon as it is said."""
        while words not in (line := self._lines.get(timeout=_WAIT_S)):
            assert line, self.said()
        return line

    def said(self) -> str:
        """All that it has said."""
        return "".join(self._all)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._reading:
            thread.join(10)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
