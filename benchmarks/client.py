"""What a streamed spoken answer costs the client: nbaudio, the openai package and a bare httpx loop, in one run.

    python benchmarks/client.py
    python benchmarks/client.py --times 3 --parts one     # a rough look

All parts ask a server in a process of its own on loopback, which sends chunks that it made beforehand: 60 s of PCM16 in
600 pieces, with words in between.

One answer
----------
All pieces as fast as they are read; and ``paced`` at ten times real time, so that each comes alone. Each client in
fresh processes, which begin when its modules are imported: the first answer, with the making of the client and of all
that it has put off, and the median of four more (paced: one more, in at most three processes of each). *Processor* is
the time of all threads of the process, in the program and in the kernel for it. *First piece* is until the first sound
is in the user's hands.
*Resident* is the highest resident memory during the first answer above that after the imports (VmHWM of
/proc/self/status, which /proc/self/clear_refs resets; elsewhere the highest of the process, which is coarser).
*Objects* is the most that Python's objects took for the second answer (tracemalloc, in a process of its own).

openai and httpx decode each piece and join them at the end, as one does. nbaudio gives a reply with a clip, has counted
what it cost, and has its words and its sound in a journal, unless that is off.

Many answers at once
--------------------
200 answers in one process and one event loop, each paced at real time. Each piece carries the time at which the server
wrote it, by the clock that all processes share; *late* is how long after that it was in the user's hands. Three times
are told apart: the first two seconds, in which all are asked; then, while all speak; and from half a second before the
first ends, when within a second or so all do, and the journal writes them down as finished. *Processor* is the share of
one.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import gc
import json
import os
import re
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ready_server import PIECE_BYTES, PIECES_A_SECOND

BODY: dict[str, Any] = {
    "model": "gpt-audio-1.5",
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "pcm16"},
    "messages": [{"role": "user", "content": "Is a golden retriever a good family dog?"}],
}
Heard = Callable[[bytes], None]  # gets each piece of sound

# -- the clients ----------------------------------------------------------------------------------------------------


def nbaudio_client(url: str) -> Callable[[Heard], object]:
    import nbaudio as nba

    os.environ.update(OPENAI_BASE_URL=url, OPENAI_API_KEY="sk-none", NBAUDIO_DIALECT="openai")
    chat = nba.Conversation()

    def ask(heard: Heard) -> object:
        for event in chat.stream("Is a golden retriever a good family dog?"):
            if isinstance(event, nba.AudioDelta):
                heard(event.pcm16)
        return event

    return ask


def openai_client(url: str) -> Callable[[Heard], object]:
    from openai import OpenAI

    client = OpenAI(base_url=url, api_key="sk-none")

    def ask(heard: Heard) -> object:
        pcm, words = [], []
        for chunk in client.chat.completions.create(**BODY, stream=True, stream_options={"include_usage": True}):
            audio = getattr(chunk.choices[0].delta, "audio", None) if chunk.choices else None
            if audio and audio.transcript:
                words.append(audio.transcript)
            if audio and audio.data:
                pcm.append(base64.b64decode(audio.data))
                heard(pcm[-1])
        return "".join(words), b"".join(pcm)

    return ask


def httpx_client(url: str) -> Callable[[Heard], object]:
    import httpx

    client = httpx.Client()
    body = {**BODY, "stream": True, "stream_options": {"include_usage": True}}

    def ask(heard: Heard) -> object:
        pcm, words = [], []
        with client.stream("POST", url + "/chat/completions", json=body) as response:
            for line in response.iter_lines():
                if not line.startswith("data: ") or line == "data: [DONE]":
                    continue
                choices = json.loads(line[6:])["choices"]
                audio = choices[0]["delta"].get("audio", {}) if choices else {}
                if audio.get("transcript"):
                    words.append(audio["transcript"])
                if audio.get("data"):
                    pcm.append(base64.b64decode(audio["data"]))
                    heard(pcm[-1])
        return "".join(words), b"".join(pcm)

    return ask


CLIENTS = {"nbaudio": nbaudio_client, "openai": openai_client, "httpx": httpx_client}


def memory_kb(name: str) -> float:
    """VmRSS or VmHWM of this process; where there is no /proc, the most that it ever had."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return float(re.search(rf"{name}:\s*(\d+)", status).group(1))  # type: ignore[union-attr]


