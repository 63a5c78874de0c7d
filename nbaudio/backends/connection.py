"""The connection to one backend: requests with retries, and errors in plain words whenever they come."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import httpcore  # noqa: F401 - httpx loads it with the first request, for whose answer somebody waits
import httpx

from nbaudio import errors
from nbaudio.backends import loop
from nbaudio.backends.offline import AsgiTransport
from nbaudio.backends.retry import wait_s
from nbaudio.settings import Backend, NbAudio
from nbaudio.wire.decoding import from_json
from nbaudio.wire.errors import error_from_response, error_from_stream, is_retryable
from nbaudio.wire.sse import SseDecoder

__all__ = ["AGAIN", "DONE", "Connection", "connection_to", "get_ready"]

AGAIN = "Run the cell again."
"""What a person can do about most of what goes wrong on the way."""
DONE: Any = object()
"""What `Connection.events` gives for ``[DONE]``."""
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100)  # who asks for 200 answers at once means it


class Connection:
    """Sends requests to one backend; belongs to the loop of `nbaudio.backends.loop`.

    Parameters
    ----------
    backend : Backend
    options : NbAudio
        Timeouts and retries.
    """

    def __init__(self, backend: Backend, options: NbAudio) -> None:
        self.backend = backend
        self._retries = options.retries
        headers = {"user-agent": "nbaudio", "accept": "application/json, text/event-stream"}
        if backend.key:
            headers[backend.dialect.key_header] = backend.dialect.key_prefix + backend.key
        self._http = httpx.AsyncClient(
            base_url=backend.base_url + "/",
            headers=headers,
            params=dict(backend.dialect.query),
            timeout=httpx.Timeout(options.timeout_s, connect=options.connect_timeout_s),
            limits=_LIMITS,
            verify=_certificates(backend.base_url),
            transport=_offline_transport(options) if backend.offline else None,
        )

    @asynccontextmanager
    async def post(
        self, path: str, make: Callable[[], dict[str, Any]], *, refused: Callable[[], None] = lambda: None
    ) -> AsyncIterator[httpx.Response]:
        """The response once its status is good, after as many tries as the rules allow.

        A request is sent again only until an answer has begun: later would bill and speak twice.

        Parameters
        ----------
        path : str
            Below the address of the backend.
        make : callable
            Gives what httpx takes as `content` and `headers`, or `data` and `files`; called for each try.
        refused : callable
            Called for each try that the server has answered with an error.

        Raises
        ------
        RequestError
            In one of its kinds; also for what goes wrong while the answer is read within the context.
        """
        for attempt in range(self._retries + 1):
            last = attempt == self._retries
            try:
                response = await self._http.send(self._http.build_request("POST", path, **make()), stream=True)
            except httpx.HTTPError as error:
                pause = None if last else wait_s(attempt, {})
                if pause is None:
                    raise self._no_answer(error) from error
                await anyio.sleep(pause)
                continue
            try:
                if response.status_code < 400:
                    with self._breaking_off():
                        yield response
                    return
                refused()
                said = await _words_of(response)
                pause = wait_s(attempt, response.headers)
                if last or pause is None or not is_retryable(response.status_code, said, response.headers):
                    raise error_from_response(
                        response.status_code,
                        response.headers,
                        said,
                        server=self.backend.name,
                        key_from=self.backend.key_from,
                        key_env=self.backend.key_env,
                    )
            finally:
                with anyio.CancelScope(shield=True):
                    await response.aclose()
            await anyio.sleep(pause)

    async def events(self, response: httpx.Response, quick: Callable[[str], Any] | None = None) -> AsyncIterator[Any]:
        """The JSON of each server-sent event of a response, and `DONE` for ``[DONE]``.

        Parameters
        ----------
        response : httpx.Response
        quick : callable, optional
            Reads what it knows well, which is then given in the place of its JSON; of all else it gives None.

        Raises
        ------
        RequestError
            If one is no JSON, or an error that came after the answer had begun.
        """
        decoder = SseDecoder()
        async for data in response.aiter_raw() if _plain(response) else response.aiter_bytes():
            for event in decoder.feed(data):
                yield (quick(event) if quick is not None else None) or self._event(event)
        for event in decoder.flush():
            yield self._event(event)

    def read_json(self, text: str | bytes) -> Any:
        """What an answer says.

        Raises
        ------
        BadReply
            If it is no JSON.
        """
        try:
            return from_json(text)
        except (ValueError, RecursionError) as error:
            raise errors.BadReply(
                f"The answer of {self.backend.name} is not JSON.",
                f"Is {self.backend.base_url} the address of an OpenAI-compatible API, up to and with /v1?",
            ) from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _event(self, text: str) -> Any:
        if text.strip() == "[DONE]":
            return DONE
        found = self.read_json(text)
        backend = self.backend
        error = error_from_stream(found, server=backend.name, key_from=backend.key_from, key_env=backend.key_env)
        if error is not None:
            raise error
        return found

    @contextmanager
    def _breaking_off(self) -> Iterator[None]:
        """What goes wrong while an answer is read."""
        try:
            yield
        except httpx.TimeoutException as error:
            raise errors.TimedOut(f"{self.backend.name} fell silent in the middle of its answer.", AGAIN) from error
        except httpx.DecodingError as error:
            raise errors.BadReply(
                f"The answer of {self.backend.name} is not compressed as its headers say.",
                "Run the cell again; if it stays so, something between here and the server damages answers.",
            ) from error
        except httpx.TransportError as error:
            raise errors.ReplyCut(f"The answer of {self.backend.name} broke off.", AGAIN) from error

    def _no_answer(self, error: httpx.HTTPError) -> errors.RequestError:
        server, url = self.backend.name, self.backend.base_url
        if isinstance(error, httpx.ConnectTimeout):
            return errors.TimedOut(f"{url} does not answer.", "Check the address and the network.")
        if isinstance(error, httpx.TimeoutException):
            return errors.TimedOut(
                f"{server} took longer than {self._http.timeout.read:g} s to answer.",
                "Run the cell again, or allow more: %config NbAudio.timeout_s.",
            )
        if isinstance(error, httpx.ConnectError):
            return errors.ConnectionFailed(
                f"Nobody answers at {url}: {_reason(error)}.", "Is the server running, and the address right?"
            )
        return errors.ConnectionFailed(
            f"The connection to {server} broke off before an answer: {_reason(error)}.", AGAIN
        )


# Those of a process that was forked stay in here, unused: to close them would be to close the parent's.
_connections: dict[tuple[Backend, str, float, float, int, str, int], Connection] = {}


def connection_to(backend: Backend, options: NbAudio) -> Connection:
    """The connection to this backend, made once, so that it and the engine stay warm."""
    timeouts = options.timeout_s, options.connect_timeout_s
    key = (backend, backend.key, *timeouts, options.retries, options.brain, loop.count())
    if key not in _connections:
        _connections.setdefault(key, Connection(backend, options))
    return _connections[key]


def get_ready(backend: Backend, options: NbAudio) -> None:
    """Have in place what the first request to a server needs here: it takes longer than the request's own beginning.

    Nothing is sent, and no connection is opened. The offline engine gets ready by itself.
    """
    if not backend.offline:
        connection_to(backend, options)
        loop.wait(loop.start(anyio.sleep, 0))


def _offline_transport(options: NbAudio) -> httpx.AsyncBaseTransport:
    from nbaudio.engine.app import create_app
    from nbaudio.engine.parts import engine

    return AsgiTransport(create_app(engine(options.brain)))


def _certificates(url: str) -> ssl.SSLContext | bool:
    """What TLS trusts: what httpx trusts, and where there is no TLS nobody, for to load that takes 20 ms and 3 MB."""
    return True if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def _words_of(response: httpx.Response) -> bytes:
    """What an error says; nothing where that can't be read, for its status says enough."""
    try:
        return await response.aread()
    except httpx.HTTPError:
        return b""


def _plain(response: httpx.Response) -> bool:
    return str(response.headers.get("content-encoding", "identity")) == "identity"


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
