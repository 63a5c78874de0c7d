"""A long conversation: what a new turn costs, and how much memory is held, at the tenth turn and at the thousandth.

    python benchmarks/conversation.py
    python benchmarks/conversation.py --exchanges 100      # a rough look

Each exchange is a question in words and ten seconds of speech as its answer, streamed by a loopback server in another
process. Printed are, for the exchanges around each place: processor time of this process, the time from the call to
the first piece, and the memory that is held; medians of nine. With ids the answers are referred to as OpenAI has it,
without ids their words are sent.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
SERVER = """
import sys
from openai_server import serve
with serve() as server:
    server.duration_s = float(sys.argv[1])
    print(server.base_url, server.api_key, flush=True)
    sys.stdin.read()
"""
CLIENT = """
import json, sys, time
import psutil
import nbaudio as nba
exchanges, places = int(sys.argv[1]), json.loads(sys.argv[2])
talk, found, process = nba.Conversation(max_completion_tokens=4096), [], psutil.Process()
for number in range(1, exchanges + 1):
    begun, cpu_s, first = time.perf_counter(), time.process_time(), None
    for event in talk.stream("Why?"):
        if first is None:
            first = time.perf_counter() - begun
    if any(abs(number - place) <= 4 for place in places):
        cost = (time.process_time() - cpu_s) * 1000
        found.append((number, cost, first * 1000, process.memory_info().rss / 1e6))
print(json.dumps(found))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exchanges", type=int, default=500, help="questions with an answer each (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of speech in each answer (%(default)s)")
    options = parser.parse_args()
    last = options.exchanges - 4
    print(f"{'':<22}{'processor':>12}{'first piece':>14}{'memory':>10}")
    for name, dialect in (("with ids", "openai"), ("without ids", "compatible")):
        found = _run(options.exchanges, options.seconds, [5, last], dialect)
        rows = {place: [one for one in found if abs(one[0] - place) <= 4] for place in (5, last)}
        medians = {
            place: [statistics.median(one[at] for one in ones) for at in (1, 2, 3)] for place, ones in rows.items()
        }
        for place, (cpu_ms, first_ms, held_mb) in medians.items():
            print(f"{name}, turn {2 * place:<7}{cpu_ms:>9.1f} ms{first_ms:>11.1f} ms{held_mb:>7.0f} MB")
        ratios = [late / early for late, early in zip(medians[last], medians[5], strict=True)]
        print(f"{'late / early':<22}{ratios[0]:>12.2f}{ratios[1]:>14.2f}{ratios[2]:>10.2f}")


def _run(exchanges: int, seconds: float, places: list[int], dialect: str) -> list[list[float]]:
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    environment = {**os.environ, "PYTHONPATH": paths, "NBAUDIO_DIALECT": dialect, "NBAUDIO_JOURNAL": "off"}
    command = [sys.executable, "-c", SERVER, str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        url, key = server.stdout.readline().split()
        client = [sys.executable, "-c", CLIENT, str(exchanges), json.dumps(places)]
        asked = {**environment, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": key}
        done = subprocess.run(client, capture_output=True, text=True, env=asked, check=False)
        server.terminate()
    if done.returncode:
        sys.exit(done.stderr)
    found: list[list[float]] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
