"""A class of notebooks on one served engine: errors, fairness, speed, and the server's memory.

    python benchmarks/serving.py                             # 32 notebooks, 1,024 questions; ten minutes on two cores
    python benchmarks/serving.py --each 6 --queue 12         # fewer places to wait than notebooks: some get 429
    python benchmarks/serving.py --each 3 --workers 1 2 3 4  # which number of workers is best
    python benchmarks/serving.py --each 3 --proxy            # with the LiteLLM proxy between

The proxy is installed by ``python tests/judges/environments.py litellm``. Each notebook is a process with nbaudio's
usual settings, a token of its own and one question after the other: two typed, then one spoken, all answered aloud and
streamed. All begin at once. The server, the notebooks and the proxy share the machine.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

import nbaudio as nba
from nbaudio.serving.keys import personal_token

ROOT = Path(__file__).parents[1]
MARKS = (0, 100, 250, 500, 750, 1000)  # answers, between which the server's memory is told apart
TOPICS = (
    "a golden retriever", "the blue of the sky", "a volcano", "a cat in a small flat", "sunlight and plants",
    "a soft egg", "penguins", "a bicycle", "a fishing boat", "the first person on the moon", "bread", "the piano",
    "the leaves in autumn", "a tomato plant", "a battery", "the salt of the sea", "rice with spinach", "a rainbow",
    "sleep in a noisy street", "frogs and toads",
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """How one question went."""

    seconds: float
    first_sound_s: float
    error: str


def notebook(number: int, count: int) -> None:
    """One notebook: ready, then on a line of input its questions, then what became of them."""
    recording = nba.Clip(ROOT / "notebooks" / "question.wav")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    asked = []
    for index in range(count):
        topic = TOPICS[(number + index) % len(TOPICS)]
        words = f"What do you know about {topic}? This is question {index + 1} of pupil {number + 1}."
        parts = (words, recording) if index % 3 == 2 else (words,)
        begin, first, error = time.perf_counter(), 0.0, ""
        try:
            for event in nba.Conversation().stream(*parts):
                if isinstance(event, nba.AudioDelta) and not first:
                    first = time.perf_counter() - begin
        except nba.NbaudioError as problem:
            error = type(problem).__name__
        asked.append((time.perf_counter() - begin, first, error))
    sys.stdout.write(f"{json.dumps(asked)}\n")


class Server:
    """A served engine, and what it counts."""

    def __init__(self, workers: int, queue: int) -> None:
        self.token = secrets.token_urlsafe()
        options = ["--port", "0", "--workers", str(workers), "--queue", str(queue)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "nbaudio", "serve", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "NBAUDIO_SERVE_TOKEN": self.token},
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "OPENAI_BASE_URL=" in line:
                self.base_url = line.partition("OPENAI_BASE_URL=")[2].strip()
            if "NBAUDIO_DIALECT" in line:
                break

    def counts(self) -> dict[tuple[str, ...], float]:
        """Every sample of its metrics, by name and labels."""
        request = urllib.request.Request(
            self.base_url.removesuffix("/v1") + "/metrics", headers={"authorization": f"Bearer {self.token}"}
        )
        with urllib.request.urlopen(request) as response:
            families = text_string_to_metric_families(response.read().decode())
            return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


class Memory:
    """Looks at the server's memory twice a second: between two looks answers begin and end, and it goes up and down."""

    def __init__(self, server: Server) -> None:
        self._seen: list[tuple[float, float]] = []  # answers given so far, and megabytes
        self._server, self._over = server, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.5):
            self.note()

    def note(self) -> None:
        counts = self._server.counts()
        answers = counts.get(("nbaudio_requests_total", "/v1/chat/completions", "200"), 0)
        self._seen.append((answers, counts["process_resident_memory_bytes",] / 1e6))

    def rows(self) -> Iterator[tuple[str, str]]:
        """The lowest, the median and the highest between some numbers of answers."""
        for after, until in itertools.pairwise(MARKS):
            if seen := [megabytes for answers, megabytes in self._seen if after < answers <= until]:
                low, usual, high = min(seen), statistics.median(seen), max(seen)
                yield f"server's memory, answers {after} to {until}", f"{low:.0f}, {usual:.0f}, {high:.0f} MB"

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        self.note()


