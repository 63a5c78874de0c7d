"""A server that runs: in a thread of this process, or as the command in one of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
from openai_server.listening import UvicornThread
from ports import new_listener

from nbaudio.engine.parts import Engine
from nbaudio.serving.app import Serving
from nbaudio.serving.limits import Limits

from .stand_ins import WAIT_S

# No words: pieces of a secret are hidden in every text of this process, and so of other tests.
TOKEN = "kQ7vX2mZ9pL4wR8tB3nY"


_LOGGER = logging.getLogger("nbaudio.serving")


class _IntoQueue(logging.Handler):
    def __init__(self, lines: queue.Queue[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.put(record.getMessage())


class Running:
    """A server in a thread.

    Attributes
    ----------
    base_url : str
    arrived : threading.Semaphore
        Released for each request that waits for its turn.
    log : queue of str
        A line for each request that is over.
    """

    def __init__(self, engine: Engine, limits: Limits, token: str) -> None:
        self.serving = Serving(engine, limits, token)
        self.arrived = threading.Semaphore(0)
        self._clients: list[openai.OpenAI] = []
        self.log: queue.Queue[str] = queue.Queue()
        self._handler = _IntoQueue(self.log)
        _LOGGER.addHandler(self._handler)
        _LOGGER.setLevel(logging.INFO)
        self._note_arrivals()
        listener = new_listener()
        self.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.thread = UvicornThread(self.serving, ws="websockets-sansio")
        self.thread.start(listener)

    def _note_arrivals(self) -> None:
        wait = self.serving.queue._wait

        async def noted(client: str) -> None:
            asyncio.get_running_loop().call_soon(self.arrived.release)  # runs when this waits
            await wait(client)

        self.serving.queue._wait = noted  # type: ignore[method-assign]

    def wait_until_waiting(self, count: int = 1) -> None:
        """Return when so many more requests wait for their turn."""
        for _ in range(count):
            assert self.arrived.acquire(timeout=WAIT_S), "no request came to wait"

    def client(self, key: str = "none", **options: Any) -> openai.OpenAI:
        """The official client of it."""
        made = openai.OpenAI(base_url=f"{self.base_url}/v1", api_key=key, **{"max_retries": 0, **options})
        self._clients.append(made)
        return made

    def stop(self) -> None:
        """End it, and its clients."""
        self.thread.stop()
        for client in self._clients:
            client.close()
        _LOGGER.removeHandler(self._handler)

    def wait_until_idle(self) -> None:
        """Return when nothing is worked on; the place of an answer is free a moment after its last byte."""
        asyncio.run_coroutine_threadsafe(self.serving.queue.idle(), self.thread.loop).result(WAIT_S)

    def wait_for_log(self, words: str) -> str:
        """The next line of the log with these words in it, as soon as there is one."""
        while words not in (line := self.log.get(timeout=WAIT_S)):
            pass
        return line

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.base_url + path, trust_env=False, **options)


@contextmanager
def running(engine: Engine, limits: Limits | None = None, token: str = "") -> Iterator[Running]:
    server = Running(engine, limits or Limits(workers=1, queue=4), token)
    try:
        yield server
    finally:
        server.stop()


class Command:
    """``python -m nbaudio serve`` in a process of its own; ready when this is made.

    Attributes
    ----------
    said : list of str
        What it has said on its standard output.
    """

    def __init__(self, *options: str, **environment: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nbaudio", "serve", "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**kept, "PYTHONUNBUFFERED": "1", **environment},
            cwd=Path(__file__).parents[2],
        )
        self.said: list[str] = []
        self._errors: list[str] = []
        self._log: queue.Queue[str] = queue.Queue()
        self._reading = threading.Thread(target=self._read_log, daemon=True)
        self._reading.start()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if "NBAUDIO_DIALECT" in line:
                break
        (self.base_url,) = re.findall(r"OPENAI_BASE_URL=(http\S+)/v1", "".join(self.said)) or [""]
        assert self.base_url, self.log()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._errors.append(line)
            self._log.put(line)

    def wait_for_log(self, words: str) -> str:
        """The next line of its log with these words in it, as soon as there is one."""
        while words not in (line := self._log.get(timeout=WAIT_S)):
            pass
        return line

    def wait(self) -> int:
        """Its exit status, when it has ended."""
        return self.process.wait(WAIT_S)

    def log(self) -> str:
        """All that it wrote on standard error; to be asked for when it has ended."""
        self._reading.join(WAIT_S)
        return "".join(self._errors)

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.said.extend(self.process.stdout)
        self._reading.join(WAIT_S)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
