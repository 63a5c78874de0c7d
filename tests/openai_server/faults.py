"""What can be made to go wrong, once or a few times, and the queue of it.

Besides the names below, every file in ``tests/fixtures/wire/errors`` is a fault by its name:
``rate_limited``, ``quota``, ``server``, ``bad_key`` and so on.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from starlette.responses import Response

ERROR_FIXTURES = Path(__file__).parents[1] / "fixtures" / "wire" / "errors"

InsteadOfAnswer = Literal["hang", "reset", "hang_up", "not_json", "empty_body"]
"""What comes in the place of an answer.

``hang``: nothing, until `OpenAIServer.release`; then the usual answer. ``reset``: the connection is reset (RST).
``hang_up``: the connection is closed in good order (FIN). ``not_json``: an HTML page with status 200.
``empty_body``: status 200 and no byte."""

InAnswer = Literal[
    "cut_stream",
    "no_done",
    "error_in_stream",
    "text_instead_of_audio",
    "no_data",
    "refusal",
    "content_filter",
]
"""What is wrong within an answer.

``cut_stream``: the connection goes after half of the pieces, or in the middle of an unstreamed body.
``no_done``: the stream ends in good order after its last piece, with no end marker, no usage and no ``[DONE]``.
``error_in_stream``: an error object after half of the pieces. ``text_instead_of_audio``: words in ``content``
although sound was asked for. ``no_data``: id, transcript and expiry without sound. ``refusal``,
``content_filter``: the model does not answer."""


@dataclass(frozen=True)
class Scripted:
    """An answer written out by a test: status, headers and body (bytes, text, or an object sent as JSON).

    With `cut` the connection goes after half of the body.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = b""
    cut: bool = False

    def response(self) -> Response:
        """The answer to send; a body that is an object comes as JSON unless the headers say otherwise."""
        is_raw = isinstance(self.body, (bytes, str))
        content = self.body if is_raw else json.dumps(self.body)
        media_type = "text/plain" if is_raw else "application/json"
        return Response(content, self.status, {"content-type": media_type, **self.headers})


def error_fixture(name: str) -> Scripted:
    """The error answer of a file in ``tests/fixtures/wire/errors``."""
    found = json.loads((ERROR_FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    return Scripted(found["status"], found["headers"], found["body"])


class FaultQueue:
    """Faults in the order in which requests will meet them; a test fills it, the server's thread empties it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: deque[str | Scripted] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, fault: str | Scripted, times: int, headers: Mapping[str, str] | None) -> None:
        """Queue a fault, by name or written out; ValueError for a name that doesn't exist."""
        if isinstance(fault, str) and fault not in _NAMED:
            if not (ERROR_FIXTURES / f"{fault}.json").exists():
                raise ValueError(f"no fault is called {fault!r}; there are {', '.join(fault_names())}")
            fault = error_fixture(fault)
        if headers:
            if isinstance(fault, str):
                raise ValueError(f"{fault!r} has no headers of its own")
            fault = replace(fault, headers={**fault.headers, **headers})
        with self._lock:
            self._queue.extend([fault] * times)

    def take(self) -> str | Scripted | None:
        """The next fault, or None."""
        with self._lock:
            return self._queue.popleft() if self._queue else None


_NAMED = frozenset(get_args(InsteadOfAnswer) + get_args(InAnswer))


def fault_names() -> list[str]:
    """All names that `OpenAIServer.fail_next` takes."""
    return sorted(_NAMED | {path.stem for path in ERROR_FIXTURES.glob("*.json")})
