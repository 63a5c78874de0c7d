"""Memory that answers have freed, given back to the system.

Most of an answer's memory is in blocks of some 100 kB to 10 MB, taken and freed by many threads in native code. glibc
keeps what is freed for whoever asks next, in a heap for each few threads, and with three answers at once those heaps
grow apart: after some hundred answers 230 MB were in use and 225 MB more were kept free, which looks like a leak.
`malloc_trim` (https://man7.org/linux/man-pages/man3/malloc_trim.3.html) gives back what is free.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable

__all__ = ["FreedMemory", "give_back"]

_EVERY = 16  # answers: some seconds of work, next to which the milliseconds for giving back are nothing


def give_back() -> bool:
    """Give free memory back to the system; False where the C library has no way to."""
    if sys.platform != "linux":
        return False
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none, and keeps little
    if trim is None:
        return False
    trim(0)
    return True


class FreedMemory:
    """Sees to it that freed memory is given back, now and then.

    Parameters
    ----------
    give_back : callable
        Takes milliseconds, so it is called in a thread of its own.
    """

    def __init__(self, give_back: Callable[[], object] = give_back) -> None:
        self._give_back = give_back
        self._answers = 0

    def answered(self) -> threading.Thread | None:
        """Count an answer that is over; the thread that gives memory back, where it is time for it."""
        self._answers += 1
        if self._answers % _EVERY:
            return None
        thread = threading.Thread(target=self._give_back, name="nbaudio-memory", daemon=True)
        thread.start()
        return thread