def one(name: str, url: str, answers: int) -> None:
    """The costs of the first answer, and of more."""
    load(name)
    gc.collect()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before_kb = memory_kb("VmRSS")
    cpu_s, begun, first = time.process_time(), time.perf_counter(), 0.0
    cpu_ms: list[float] = []
    first_ms: list[float] = []
    size = 0

    def heard(pcm: bytes) -> None:
        nonlocal first, size
        first = first or time.perf_counter()
        size += len(pcm)

    ask = CLIENTS[name](url)
    costs: dict[str, float] = {}
    for which in range(answers):
        kept = ask(heard)
        cpu_ms.append((time.process_time() - cpu_s) * 1000)
        first_ms.append((first - begun) * 1000)
        if which == 0:
            costs["memory"] = (memory_kb("VmHWM") - before_kb) / 1024
        del kept
        cpu_s, begun, first = time.process_time(), time.perf_counter(), 0.0
    costs |= {"cpu first": cpu_ms[0], "cpu more": statistics.median(cpu_ms[1:])}
    costs |= {"piece first": first_ms[0], "piece more": statistics.median(first_ms[1:]), "bytes": size / answers}
    print(json.dumps(costs))


def objects(name: str, url: str) -> None:
    """The memory that Python's objects take for an answer."""
    load(name)
    ask = CLIENTS[name](url)
    tracemalloc.start()
    for _ in range(2):
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        kept = ask(lambda pcm: None)
        peak = tracemalloc.get_traced_memory()[1] - before
        del kept
    print(json.dumps({"objects": peak / 2**20}))


def load(name: str) -> None:
    """Import what a user imports."""
    if name == "nbaudio":
        import nbaudio

        _ = nbaudio.Conversation  # which imports what `import nbaudio` puts off
    elif name == "openai":
        import openai  # noqa: F401
    else:
        import httpx  # noqa: F401


# -- many at once ---------------------------------------------------------------------------------------------------


async def nbaudio_many(url: str, answers: int, heard: Heard) -> None:
    import nbaudio as nba

    os.environ.update(OPENAI_BASE_URL=url, OPENAI_API_KEY="sk-none", NBAUDIO_DIALECT="openai")

    async def ask() -> None:
        async for event in nba.Conversation().astream("Is a golden retriever a good family dog?"):
            if isinstance(event, nba.AudioDelta):
                heard(event.pcm16)

    await asyncio.gather(*(ask() for _ in range(answers)))


async def openai_many(url: str, answers: int, heard: Heard) -> None:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=url, api_key="sk-none")

    async def ask() -> None:
        pcm = []
        stream = await client.chat.completions.create(**BODY, stream=True, stream_options={"include_usage": True})
        async for chunk in stream:
            audio = getattr(chunk.choices[0].delta, "audio", None) if chunk.choices else None
            if audio and audio.data:
                pcm.append(base64.b64decode(audio.data))
                heard(pcm[-1])
        b"".join(pcm)

    await asyncio.gather(*(ask() for _ in range(answers)))


MANY: dict[str, Callable[[str, int, Heard], Awaitable[None]]] = {"nbaudio": nbaudio_many, "openai": openai_many}


TIMES = ("start", "rest", "end")


