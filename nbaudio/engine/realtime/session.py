"""One Realtime session: takes a client's events, and sends the server's. What carries them is no matter of it."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, NamedTuple

from anyio import to_thread

from nbaudio.engine.asked import Refusal, check_model
from nbaudio.engine.parts import Engine
from nbaudio.engine.realtime.checked import decoded, required, text, whole
from nbaudio.engine.realtime.client_secrets import ClientSecret
from nbaudio.engine.realtime.incoming import Incoming
from nbaudio.engine.realtime.items import Item, new_id
from nbaudio.engine.realtime.responding import Responding
from nbaudio.engine.realtime.settings import Settings
from nbaudio.engine.realtime.shared import Shared
from nbaudio.engine.realtime.silence import Silence
from nbaudio.errors import NbaudioError

__all__ = ["Ended", "RealtimeSession"]

LONGEST_S = 3600.0
"""Seconds of a session, as of OpenAI's."""

_MOST_WAITING = 64  # events that wait for the client before anything more is done for it
_FATAL, _GOING_AWAY = 4000, 1001  # close codes: OpenAI's own, and RFC 6455's


class Ended(NamedTuple):
    """Why a session has ended, as a WebSocket's close code and reason."""

    code: int
    reason: str


class RealtimeSession:
    """A session. All of it runs on the loop that it was opened on; what takes time is done in threads.

    Parameters
    ----------
    engine : Engine
    send : callable
        Takes one server event, and returns when the client can take another.
    secret : ClientSecret, optional
        The key that opens it, which says what it is set to; by default it is set as the protocol says.
    longest_s : float
        Seconds after which it ends.
    """

    def __init__(
        self,
        engine: Engine,
        send: Callable[[dict[str, Any]], Awaitable[None]],
        *,
        secret: ClientSecret | None = None,
        longest_s: float = LONGEST_S,
    ) -> None:
        self.id = secret.session_id if secret is not None else new_id("sess")
        self._send, self._longest_s = send, longest_s
        self._expires_at = int(time.time() + longest_s)
        self._shared = Shared(engine, self._tell, secret.settings if secret is not None else Settings())
        self._incoming = Incoming(self._shared, self._spoke, self._turn_is_over)
        self._outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._taken = asyncio.Event()  # set whenever the client has taken an event
        self._order = asyncio.Lock()  # one event after the other
        self._tasks: set[asyncio.Task[None]] = set()
        self._silence = Silence(self._incoming, self._prompt)
        self._responding = Responding(self._shared, self._incoming, self._silence, self._drained)
        self._ending: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._events: dict[str, Callable[[Mapping[str, Any]], Awaitable[None]]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._retrieve,
            "conversation.item.truncate": self._truncate,
            "conversation.item.delete": self._delete,
            "response.create": self._create_response,
            "response.cancel": self._cancel,
        }

    async def open(self, query: Mapping[str, str] | None = None, *, beta: bool = False) -> None:
        """Begin: the client is told what the session is set to, or why there is none.

        Parameters
        ----------
        query : mapping
            Of the address: ``model``, where it is not the engine's own.
        beta : bool
            Whether the client asks for the protocol as it was before it was released.
        """
        self._start(self._write())
        try:
            self._check(query or {}, beta=beta)
        except Refusal as refusal:
            self._refuse(refusal, None)
            self.end(_FATAL, f"invalid_request_error.{refusal.code}")
            return
        self._tell("session.created", session=self._session())
        self._start(self._expire())
        self._start(self._warm_up())

    async def take(self, event: Any) -> None:
        """Take one event of the client. What can't be done is told by an ``error`` event, and the session goes on."""
        async with self._order:
            await self._drained()
            if self._ending.done():
                return
            event_id = event.get("event_id") if isinstance(event, Mapping) else None
            try:
                await self._dispatch(event)
            except Refusal as refusal:
                self._refuse(refusal, event_id)
            except NbaudioError as error:
                self._refuse(Refusal(str(error), code="engine_not_ready"), event_id)
            except Exception as error:
                self._refuse(Refusal(f"The offline engine failed: {error}", status=500), event_id)

    async def take_text(self, message: str | bytes) -> None:
        """As `take`, of an event that is written as JSON."""
        try:
            event = json.loads(message)
        except (ValueError, RecursionError):
            event = None
        await self.take(event)

    async def finish(self) -> None:
        """Begin no response any more; when those that were begun are over, end."""
        await self._responding.finish()
        self.end(_GOING_AWAY, "The server is stopping.")

    def end(self, code: int, reason: str) -> None:
        """End: nothing is taken any more, and what was told is still sent."""
        if not self._ending.done():
            self._ending.set_result(Ended(code, reason))

    async def ended(self) -> Ended:
        """Why it has ended, as soon as it has."""
        return await asyncio.shield(self._ending)

    async def flush(self) -> None:
        """Return when the client has all that was told."""
        await self._outbox.join()

    async def close(self) -> None:
        """Let go of everything; nothing is sent any more."""
        self.end(_GOING_AWAY, "closed")
        for task in self._tasks:
            task.cancel()
        self._silence.broken()
        others = (self._responding.close(), self._incoming.close())
        await asyncio.gather(*self._tasks, *others, return_exceptions=True)
        while not self._outbox.empty():
            self._outbox.get_nowait()
            self._outbox.task_done()

    # -- telling ------------------------------------------------------------------------------------------

    def _tell(self, kind: str, /, **fields: Any) -> None:
        self._outbox.put_nowait({"type": kind, "event_id": new_id("event"), **fields})

    def _refuse(self, refusal: Refusal, event_id: Any) -> None:
        error = refusal.body()["error"]
        self._tell("error", error={**error, "event_id": event_id if isinstance(event_id, str) else None})

    async def _write(self) -> None:
        try:
            while True:
                event = await self._outbox.get()
                try:
                    await self._send(event)
                finally:
                    self._outbox.task_done()
                    self._taken.set()
        except Exception:  # the client is gone, whatever its transport calls that
            self.end(1006, "The client is gone.")
            self._taken.set()

    async def _drained(self) -> None:
        while self._outbox.qsize() > _MOST_WAITING and not self._ending.done():
            self._taken.clear()
            await self._taken.wait()

    # -- the session --------------------------------------------------------------------------------------

    def _check(self, query: Mapping[str, str], *, beta: bool) -> None:
        if beta:
            message = "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API."
            raise Refusal(message, code="beta_api_shape_disabled")
        check_model(query.get("model") or "offline")
        for name in ("intent", "call_id"):
            if query.get(name):
                message = f"The offline engine has no sessions with '{name}'."
                raise Refusal(message, param=name, code="unsupported_parameter")

    def _session(self) -> dict[str, Any]:
        return self._shared.settings.as_event() | {"id": self.id, "expires_at": self._expires_at}

    async def _expire(self) -> None:
        await asyncio.sleep(self._longest_s)
        minutes = f"{self._longest_s / 60:g}"
        self._refuse(
            Refusal(f"Your session hit the maximum duration of {minutes} minutes.", code="session_expired"), None
        )
        self.end(_GOING_AWAY, "session_expired")

    async def _warm_up(self) -> None:
        def load() -> None:
            for part in ("listener", "speaker", "brain"):
                getattr(self._shared.engine, part)

        try:
            await to_thread.run_sync(load, abandon_on_cancel=True)
        except Exception:
            return  # whoever needs the part tells why it is not there

    async def _dispatch(self, event: Any) -> None:
        if not isinstance(event, Mapping):
            raise Refusal("The event is no JSON object.", code="invalid_json")
        kind = text(required(event, "type", "type"), "type")
        if kind not in self._events:
            known = ", ".join(f"'{name}'" for name in self._events)
            message = f"Invalid value: {kind[:100]!r}. Supported values are: {known}."
            raise Refusal(message, param="type", code="invalid_value")
        await self._events[kind](event)

    async def _update(self, event: Mapping[str, Any]) -> None:
        new = self._shared.settings.updated(required(event, "session", "session"))
        self._responding.check_voice(new.voice)
        self._incoming.set(new)
        self._shared.settings = new
        self._tell("session.updated", session=self._session())

    # -- the person's side --------------------------------------------------------------------------------

    async def _append(self, event: Mapping[str, Any]) -> None:
        audio = required(event, "audio", "audio")
        await self._incoming.append(decoded(audio, "audio"))

    async def _commit(self, _: Mapping[str, Any]) -> None:
        self._incoming.end_turn()
        self._silence.broken()

    async def _clear(self, _: Mapping[str, Any]) -> None:
        self._incoming.clear()

    def _spoke(self) -> None:
        """Somebody begins to speak."""
        self._silence.broken()
        detection = self._shared.settings.turn_detection
        if detection is not None and detection.interrupt_response:
            self._responding.interrupt("turn_detected")

    def _turn_is_over(self) -> None:
        detection = self._shared.settings.turn_detection
        if detection is not None and detection.create_response:
            try:
                self._responding.respond(self._responding.read(None))
            except Refusal as refusal:  # another is being given, and goes on
                self._refuse(refusal, None)

    # -- items --------------------------------------------------------------------------------------------

    async def _create_item(self, event: Mapping[str, Any]) -> None:
        behind = event.get("previous_item_id")
        value = required(event, "item", "item")
        item = await to_thread.run_sync(self._incoming.read, value, "item")
        self._incoming.add(item, text(behind, "previous_item_id") if behind is not None else None)
        self._silence.broken()

    def _item(self, event: Mapping[str, Any], doing: str) -> Item:
        return self._shared.conversation.get(text(required(event, "item_id", "item_id"), "item_id"), doing)

    async def _retrieve(self, event: Mapping[str, Any]) -> None:
        # One at a time: a few dozen that wait for who does not read would be as many times all that may be kept.
        await self.flush()
        self._tell("conversation.item.retrieved", item=self._item(event, "retrieve").as_event(with_sound=True))

    async def _delete(self, event: Mapping[str, Any]) -> None:
        item = self._item(event, "delete")
        self._responding.stop_saying(item)
        self._shared.conversation.remove(item)
        self._tell("conversation.item.deleted", item_id=item.id)

    async def _truncate(self, event: Mapping[str, Any]) -> None:
        item = self._item(event, "truncate")
        end_ms = whole(required(event, "audio_end_ms", "audio_end_ms"), "audio_end_ms", 0, 2**53)
        index = whole(required(event, "content_index", "content_index"), "content_index", 0, 0)
        part = item.parts[index]
        if part.type != "output_audio" or not part.duration_ms:
            message = "Only model output audio messages can be truncated"
            raise Refusal(message, param="item_id", code="unsupported_content_type")
        self._responding.stop_saying(item)
        if end_ms > math.ceil(part.duration_ms):
            message = f"Audio content of {part.duration_ms:.0f}ms is already shorter than {end_ms}ms"
            raise Refusal(message, param="audio_end_ms", code="invalid_value")
        part.cut(end_ms)
        self._tell("conversation.item.truncated", item_id=item.id, content_index=index, audio_end_ms=end_ms)

    # -- responses ----------------------------------------------------------------------------------------

    async def _create_response(self, event: Mapping[str, Any]) -> None:
        # In a thread, for there may be much sound in it.
        self._responding.respond(await to_thread.run_sync(self._responding.read, event.get("response")))
        self._silence.broken()

    async def _cancel(self, event: Mapping[str, Any]) -> None:
        wanted = event.get("response_id")
        self._responding.cancel(text(wanted, "response_id") if wanted is not None else None)

    async def _prompt(self, start_ms: float) -> None:
        """The person was silent for long: what was appended meanwhile is their turn."""
        async with self._order:
            item_id, end_ms = new_id("item"), self._incoming.written_ms
            span = {"audio_start_ms": round(start_ms), "audio_end_ms": round(end_ms)}
            self._tell("input_audio_buffer.timeout_triggered", **span, item_id=item_id)
            self._incoming.commit(None, item_id, shortest_ms=0.0)
            self._turn_is_over()

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
