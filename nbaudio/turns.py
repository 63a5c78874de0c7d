"""Turn, Reply and ToolResult: what was said, by whom, as values that never change."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nbaudio.captions.phrases import Captions, PhraseTimer
from nbaudio.display.once import ShownOnce
from nbaudio.display.player import Embedded
from nbaudio.display.reply import ReplyView, reply_html, reply_markdown, reply_plain
from nbaudio.errors import ClipError, NbaudioError
from nbaudio.prices import Cost
from nbaudio.prices import cost as cost_of
from nbaudio.sound.clip import Clip
from nbaudio.sound.recorded import Recorded
from nbaudio.wire.answers import Answer
from nbaudio.wire.tool_calls import ToolCall
from nbaudio.wire.usage import Usage

if TYPE_CHECKING:
    from nbaudio.comparing import Comparison
    from nbaudio.settings import Backend

__all__ = ["OFFLINE_ENGINE", "Reply", "Role", "ToolResult", "Turn"]

INTERRUPTED = "You interrupted this answer: it holds what was heard of it."
"""The note of such an answer."""

OFFLINE_ENGINE = "the offline engine"
"""Its name, where it hears or speaks for a server."""

Role: TypeAlias = Literal["user", "assistant", "tool"]


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation: words, sounds, or both.

    `role` is ``"user"``, ``"assistant"`` or ``"tool"``; `text` are the words that were typed or, of an answer, written
    or spoken; `clips` are the sounds that belong to it.
    """

    role: Role
    text: str = ""
    clips: tuple[Clip, ...] = ()
    time: float = 0.0
    """When it was said, Unix seconds."""
    transcript: str = field(default="", compare=False)
    """The words of the user's own sound, once somebody has written them down; see `Conversation.transcribe`."""
    as_words: bool = False
    """Whether the words of its sound are sent instead of the sound, see `Conversation.compact`."""
    id: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False, repr=False)
    """By which the journal, a saved file and a widget know it."""

    @property
    def words(self) -> str:
        """All words that there are of it: typed ones, then those of its sound."""
        return "\n\n".join(part for part in (self.text, self.transcript) if part)

    @cached_property
    def captions(self) -> Captions:
        """The words of its sound with the times at which they sound; empty while nobody has written them down.

        The times are an estimate, by the length of the words and the pauses in the sound; see ``docs/captions.md``.
        """
        return self._captions(self.transcript, (), exact=False, cut=False)

    def _captions(self, words: str, marks: tuple[tuple[int, int], ...], *, exact: bool, cut: bool) -> Captions:
        clip = self.clip
        if clip is None or not words.strip():
            return Captions()
        from nbaudio.captions.alignment import aligned

        timer = PhraseTimer(clip.sample_rate, exact=exact)
        timer.take(words, marks or [(len(words), 0), (len(words), clip.frames)])
        return aligned(timer, clip.mono().samples[:, 0], over=not cut)

    def transcribe(self) -> Turn:
        """A copy of this turn with the words of its sound as `transcript`.

        In a conversation `Conversation.transcribe` puts such a turn in the place of this one.

        Raises
        ------
        BudgetExceeded, RequestError
            Before anything is sent, and in one of its kinds.
        ClipError
            If it has no sound.
        """
        if not self.clips:
            raise ClipError("This turn has no sound.", "Its words are in .text.")
        return replace(self, transcript=_words_of(self.clips))

    @property
    def clip(self) -> Clip | None:
        """The sound of this turn: the only one, or all joined; None where there is none."""
        if len(self.clips) < 2:
            return self.clips[0] if self.clips else None
        return Clip.join(self.clips)

    def embedded(self, budget_bytes: int) -> Embedded | None:
        """Its sound as a page can hold it, see `Clip.embed`; None where it has none.

        One that is gone, such as from a journal that was cleared, is a note on that: its words are shown all the same.
        """
        try:
            return self.clip.embed(budget_bytes) if self.clip is not None else None
        except ClipError as error:
            return Embedded(None, "", sum(clip.duration_s for clip in self.clips), note=error.cause)

    # What an answer alone has, so that a loop over a conversation need not tell turns apart. `Reply` has it as fields.

    @cached_property
    def usage(self) -> Usage:
        """The tokens that the server counted; none but for an answer."""
        return Usage()

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools that it asks for; none but for an answer."""
        return ()

    @property
    def model(self) -> str:
        """Who answered; empty but for an answer, as are `voice` and `backend`."""
        return ""

    @property
    def voice(self) -> str:
        """The voice that was asked for."""
        return ""

    @property
    def backend(self) -> str:
        """Which server answered."""
        return ""

    @property
    def audio_id(self) -> str:
        """By which the server knows the sound of its answer; else empty."""
        return ""

    @property
    def expires_at(self) -> int:
        """Until when the server knows that, Unix seconds; else 0."""
        return 0

    @property
    def partial(self) -> bool:
        """Whether it is an answer that broke off."""
        return False

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class ToolResult(Turn):
    """What a tool gave back: `text` is what the model reads of it.

    `name` is the tool's, `call_id` the call that it answers; `failed` says that the tool raised an error, or was not
    run at all, and `text` then says why.
    """

    role: Role = "tool"
    name: str = ""
    call_id: str = ""
    failed: bool = False

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from nbaudio.display import tool

        return {
            "text/plain": tool.result_plain(self.name, self.text, failed=self.failed),
            "text/html": tool.result_html(self.name, self.text, failed=self.failed),
            "text/markdown": tool.result_markdown(self.name, self.text, failed=self.failed),
        }


@dataclass(frozen=True)
class Reply(ShownOnce, Turn):
    """An answer: its words, its sound, and what is known of it.

    `partial` says that it broke off, by the network or by an interrupt; what came is here and plays.
    `finish_reason` is ``"stop"``, ``"length"`` (cut at ``max_completion_tokens``), ``"content_filter"`` or
    ``"tool_calls"``. `note` is what the reader should know of it, such as that a voice was asked for and no sound came.
    """

    role: Role = "assistant"
    model: str = ""
    voice: str = ""
    backend: str = ""
    usage: Usage = field(default_factory=Usage)
    audio_id: str = ""
    expires_at: int = 0
    finish_reason: str = ""
    refusal: str = ""
    partial: bool = False
    note: str = ""
    offline: bool = False
    heard_by: str = ""
    """Who wrote down what the person said, where the server that answers can't hear."""
    spoken_by: str = ""
    """Who said the answer, where that server can't speak."""
    cached: bool = False
    """Whether it was not asked for, but had been kept, see `nbaudio.spending.answer_cache`."""
    tool_calls: tuple[ToolCall, ...] = ()
    marks: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    """In which order words and sound came, as in `nbaudio.wire.answers.Answer`."""

    @classmethod
    def from_answer(cls, answer: Answer, *, aloud: bool, whole: bool, offline: bool, **known: Any) -> Reply:
        """A reply from what the wire brought.

        Parameters
        ----------
        answer : Answer
        aloud : bool
            Whether sound was asked for.
        whole : bool
            Whether all of it came.
        offline : bool
            Whether the offline engine made it.
        known : Any
            `time`, `voice`, `backend`, and `model` where the answer does not name its own.
        """
        clip, unreadable = None, ""
        try:
            sound = answer.audio
            if isinstance(sound, bytes):
                clip = _clip_of(sound, answer.audio_format) if sound else None
            elif isinstance(sound, Recorded):
                clip = Clip(sound)
        except ClipError as error:  # the words have come all the same
            unreadable = f"The server's sound can't be played: {error.cause}"
        known["model"] = answer.model or known.get("model", "")
        return cls(
            text=answer.text,
            clips=(clip,) if clip is not None else (),
            usage=answer.usage,
            audio_id=answer.audio_id,
            expires_at=answer.expires_at,
            finish_reason=answer.finish_reason,
            refusal=answer.refusal,
            tool_calls=answer.tool_calls,
            marks=answer.marks,
            partial=not whole,
            offline=offline,
            note=unreadable or answer.note(aloud=aloud, silent=clip is None, whole=whole),
            **known,
        )

    @cached_property
    def captions(self) -> Captions:
        """Its words with the times at which they sound, as WebVTT and SRT too; empty without words or without sound.

        The offline engine knows when each sentence begins, where it is streamed, and so does who speaks for a server
        that can't. Else the times are an estimate: by the order in which words and sound came, by the length of the
        words, and by the pauses in the sound. See ``docs/captions.md`` for how far off they are.
        """
        # Of an answer that was cut the words may have run ahead of the sound.
        by_sentences = self.offline or bool(self.spoken_by)
        cut = self.partial or (self.finish_reason in ("length", "content_filter") and not by_sentences)
        exact = by_sentences and bool(self.marks)
        return self._captions(self.text, self.marks, exact=exact, cut=cut)

    @property
    def answers(self) -> bool:
        """Whether it is an answer that came whole: it did not break off, and asks for no tool instead."""
        return not (self.partial or self.tool_calls)

    def check(self, backend: Backend | None = None) -> Comparison:
        """Listen to its sound, and compare what is heard with its words.

        Parameters
        ----------
        backend : Backend, optional
            Who listens; by default the offline engine, whatever backend the answer is from.

        Returns
        -------
        Comparison
            The word error rate, and the words that differ. The offline ears mishear about one word in twenty-five
            themselves.

        Raises
        ------
        ClipError
            If it has no sound.
        RequestError
            In one of its kinds.
        """
        from nbaudio.backends.transcribing import offline_ears
        from nbaudio.comparing import compared

        if not self.clips:
            raise ClipError("This answer has no sound to listen to.", "Its words are in .text.")
        return compared(self.text, _words_of(self.clips, backend or offline_ears()))

    def __repr__(self) -> str:
        words = self.text if len(self.text) <= 60 else self.text[:57] + "..."
        sound = f", {self.clip.duration_s:.1f} s" if self.clip else ""
        return f"Reply({words!r}{sound}{', partial' if self.partial else ''})"

    @property
    def cost(self) -> Cost | None:
        """What it cost, by the tokens that the server reported; None where that or the price is not known.

        Nor is it where another server heard or spoke: what that took is not in the tokens.

        Raises
        ------
        SetupError
            If the file of prices can't be read.
        """
        if self.offline or self.cached:
            return Cost()
        if any(who not in ("", OFFLINE_ENGINE) for who in (self.heard_by, self.spoken_by)):
            return None
        return cost_of(self.usage, self.model, server=self.backend)

    @property
    def interrupted(self) -> bool:
        """Whether the person interrupted it, and it holds what was heard."""
        return self.partial and self.note == INTERRUPTED

    @property
    def notes(self) -> list[str]:
        """Every line that a reader should know beside the words."""
        return ReplyView(words=self.text, note=self.note, by=self.by, offline=self.offline).notes

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from nbaudio.settings import settings

        instead, live = self._taken_once()
        view = ReplyView(
            words=self.text,
            sound=self.embedded(settings().embed_budget_kb * 1000),
            note=self.note,
            by=self.by,
            offline=self.offline,
            details=self._details(),
            calls=tuple(map(str, self.tool_calls)),
            live=live,
        )
        own = {"text/plain": reply_plain(view), "text/html": reply_html(view), "text/markdown": reply_markdown(view)}
        return {**own, **instead}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_once"}

    @property
    def by(self) -> str:
        """Who answered, who heard and who spoke, as a sentence; empty where the server that answers did all of it."""
        who = {self.heard_by: ["heard"]} if self.heard_by else {}
        if self.spoken_by:
            who.setdefault(self.spoken_by, []).append("spoken")
        did = [f"{' and '.join(what)} by {name}" for name, what in who.items()]
        return f"Answered by {self.model} on {self.backend}, {', '.join(did)}." if did else ""

    def _details(self) -> dict[str, str]:
        usage = self.usage
        tokens = f"{usage.input_tokens} in, {usage.output_tokens} out"
        if usage.input_audio_tokens or usage.output_audio_tokens:
            tokens += f" (sound: {usage.input_audio_tokens} in, {usage.output_audio_tokens} out)"
        tokens_known = bool(usage.input_tokens or usage.output_tokens)
        known = {
            "Model": self.model,
            "Voice": self.voice if self.clips else "",
            "Backend": self.backend,
            "Tokens": tokens if tokens_known else "",
            "Cost": self._price_said() if tokens_known else "",
            "Audio id": self.audio_id,
        }
        return {name: value for name, value in known.items() if value}

    def _price_said(self) -> str:
        try:
            cost = self.cost
        except NbaudioError:  # a file of prices that is broken says so where something is asked; here it is shown
            cost = None
        return "unknown" if cost is None else str(cost)


def _words_of(clips: tuple[Clip, ...], backend: Backend | None = None) -> str:
    # By its name: what is paid for goes by the books, and these are made of turns.
    return str(import_module("nbaudio.transcribing.calls").words_of(clips, backend))


def _clip_of(sound: bytes, audio_format: str) -> Clip:
    if audio_format == "pcm16":
        return Clip.from_pcm16(sound)
    clip = Clip(sound)
    _ = clip.samples  # a file cut short is found out here, not when the notebook shows it
    return clip
