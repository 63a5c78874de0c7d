"""A long conversation: what a new turn costs, and how much memory is held, at the tenth turn and at the thousandth.

    python benchmarks/conversation.py
    python benchmarks/conversation.py --exchanges 100      # a rough look

Each exchange is a question in words and ten seconds of speech as its answer, streamed by a loopback server in another
process. The conversation grows first. Then its tenth and its last turn are asked for by turns, so that whatever else
the computer does meets both alike. Printed are medians: processor time of this process, the time from the call to the
first piece without what the server itself took until then, and the memory that was held after these turns while it
grew. With ids the answers are referred to as OpenAI has it, without ids their words are sent.
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
import sys, time
from openai_server import serve
from openai_server.app import App

answer = App.__call__

async def timed(app, scope, receive, send):
    asked = took = None
    async def received():
        nonlocal asked
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            asked = time.perf_counter()
        return message
    async def sent(message):
        nonlocal took
        if took is None and message.get("body"):
            took = time.perf_counter() - asked
            print(took * 1000, flush=True)
        await send(message)
    await answer(app, scope, received, sent)

App.__call__ = timed
with serve() as server:
    server.duration_s = float(sys.argv[1])
    print(server.base_url, server.api_key, flush=True)
    sys.stdin.read()
"""
CLIENT = """
import json, sys, time
import psutil
import nbaudio as nba
exchanges, rounds = int(sys.argv[1]), int(sys.argv[2])

def ask(talk):
    begun, cpu_s, first = time.perf_counter(), time.process_time(), None
    for event in talk.stream("Why?"):
        if first is None:
            first = time.perf_counter() - begun
    return (time.process_time() - cpu_s) * 1000, first * 1000

talk, held, process = nba.Conversation(max_completion_tokens=4096), [], psutil.Process()
for number in range(1, exchanges + 1):
    ask(talk)
    held.append(process.memory_info().rss / 1e6)
talk.undo()
short = nba.Conversation(talk[:8], max_completion_tokens=4096)
found = []
for _ in range(rounds):
    for one in (short, talk):
        found.append(ask(one))
        one.undo()
print(json.dumps([held, found]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exchanges", type=int, default=500, help="questions with an answer each (%(default)s)")
    parser.add_argument("--rounds", type=int, default=40, help="how often each turn is asked for (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of speech in each answer (%(default)s)")
    options = parser.parse_args()
    print(f"{'':<22}{'processor':>12}{'first piece':>14}{'memory':>10}")
    for name, dialect in (("with ids", "openai"), ("without ids", "compatible")):
        held, found = _run(options, dialect)
        medians = []
        for at, turn in enumerate((10, 2 * options.exchanges)):
            cpu_ms, first_ms = (statistics.median(values) for values in zip(*found[at::2], strict=True))
            medians.append((cpu_ms, first_ms, held[turn // 2 - 1]))
            print(f"{name}, turn {turn:<7}{cpu_ms:>9.1f} ms{first_ms:>11.1f} ms{medians[-1][2]:>7.0f} MB")
        early, late = medians
        ratios = [after / before for before, after in zip(early, late, strict=True)]
        print(f"{'late / early':<22}{ratios[0]:>12.2f}{ratios[1]:>14.2f}{ratios[2]:>10.2f}")


def _run(options: argparse.Namespace, dialect: str) -> tuple[list[float], list[tuple[float, float]]]:
    """Memory in MB after each exchange; then processor time and time to the first piece, in ms, of early and late."""
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    environment = {**os.environ, "PYTHONPATH": paths, "NBAUDIO_DIALECT": dialect, "NBAUDIO_JOURNAL": "off"}
    command = [sys.executable, "-c", SERVER, str(options.seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        url, key = server.stdout.readline().split()
        client = [sys.executable, "-c", CLIENT, str(options.exchanges), str(options.rounds)]
        asked = {**environment, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": key}
        done = subprocess.run(client, capture_output=True, text=True, env=asked, check=False)
        server.terminate()
        took = [float(line) for line in server.stdout]
    if done.returncode:
        sys.exit(done.stderr)
    held, found = json.loads(done.stdout)
    assert len(took) == options.exchanges + len(found)
    of_found = zip(found, took[options.exchanges :], strict=True)
    return held, [(cpu_ms, first_ms - of_server) for (cpu_ms, first_ms), of_server in of_found]


if __name__ == "__main__":
    main()