def many(name: str, url: str, answers: int, seconds: int) -> None:
    """How late the pieces of many answers are."""
    late: list[tuple[float, float]] = []  # when it came, and how late
    size = 0

    def heard(pcm: bytes) -> None:
        nonlocal size
        size += len(pcm)
        now = time.monotonic()
        late.append((now, now - struct.unpack_from("<d", pcm)[0]))

    load(name)
    cpu_s, begun = time.process_time(), time.monotonic()
    asyncio.run(MANY[name](url, answers, heard))  # type: ignore[arg-type]
    took_s, cpu_s = time.monotonic() - begun, time.process_time() - cpu_s
    found = {"processor": cpu_s / took_s, "took": took_s, "memory": memory_kb("VmHWM") / 1024, "bytes": size}
    times_s = (0, 2, seconds - 0.5, float("inf"))
    for which, start_s, end_s in zip(TIMES, times_s, times_s[1:], strict=False):
        part = [late_s for came, late_s in late if start_s <= came - begun < end_s]
        part = sorted(part) or [0.0]
        found |= {f"{which} p50": part[len(part) // 2], f"{which} p95": part[len(part) * 95 // 100]}
        found[f"{which} max"] = part[-1]
    print(json.dumps(found))


# -- what is printed ------------------------------------------------------------------------------------------------


def child(*arguments: str, journal: bool = True) -> dict[str, float]:
    """What a fresh process measures; there is a journal already, as on every day but the first."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite3"
        environment = {
            **os.environ,
            "NBAUDIO_DAY_TOTALS": str(Path(folder) / "day.sqlite3"),
            "NBAUDIO_JOURNAL": str(path) if journal else "off",
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
        }
        if journal and "nbaudio" in arguments:
            code = "import nbaudio as nba; nba.Conversation().append('Hello.')"
            subprocess.run([sys.executable, "-c", code], env=environment, cwd=folder, check=True)
        done = subprocess.run(
            [sys.executable, str(Path(__file__).absolute()), *arguments],
            capture_output=True, text=True, env=environment, cwd=folder, check=False,
        )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    return found


ROWS = (("nbaudio", True), ("nbaudio, no journal", False), ("openai", True), ("httpx", True))
COLUMNS = (("cpu first", 9), ("cpu more", 8), ("piece first", 12), ("piece more", 8), ("memory", 13), ("objects", 10))


def print_one(port: str, seconds: int, times: int, apart_s: float, title: str) -> None:
    pieces = seconds * PIECES_A_SECOND
    url = f"http://127.0.0.1:{port}/{pieces}/{apart_s}/v1"
    runs: dict[str, list[dict[str, float]]] = {name: [] for name, _ in ROWS}
    for _ in range(times):
        for name, journal in ROWS:
            client = name.partition(",")[0]
            found = child("one", client, url, "2" if apart_s else "5", journal=journal)
            if not apart_s:
                found |= child("objects", client, url, journal=journal)
            assert found["bytes"] == pieces * PIECE_BYTES, f"{name} lost sound"
            runs[name].append(found)
    columns = COLUMNS[: 5 if apart_s else 6]
    medians = {name: [statistics.median(run[key] for run in runs[name]) for key, _ in columns] for name in runs}
    print(f"\n{title}; medians of {times}")
    print(f"{'':<22}{'processor, ms':>17}{'first piece, ms':>20}{'memory, MB':>23}")
    print(f"{'':<22}" + "".join(f"{said:>{width}}" for (_, width), said in zip(columns, HEADS, strict=False)))
    for name, values in medians.items():
        print(
            f"{name:<22}" + "".join(f"{value:>{width}.1f}" for (_, width), value in zip(columns, values, strict=True))
        )
    for name, values in medians.items():
        if name != "openai":
            shares = [value / theirs for value, theirs in zip(values, medians["openai"], strict=True)]
            said = "".join(f"{share:>{width}.2f}" for (_, width), share in zip(columns, shares, strict=True))
            print(f"{name.removeprefix('nbaudio, ') + ' / openai':<22}{said}", flush=True)


HEADS = ("first", "more", "first", "more", "resident", "objects")


def print_many(port: str, seconds: int, answers: int) -> None:
    pieces = seconds * PIECES_A_SECOND
    url = f"http://127.0.0.1:{port}/{pieces}/{1 / PIECES_A_SECOND}/v1"
    print(f"\n{answers} answers of {seconds} s at once, at real time")
    print(f"{'':<20}{'late, ms: at first':>21}{'then':>18}{'at the end':>24}{'processor':>11}{'took, s':>9}{'MB':>6}")
    print(f"{'':<20}" + f"{'p50':>7}{'p95':>7}{'max':>7}" * 3)
    for name, journal in ROWS[:3]:
        found = child("many", name.partition(",")[0], url, str(answers), str(seconds), journal=journal)
        assert found["bytes"] == answers * pieces * PIECE_BYTES, f"{name} lost sound"
        late = "".join(f"{found[f'{when} {what}'] * 1000:>7.1f}" for when in TIMES for what in SHARES)
        rest = f"{found['processor']:>11.0%}{found['took']:>9.1f}{found['memory']:>6.0f}"
        print(f"{name:<20}{late}{rest}", flush=True)


SHARES = ("p50", "p95", "max")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5, help="fresh processes of each (%(default)s)")
    parser.add_argument("--seconds", type=int, default=60, help="of sound in one answer (%(default)s)")
    parser.add_argument("--answers", type=int, default=200, help="at once (%(default)s)")
    parser.add_argument("--parts", nargs="+", default=["one", "paced", "many"], choices=["one", "paced", "many"])
    options = parser.parse_args()
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("ready_server.py"))], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            port = server.stdout.readline().strip()
            if "one" in options.parts:
                print_one(port, options.seconds, options.times, 0, f"{options.seconds} s, as fast as it is read")
            if "paced" in options.parts:
                print_one(
                    port, options.seconds, min(options.times, 3), 0.01, f"{options.seconds} s, ten times real time"
                )
            if "many" in options.parts:
                print_many(port, options.seconds, options.answers)
        finally:
            server.terminate()


if __name__ == "__main__":
    role, *given = sys.argv[1:2] or [""]
    if role == "one":
        one(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    elif role == "objects":
        objects(*sys.argv[2:4])
    elif role == "many":
        many(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        main()
