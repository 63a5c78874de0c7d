"""Memory that answers have freed goes back to the system."""

from __future__ import annotations

import ctypes
import sys

import pytest

from nbaudio.serving.freed_memory import FreedMemory, give_back

pytestmark = pytest.mark.offline


def test_now_and_then_and_not_after_each_answer() -> None:
    calls: list[int] = []
    memory = FreedMemory(lambda: calls.append(1))

    threads = [thread for _ in range(50) if (thread := memory.answered()) is not None]
    for thread in threads:
        thread.join()

    assert len(threads) == len(calls) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' C libraries give it back by themselves")
def test_freed_memory_is_given_back() -> None:
    psutil = pytest.importorskip("psutil")
    process, libc = psutil.Process(), ctypes.CDLL(None)
    if not hasattr(libc, "malloc_trim"):
        assert not give_back()
        return
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.restype, libc.free.argtypes = None, [ctypes.c_void_p]
    size, count = 60_000, 2000  # below what malloc would take from the system block by block
    blocks = [libc.malloc(size) for _ in range(count)]
    for block in blocks:
        ctypes.memset(block, 1, size)
    for block in blocks[:-1]:  # the last stays, so that the heap can't shrink from its end
        libc.free(block)
    before = process.memory_info().rss

    assert give_back()

    assert before - process.memory_info().rss > 0.8 * size * count
    libc.free(blocks[-1])
