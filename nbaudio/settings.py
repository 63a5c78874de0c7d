"""Where requests go and how: one set of options, from four places.

The first that says something wins: ``%config NbAudio.voice = "ash"`` or a profile's ``ipython_config.py``; the
environment (``NBAUDIO_VOICE``, and ``OPENAI_API_KEY`` and ``OPENAI_BASE_URL`` as the openai package reads
them); the nearest ``pyproject.toml`` with a ``[tool.nbaudio]`` table; the default.

A project file comes with a folder that somebody else may have written, and the key is the person's own. So a
project file can't say where requests go, nor which key or program to use: only the person can. What it can do is name
one of the servers that the person has described in a file of their own (`nbaudio.servers.profiles`).
"""

from __future__ import annotations

import os
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from traitlets import Bool, Enum, Float, Int, TraitError, Unicode, observe
from traitlets.config import Configurable, SingletonConfigurable

from nbaudio.errors import NoBackend, SetupError
from nbaudio.servers.backend import OFFLINE_URL, OPENAI_URL, Backend, backend_at, checked_url, offline_backend
from nbaudio.servers.keys import checked
from nbaudio.servers.profiles import Servers, read_servers, usual_file
from nbaudio.wire.dialects import dialect_for

__all__ = ["OFFLINE_URL", "OPENAI_URL", "Backend", "NbAudio", "running_shell", "settings"]

_Chosen = TypeVar("_Chosen", bound="NbAudio")
_LEAVES = ("backend", "base_url", "server", "servers_file", "api_key_env", "dialect", "hear_with", "speak_with")
"""The options that end a connection when they are set."""