def proxied(server: Server, until_the_end: ExitStack) -> tuple[str, str]:
    """The address of a LiteLLM proxy before the server, and its key."""
    key = f"sk-{secrets.token_urlsafe()}"
    folder = until_the_end.enter_context(tempfile.TemporaryDirectory())
    parameters = {"model": "openai/offline", "api_base": server.base_url, "api_key": server.token}
    config = {
        "model_list": [{"model_name": "offline", "litellm_params": parameters}],
        "router_settings": {"disable_cooldowns": True, "num_retries": 0},
        "general_settings": {"master_key": key},
    }
    (Path(folder) / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    program = ROOT / ".venv-litellm" / "bin" / "litellm"
    options = ["--config", f"{folder}/config.yaml", "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    process = subprocess.Popen(
        [str(program), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"},
    )
    until_the_end.callback(process.wait)
    until_the_end.callback(process.terminate)
    assert process.stderr is not None
    for line in process.stderr:
        if "Uvicorn running on" in line:
            break
    threading.Thread(target=process.stderr.read, daemon=True).start()
    return f"http://127.0.0.1:{port}/v1", key


def run(workers: int, queue: int, notebooks: int, each: int, proxy: bool) -> None:
    """One class, and a table of how it went."""
    with ExitStack() as until_the_end:
        server = Server(workers, queue)
        until_the_end.callback(server.stop)
        url, key = proxied(server, until_the_end) if proxy else (server.base_url, "")
        environment = {n: v for n, v in os.environ.items() if not n.startswith(("OPENAI_", "NBAUDIO_"))}
        environment |= {"OPENAI_BASE_URL": url, "NBAUDIO_DIALECT": "offline", "NBAUDIO_JOURNAL": "off"}
        processes = [
            subprocess.Popen(
                [sys.executable, __file__, "--notebook", str(number), "--each", str(each)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**environment, "OPENAI_API_KEY": key or personal_token(server.token, f"pupil-{number}")},
            )
            for number in range(notebooks)
        ]
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        memory = Memory(server)
        begin = time.perf_counter()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        asked = [[Asked(*one) for one in json.loads(process.communicate()[0])] for process in processes]
        seconds = time.perf_counter() - begin
        memory.stop()
        print(f"{workers} workers, {queue} may wait{', through LiteLLM' if proxy else ''}")
        for name, value in rows(asked, seconds, server.counts(), memory):
            print(f"  {name:<42}{value}")


def rows(
    asked: list[list[Asked]], seconds: float, counts: dict[tuple[str, ...], float], memory: Memory
) -> list[tuple[str, str]]:
    """What the table says, line by line."""
    everything = [one for each in asked for one in each]
    good = [one for one in everything if not one.error]
    errors = Counter(one.error for one in everything if one.error)
    means = [statistics.mean(one.seconds for one in each) for each in asked]
    sent_away = counts.get(("nbaudio_requests_total", "/v1/chat/completions", "429"), 0)
    return [
        ("questions, of so many notebooks at once", f"{len(everything)} of {len(asked)}"),
        ("errors that a person saw", ", ".join(f"{n} {name}" for name, n in errors.items()) or "none"),
        ("429s that the client absorbed", f"{sent_away:.0f}"),
        ("answers in a second", f"{len(good) / seconds:.2f}"),
        ("sound made in a second", f"{counts['nbaudio_audio_spoken_seconds_total',] / seconds:.1f} s"),
        ("first sound, median and most", spread([one.first_sound_s for one in good])),
        ("whole answer, median and most", spread([one.seconds for one in good])),
        ("slowest notebook over fastest", f"{max(means) / min(means):.2f}"),
        *memory.rows(),
    ]


def spread(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} s, {max(seconds):.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notebooks", type=int, default=32, help="how many (%(default)s)")
    parser.add_argument("--each", type=int, default=32, help="questions of each (%(default)s)")
    parser.add_argument("--workers", type=int, nargs="+", default=[3], help="one run for each (%(default)s)")
    parser.add_argument("--queue", type=int, default=64, help="as of the server (%(default)s)")
    parser.add_argument("--proxy", action="store_true", help="put the LiteLLM proxy between")
    parser.add_argument("--notebook", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.notebook is not None:
        notebook(chosen.notebook, chosen.each)
        return
    for workers in chosen.workers:
        run(workers, chosen.queue, chosen.notebooks, chosen.each, chosen.proxy)


if __name__ == "__main__":
    main()
