"""The loopback server, as the settings of a test point to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai_server import OpenAIServer, serve


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    """A server that behaves as OpenAI's does, which requests go to."""
    with serve() as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", running.api_key)
        monkeypatch.setenv("NBAUDIO_DIALECT", "openai")
        yield running
