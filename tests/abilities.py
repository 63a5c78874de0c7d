"""The loopback server, taken for one that can do something else: what a test wants to meet with little sound."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nbaudio.settings import Backend, NbAudio


def able(monkeypatch: pytest.MonkeyPatch, **abilities: Any) -> None:
    """Have these fields of its dialect be other ones, as ``longest_speech=300``."""
    resolve = NbAudio.resolve

    def resolved(self: NbAudio) -> Backend:
        backend = resolve(self)
        return replace(backend, dialect=replace(backend.dialect, **abilities))

    monkeypatch.setattr(NbAudio, "resolve", resolved)
