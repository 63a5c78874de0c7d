"""Turns, and what a model is told, without the keys that stand in them."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from typing import Any, TypeVar

from nbaudio.errors import NbaudioWarning, register_secret, without_keys
from nbaudio.settings import NbAudio
from nbaudio.turns import Reply, Turn

__all__ = ["keyless", "keyless_text"]

_WORDS = ("text", "transcript", "refusal", "note")
_T = TypeVar("_T", bound=Turn)


def keyless(turn: _T, where: str = "") -> _T:
    """A turn with ``[key]`` in the place of each known key; the very same one where there is none in it.

    Parameters
    ----------
    turn : Turn
    where : str
        What the person is told that the key stood in; by default nobody is told.
    """
    _know_key()
    changed: dict[str, Any] = {}
    for name in _WORDS:
        if (words := getattr(turn, name, "")) and (clean := without_keys(words)) != words:
            changed[name] = clean
    calls = tuple(replace(call, arguments=without_keys(call.arguments)) for call in turn.tool_calls)
    if calls != turn.tool_calls:
        changed["tool_calls"] = calls
    if not changed:
        return turn
    if "text" in changed and isinstance(turn, Reply):
        changed["marks"] = ()  # they count characters of the words as they were
    if where:
        _warn(where)
    return replace(turn, **changed)


def keyless_text(text: str, where: str = "") -> str:
    """As `keyless`, of words alone."""
    _know_key()
    clean = without_keys(text)
    if where and clean != text:
        _warn(where)
    return clean


def _know_key() -> None:
    """Have the usual key known before anything is asked; others are, once they have been looked up."""
    name = NbAudio.instance().api_key_env if NbAudio.initialized() else "OPENAI_API_KEY"
    register_secret(os.environ.get(name, "").strip())


def _warn(where: str) -> None:
    warnings.warn(f"A key stood in {where}. It was left out: [key] is there.", NbaudioWarning, stacklevel=4)
