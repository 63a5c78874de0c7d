"""Conversation: turns in order, and asking for the next one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from typing import Any

from nbaudio.backends import loop
from nbaudio.completing.exchange import exchange_for
from nbaudio.conversation.again import Again
from nbaudio.conversation.answering import Answering
from nbaudio.conversation.counted import Counted
from nbaudio.conversation.crossing import Crossing, putting_here
from nbaudio.conversation.entering import Entering
from nbaudio.conversation.keeping import Keeping, Piece
from nbaudio.conversation.messages import from_messages
from nbaudio.conversation.options import Given
from nbaudio.conversation.parking import park_earlier
from nbaudio.conversation.saved import load
from nbaudio.conversation.sending import Sending
from nbaudio.conversation.transcribing import atranscribe, put_heard, transcribe
from nbaudio.conversation.turnlist import Part, turn_of
from nbaudio.conversation.watching import Watcher
from nbaudio.conversation.ways_out import WaysOut
from nbaudio.events import Event, Finished, ToolCalled, ToolReturned
from nbaudio.journal.watcher import journal
from nbaudio.keyless import keyless
from nbaudio.outgoing import Outgoing
from nbaudio.settings import Backend, settings
from nbaudio.spending.accounts import Account, Spent
from nbaudio.spending.estimate import RequestSize, request_size
from nbaudio.spending.ledger import Ledger
from nbaudio.turns import Reply, Turn

__all__ = ["Conversation"]


class Conversation(Counted, WaysOut):
    """A talk with a model: say something, and the answer is added to it.

    It is a sequence of turns (see `TurnList`) that can be saved, exported and shown (see `WaysOut`), and knows what it
    has cost (see `Counted`).

    Parameters
    ----------
    turns : iterable of Turn, optional
        What has been said already.
    name : str, optional
        What it is called in the journal.
    backend : Backend, optional
        Where requests go; by default where the settings say at the time of each request.
    watchers : iterable of Watcher, optional
        Who hears of all that happens in it, beside those that every conversation has.
    options : Any
        `voice`, `model`, `instructions` and the other options of ``NbAudio`` that shape a request (`stream`,
        `audio_format`, `max_completion_tokens`, `temperature`), whose values hold where these are left out. And
        `tools`, a list of Python functions that the model may call (see `nbaudio.tools`), with `tool_choice`,
        `parallel_tool_calls`, `max_tool_rounds` and `approve`. And `budget`, a `Budget` or a number of dollars beyond
        which nothing is sent, and `cache`, whether the answer to a request that was sent before is taken from this
        computer.

    Examples
    --------
    >>> talk = Conversation(voice="ash", instructions="You are a patient teacher.")
    >>> talk
    Conversation(0 turns)
    >>> talk.instructions = "You are brief."
    """

    def __init__(
        self,
        turns: Iterable[Turn] = (),
        *,
        name: str = "",
        backend: Backend | None = None,
        watchers: Iterable[Watcher] = (),
        **options: Any,
    ) -> None:
        super().__init__(turns)
        self.id = uuid.uuid4().hex
        self.name = name
        self._given = Given.of(options)
        self._backend = backend
        self._watchers: list[Watcher] = [journal, *(watcher for watcher in watchers if watcher is not journal)]
        self._dead_ids: set[str] = set()
        self._outgoing = Outgoing()
        self._account = Account(Spent.on_all(self._turns))
        self._answering = False
        self.on_change(self._tell_of_edits)
        park_earlier(self._turns)

    @property
    def options(self) -> dict[str, Any]:
        """The options that were given, by name."""
        return dict(self._given)

    @property
    def instructions(self) -> str:
        """What the model is told before the conversation; what is set here holds from the next question on.

        None is what the settings say.
        """
        return str(self._given.get("instructions", settings().instructions))

    @instructions.setter
    def instructions(self, told: str | None) -> None:
        self._given = Given.of({**self._given, "instructions": told})

    @classmethod
    def load(cls, path: str | os.PathLike[str], **options: Any) -> Conversation:
        """The conversation in a file that `save` wrote; its sounds are put on disk, and loaded when they are used.

        Parameters
        ----------
        path : path
        options : Any
            As in the constructor; they come before those in the file. Tools are never in a file.

        Raises
        ------
        SavedFileError
            If there is no such file, or it is damaged, is no saved conversation, or is a newer nbaudio's.
        """
        saved = load(path)
        return cls(saved.turns, **{"name": saved.name, **saved.options, **options})

    @classmethod
    def from_messages(cls, messages: Iterable[Any], **options: Any) -> Conversation:
        """A conversation of the ``messages`` of a request to OpenAI's chat completions.

        Parameters
        ----------
        messages : iterable of dict
            Or of objects of the ``openai`` package. System and developer messages at the beginning become its
            instructions.
        options : Any
            As in the constructor.

        Raises
        ------
        CellError
            If one of the messages is none, or holds what a conversation can't: it says which, and why.

        Examples
        --------
        >>> Conversation.from_messages([{"role": "user", "content": "Hello."}])[0].text
        'Hello.'
        """
        turns, told = from_messages(messages)
        return cls(turns, **({"instructions": told} if told else {}) | options)

    def fork(self, at: int | None = None) -> Conversation:
        """Another conversation that begins as this one, with the first `at` turns, or all; what follows is its own."""
        other = Conversation(self[:at], backend=self._backend, watchers=self._watchers, **self._given)
        other._dead_ids = set(self._dead_ids)
        return other

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Have somebody told of all that happens in it from the next question on; calling what comes back ends that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    @property
    def backend(self) -> Backend | None:
        """The backend that it was given; without one, requests go where the settings say."""
        return self._backend

    # -- saying -------------------------------------------------------------------------------------------

    def say(self, *parts: Part, aloud: bool = True, **options: Any) -> Reply:
        """The answer to words, sounds, or both.

        Parameters
        ----------
        parts : str, Clip, path, bytes, Turn
            Text is a str; a path, bytes, a `Clip` or a `Turn` with one is sound.
        aloud : bool
            Whether the answer is spoken, or words only.
        options : Any
            As in the constructor, for this answer alone.

        Raises
        ------
        NbaudioError
            In one of its kinds. Where an answer broke off, it is kept in the conversation, and the error's
            `partial` is it.
        """
        return self._say(self._ask(turn_of(parts), aloud, options))

    async def asay(self, *parts: Part, aloud: bool = True, **options: Any) -> Reply:
        """As `say`, awaited."""
        return await self._asay(self._ask(turn_of(parts), aloud, options))

    def retry(self, *, aloud: bool | None = None, **options: Any) -> Reply:
        """Ask the last question once more; the old answer stays until there is a new one, which takes its place.

        Where the answer broke off after tools had run, or never came, it goes on from their results.

        Parameters
        ----------
        aloud : bool, optional
            By default as the old answer.
        options : Any
            As in `say`, such as another `voice` or `model`.
        """
        return self._say(self._ask_again(aloud, options))

    async def aretry(self, *, aloud: bool | None = None, **options: Any) -> Reply:
        """As `retry`, awaited."""
        return await self._asay(self._ask_again(aloud, options))

    def transcribe(self, index: int | None = None) -> int:
        """Have what the user said written down: of the recordings without words, or of one turn.

        The words come from the speech-to-text of the server, or of the offline engine; they become the `transcript` of
        the turn, which the saved page, `compact` and servers that hear nothing go by.

        Returns
        -------
        int
            How many turns have got words.

        Raises
        ------
        BudgetExceeded, RequestError
            Of a kind of these; what came before it is kept.
        CellError
            If the turn at `index` is no recording of the user.
        """
        return transcribe(self, index, self._backend, self.ledger())

    async def atranscribe(self, index: int | None = None) -> int:
        """As `transcribe`, awaited."""
        return await atranscribe(self, index, self._backend, self.ledger())

    def stream(self, *parts: Part, aloud: bool = True, **options: Any) -> Generator[Event, None, None]:
        """The answer as it comes: `TextDelta`, `AudioDelta`, at last `Finished` with the `Reply`.

        Where tools are called, `ToolCalled` and `ToolReturned` come in between. Leaving the loop early ends the
        request; what had come is kept as a partial turn.
        """
        keeping = self._ask(turn_of(parts), aloud, {"stream": True, **options})
        with keeping:
            while True:
                arrived = Crossing()
                future = keeping.start(arrived.put)
                future.add_done_callback(lambda _, put=arrived.put: put(None))  # type: ignore[misc]
                while (pieces := arrived.next()) is not None:
                    yield from pieces
                reply = future.result()
                if (calling := keeping.calling(reply)) is None:
                    break
                for call in calling.tool_calls:
                    yield ToolCalled(call)
                with contextlib.closing(keeping.run(calling)) as results:
                    for result in results:
                        yield ToolReturned(result)
            keeping.finish(reply)
        yield Finished(reply)

    async def astream(self, *parts: Part, aloud: bool = True, **options: Any) -> AsyncGenerator[Event, None]:
        """As `stream`, awaited; a cancelled task keeps what had come as a partial turn too."""
        keeping = self._ask(turn_of(parts), aloud, {"stream": True, **options})
        with keeping:
            while True:
                arrived: asyncio.Queue[Sequence[Piece] | None] = asyncio.Queue()
                put = putting_here(arrived)
                future = keeping.start(put)
                future.add_done_callback(lambda _, put=put: put(None))  # type: ignore[misc]
                while (pieces := await arrived.get()) is not None:
                    for piece in pieces:
                        yield piece
                reply = future.result()
                if (calling := keeping.calling(reply)) is None:
                    break
                for call in calling.tool_calls:
                    yield ToolCalled(call)
                async with contextlib.aclosing(keeping.arun(calling)) as results:
                    async for result in results:
                        yield ToolReturned(result)
            keeping.finish(reply)
        yield Finished(reply)

    def _say(self, keeping: Keeping) -> Reply:
        with keeping:
            while calling := keeping.calling(reply := loop.wait(keeping.start(_ignore))):
                for _ in keeping.run(calling):
                    continue
            keeping.finish(reply)
        return reply

    async def _asay(self, keeping: Keeping) -> Reply:
        with keeping:
            while calling := keeping.calling(reply := await asyncio.wrap_future(keeping.start(_ignore))):
                async for _ in keeping.arun(calling):
                    continue
            keeping.finish(reply)
        return reply

    # -- asking -------------------------------------------------------------------------------------------

    def _ask(self, question: Turn, aloud: bool, options: dict[str, Any], again: Again | None = None) -> Keeping:
        chosen, given = settings(), self._given.over(options)
        backend = self._backend or chosen.resolve()
        if backend.offline:
            _fetch_weights()
        toolbox = given.toolbox()
        answering = Answering(
            self._turns[: again.at if again is not None else None],
            keyless(question, "what you said"),  # this server's key may be known only now
            backend,
            given.request(backend, chosen, toolbox, aloud=aloud),
            chosen,
            toolbox=toolbox,
            max_tool_rounds=given.max_tool_rounds,
            dead_ids=self._dead_ids,
            rounds=again.rounds if again is not None else (),
            outgoing=self._outgoing,
        )
        answering.exchange.prepare()
        sending = Sending(self.name, self._account, given.budgets(chosen), given.cache(chosen), anew=again is not None)
        return Keeping(answering, self, self._watchers, lambda turns: self._keep(turns, answering, again), sending)

    def next_request_size(self, *parts: Part, aloud: bool = True, **options: Any) -> RequestSize:
        """How many bytes the next request has, and about how many tokens and how much money it would take.

        Nothing is sent. Parameters as in `say`; without parts it is the history alone.
        """
        chosen, given = settings(), self._given.over(options)
        backend = self._backend or chosen.resolve()
        exchange = exchange_for(
            [turn_of(parts)] if parts else [],
            backend,
            given.request(backend, chosen, given.toolbox(), aloud=aloud),
            chosen,
            history=self[:],
            outgoing=self._outgoing,
        )
        exchange.dead_ids = self._dead_ids
        return request_size(exchange)

    def _ask_again(self, aloud: bool | None, options: dict[str, Any]) -> Keeping:
        again = Again.of(self._turns)
        return self._ask(again.question, again.aloud if aloud is None else aloud, options, again)

    def ledger(self) -> Ledger:
        """The books that its requests stand on, with all budgets that hold."""
        return Ledger(self.name, self._account, self._given.budgets(settings()))

    def enter(self, question: Turn) -> Entering:
        """Begin to add a question whose answer comes by another way than a request, as in a Realtime session."""
        return Entering(self, self._watchers, question, self._add)

    def _keep(self, turns: Sequence[Turn], answering: Answering, again: Again | None) -> Sequence[Turn]:
        """Add the turns of a question, in the place of what had come of it before; gives those that were added."""
        self._dead_ids |= answering.dead_ids
        if not turns or (again is not None and not again.takes(turns, answering)):
            return ()
        put_heard(self, answering.heard, turns[0])  # of a time with a server that heard the recordings
        if again is None:
            return self._add(turns)
        place = again.place(self._turns)
        return self._add(again.as_it_stands(self._turns[place], turns), place)

    def _add(self, turns: Sequence[Turn], place: slice | None = None) -> Sequence[Turn]:
        """Add turns at the end, or in the place of others."""
        self._turns[slice(len(self), None) if place is None else place] = turns
        self._answering = True  # watchers are told of it as an answer, not as an edit
        try:
            self._changed()
        finally:
            self._answering = False
        return turns

    def _changed(self) -> None:
        super()._changed()
        park_earlier(self._turns)

    def _tell_of_edits(self) -> None:
        for watcher in self._watchers if not self._answering else ():
            watcher.edited(self)

    def __repr__(self) -> str:
        return f"Conversation({len(self)} turn{'' if len(self) == 1 else 's'})"


def _fetch_weights() -> None:
    """Have the offline engine's weights here, with a progress bar where they are still to come."""
    from nbaudio.engine.weights.models import MODELS, fetch, ready

    if missing := [name for name in MODELS if not ready(name)]:
        fetch(missing)


def _ignore(_: Sequence[Piece]) -> None:
    """Where only the whole reply is wanted."""