class NbAudio(SingletonConfigurable):
    """Options of nbaudio; each is also a magic's option, a Python argument and an ``NBAUDIO_…`` variable."""

    backend = Enum(
        ["auto", "openai", "offline"],
        "auto",
        help="auto: the server that the environment names, else OpenAI where there is a key, else offline.",
    ).tag(config=True, mine=True)
    base_url = Unicode("", help="The server's address, up to and with /v1. OPENAI_BASE_URL says it too.").tag(
        config=True, mine=True
    )
    server = Unicode("", help="A server by its name in your own file of servers; see docs/servers.md.").tag(config=True)
    servers_file = Unicode("", help="Your file of servers. By default servers.toml in your configuration folder.").tag(
        config=True, mine=True
    )
    hear_with = Unicode(
        "",
        help="Who writes down what you say for a server that can't hear: offline, a server's name or address, or "
        "nobody. By default the offline engine.",
    ).tag(config=True, mine=True)
    speak_with = Unicode(
        "", help="Who says what a server that can't speak has written; as hear_with. By default the offline engine."
    ).tag(config=True, mine=True)
    api_key_env = Unicode("OPENAI_API_KEY", help="The environment variable that holds the key.").tag(
        config=True, mine=True
    )
    dialect = Unicode(
        "", help="The server's habits, by a name of docs/servers.md. By default from its address and the model."
    ).tag(config=True, mine=True)
    brain = Unicode(
        "",
        help="The offline engine's language model: a .gguf file, or the address of an OpenAI-compatible text "
        "server with the model after a #, as http://localhost:11434/v1#llama3.2. By default the small one.",
    ).tag(config=True, mine=True)
    model = Unicode("", help="The model's name. By default the backend's own.").tag(config=True)
    transcription_model = Unicode("", help="The model that writes down what you say. By default the server's.").tag(
        config=True
    )
    speech_model = Unicode("", help="The model that speaks a text of yours. By default the server's.").tag(config=True)
    speed = Float(1.0, min=0.25, max=4.0, help="How fast a text of yours is spoken: 0.25 to 4.").tag(config=True)
    voice = Unicode("alloy", help="The voice that answers.").tag(config=True)
    instructions = Unicode("", help="What the model is told before the conversation.").tag(config=True)
    stream = Bool(True, help="Ask the server for the answer piece by piece, and show words as they come.").tag(
        config=True
    )
    play = Enum(
        ["queue", "auto", "click"],
        "queue",
        help="When a spoken answer sounds. queue: as it comes, after what sounds already; auto: as it comes, and what "
        "sounds already is paused; click: when you ask for it.",
    ).tag(config=True)
    audio_format = Enum(
        ["wav", "mp3", "flac", "opus", "pcm16"], "wav", help="How sound comes when it is not streamed."
    ).tag(config=True)
    max_completion_tokens = Int(
        2048, min=1, help="The longest answer: a second of speech is 20 tokens, a word about 1.3."
    ).tag(config=True)
    temperature = Float(-1.0, help="0 to 2; below 0 leaves it to the server. 0 can make audio models drone.").tag(
        config=True
    )
    timeout_s = Float(600.0, min=0.01, help="Longest wait for the next piece of an answer, in seconds.").tag(
        config=True
    )
    connect_timeout_s = Float(5.0, min=0.01, help="Longest wait for a connection, in seconds.").tag(config=True)
    retries = Int(2, min=0, help="How often a request that failed for a passing reason is sent again.").tag(config=True)
    embed_budget_kb = Int(
        2000, min=1, help="Most sound that one output keeps in the notebook, in kilobytes of MP3 (32 kbit/s)."
    ).tag(config=True)
    journal = Unicode(
        "", help="The file in which all that is said is kept, or off. By default in the user's data folder."
    ).tag(config=True, mine=True)
    journal_days = Int(0, min=0, help="How many days it is kept; 0 is for ever.").tag(config=True, mine=True)
    journal_mb = Int(
        2000, min=0, help="The most that the journal may take, in megabytes; the oldest goes first. 0 sets no limit."
    ).tag(config=True, mine=True)
    prices = Unicode("", help="A file with prices of models, which go before the known ones; see docs/money.md.").tag(
        config=True, mine=True
    )
    budget_usd = Float(0.0, min=0.0, help="The most US dollars to spend; 0 sets no limit.").tag(config=True)
    budget_tokens = Int(0, min=0, help="The most tokens to use, in and out; 0 sets no limit.").tag(config=True)
    budget_minutes = Float(0.0, min=0.0, help="The most minutes of sound, in and out; 0 is no limit.").tag(config=True)
    budget_per = Enum(
        ["conversation", "notebook", "day"], "notebook", help="Of what the budget is: day is all notebooks of today."
    ).tag(config=True)
    day_totals = Unicode(
        "", help="The file with the sums of days and notebooks. By default in the user's data folder."
    ).tag(config=True, mine=True)
    cache = Bool(False, help="Keep answers, and take that to a request that was sent before from there.").tag(
        config=True
    )
    cache_folder = Unicode("", help="Where answers are kept. By default in the user's cache folder.").tag(
        config=True, mine=True
    )
    cache_mb = Int(500, min=1, help="The most that kept answers may take, in megabytes.").tag(config=True)

    _begun = False

    def __init__(self, **given: Any) -> None:
        self._connected: Backend | None = None
        self._of_project: set[str] = set()
        self._by_hand: set[str] = set()
        super().__init__(**given)
        config = self.config.get(type(self).__name__, {})
        project, environment = _from_project(self), _from_environment(self)
        for name, (value, origin) in {**project, **environment}.items():
            if name not in config and name not in given:
                _assign(self, name, value, origin)
                if name not in environment:
                    self._of_project.add(name)
        if self.server and self.base_url:  # whichever was said in the place that goes before
            places = [{*config, *given}, set(environment), set(project)]
            first = next(place for place in places if place & {"server", "base_url"})
            setattr(self, "base_url" if "server" in first else "server", "")
        self._begun = True

    @classmethod
    def instance(cls: type[_Chosen], *args: Any, **given: Any) -> _Chosen:
        """The options in force; those of a profile too, whoever asks first, with ``%load_ext`` or without."""
        if not cls.initialized() and isinstance(shell := running_shell(), Configurable):
            given = {"parent": shell, **given}
        return super().instance(*args, **given)

    def take_profile(self, shell: Any) -> None:
        """Take what a profile says, where the options were read before there was a shell; what was set since stays."""
        if self.parent is shell:
            return
        self.parent, by_hand = shell, set(self._by_hand)
        config = deepcopy(shell.config)
        said = config.get(type(self).__name__, {})
        if by_hand & {"base_url", "server"}:
            by_hand |= {"base_url", "server"}
        elif "server" in said:  # as in the beginning, of the two this one counts
            by_hand.add("base_url")
        for name in by_hand:
            said.pop(name, None)
        connected = self._connected
        self.update_config(config)
        self._connected = connected

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if self._begun and self.has_trait(name):  # here, for traitlets does not tell of a value that was there already
            self._by_hand.add(name)
            if name in _LEAVES:
                self._connected = None

    def resolve(self) -> Backend:
        """The backend that requests go to now.

        Raises
        ------
        NoBackend
            If there is no key, no server and no offline engine.
        SetupError
            If an address, a name, a key or the file of servers can't be right.
        """
        if self._connected is not None:
            return self._connected
        url = (self.base_url or os.environ.get("OPENAI_BASE_URL", "")).strip().rstrip("/")
        key = checked(os.environ.get(self.api_key_env, ""), self.api_key_env)
        project_names = "server" in self._of_project
        if self.backend != "offline":
            if self.server and not (project_names and url):
                return self._profile(self.server, project_names)
            if url and (self.backend == "auto" or url != OPENAI_URL):
                return self._at(url, "NbAudio.base_url" if self.base_url else "OPENAI_BASE_URL")
            if self.backend == "openai" or key.value:
                if not key.value:
                    raise NoBackend(
                        f"The backend is OpenAI, but {self.api_key_env} is not set.",
                        f"Set {self.api_key_env} in the environment, or %config NbAudio.backend = 'offline'.",
                    )
                return self._at(OPENAI_URL, "")
        if not offline_installed():
            raise NoBackend(
                "There is no OPENAI_API_KEY, no OPENAI_BASE_URL and no offline engine.",
                "Set a key, or install the engine: pip install 'nbaudio[offline]'",
            )
        return offline_backend(self.model)

    def connect(self, backend: Backend) -> None:
        """Have requests go to this backend, until one of the options that say where they go is set."""
        # As they were before anybody set them.
        for name in ("backend", "base_url", "server", "dialect", "model", "hear_with", "speak_with"):
            setattr(self, name, self.traits()[name].default())
        self._connected = backend

    def servers(self) -> Servers:
        """The person's own servers."""
        return read_servers(Path(self.servers_file).expanduser() if self.servers_file else usual_file())

    @observe(*_LEAVES)
    def _leave(self, change: Any) -> None:
        self._of_project.discard(change["name"])
        if self._begun and change["new"] and change["name"] in ("base_url", "server"):  # the later one counts
            other = "server" if change["name"] == "base_url" else "base_url"
            if getattr(self, other):
                setattr(self, other, "")

    @observe("model")
    def _other_model(self, change: Any) -> None:
        if self._connected is not None:
            model = change["new"] or self._connected.dialect.default_model
            self._connected = replace(self._connected, model=model)

    def _profile(self, name: str, project_names: bool) -> Backend:
        servers = self.servers()
        if project_names and name not in servers.profiles:
            raise SetupError(
                f"The project file names the server {name!r}, of which {servers.path} says nothing.",
                "Describe it there, as docs/servers.md shows: a project can't say where your requests go.",
            )
        if "/" in name or ":" in name:
            raise SetupError(f"NbAudio.server is {name!r}, which is no name.", "Addresses go into NbAudio.base_url.")
        return self._named(name)

    def _at(self, url: str, origin: str) -> Backend:
        url = checked_url(url, origin)
        dialect = dialect_for(url, self.dialect, self.model, self.servers().dialects)
        # As the openai package does it, the one variable holds the key to whatever server is set, unless this one has
        # a variable of its own.
        own = self.api_key_env == "OPENAI_API_KEY" and dialect.key_env and os.environ.get(dialect.key_env, "").strip()
        found = self._named(url, f"env:{dialect.key_env if own else self.api_key_env}")
        return replace(found, key_env=found.key_env or self.api_key_env)

    def _named(self, where: str, key: str = "") -> Backend:
        if key and not os.environ.get(key.partition(":")[2], "").strip():
            key = ""  # a server of one's own may need none
        return backend_at(
            where,
            self.servers(),
            model=self.model,
            key=key,
            dialect=self.dialect,
            hear_with=self.hear_with,
            speak_with=self.speak_with,
            openai_key_env=self.api_key_env,
        )


