"""How an answer is made: hear the sounds, think of words, speak each sentence while the next is being thought of."""

from __future__ import annotations

import hashlib
import io
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbaudio.engine.asked import Asked, HeardBefore, Refusal, Said
from nbaudio.engine.hear import SAMPLE_RATE as HEARING_RATE
from nbaudio.engine.language import other_language
from nbaudio.engine.parts import Engine
from nbaudio.engine.speak import SAMPLE_RATE as SPEAKING_RATE
from nbaudio.engine.stepping import finished
from nbaudio.engine.think import TooLongForBrain
from nbaudio.errors import ClipError
from nbaudio.legible import without_halves
from nbaudio.sentences import SentenceFeed
from nbaudio.sound import codecs
from nbaudio.sound.blocks import BlockReader
from nbaudio.speakable import speakable

__all__ = ["TOKENS_HEARD", "Answerer", "Piece", "Tally", "text_tokens"]

AUDIO_ID_LIFE_S = 3600
_MOST_KEPT = 10_000  # answers whose ids are known, and sounds whose words are: about 5 MB
TOKENS_HEARD, _TOKENS_SPOKEN = 10, 20  # a second, as OpenAI counts them (realtime costs guide)
# The small model rambles and repeats itself. Where the request does not say how to answer, two sentences are enough;
# where it does, this many tokens, ending with a whole sentence.
_SHORT_ANSWER_SENTENCES, _SHORT_ANSWER_TOKENS = 2, 160
_CHARACTERS_PER_TOKEN = 3.2  # low for English, so that what seems to fit fits
_MANNER = "You are a helpful voice assistant. Answer in one or two short sentences."
NOTHING_HEARD = "I did not hear any words in the recording."


@dataclass(frozen=True)
class Piece:
    """Some words of the answer and their sound: PCM16 at 24,000 Hz, empty where none was asked for.

    `until` has, where it was asked for, of each word the second in which it begins to sound, and the words up to it.
    """

    text: str
    pcm16: bytes = b""
    until: tuple[tuple[float, str], ...] = ()


@dataclass
class Tally:
    """What has been used so far, and how the answer ended."""

    input_text_tokens: int = 0
    input_audio_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_tokens: int = 0
    finish_reason: str = "stop"
    text: str = ""

    def count_input(self, messages: list[dict[str, str]]) -> None:
        """Note what the model reads."""
        self.input_text_tokens = sum(text_tokens(message["content"]) for message in messages)

    def say(self, sentence: str) -> str:
        """Add a sentence; gives it with the space that parts it from the one before."""
        said = f" {sentence}" if self.text and sentence else sentence
        self.text += said
        return said


