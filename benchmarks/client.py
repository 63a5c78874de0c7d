"""What a streamed spoken answer costs the client: nbaudio, the openai package and a bare httpx loop, in one run.

    python benchmarks/client.py
    python benchmarks/client.py --times 3 --parts one     # a rough look

Both parts ask a server in a process of its own on loopback, which sends chunks that it made beforehand: 60 s of PCM16 in
600 pieces, with the words in between as OpenAI sends them.

One answer
----------
All pieces as fast as they are read, and paced at ten times real time, so that each comes alone. Each client in fresh
processes: the first answer, with all that is set up for it, and the second. *Processor* is the time of all threads of
the process, in the program and in the kernel for it; *first piece* is from the call to the first sound in the user's
hands; *memory* is the highest resident memory during the first answer, above that after the imports (VmHWM of
/proc/self/status, which /proc/self/clear_refs resets; elsewhere the highest of the process, which is coarser). openai
and httpx decode each piece and join them at the end; nbaudio gives a reply with a clip, and has its words and sound in
the journal, unless it is off.

Many answers at once
--------------------
200 answers in one process and one event loop, each paced at real time. Each piece carries the time at which the server
wrote it, by the clock that all processes share; *late* is how long after that it was in the user's hands.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import json
import os
import random
import re
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

PIECE_BYTES, PIECES_A_SECOND = 4800, 10
BODY: dict[str, Any] = {
    "model": "gpt-audio-1.5",
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "pcm16"},
    "messages": [{"role": "user", "content": "Is a golden retriever a good family dog?"}],
}
Heard = Callable[[bytes], None]  # gets each piece of sound

# -- the server -----------------------------------------------------------------------------------------------------


def framed(delta: dict[str, Any], **more: Any) -> bytes:
    """One chunk as it goes over the wire."""
    chunk = {
        "id": "chatcmpl-Bx1", "object": "chat.completion.chunk", "created": 1795371654, "model": "gpt-audio-1.5-2026-02-01",
        "service_tier": "default", "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}], "usage": None, **more,
    }  # fmt: skip
    return sent(json.dumps(chunk, separators=(",", ":")))


def sent(data: str) -> bytes:
    event = f"data: {data}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(event), event)


SOUND = base64.b64encode(random.Random(1).randbytes(PIECE_BYTES)).decode()
STAMPED = 12  # characters of base64: nine bytes, of which eight are the time
WORDS = framed({"audio": {"transcript": " loyal"}})
OPENING = framed(
    {"role": "assistant", "content": None, "refusal": None, "audio": {"id": "audio_1", "transcript": "So"}}
)
BEFORE, _, AFTER = framed({"audio": {"data": SOUND}}).partition(SOUND[:STAMPED].encode())
USAGE = {
    "prompt_tokens": 19,
    "completion_tokens": 1350,
    "completion_tokens_details": {"audio_tokens": 1200, "text_tokens": 150},
}
CLOSING = (
    framed({"audio": {"expires_at": 1795375254}}) + framed({}, choices=[], usage=USAGE) + sent("[DONE]") + b"0\r\n\r\n"
)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each request of a connection; its path says how many pieces, and how many seconds apart."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode().split("/")
            pieces, apart_s = int(path[1]), float(path[2])
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            await reader.readexactly(int(length.group(1)) if length else 0)
            writer.write(HEAD + OPENING)
            begun = time.monotonic()
            for number in range(pieces):
                if apart_s:
                    await asyncio.sleep(max(0.0, begun + number * apart_s - time.monotonic()))
                if number % 4 == 0:
                    writer.write(WORDS)
                stamp = base64.b64encode(struct.pack("<dx", time.monotonic()))
                writer.write(BEFORE + stamp + AFTER)
                if not apart_s:  # what is paced goes out whether or not anybody reads
                    await writer.drain()
            writer.write(CLOSING)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


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


def one(name: str, url: str) -> None:
    """The costs of the first and of the second answer."""
    if name == "nbaudio":
        import nbaudio

        _ = nbaudio.Conversation  # which imports what `import nbaudio` puts off
    elif name == "openai":
        import openai  # noqa: F401
    else:
        import httpx  # noqa: F401
    gc.collect()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass
    before_kb = memory_kb("VmRSS")
    costs: dict[str, float] = {}
    cpu_s = time.process_time()
    ask = CLIENTS[name](url)
    for which in ("first", "second"):
        begun, first, size = time.perf_counter(), 0.0, 0

        def heard(pcm: bytes) -> None:
            nonlocal first, size
            first = first or time.perf_counter()
            size += len(pcm)

        kept = ask(heard)
        costs[f"cpu {which}"] = (time.process_time() - cpu_s) * 1000
        costs[f"first piece {which}"] = (first - begun) * 1000
        if which == "first":
            costs["memory"] = (memory_kb("VmHWM") - before_kb) / 1024
            costs["whole memory"] = memory_kb("VmHWM") / 1024
        costs["bytes"] = size
        del kept
        cpu_s = time.process_time()
    print(json.dumps(costs))


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


def many(name: str, url: str, answers: int) -> None:
    """How late the pieces of many answers are."""
    late: list[float] = []
    size = 0

    def heard(pcm: bytes) -> None:
        nonlocal size
        size += len(pcm)
        late.append(time.monotonic() - struct.unpack_from("<d", pcm)[0])

    begun, cpu_s = time.perf_counter(), time.process_time()
    asyncio.run(MANY[name](url, answers, heard))  # type: ignore[arg-type]
    took_s = time.perf_counter() - begun
    cpu_s = time.process_time() - cpu_s
    late.sort()
    print(
        json.dumps(
            {
                "p50": late[len(late) // 2] * 1000, "p95": late[len(late) * 95 // 100] * 1000, "max": late[-1] * 1000,
                "busy": cpu_s / took_s, "took": took_s, "memory": memory_kb("VmHWM") / 1024, "bytes": size,
            }
        )
    )  # fmt: skip


# -- what is printed ------------------------------------------------------------------------------------------------


def child(*arguments: str, journal: bool = True) -> dict[str, float]:
    """What a fresh process measures."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "journal.sqlite3") if journal else "off"
        totals = {"NBAUDIO_DAY_TOTALS": str(Path(folder) / "day.json")}
        done = subprocess.run(
            [sys.executable, __file__, *arguments],
            capture_output=True, text=True, env={**os.environ, **totals, "NBAUDIO_JOURNAL": path}, check=False,
        )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    return found