def settings() -> NbAudio:
    """The options in force in this process."""
    return NbAudio.instance()


def running_shell() -> Any:
    """The IPython shell that runs here; None outside of IPython, which is not imported for this."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def offline_installed() -> bool:
    """Whether the packages of ``nbaudio[offline]`` are there; nothing is imported."""
    return not missing_offline_packages()


def missing_offline_packages() -> list[str]:
    """The packages of ``nbaudio[offline]`` that are not installed, by import name."""
    needed = ("faster_whisper", "hibari", "xllamacpp", "starlette", "python_multipart", "tqdm", "py3langid")
    return [name for name in needed if not _installed(name)]


def _installed(name: str) -> bool:
    import importlib.util

    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # ValueError: loaded by hand, without a spec
        return False


def _from_environment(target: NbAudio) -> dict[str, tuple[str, str]]:
    found = {}
    for name in target.trait_names(config=True):
        variable = f"NBAUDIO_{name.upper()}"
        if os.environ.get(variable, "") != "":
            found[name] = (os.environ[variable], variable)
    return found


def _from_project(target: NbAudio) -> dict[str, tuple[Any, str]]:
    try:
        folder = Path.cwd()
    except FileNotFoundError:  # the working folder has been removed
        return {}
    for place in (folder, *folder.parents):
        file = place / "pyproject.toml"
        table = _tool_table(file)
        if table is None:
            continue
        found = {}
        for name, value in table.items():
            if name not in target.trait_names(config=True):
                near = _nearest(name, target.trait_names(config=True))
                raise SetupError(f"{file} has an unknown option [tool.nbaudio] {name}.", near)
            if name in target.trait_names(mine=True):
                raise SetupError(
                    f"{file} sets {name}, which only you can: a project file comes from whoever wrote the project, "
                    "and could send your key and your voice elsewhere.",
                    f"Set NBAUDIO_{name.upper()} in the environment, or %config NbAudio.{name}.",
                )
            found[name] = (value, str(file))
        return found
    return {}


def _tool_table(file: Path) -> dict[str, Any] | None:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    if sys.version_info >= (3, 11):  # here, for where there is no file it is not needed, and takes a while
        import tomllib
    else:
        import tomli as tomllib
    try:
        tools = tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError:
        return None  # somebody else's broken file, which is not ours to complain of
    table = tools.get("nbaudio") if isinstance(tools, dict) else None
    return table if isinstance(table, dict) else None


def from_text(trait: Any, text: str) -> Any:
    """The value that a text stands for; may raise TraitError or ValueError.

    Words stay as they are: traitlets would expand ``~`` in them and take quotes off.
    """
    return text if isinstance(trait, Unicode) else trait.from_string(text)


def _assign(target: NbAudio, name: str, value: Any, origin: str) -> None:
    trait = target.traits()[name]
    try:
        if isinstance(value, bool) and not isinstance(trait, Bool):
            raise ValueError(f"The {name!r} option is no yes or no.")  # traitlets takes true for 1
        setattr(target, name, from_text(trait, value) if isinstance(value, str) else value)
    except (TraitError, ValueError) as error:
        raise SetupError(f"{origin} has a value for {name} that can't be: {value!r}.", str(error)) from error


def _nearest(word: str, known: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known ones: {', '.join(sorted(known))}."