class Answerer:
    """Answers requests with one engine, and remembers what it said for the hour that its ids live.

    Parameters
    ----------
    engine : Engine
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = self._engine = engine
        self._said: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._transcripts: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def new_id(self) -> tuple[str, int]:
        """A fresh audio id, and when it ends in Unix seconds."""
        return f"audio_{secrets.token_hex(16)}", int(time.time()) + AUDIO_ID_LIFE_S

    def remember(self, audio_id: str, text: str, expires_at: int) -> None:
        """Keep what was said under an id."""
        self._said[audio_id] = (text, expires_at)
        while len(self._said) > _MOST_KEPT:
            self._said.popitem(last=False)

    def prepare(self, asked: Asked, tally: Tally) -> list[dict[str, str]]:
        """As `preparing`, all steps at once."""
        return finished(self.preparing(asked, tally))

    def preparing(self, asked: Asked, tally: Tally) -> Generator[None, None, list[dict[str, str]]]:
        """The conversation as text: sounds heard, earlier answers looked up; empty where nobody spoke.

        Each stretch of speech that is heard is a step.

        Raises
        ------
        Refusal
            For an unknown audio id, a sound that is none, another language, or too much text.
        """
        messages: list[dict[str, str]] = []
        for turn in asked.turns:
            text = self._recall(turn) if turn.audio_id else (yield from self._words(turn, tally))
            if turn is asked.turns[-1] and not text:
                return []
            if text:
                messages.append({"role": turn.role, "content": text})
        if not any(message["role"] == "system" for message in messages):
            messages.insert(0, {"role": "system", "content": _MANNER})
        messages = _fitted(messages, self._engine.brain.context_tokens - min(asked.most_tokens, _SHORT_ANSWER_TOKENS))
        tally.count_input(messages)
        return messages

    def pieces(self, asked: Asked, messages: list[dict[str, str]], tally: Tally) -> Generator[Piece, None, None]:
        """The answer, sentence by sentence; closing the iterator stops the model."""
        if not messages:
            yield self._spoken(asked, NOTHING_HEARD, tally)
            return
        with closing(self._sentences(asked, messages, tally)) as sentences:
            for sentence in sentences:
                piece = self._spoken(asked, sentence, tally)
                if piece.text or piece.pcm16:
                    yield piece
                if tally.finish_reason == "length":
                    return

    def _sentences(self, asked: Asked, messages: list[dict[str, str]], tally: Tally) -> Generator[str, None, None]:
        """Whole sentences, as soon as the model has written each."""
        told = any(turn.role == "system" for turn in asked.turns)
        most = min(asked.most_tokens, _SHORT_ANSWER_TOKENS)
        feed, count, ended = SentenceFeed(), 0, 0
        with closing(self._thinking(asked, messages, tally, most)) as thinking:
            for text in thinking:
                count += 1
                for piece in feed.feed(text):
                    yield piece
                    ended += piece.rstrip("\"'”’)]").endswith((".", "!", "?", "…"))
                if not told and ended >= _SHORT_ANSWER_SENTENCES:
                    return
        if count >= most == asked.most_tokens:
            tally.finish_reason = "length"  # cut by the request's own limit, it ends where it ends
        elif count >= most and ended:
            return  # cut by ours, it ends with its last whole sentence
        yield from feed.flush()

    def _thinking(
        self, asked: Asked, messages: list[dict[str, str]], tally: Tally, most_tokens: int
    ) -> Generator[str, None, None]:
        """What the model writes; where it can't hold what `_fitted` thought it could, without the oldest turns."""
        brain, begun = self._engine.brain, False
        while True:
            options: dict[str, Any] = {"temperature": asked.temperature, "seed": asked.seed}
            try:
                with closing(brain.stream(messages, most_tokens=most_tokens, **options)) as thinking:
                    for text in thinking:
                        begun = True
                        yield text
                return
            except TooLongForBrain:
                if begun:
                    raise
                messages = _without_oldest(messages, brain.context_tokens)
                tally.count_input(messages)

    def _spoken(self, asked: Asked, sentence: str, tally: Tally) -> Piece:
        left = asked.most_tokens - tally.output_text_tokens - tally.output_audio_tokens
        if not asked.aloud:
            tally.output_text_tokens += min(left, text_tokens(sentence))
            return Piece(tally.say(sentence))
        aloud = speakable(sentence)
        if aloud[-1:].isalnum():
            aloud += ","  # the first piece of a sentence that goes on: the voice must not fall as at its end
        samples, until = self._sound(asked, aloud)
        words, sound = text_tokens(sentence), math.ceil(len(samples) / SPEAKING_RATE * _TOKENS_SPOKEN)
        if words + sound > left:
            # Sound and words are cut where the tokens end, in the middle of a word if need be, as OpenAI does.
            tally.finish_reason = "length"
            kept = max(0, left) / (words + sound)
            samples = samples[: int(len(samples) * kept)]
            sentence = sentence[: int(len(sentence) * kept)]
            words, sound = text_tokens(sentence), math.ceil(len(samples) / SPEAKING_RATE * _TOKENS_SPOKEN)
        tally.output_text_tokens += words
        tally.output_audio_tokens += sound
        return Piece(tally.say(sentence), codecs.samples_to_pcm16(samples), until)

    def _sound(self, asked: Asked, aloud: str) -> tuple[NDArray[np.float32], tuple[tuple[float, str], ...]]:
        if not asked.timed:
            return self._engine.speaker.speak(aloud, asked.voice), ()
        until: list[tuple[float, str]] = []
        parts, begins_s = [np.zeros(0, np.float32)], 0.0
        for said in self._engine.speaker.say(aloud, asked.voice, asked.speed):
            until += [(begins_s + word.start_s, aloud[: word.end]) for word in said.words]
            parts.append(said.samples)
            begins_s += len(said.samples) / SPEAKING_RATE
        return np.concatenate(parts), tuple(until)

    def _recall(self, turn: Said) -> str:
        text, expires_at = self._said.get(turn.audio_id, ("", 0))
        if expires_at <= time.time():
            raise Refusal(f"Assistant audio {turn.audio_id} not found.", param=turn.param, code="audio_not_found")
        return text

    def _words(self, turn: Said, tally: Tally) -> Generator[None, None, str]:
        written = "\n\n".join(part for part in turn.parts if isinstance(part, str) and part.strip())
        typed = without_halves(written)  # llama.cpp takes no half of a character
        if language := other_language(typed):
            raise Refusal(
                f"The offline engine knows English only, and this is in {language}. "
                "Write in English, or set OPENAI_API_KEY or OPENAI_BASE_URL for another model.",
                param=turn.param,
                code="unsupported_language",
            )
        sounds = [part for part in turn.parts if not isinstance(part, str)]
        if not sounds:
            return typed
        heard: list[tuple[str, float]] = []
        for sound in sounds:
            if isinstance(sound, HeardBefore):
                heard.append((sound.text, sound.duration_s))
            else:
                heard.append((yield from self.hear(sound.data, turn.param)))
        tally.input_audio_tokens += sum(math.ceil(duration_s * TOKENS_HEARD) for _, duration_s in heard)
        if not any(text for text, _ in heard):
            return ""
        said = " ".join(text for text, _ in heard if text)
        return f'{typed}\n\nThe recording says: "{said}"' if typed else said

    def hear(self, data: bytes, param: str) -> Generator[None, None, tuple[str, float]]:
        """The words in a sound file, and its length in seconds; listened to once however often it comes by.

        Each stretch of speech is a step.

        Raises
        ------
        Refusal
            If it is no sound; `param` is where in the request it stood.
        """
        digest = hashlib.sha256(data).hexdigest()
        known = self.heard_before(digest)
        if known is None:
            try:
                known = yield from self._listen(data)
            except codecs.SoundTooLong as error:
                raise Refusal(str(error), status=413, param=param, code="audio_too_long") from None
            except ClipError as error:
                raise Refusal(f"Audio file might be corrupted or unsupported: {error}", param=param) from None
            self.keep_heard(digest, *known)
        return known

    def _listen(self, data: bytes) -> Generator[None, None, tuple[str, float]]:
        # Block by block: a file of 157 kB can hold 600 MB of samples.
        source = io.BytesIO(codecs.repair_wav(data))
        with BlockReader(source, HEARING_RATE, most_s=self._engine.most_audio_s) as reader:
            texts: list[str] = []
            for passage in self._engine.listener.passages(reader.blocks()):
                texts.append(passage.text)
                yield
        return " ".join(texts), reader.read_s

    def heard_before(self, digest: str) -> tuple[str, float] | None:
        """The words and the length of a file that has been listened to, by its SHA-256; None for any other."""
        return self._transcripts.get(digest)

    def keep_heard(self, digest: str, text: str, duration_s: float) -> None:
        """Remember what was heard in a file."""
        self._transcripts[digest] = (text, duration_s)
        while len(self._transcripts) > _MOST_KEPT:
            self._transcripts.popitem(last=False)


