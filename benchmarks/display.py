"""A minute of spoken answer, from the server's last byte to the finished display, beside the usual way.

    python benchmarks/display.py

The usual way is the `openai` package's stream, its base64 pieces joined to PCM, and ``IPython.display.Audio``. Both
talk to the same loopback server, which sends the minute at ten times real time, as a fast model does. Each is a fresh
process; the figures are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from openai_server import Gate, OpenAIServer, serve

SECONDS = 60.0
PIECE_BYTES = 9_601

COMMON = """
import json, os, resource, sys, time
base_url, key = sys.argv[1:3]
def report(last, bundle):
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([done - last, peak / 1024, sum(len(text) for text in bundle.values())]))
"""
OURS = """
os.environ.update(OPENAI_BASE_URL=base_url, OPENAI_API_KEY=key)
import nbaudio as nba
from nbaudio.magics.live import WordsAnswer
live = WordsAnswer()
for event in nba.Conversation().stream("Hello"):
    if isinstance(event, nba.Finished):
        live.finish(event.reply)
        report(last, event.reply._repr_mimebundle_())
    else:
        live.add(event)
        last = time.perf_counter()
"""
THEIRS = """
import base64
import numpy as np
from openai import OpenAI
from IPython.display import Audio
from IPython.core.formatters import DisplayFormatter
client = OpenAI(base_url=base_url, api_key=key)
pcm, words = [], []
for chunk in client.chat.completions.create(
    model="gpt-audio-1.5", modalities=["text", "audio"], audio={"voice": "alloy", "format": "pcm16"}, stream=True,
    messages=[{"role": "user", "content": "Hello"}], stream_options={"include_usage": True},
):
    audio = getattr(chunk.choices[0].delta, "audio", None) if chunk.choices else None
    if audio and audio.data:
        pcm.append(base64.b64decode(audio.data))
    last = time.perf_counter()
sound = Audio(np.frombuffer(b"".join(pcm), "<i2"), rate=24000)
bundle, _ = DisplayFormatter().format(sound)
report(last, bundle)
"""


def run(script: str, server: OpenAIServer) -> list[float]:
    """Seconds from the last byte to the display, peak memory in MB, and bytes of the saved output."""
    gate = server.gate = Gate()
    stop = threading.Event()

    def pace() -> None:
        # A piece every 20 ms is ten times real time.
        while not stop.wait(PIECE_BYTES / 48_000 / 10):
            gate.allow()

    pacer = threading.Thread(target=pace)
    pacer.start()
    try:
        done = subprocess.run(
            [sys.executable, "-c", COMMON + script, server.base_url, server.api_key],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "NBAUDIO_DIALECT": "openai"},
        )
    finally:
        stop.set()
        pacer.join()
    found: list[float] = json.loads(done.stdout.splitlines()[-1])  # above it is what a terminal shows
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3, help="runs of each (%(default)s)")
    times = parser.parse_args().times
    medians = {}
    with serve() as server:
        server.duration_s, server.piece_bytes = SECONDS, PIECE_BYTES
        for name, script in (("nbaudio", OURS), ("openai + Audio", THEIRS)):
            runs = [run(script, server) for _ in range(times)]
            medians[name] = [statistics.median(column) for column in zip(*runs, strict=True)]
    print(f"{SECONDS:.0f} s of sound            last byte to display    peak memory    saved output")
    for name, (wait_s, peak_mb, size) in medians.items():
        print(f"{name:<24} {wait_s * 1000:15.0f} ms {peak_mb:13.0f} MB {size / 1000:12.0f} kB")
    ours, theirs = medians.values()
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    print(f"{'nbaudio / theirs':<24} {ratios[0]:18.2f} {ratios[1]:16.2f} {ratios[2]:15.3f}")


if __name__ == "__main__":
    main()
