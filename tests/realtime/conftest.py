"""A Realtime server on the loopback, and a backend that leads there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from realtime_server import KEY, RealtimeServer, realtime_server

import nbaudio as nba
from nbaudio.settings import Backend


@pytest.fixture
def server() -> Iterator[RealtimeServer]:
    with realtime_server() as running:
        yield running


@pytest.fixture
def backend(server: RealtimeServer, journal_file: object, monkeypatch: pytest.MonkeyPatch) -> Backend:
    monkeypatch.setenv("REALTIME_KEY", KEY)
    return nba.connect(server.url, "gpt-realtime-2.1", key="env:REALTIME_KEY", dialect="openai")
