"""``python -m nbaudio serve``: its options, and what it says."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from nbaudio.errors import SetupError, mask
from nbaudio.serving.limits import Limits

if TYPE_CHECKING:
    from nbaudio.serving.app import Serving

__all__ = ["TOKEN_VARIABLE", "add_options", "load", "run"]

TOKEN_VARIABLE = "NBAUDIO_SERVE_TOKEN"  # noqa: S105 - the variable's name
_USUAL = Limits()
_THREADS_END_S = 1.0  # long enough for one with nothing to do

_DESCRIPTION = """\
Serves the offline engine over a port, so that one machine answers the notebooks of a class. It speaks OpenAI's
protocol: /v1/chat/completions with audio in and out, /v1/audio/speech, /v1/audio/transcriptions, /v1/models, and
/v1/realtime over WebSockets.
"""
_EPILOG = f"""\
In a notebook on this machine, before %load_ext nbaudio:
  %env OPENAI_BASE_URL=http://127.0.0.1:8000/v1
  %env NBAUDIO_DIALECT=offline

For other machines, with a token that only the class knows:
  export {TOKEN_VARIABLE}="$(python -c 'import secrets; print(secrets.token_urlsafe())')"
  python -m nbaudio serve --host 0.0.0.0
The notebooks send it as OPENAI_API_KEY. Clients take turns. Those with one and the same token are told apart by
their addresses; where many share an address, as on a JupyterHub, give each person a token of their own, which is
made from the server's:
  python -m nbaudio serve --token-for alice

/healthz says whether it is up (no token needed), /metrics counts for Prometheus. Ctrl-C or SIGTERM lets running
answers come to their end; a second one does not. Put TLS in front where the network is not yours: docs/serving.md.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Teach a parser the options."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    where = parser.add_argument_group("where")
    where.add_argument("--host", default="127.0.0.1", help="address to listen on; others need a token (%(default)s)")
    where.add_argument("--port", type=_at_least(int, 0), default=8000, help="0 for any that is free (%(default)s)")
    who = parser.add_argument_group("who may ask")
    who.add_argument(
        "--token",
        help=f"what clients send as their key, 16 characters or more; better in {TOKEN_VARIABLE}, for other people of "
        "this machine can see options",
    )
    who.add_argument("--token-for", metavar="NAME", help="print the token of one person, and end")
    limits = parser.add_argument_group("limits")
    for option, kind, least, value, text in _LIMITS:
        limits.add_argument(option, type=_at_least(kind, least), default=value, help=f"{text} (%(default)s)")
    what = parser.add_argument_group("what")
    what.add_argument(
        "--brain",
        default=os.environ.get("NBAUDIO_BRAIN", ""),
        help="the language model: a .gguf file, or the address of an OpenAI-compatible text server with the model "
        "after a #, as http://localhost:11434/v1#llama3.2 (the small one that comes along)",
    )
    parser.set_defaults(run=run)


_LIMITS: tuple[tuple[str, Callable[[str], Any], float, Any, str], ...] = (
    (
        "--workers",
        int,
        1,
        _USUAL.workers,
        "answers that are worked on at once; the engine keeps up to three parts busy",
    ),
    ("--queue", int, 0, _USUAL.queue, "requests that may wait for their turn; who comes after them gets 429"),
    ("--sessions", int, 0, _USUAL.sessions, "Realtime sessions at once; who comes after them gets 429"),
    ("--timeout", float, 0.1, _USUAL.timeout_s, "seconds that a request may wait, and again that an answer may take"),
    ("--max-request-mb", float, 0.001, _USUAL.request_bytes / 1e6, "megabytes of a request"),
    ("--max-audio-s", float, 0.1, _USUAL.audio_s, "seconds of a recording"),
    ("--stop-s", float, 0, _USUAL.stop_s, "seconds that running answers have to end at Ctrl-C or SIGTERM"),
)


