"""Backend: where requests go, made from a name or an address."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from nbaudio.errors import SetupError
from nbaudio.servers.keys import Key, checked, is_place, key_from
from nbaudio.servers.profiles import Profile, Servers
from nbaudio.wire.dialects import Dialect, dialect_for, known_dialects

__all__ = [
    "NOBODY",
    "OFFLINE_URL",
    "OPENAI_URL",
    "Backend",
    "backend_at",
    "checked_url",
    "ears",
    "offline_backend",
    "party",
]

OPENAI_KEY_ENV = "OPENAI_API_KEY"
OPENAI_URL = "https://api.openai.com/v1"
OFFLINE_URL = "http://offline.nbaudio/v1"  # never resolved: the transport answers in process
NOBODY = "nobody"
"""Instead of a backend to hear or speak with: the server is asked as it is."""


@dataclass(frozen=True, repr=False)
class Backend:
    """Where requests go: an address, a key that no repr shows, and the server's habits.

    `hear_with` and `speak_with` are the backends that do what this one can't, or ``"nobody"``; where they are empty it
    is the offline engine. `profile` is the person's name for it, where it has one; `key_from` is where the key came
    from, and `key_env` the environment variable that may hold it.
    """

    name: str
    base_url: str
    model: str
    dialect: Dialect
    key: str = field(default="", compare=False)
    key_from: str = ""
    key_env: str = ""
    hear_with: Backend | str = ""
    speak_with: Backend | str = ""
    voice: str = ""
    profile: str = ""

    def __repr__(self) -> str:
        others = {"heard by": self.hear_with, "spoken by": self.speak_with}
        named = [f", {did} {who if isinstance(who, str) else who.name}" for did, who in others.items() if who]
        return f"<Backend {self.model or 'any model'} on {self.name}, as {self.dialect.name}{''.join(named)}>"

    @property
    def offline(self) -> bool:
        """Whether this is the engine in this process."""
        return self.base_url == OFFLINE_URL


def offline_backend(model: str = "") -> Backend:
    """The engine in this process."""
    dialect = dialect_for(OFFLINE_URL)
    return Backend("offline engine", OFFLINE_URL, model or dialect.default_model, dialect)


def backend_at(
    where: str,
    servers: Servers,
    *,
    model: str = "",
    key: str = "",
    dialect: str = "",
    hear_with: Backend | str = "",
    speak_with: Backend | str = "",
    openai_key_env: str = OPENAI_KEY_ENV,
) -> Backend:
    """The backend that a name or an address stands for.

    Parameters
    ----------
    where : str
        ``"offline"``, a profile of the person's, a dialect that has an address of its own, or an address.
    servers : Servers
        The person's own.
    model, dialect : str, optional
        By default the profile's, else what the address says.
    key : str, optional
        A key, or the place of one, see `nbaudio.servers.keys`. By default the profile's, else what the environment
        variable of this server holds.
    hear_with, speak_with : Backend or str, optional
        Who does what the server can't: a backend, what `where` may be, or ``"nobody"``.
    openai_key_env : str
        The variable with the key to OpenAI.

    Raises
    ------
    SetupError
        If there is no such name, or it is no address, or its key can't be had.
    """
    if where == "offline":
        return offline_backend(model)
    profile = servers.profiles.get(where) or Profile("", where)
    url = profile.url
    if not profile.name and "/" not in where and ":" not in where:
        url = _address_of(where, servers)
    url = checked_url(url, "The address")
    model = model or profile.model
    habits = dialect_for(url, dialect or profile.dialect, model, servers.dialects)
    if urlsplit(url).path == "" and habits.url:  # "http://localhost:11434": its API is below that
        url += urlsplit(habits.url).path
    habits = replace(
        habits,
        transcription_model=profile.transcription_model or habits.transcription_model,
        speech_model=profile.speech_model or habits.speech_model,
    )
    key_env = openai_key_env if habits.key_env == OPENAI_KEY_ENV else habits.key_env
    place = key or profile.key or (f"env:{key_env}" if key_env else "")
    found = (key_from(place) if is_place(place) else checked(place, "the program")) if place else Key()
    if not found.value and (key or profile.key):
        raise SetupError(f"The key should be in {place}, and is not.", f"Set {place.partition(':')[2]}.")
    return Backend(
        name="OpenAI" if url == OPENAI_URL else urlsplit(url).netloc,
        base_url=url,
        model=model or habits.default_model,
        dialect=habits,
        key=found.value,
        key_from=found.origin,
        key_env=key_env,
        voice=profile.voice or habits.voice,
        profile=profile.name,
        hear_with=party(hear_with or profile.hear_with, servers, openai_key_env),
        speak_with=party(speak_with or profile.speak_with, servers, openai_key_env),
    )


def party(who: Backend | str, servers: Servers, openai_key_env: str = OPENAI_KEY_ENV) -> Backend | str:
    """Who does what another backend can't, as `backend_at` takes it; empty and ``"nobody"`` stay as they are."""
    if isinstance(who, Backend) or who in ("", NOBODY):
        return who
    # Nobody hears and speaks for those: so a profile may name itself.
    return backend_at(who, servers, hear_with=NOBODY, speak_with=NOBODY, openai_key_env=openai_key_env)


def ears(backend: Backend) -> Backend:
    """Who writes recordings down for a backend: who was named for it, itself, or else the offline engine."""
    if isinstance(backend.hear_with, Backend):
        return backend.hear_with
    return backend if backend.dialect.transcription_model else offline_backend()


def _address_of(name: str, servers: Servers) -> str:
    rows = {dialect.name: dialect.url for dialect in (*known_dialects(), *servers.dialects) if dialect.url}
    if name in rows:
        return rows[name]
    known = [*servers.profiles, *rows, "offline"]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}; or give an address: http://host/v1."
    raise SetupError(f"There is no server {name!r}, neither in {servers.path} nor among the known ones.", hint)


def checked_url(url: str, origin: str) -> str:
    """An address without what may be too much of it at its end.

    Parameters
    ----------
    url : str
    origin : str
        Where it was written, for the error.

    Raises
    ------
    SetupError
        If it is no address of a server, or holds a password or a key.
    """
    url = url.strip().rstrip("/").removesuffix("/chat/completions").rstrip("/")
    if "@" in url:  # first, for what is wrong with an address is told with the address
        raise SetupError(
            f"{origin} holds a user name or password.",
            "Take it out of the address; docs/servers.md says where keys go.",
        )
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an IPv6 address that can't be
        good = False
    if not good:
        raise SetupError(f"{origin} is {url!r}, which is no address of a server.", "Write it as https://host/v1.")
    if parts.query or parts.fragment:
        raise SetupError(f"{origin} goes on after the path, with ? or #.", "Write it as https://host/v1.")
    return url
