"""How long it takes until nbaudio is there, beside the openai package, in one run.

    python benchmarks/imports.py

Prints medians of fresh processes, and of fresh kernels for ``%load_ext nbaudio``.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

FRESH = """
import time
start = time.perf_counter()
{code}
print(time.perf_counter() - start)
"""
IN_KERNEL = """
import os, sys, time
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(extra_arguments=["--IPKernelApp.log_level=ERROR"])
taken = []
def heard(message):
    if message["msg_type"] == "stream":
        taken.append(message["content"]["text"])
code = "import time; start = time.perf_counter()\\n{code}\\nprint(time.perf_counter() - start)"
client.execute_interactive(code, output_hook=heard, timeout=60)
client.stop_channels()
manager.shutdown_kernel(now=True)
print("".join(taken))
"""


def median_ms(script: str, times: int) -> float:
    """Median of what a fresh process prints in seconds, as milliseconds; the first run only warms the disk."""
    taken = []
    for _ in range(times + 1):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        taken.append(float(done.stdout))
    return statistics.median(taken[1:]) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=7, help="runs of each (%(default)s)")
    times = parser.parse_args().times

    rows = [
        ("import nbaudio", FRESH.format(code="import nbaudio")),
        ("import nbaudio; nbaudio.Conversation", FRESH.format(code="import nbaudio; nbaudio.Conversation")),
        ("import openai", FRESH.format(code="import openai")),
        ("%load_ext nbaudio in a kernel", IN_KERNEL.format(code="%load_ext nbaudio")),
        ("import openai in a kernel", IN_KERNEL.format(code="import openai")),
    ]
    found = {}
    for name, script in rows:
        found[name] = median_ms(script, times)
        print(f"{name:<40} {found[name]:8.1f} ms")
    print(f"\nnbaudio / openai:           {found['import nbaudio'] / found['import openai']:.3f}")
    print(f"nbaudio / openai in kernel: {found[rows[3][0]] / found[rows[4][0]]:.3f}")


if __name__ == "__main__":
    main()
