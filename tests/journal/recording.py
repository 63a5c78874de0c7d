"""A process that records and can be killed: ``recording.py FOLDER SECONDS``; a line says that a second is in."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from nbaudio.journal.alongside import settled
from nbaudio.widgets.take import Take

RATE = 24_000


def piece(second: int) -> bytes:
    return random.Random(second).randbytes(2 * RATE)


def main() -> None:
    take = Take(RATE, folder=Path(sys.argv[1]), to_say=True)
    for second in range(int(sys.argv[2])):
        take.add(second, piece(second))
        assert settled()
        os.write(1, f"{second}\n".encode())
    sys.stdin.read()


if __name__ == "__main__":
    main()
