"""What is set up and what is not: the text of ``%nbaudio`` and ``python -m nbaudio doctor``."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Callable
from typing import TypeAlias

import nbaudio
from nbaudio.completing.parties import hearer, speaker
from nbaudio.errors import NbaudioError, NoBackend, mask
from nbaudio.settings import Backend, NbAudio, missing_offline_packages, settings
from nbaudio.turns import OFFLINE_ENGINE

__all__ = ["problems", "status"]

Find: TypeAlias = Callable[[Backend, str], "Backend | None"]


def status() -> str:
    """Where requests go, with which model and voice, whether the offline engine is ready, and what is wrong."""
    rows = [("nbaudio", f"{nbaudio.__version__}, Python {platform.python_version()}, {sys.executable}")]
    options = settings()
    try:
        backend = options.resolve()
        rows += _server(backend, options)
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
    elif not backend.key and backend.key_env and backend.dialect.key_env and not backend.dialect.ports:
        found.append(f"There is no key: set {backend.key_env}")
    return [*found, *filter(None, (_lack(find, backend) for find in (hearer, speaker)))]


def _server(backend: Backend, options: NbAudio) -> list[tuple[str, str]]:
    where = "this machine, with no network" if backend.offline else backend.base_url
    mine = f" ({backend.profile} in {options.servers().path})" if backend.profile else ""
    dialect = backend.dialect
    tried = f"tried with {dialect.tried}" if dialect.tried else "tried with a stand-in, not with the real server"
    usual = NbAudio.voice.default_value
    return [
        ("requests go to", f"{backend.name}: {where}{mine}"),
        ("dialect", f"{dialect.name}, for {dialect.title}; {tried}"),
        ("hears", _by(hearer, backend)),
        ("speaks", _by(speaker, backend)),
        ("key", _key(backend)),
        ("model", backend.model),
        ("voice", options.voice if options.voice != usual else _voice(backend) or usual),
    ]


def _by(find: Find, backend: Backend) -> str:
    """Whether the server does something itself, or who does it instead."""
    try:
        who = find(backend, backend.model)
    except NoBackend as error:
        return f"no: {error.cause}"
    return "by itself" if who is None else f"by {OFFLINE_ENGINE if who.offline else who.name}"


def _lack(find: Find, backend: Backend) -> str:
    try:
        find(backend, backend.model)
    except NoBackend as error:
        return str(error)
    return ""


def _voice(backend: Backend) -> str:
    try:
        who = speaker(backend, backend.model)
    except NoBackend:
        return ""
    return (who or backend).voice


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
