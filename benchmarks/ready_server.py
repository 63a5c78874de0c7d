"""A server that costs next to nothing: it answers every chat request with chunks that were made beforehand.

    python benchmarks/ready_server.py

Prints its port on loopback. The path of a request says what it gets: ``/600/0.1/v1/chat/completions`` are 600 pieces of
100 ms of PCM16, 0.1 s apart; with 0 they come as fast as they are read. The first eight bytes of each piece are the
time at which it was written, as ``time.monotonic`` has it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import re
import struct
import time
from typing import Any

PIECE_BYTES, PIECES_A_SECOND = 4800, 10


def framed(delta: dict[str, Any], **more: Any) -> bytes:
    """One chunk as it goes over the wire."""
    chunk = {
        "id": "chatcmpl-Bx1", "object": "chat.completion.chunk", "created": 1795371654,
        "model": "gpt-audio-1.5-2026-02-01", "service_tier": "default", "system_fingerprint": "fp_1",
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


if __name__ == "__main__":
    asyncio.run(serve())