def run(chosen: argparse.Namespace) -> int:
    """Serve until a signal comes.

    Raises
    ------
    SetupError
        If something is missing: a package, weights, a token, a free port.
    """
    from nbaudio.serving.keys import Keys, personal_token

    token = chosen.token if chosen.token is not None else os.environ.get(TOKEN_VARIABLE, "").strip()
    if chosen.token_for is not None:
        if not token:
            raise SetupError("There is no token to make one from.", f"Set {TOKEN_VARIABLE} to the server's.")
        Keys(token)
        _say(personal_token(token, chosen.token_for))
        return 0
    if not token and not _is_loopback(chosen.host):
        raise SetupError(
            f"{chosen.host} can be reached from other machines, and there is no token: everybody there could ask.",
            f"Set {TOKEN_VARIABLE}, or leave out --host to serve this machine alone.",
        )
    _check_installed()

    from nbaudio.serving.listening import Server, listen_at

    limits = Limits(
        workers=chosen.workers,
        queue=chosen.queue,
        sessions=chosen.sessions,
        timeout_s=chosen.timeout,
        request_bytes=round(chosen.max_request_mb * 1e6),
        audio_s=chosen.max_audio_s,
        stop_s=chosen.stop_s,
    )
    with listen_at(chosen.host, chosen.port) as listener:
        begin = time.perf_counter()
        serving = load(chosen.brain, limits, token)
        _say(f"The weights are ready: ears, brain and voice are loaded ({time.perf_counter() - begin:.1f} s).")
        _say(_where(listener.getsockname(), limits, token))
        _begin_log()
        Server(serving).run(sockets=[listener])
    _say("Stopped.")
    _end_threads()
    return 0


def load(brain: str, limits: Limits, token: str) -> Serving:
    """An app to serve, with an engine that is ready to answer.

    Parameters
    ----------
    brain : str
        As in ``%config NbAudio.brain``.
    limits : Limits
    token : str
        Empty where everybody may ask.

    Raises
    ------
    SetupError
        If weights are missing, or the token is too short.
    """
    from nbaudio.engine.parts import Engine
    from nbaudio.serving.app import Serving

    engine = Engine(brain, most_audio_s=limits.audio_s)
    serving = Serving(engine, limits, token)
    for part in ("listener", "brain", "speaker"):  # now, and not in the first answer
        getattr(engine, part)
    return serving


def _where(name: tuple[Any, ...], limits: Limits, token: str) -> str:
    host, port = name[0], name[1]
    seen = {"0.0.0.0": "THIS-MACHINE", "::": "THIS-MACHINE"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    url = f"http://{seen}:{port}/v1"
    lines = [
        f"Serving at {url}: {limits.workers} answers at once, {limits.queue} more may wait. Ctrl-C stops.",
        "In a notebook, before %load_ext nbaudio:",
        f"  %env OPENAI_BASE_URL={url}",
        "  %env NBAUDIO_DIALECT=offline",
    ]
    if token:
        lines.append("and OPENAI_API_KEY in its environment: the server's token, or one made with --token-for NAME.")
    return "\n".join(lines)


def _end_threads() -> None:
    """End the process if a thread of it does not end by itself.

    Whoever waited for its answer has been told that there is none. But Python waits for every thread, and one that
    listens to a long recording, or waits for a brain's server, can't be told.
    """
    until = time.monotonic() + _THREADS_END_S
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                sys.stderr.flush()
                os._exit(0)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _begin_log() -> None:
    handler = logging.StreamHandler()  # standard error
    handler.setFormatter(_Masked("%(asctime)s %(message)s"))
    for name, level in (("nbaudio.serving", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False


class _Masked(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


def _check_installed() -> None:
    from importlib.util import find_spec

    from nbaudio.settings import missing_offline_packages

    missing = missing_offline_packages() + [
        name for name in ("uvicorn", "websockets", "prometheus_client") if not find_spec(name)
    ]
    if missing:
        raise SetupError(
            f"To serve, {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing.",
            "Install it: pip install 'nbaudio[serve]'",
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _at_least(kind: Callable[[str], Any], least: float) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = kind(text)
        if not value >= least:
            raise argparse.ArgumentTypeError(f"{text} is less than {least:g}")
        return value

    read.__name__ = "number"  # argparse names it where the text is none
    return read
