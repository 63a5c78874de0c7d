"""``connect``: have requests go to a server from now on."""

from __future__ import annotations

from dataclasses import replace

from nbaudio.errors import NoBackend
from nbaudio.servers.backend import Backend, backend_at, party
from nbaudio.servers.keys import is_place
from nbaudio.servers.typed import warn_of
from nbaudio.settings import offline_installed, running_shell, settings

__all__ = ["connect"]


def connect(
    url: str | Backend,
    model: str = "",
    *,
    key: str = "",
    dialect: str = "",
    speak_with: Backend | str = "",
    hear_with: Backend | str = "",
) -> Backend:
    """The backend at an address, where requests of this notebook go from now on.

    Nothing is sent yet. ``Conversation(backend=...)`` takes it too, for a conversation that stays with it whatever the
    notebook does later.

    Parameters
    ----------
    url : str or Backend
        The address, up to and with ``/v1``; or a name: of a server in your own file (see ``docs/servers.md``), of one
        that has an address of its own (``"openai"``, ``"openrouter"``, ``"ollama"``), or ``"offline"``; or what this
        gave before.
    model : str, optional
        By default the one that your file says, else a usual one of the server.
    key : str, optional
        Where the key is: ``"env:NAME"``, ``"file:PATH"`` (readable by you only), ``"keyring:NAME"``. By default what
        your file says, else the environment variable that is the custom for this server. The key itself is taken too;
        if it is typed in a cell, a warning says why not to.
    dialect : str, optional
        The server's habits by name, where its address does not tell them.
    speak_with, hear_with : Backend or str, optional
        Who says what this server's model can only write, and who writes down what it can't hear: a backend, or what
        `url` may be. By default the offline engine; ``"nobody"`` asks the server itself in any case.

    Raises
    ------
    SetupError
        If it is no address, no such name or dialect, or the key can't be had.

    Examples
    --------
    >>> connect("http://localhost:11434", "llama3.2").dialect.title
    'Ollama'
    >>> connect("mistral", "voxtral-small-latest").base_url
    'https://api.mistral.ai/v1'
    """
    chosen = settings()
    if key and not is_place(key) and key.strip() in _running_cell():
        warn_of(key.strip())
    if isinstance(url, Backend):
        backend = replace(
            url,
            model=model or url.model,
            hear_with=party(hear_with or url.hear_with, chosen.servers(), chosen.api_key_env),
            speak_with=party(speak_with or url.speak_with, chosen.servers(), chosen.api_key_env),
        )
    else:
        backend = backend_at(
            url.strip(),
            chosen.servers(),
            model=model,
            key=key,
            dialect=dialect,
            hear_with=hear_with,
            speak_with=speak_with,
            openai_key_env=chosen.api_key_env,
        )
    if backend.offline and not offline_installed():
        raise NoBackend("The offline engine is not installed.", "pip install 'nbaudio[offline]'")
    chosen.connect(backend)
    return backend


def _running_cell() -> str:
    """The text of the cell that runs; empty outside of IPython."""
    shell = running_shell()
    cells = shell.user_ns.get("In") if shell is not None else None
    return str(cells[-1]) if cells else ""
