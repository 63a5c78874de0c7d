"""The client: chat, streamed or whole, and speech to text; with retries and errors in plain words."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx

from nbaudio import errors
from nbaudio.backends import loop
from nbaudio.backends.offline import AsgiTransport
from nbaudio.backends.retry import wait_s
from nbaudio.settings import Backend, NbAudio
from nbaudio.wire.answers import AnswerReader, AudioDelta, TextDelta
from nbaudio.wire.errors import error_from_response, error_from_stream, is_retryable
from nbaudio.wire.requests import Inline, serialized
from nbaudio.wire.sse import SseDecoder
from nbaudio.wire.transcriptions import file_part, form_fields, words_from

__all__ = ["Client", "client_for", "get_ready"]


class Client:
    """Sends requests to one backend; belongs to the loop of `nbaudio.backends.loop`.

    Parameters
    ----------
    backend : Backend
    options : NbAudio
        Timeouts and retries.
    """

    def __init__(self, backend: Backend, options: NbAudio) -> None:
        self._backend = backend
        self._retries = options.retries
        headers = {"user-agent": "nbaudio", "accept": "application/json, text/event-stream"}
        if backend.key:
            headers[backend.dialect.key_header] = backend.dialect.key_prefix + backend.key
        self._http = httpx.AsyncClient(
            base_url=backend.base_url + "/",
            headers=headers,
            timeout=httpx.Timeout(options.timeout_s, connect=options.connect_timeout_s),
            transport=_offline_transport(options) if backend.offline else None,
        )

    async def send(self, body: Mapping[str, Any], reader: AnswerReader) -> AsyncGenerator[TextDelta | AudioDelta, None]:
        """What arrives, as it arrives; `reader` holds all of it, also when this ends in an error.

        Raises
        ------
        RequestError
            In one of its kinds. A request is sent again only until an answer has begun: later would bill and
            speak twice.
        """
        length, parts = serialized(body)
        headers = {"content-type": "application/json", "content-length": str(length)}

        def request() -> httpx.Request:
            return self._http.build_request("POST", "chat/completions", content=_bytes_of(parts), headers=headers)

        async with self._open(request) as response:
            try:
                # Branch on what came, not on what was asked for: some servers ignore `stream`.
                if response.headers.get("content-type", "").startswith("text/event-stream"):
                    async for event in self._read_stream(response, reader):
                        yield event
                else:
                    for event in reader.take_whole(self._json(await response.aread())):
                        yield event
            except httpx.TimeoutException as error:
                raise errors.TimedOut(
                    f"{self._backend.name} fell silent in the middle of its answer.", _AGAIN
                ) from error
            except httpx.TransportError as error:
                raise errors.ReplyCut(f"The answer of {self._backend.name} broke off.", _AGAIN) from error
        if not reader.complete and not reader.started:
            raise errors.BadReply(f"{self._backend.name} sent an empty answer.", _AGAIN)
        if not reader.complete:
            raise errors.ReplyCut(f"The answer of {self._backend.name} ended in the middle.", _AGAIN)

    async def transcribe(self, data: bytes, ending: str, model: str) -> str:
        """The words in a sound file.

        Parameters
        ----------
        data : bytes
        ending : {"wav", "mp3"}
            What the file is.
        model : str

        Raises
        ------
        RequestError
            In one of its kinds.
        """
        fields, files = form_fields(model), {"file": file_part(data, ending)}

        def request() -> httpx.Request:
            return self._http.build_request("POST", "audio/transcriptions", data=fields, files=files)

        async with self._open(request) as response:
            try:
                return words_from(await response.aread(), response.headers.get("content-type", ""))
            except httpx.TimeoutException as error:
                raise errors.TimedOut(f"{self._backend.name} fell silent in its answer.", _AGAIN) from error
            except httpx.TransportError as error:
                raise errors.ReplyCut(f"The answer of {self._backend.name} broke off.", _AGAIN) from error

    async def _read_stream(
        self, response: httpx.Response, reader: AnswerReader
    ) -> AsyncIterator[TextDelta | AudioDelta]:
        decoder = SseDecoder()
        async for data in response.aiter_raw() if _plain(response) else response.aiter_bytes():
            for event in decoder.feed(data):
                for delta in self._take(event, reader):
                    yield delta
        for event in decoder.flush():
            for delta in self._take(event, reader):
                yield delta

    def _take(self, event: str, reader: AnswerReader) -> list[TextDelta | AudioDelta]:
        if event.strip() == "[DONE]":
            reader.ended = True
            return []
        chunk = self._json(event)
        error = error_from_stream(chunk, server=self._backend.name, key_from=self._backend.key_from)
        if error is not None:
            raise error
        return reader.take_chunk(chunk)

    def _json(self, text: str | bytes) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise errors.BadReply(
                f"The answer of {self._backend.name} is not JSON.",
                f"Is {self._backend.base_url} the address of an OpenAI-compatible API, up to and with /v1?",
            ) from error

    @asynccontextmanager
    async def _open(self, make_request: Callable[[], httpx.Request]) -> AsyncIterator[httpx.Response]:
        """The response once its status is good, after as many tries as the rules allow."""
        for attempt in range(self._retries + 1):
            last = attempt == self._retries
            try:
                response = await self._http.send(make_request(), stream=True)
            except httpx.HTTPError as error:
                pause = None if last else wait_s(attempt, {})
                if pause is None:
                    raise self._no_answer(error) from error
                await anyio.sleep(pause)
                continue
            try:
                if response.status_code < 400:
                    yield response
                    return
                said = await response.aread()
                pause = wait_s(attempt, response.headers)
                if last or pause is None or not is_retryable(response.status_code, said, response.headers):
                    raise error_from_response(
                        response.status_code,
                        response.headers,
                        said,
                        server=self._backend.name,
                        key_from=self._backend.key_from,
                    )
            finally:
                with anyio.CancelScope(shield=True):
                    await response.aclose()
            await anyio.sleep(pause)

    def _no_answer(self, error: httpx.HTTPError) -> errors.RequestError:
        server, url = self._backend.name, self._backend.base_url
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
            f"The connection to {server} broke off before an answer: {_reason(error)}.", _AGAIN
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


_AGAIN = "Run the cell again."
_clients: dict[tuple[Backend, str, float, float, int, str], Client] = {}


def client_for(backend: Backend, options: NbAudio) -> Client:
    """The client of this backend, made once, so that connections and the engine stay warm."""
    key = (backend, backend.key, options.timeout_s, options.connect_timeout_s, options.retries, options.brain)
    if key not in _clients:
        _clients.setdefault(key, Client(backend, options))
    return _clients[key]


def get_ready(backend: Backend, options: NbAudio) -> None:
    """Have in place what the first request to a server needs here: it takes longer than the request's own beginning.

    Nothing is sent, and no connection is opened. The offline engine gets ready by itself.
    """
    if not backend.offline:
        client_for(backend, options)
        loop.wait(loop.start(anyio.sleep, 0))


def _offline_transport(options: NbAudio) -> httpx.AsyncBaseTransport:
    from nbaudio.engine.app import create_app
    from nbaudio.engine.parts import engine

    return AsgiTransport(create_app(engine(options.brain)))


async def _bytes_of(parts: list[bytes | Inline]) -> AsyncIterator[bytes]:
    for part in parts:
        if isinstance(part, Inline):
            for piece in part.pieces():
                yield piece
        else:
            yield part


def _plain(response: httpx.Response) -> bool:
    return str(response.headers.get("content-encoding", "identity")) == "identity"


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