ROWS = (("nbaudio", True), ("nbaudio, no journal", False), ("openai", True), ("httpx", True))
COLUMNS = ("cpu first", "cpu second", "first piece first", "first piece second", "memory", "whole memory")


def print_one(port: str, seconds: int, times: int, apart_s: float, title: str) -> None:
    pieces = seconds * PIECES_A_SECOND
    url = f"http://127.0.0.1:{port}/{pieces}/{apart_s}/v1"
    runs: dict[str, list[dict[str, float]]] = {name: [] for name, _ in ROWS}
    for _ in range(times):
        for name, journal in ROWS:
            found = child("one", name.partition(",")[0], url, journal=journal)
            assert found["bytes"] == pieces * PIECE_BYTES, f"{name} lost sound"
            runs[name].append(found)
    print(f"\n{title}; medians of {times}")
    print(f"{'':<22}{'processor, ms':>18}{'first piece, ms':>20}{'memory, MB':>20}")
    print(f"{'':<22}{'first':>9}{'second':>9}{'first':>11}{'second':>9}{'above':>11}{'whole':>9}")
    medians = {name: [statistics.median(run[column] for run in runs[name]) for column in COLUMNS] for name in runs}
    for name, (cpu, cpu_2, piece, piece_2, above, whole) in medians.items():
        print(f"{name:<22}{cpu:>9.0f}{cpu_2:>9.0f}{piece:>11.1f}{piece_2:>9.1f}{above:>11.1f}{whole:>9.0f}")
    for name in runs:
        if name != "openai":
            ratios = [a / b for a, b in zip(medians[name], medians["openai"], strict=True)]
            said = "".join(f"{ratio:>{width}.2f}" for ratio, width in zip(ratios, (9, 9, 11, 9, 11, 9), strict=True))
            print(f"{name + ' / openai':<22}{said}" if len(name) < 13 else f"{'no journal / openai':<22}{said}")


def print_many(port: str, seconds: int, answers: int) -> None:
    pieces = seconds * PIECES_A_SECOND
    url = f"http://127.0.0.1:{port}/{pieces}/{1 / PIECES_A_SECOND}/v1"
    print(f"\n{answers} answers of {seconds} s at once, at real time")
    print(f"{'':<22}{'late, ms: p50':>14}{'p95':>9}{'max':>9}{'processor':>11}{'took, s':>9}{'memory, MB':>12}")
    for name, journal in ROWS[:3]:
        found = child("many", name.partition(",")[0], url, str(answers), journal=journal)
        lost = "" if found["bytes"] == answers * pieces * PIECE_BYTES else "  lost sound"
        print(
            f"{name:<22}{found['p50']:>14.1f}{found['p95']:>9.1f}{found['max']:>9.0f}{found['busy']:>11.0%}"
            f"{found['took']:>9.1f}{found['memory']:>12.0f}{lost}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=7, help="fresh processes of each (%(default)s)")
    parser.add_argument("--seconds", type=int, default=60, help="of sound in one answer (%(default)s)")
    parser.add_argument("--answers", type=int, default=200, help="at once (%(default)s)")
    parser.add_argument("--parts", nargs="+", default=["one", "paced", "many"], choices=["one", "paced", "many"])
    options = parser.parse_args()
    with subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            port = server.stdout.readline().strip()
            if "one" in options.parts:
                print_one(port, options.seconds, options.times, 0, f"{options.seconds} s, as fast as it is read")
            if "paced" in options.parts:
                print_one(port, options.seconds, options.times, 0.01, f"{options.seconds} s, ten times real time")
            if "many" in options.parts:
                print_many(port, options.seconds, options.answers)
        finally:
            server.terminate()


if __name__ == "__main__":
    role, *given = sys.argv[1:2] or [""]
    if role == "serve":
        asyncio.run(serve())
    elif role == "one":
        one(*sys.argv[2:4])
    elif role == "many":
        many(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
