"""A server on the loopback that behaves as OpenAI's audio chat completions do, scripted by tests.

    with serve() as server:
        server.words = "Yes."
        server.fail_next("rate_limited")
        ...  # a client with server.base_url and server.api_key
        assert server.requests[0].body["model"] == "gpt-audio-1.5"

As a fixture:

    @pytest.fixture
    def openai_server() -> Iterator[OpenAIServer]:
        with serve() as server:
            yield server

Real sockets, a real HTTP server, real sound; no key, no network. The official client judges it in
``test_with_openai_client.py``.
"""

from __future__ import annotations

from .faults import Scripted, fault_names
from .gate import Gate
from .replies import ToolCall
from .server import OpenAIServer, Recorded, serve
from .transcriptions import Said

__all__ = ["Gate", "OpenAIServer", "Recorded", "Said", "Scripted", "ToolCall", "fault_names", "serve"]
