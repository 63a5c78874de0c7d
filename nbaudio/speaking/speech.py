"""Speech: a text that was spoken, as a clip that knows its words."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from functools import cached_property
from typing import Any

from nbaudio.captions.alignment import aligned
from nbaudio.captions.phrases import Captions, Phrase, PhraseTimer
from nbaudio.captions.phrasing import Wording
from nbaudio.display.once import ShownOnce
from nbaudio.display.reply import ReplyView, reply_html, reply_markdown, reply_plain
from nbaudio.errors import NbaudioError
from nbaudio.prices import Cost
from nbaudio.prices import cost as cost_of
from nbaudio.sound.clip import Clip
from nbaudio.wire.answers import AudioDelta, TextDelta
from nbaudio.wire.speech import WordTime
from nbaudio.wire.usage import Usage

__all__ = ["Speech"]

_OFFLINE = "Offline voice: spoken on this machine."


class Speech(ShownOnce, Clip):
    """A spoken text: a `Clip`, which goes wherever a clip goes, and its words. `nbaudio.speak` makes one.

    What is cut out of it, or joined of it and others, is a plain `Clip`.

    Attributes
    ----------
    text : str
        What was given.
    said : str
        The words of the sound: `text` without the marks of Markdown; of a model that reads it what it says that it has
        said.
    way : str
        How it was spoken: ``"speech endpoint"``, ``"chat model, verbatim"`` or ``"Realtime model, verbatim"``.
    model, voice, backend : str
        Who spoke.
    offline : bool
        Whether that was the offline engine.
    partial : bool
        Whether it broke off; what came is here and plays.
    note : str
        What the reader should know of it, such as words that a model did not read as they are written.
    time : float
        When it was spoken, Unix seconds.
    """

    def __init__(
        self,
        source: Any,
        sample_rate: int | None = None,
        *,
        text: str = "",
        said: str = "",
        way: str = "",
        model: str = "",
        voice: str = "",
        backend: str = "",
        offline: bool = False,
        partial: bool = False,
        note: str = "",
        usages: tuple[Usage, ...] = (),
        words: tuple[WordTime, ...] = (),
        marks: tuple[tuple[int, int], ...] = (),
        time: float = 0.0,
    ) -> None:
        super().__init__(source, sample_rate)
        self.text, self.said, self.way = text, said or text, way
        self.model, self.voice, self.backend, self.offline = model, voice, backend, offline
        self.partial, self.note, self.time = partial, note, time
        self._usages, self._words, self._marks = usages, words, marks

    @classmethod
    def stream(cls, text: str, **options: Any) -> Generator[TextDelta | AudioDelta | Speech, None, None]:
        """The speech as it comes: `TextDelta` before its sound, `AudioDelta`, at last the `Speech` itself.

        Leaving the loop early ends the requests.

        Parameters
        ----------
        text : str
        options : Any
            As in `nbaudio.speak`.

        Raises
        ------
        NbaudioError
            In one of its kinds; `partial` is what had come.
        """
        from nbaudio.speaking.saying import stream

        return stream(text, **options)

    @classmethod
    def astream(cls, text: str, **options: Any) -> AsyncGenerator[TextDelta | AudioDelta | Speech, None]:
        """As `stream`, awaited."""
        from nbaudio.speaking.saying import astream

        return astream(text, **options)

    # -- its words ----------------------------------------------------------------------------------------

    @property
    def clip(self) -> Clip:
        """Itself: all that has a sound has it as `clip`."""
        return self

    @cached_property
    def words(self) -> Captions:
        """Each word with the times at which it begins and ends; empty where the server gives no times.

        The offline engine gives them, exact to some hundredths of a second; see ``docs/speech.md``.
        """
        return Captions(Phrase(word.word, word.start_s, word.end_s) for word in self._words)

    @cached_property
    def captions(self) -> Captions:
        """Its words in phrases, with the times at which they sound, as WebVTT and SRT too.

        They are exact where the times of the words are known. Else they are estimated: by the beginning of each passage
        of a long text, by the length of the words, and by the pauses in the sound. See ``docs/captions.md``.
        """
        if not self.said.strip():
            return Captions()
        if self._words:
            return self._captions_of_words()
        timer = PhraseTimer(self.sample_rate, exact=len(self._marks) > 2)
        usual = [(len(self.said), 0), (len(self.said), self.frames)]
        timer.take(self.said, self._marks if len(self._marks) > 2 else usual)
        return aligned(timer, self.mono().samples[:, 0], over=not self.partial)

    def _captions_of_words(self) -> Captions:
        wording, phrases = Wording(), []
        wording.add(self.said)
        at, begins = 0, []
        for word in self._words:
            found = self.said.find(word.word, at)
            if found >= 0:
                begins.append((found, word.start_s))
                at = found + len(word.word)
        ends_s = max(word.end_s for word in self._words)
        spans = wording.phrases()
        times_s = [next((start_s for at, start_s in begins if at >= span.start), ends_s) for span in spans]
        for span, start_s, end_s in zip(spans, times_s, [*times_s[1:], ends_s], strict=True):
            if end_s > start_s:  # of a phrase that nobody says nothing is heard
                phrases.append(Phrase(" ".join(self.said[span.start : span.end].split()), start_s, end_s))
        return Captions(phrases)

    # -- what it took -------------------------------------------------------------------------------------

    @property
    def usage(self) -> Usage:
        """The tokens that the server reported, and the characters that were spoken."""
        return sum(self._usages, Usage())

    @property
    def cost(self) -> Cost | None:
        """What it cost; None where the price or what was used is not known.

        Raises
        ------
        SetupError
            If the file of prices can't be read.
        """
        if self.offline:
            return Cost()
        costs = [cost_of(usage, self.model, server=self.backend) for usage in self._usages]
        total = Cost()
        for cost in costs:
            total += cost
        return total if total.unknown < len(costs) else None

    # -- in a notebook ------------------------------------------------------------------------------------

    @property
    def notes(self) -> list[str]:
        """Every line that a reader should know beside the words."""
        return [note for note in (self.note, _OFFLINE if self.offline else "") if note]

    def __repr__(self) -> str:
        words = self.said if len(self.said) <= 60 else self.said[:57] + "..."
        return f"Speech({words!r}, {self.duration_s:.1f} s{', partial' if self.partial else ''})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from nbaudio.settings import settings

        instead, live = self._taken_once()
        view = ReplyView(
            words=self.said,
            sound=self.embed(settings().embed_budget_kb * 1000),
            note=" ".join(self.notes),
            details=self._details(),
            live=live,
            title="Speech",
        )
        own = {"text/plain": reply_plain(view), "text/html": reply_html(view), "text/markdown": reply_markdown(view)}
        return {**own, **instead}

    def _details(self) -> dict[str, str]:
        usage = self.usage
        tokens = f"{usage.input_tokens:,} in, {usage.output_tokens:,} out"
        known = {
            "Spoken by": self.way,
            "Model": self.model,
            "Voice": self.voice,
            "Backend": self.backend,
            "Characters": f"{usage.characters:,}" if usage.characters else "",
            "Tokens": tokens if usage.input_tokens or usage.output_tokens else "",
            "Cost": self._price_said(),
        }
        return {name: value for name, value in known.items() if value}

    def _price_said(self) -> str:
        try:
            cost = self.cost
        except NbaudioError:  # a file of prices that is broken says so where something is asked; here it is shown
            cost = None
        return "unknown" if cost is None else str(cost)

    # -- copies -------------------------------------------------------------------------------------------

    @classmethod
    def _of(cls, samples: Any, sample_rate: int) -> Clip:
        return Clip._of(samples, sample_rate)  # what is made of its sound has other words, or none

    def __reduce__(self) -> tuple[Any, ...]:
        facts = {name.lstrip("_"): getattr(self, name) for name in _FACTS}
        return _restored, (super().__reduce__(), facts)


_FACTS = (
    "text", "said", "way", "model", "voice", "backend", "offline", "partial", "note", "time", "_usages", "_words",
    "_marks",
)  # fmt: skip


def _restored(clip: tuple[Any, tuple[Any, ...]], facts: dict[str, Any]) -> Speech:
    make, arguments = clip
    return Speech(make(*arguments), **facts)