def text_tokens(text: str) -> int:
    """About how many tokens a text is, rather too many than too few."""
    return math.ceil(len(text) / _CHARACTERS_PER_TOKEN)


def _fitted(messages: list[dict[str, str]], most_tokens: int) -> list[dict[str, str]]:
    """The messages that the model can hold: the oldest turns go first, instructions and the newest turn stay."""
    sizes = [text_tokens(message["content"]) + 8 for message in messages]
    left, kept = sum(sizes), []
    for message, size in zip(messages[:-1], sizes, strict=False):
        if left > most_tokens and message["role"] != "system":
            left -= size
        else:
            kept.append(message)
    if left > most_tokens:
        raise _too_long(most_tokens)
    return [*kept, messages[-1]]


def _without_oldest(messages: list[dict[str, str]], most_tokens: int) -> list[dict[str, str]]:
    """The messages without the oldest quarter of the turns before the newest."""
    turns = [at for at, message in enumerate(messages[:-1]) if message["role"] != "system"]
    if not turns:
        raise _too_long(most_tokens)
    gone = set(turns[: math.ceil(len(turns) / 4)])
    return [message for at, message in enumerate(messages) if at not in gone]


def _too_long(most_tokens: int) -> Refusal:
    return Refusal(
        f"This text is too long: the offline model holds about {most_tokens * 3 // 4} words.",
        param="messages",
        code="context_length_exceeded",
    )
