"""Think: messages to words, by a language model in this process or behind an OpenAI-compatible text server."""

from __future__ import annotations

import atexit
import http.client
import json
import os
import queue
import secrets
import threading
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from nbaudio.errors import SetupError, mask, register_secret
from nbaudio.wire.sse import SseDecoder

__all__ = ["Brain", "LocalBrain", "ServerBrain", "TooLongForBrain", "brain_for"]

CONTEXT_TOKENS = 4096
"""How much the local model remembers: 94 MB for the small one."""

ChatMessage = dict[str, str]
# How servers say that a text is too long for their model: OpenAI, llama.cpp, vLLM.
_TOO_LONG = ("context_length_exceeded", "exceed_context_size_error", "maximum context length")


class TooLongForBrain(RuntimeError):
    """The messages are more than the model can hold; nothing of an answer has come."""


class Brain(Protocol):
    """Anything that continues a conversation."""

    context_tokens: int

    def stream(
        self, messages: Sequence[ChatMessage], *, most_tokens: int, temperature: float, seed: int
    ) -> Generator[str, None, None]:
        """The answer, piece by piece; closing the iterator stops the model.

        Raises
        ------
        TooLongForBrain
            If the messages are more than it can hold.
        """
        ...


class LocalBrain:
    """A GGUF model through llama.cpp (https://github.com/xorbitsai/xllamacpp).

    Parameters
    ----------
    model : Path
        A ``.gguf`` file with a chat template.
    threads : int
        CPU threads.
    """

    context_tokens = CONTEXT_TOKENS

    def __init__(self, model: Path, threads: int = 1) -> None:
        import xllamacpp

        if not model.is_file():
            raise SetupError(f"The brain {str(model)!r} is not there.", "Give the path of a .gguf file.")
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(model)
        parameters.n_ctx = CONTEXT_TOKENS
        parameters.n_parallel = 1
        parameters.cpuparams.n_threads = threads
        parameters.cpuparams_batch.n_threads = threads
        parameters.verbosity = -1
        parameters.warmup = True
        # Conversations that were begun are kept aside, so that their next turn is read from where it was; the usual
        # limit of 8 GB is a server's, not a notebook's.
        parameters.cache_ram_mib = 64
        parameters.ui = False
        # xllamacpp opens a port on loopback whether one wants it or not: nobody else gets in.
        parameters.api_keys = [secrets.token_urlsafe(32)]
        try:
            self._server = xllamacpp.Server(parameters)
        except RuntimeError as error:
            raise SetupError(
                f"The brain {str(model)!r} can't be loaded: {error}.", "Is it a whole GGUF file?"
            ) from error
        self._running: set[tuple[threading.Thread, threading.Event]] = set()
        # A thread that is still inside llama.cpp when the interpreter ends aborts the process.
        atexit.register(self._stop_all)

    def _stop_all(self) -> None:
        for thread, stopped in list(self._running):
            stopped.set()
            thread.join()

    def stream(
        self, messages: Sequence[ChatMessage], *, most_tokens: int, temperature: float, seed: int
    ) -> Generator[str, None, None]:
        """The answer, piece by piece; closing the iterator stops the model."""
        request = {
            "messages": list(messages),
            "stream": True,
            "max_tokens": most_tokens,
            "temperature": temperature,
            "seed": seed,
            # Small models fall into loops. A penalty on single words would forbid the words of the question too; DRY
            # only forbids repeated runs of them (https://github.com/ggml-org/llama.cpp/pull/9702).
            # At temperature 0 the other samplers change nothing and take a tenth of the time.
            "samplers": ["dry", "top_k"] if temperature == 0 else ["dry", "top_k", "top_p", "min_p", "temperature"],
            "top_k": 1 if temperature == 0 else 40,
            "dry_multiplier": 0.8,
            "dry_allowed_length": 3,
            # Each of these is looked for in the whole vocabulary before the first token: 10 ms, and the usual are four.
            "dry_sequence_breakers": ["\n"],
            "cache_prompt": True,
        }
        pieces: queue.SimpleQueue[str | Exception | None] = queue.SimpleQueue()
        stopped = threading.Event()

        def take(chunk: Any) -> bool:
            if text := _content(chunk):
                pieces.put(text)
            elif isinstance(chunk, dict) and chunk.get("error"):
                pieces.put(_failure(str(chunk["error"])))
            return stopped.is_set()

        def run() -> None:
            try:
                self._server.handle_chat_completions(request, take)
            except Exception as error:  # llama.cpp's own errors have no common class
                pieces.put(error)
            finally:
                pieces.put(None)

        thread = threading.Thread(target=run, name="nbaudio-think", daemon=True)
        self._running.add((thread, stopped))
        thread.start()
        try:
            while (piece := pieces.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            stopped.set()
            thread.join()
            self._running.discard((thread, stopped))


class ServerBrain:
    """A text model behind any OpenAI-compatible server: Ollama, llama.cpp, vLLM.

    Parameters
    ----------
    url : str
        The API's address up to and with ``/v1``.
    model : str
        The model's name there.
    key : str
        Sent as a bearer token where it is not empty.
    """

    context_tokens = 32_768

    def __init__(self, url: str, model: str, key: str = "") -> None:
        self._url, self._model, self._key = url.rstrip("/"), model, key
        register_secret(key)  # servers echo it in their refusals

    def stream(
        self, messages: Sequence[ChatMessage], *, most_tokens: int, temperature: float, seed: int
    ) -> Generator[str, None, None]:
        """The answer, piece by piece; closing the iterator drops the connection."""
        body = {
            "model": self._model,
            "messages": list(messages),
            "stream": True,
            "max_tokens": most_tokens,
            "temperature": temperature,
            "seed": seed,
        }
        headers = {"content-type": "application/json"}
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(f"{self._url}/chat/completions", json.dumps(body).encode(), headers)  # noqa: S310 - the person's own address; its scheme is checked in brain_for
        try:
            with urllib.request.urlopen(request, timeout=300) as response:  # noqa: S310
                yield from self._texts(_events(response))
        except urllib.error.HTTPError as error:
            said = error.read(2000).decode("utf-8", "replace")
            raise _failure(f"The brain at {self._url} refused ({error.code}): {said}") from error
        except (OSError, http.client.HTTPException) as error:
            raise _failure(f"The brain at {self._url} does not answer: {error}") from error

    def _texts(self, events: Iterator[str]) -> Iterator[str]:
        """The words of a stream that comes to its end."""
        chunk: Any = None
        ended = False
        for event in events:
            if event.strip() == "[DONE]":
                return
            try:
                chunk = json.loads(event)
            except ValueError:
                break
            if isinstance(chunk, dict) and chunk.get("error"):
                raise _failure(f"The brain at {self._url} failed: {str(chunk['error'])[:2000]}")
            if text := _content(chunk):
                yield text
            ended = ended or _is_last(chunk)
        if chunk is None:
            raise RuntimeError(
                f"The brain at {self._url} sent no stream of events. Is this an OpenAI-compatible server?"
            )
        if not ended:
            raise RuntimeError(f"The answer of the brain at {self._url} broke off.")


def brain_for(name: str, threads: int = 1) -> Brain:
    """The brain that a setting names.

    Parameters
    ----------
    name : str
        Empty for the small model that comes with the engine; a ``.gguf`` path; or a server's address with the
        model after a ``#``, whose key is in ``NBAUDIO_BRAIN_KEY`` where it needs one.

    Raises
    ------
    SetupError
        If it names neither.
    """
    if name.startswith(("http://", "https://")):
        url, _, model = name.partition("#")
        if not model:
            raise SetupError(f"The brain {url!r} does not say which model.", "Write it after a #, as .../v1#llama3.2.")
        return ServerBrain(url, model, os.environ.get("NBAUDIO_BRAIN_KEY", ""))
    if name:
        return LocalBrain(Path(name).expanduser(), threads)
    from nbaudio.engine.weights.models import path

    return LocalBrain(path("think"), threads)


def _failure(message: str) -> RuntimeError:
    """What went wrong, in the model's own words, which may hold a key."""
    kind = TooLongForBrain if any(word in message for word in _TOO_LONG) else RuntimeError
    return kind(mask(message))


def _events(response: Any) -> Iterator[str]:
    decoder = SseDecoder()
    while data := response.read1(65_536):
        yield from decoder.feed(data)
    yield from decoder.flush()


def _choice(chunk: Any) -> dict[str, Any]:
    choices = chunk.get("choices") if isinstance(chunk, dict) else None
    return choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}


def _is_last(chunk: Any) -> bool:
    """Whether a chunk says why the answer ends."""
    return bool(_choice(chunk).get("finish_reason"))


def _content(chunk: Any) -> str:
    """The words in a chunk, whatever else it holds or lacks."""
    delta = _choice(chunk).get("delta")
    content = delta.get("content") if isinstance(delta, dict) else None
    return content if isinstance(content, str) else ""
