"""What is set up and what is not: the text of ``%nbaudio`` and ``python -m nbaudio doctor``."""

from __future__ import annotations

import importlib.metadata
import platform
import sys

import nbaudio
from nbaudio.errors import NbaudioError, mask
from nbaudio.settings import Backend, missing_offline_packages, settings

__all__ = ["problems", "status"]


def status() -> str:
    """Where requests go, with which model and voice, whether the offline engine is ready, and what is wrong."""
    rows = [("nbaudio", f"{nbaudio.__version__}, Python {platform.python_version()}, {sys.executable}")]
    options = settings()
    try:
        backend = options.resolve()
        where = "this machine, with no network" if backend.offline else backend.base_url
        rows += [
            ("requests go to", f"{backend.name}: {where}"),
            ("key", _key(backend)),
            ("model", backend.model),
            ("voice", options.voice),
        ]
    except NbaudioError as error:
        rows.append(("requests go to", f"nowhere: {error.cause}"))
    rows.append(("offline engine", _engine()))
    wrong = problems()
    rows += [("to do" if index == 0 else "", text) for index, text in enumerate(wrong)]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {mask(text)}" for name, text in rows]
    return "\n".join([*lines, *([] if wrong else ["all is well"])])


def problems() -> list[str]:
    """What keeps nbaudio from working now, each with what to do; empty when all is well."""
    try:
        backend = settings().resolve()
    except NbaudioError as error:
        return [str(error)]
    found = []
    if backend.offline:
        from nbaudio.engine.weights.models import MODELS, ready

        found += [
            f"The weights to {name} are not here yet: python -m nbaudio models fetch (or the first cell fetches them)"
            for name in MODELS
            if not ready(name)
        ]
    elif not backend.key and backend.name == "OpenAI":
        found.append("There is no key: set OPENAI_API_KEY")
    return found


def _key(backend: Backend) -> str:
    if backend.offline:
        return "none needed"
    return f"from {backend.key_from}" if backend.key else "none"


def _engine() -> str:
    missing = missing_offline_packages()
    if missing:
        return "not installed: pip install 'nbaudio[offline]'"
    from nbaudio.engine.weights.models import MODELS, ready

    wanting = [name for name in MODELS if not ready(name)]
    if wanting:
        return f"installed; weights to fetch: {', '.join(wanting)}"
    versions = {name: importlib.metadata.version(name) for name in ("faster-whisper", "xllamacpp", "hibari-tts")}
    return "ready: " + ", ".join(f"{name} {version}" for name, version in versions.items())
