"""The loopback server, as the settings of a test point to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture
def journal_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A journal of this test's own, whose troubles nobody has been told of."""
    from nbaudio.conversation import chats
    from nbaudio.journal import trouble
    from nbaudio.journal.watcher import journal

    file = tmp_path / "journal" / "journal.sqlite3"
    monkeypatch.setenv("NBAUDIO_JOURNAL", str(file))
    monkeypatch.setattr(trouble, "_told", set())
    monkeypatch.setattr(chats, "_chats", {})
    yield file
    journal.close()
