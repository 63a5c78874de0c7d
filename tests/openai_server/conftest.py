"""The server, and the official client that judges it."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from .server import OpenAIServer, serve


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """A server with a short answer; it fails the test if it fails itself."""
    with serve() as running:
        running.duration_s = 0.5
        yield running


@pytest.fixture
def client(server: OpenAIServer) -> Iterator[openai.OpenAI]:
    """The official client, which does not try again unless a test lets it."""
    with client_of(server) as made:
        yield made


def client_of(server: OpenAIServer, *, max_retries: int = 0, timeout_s: float = 10.0) -> openai.OpenAI:
    """An official client of the server, deaf to the proxies of its surroundings."""
    return openai.OpenAI(
        base_url=server.base_url,
        api_key=server.api_key,
        max_retries=max_retries,
        timeout=timeout_s,
        # No certificates on the loopback: reading them takes longer than a test.
        http_client=openai.DefaultHttpxClient(trust_env=False, verify=False),
    )
