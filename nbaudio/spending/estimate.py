"""What a request is likely to take, before it is sent: bytes, tokens, seconds of sound, and money.

Ten tokens a second of sound in, and twenty a second out, are OpenAI's rates
(https://developers.openai.com/api/docs/guides/realtime-costs); once a server has reported what it counted, its own rate
takes their place. Four bytes of text are taken for a token, which is about right for English and no more than a guess.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from nbaudio.errors import SetupError
from nbaudio.exchange import Exchange
from nbaudio.outgoing import family
from nbaudio.prices import Cost, dollars, price_of
from nbaudio.sound.clip import Clip
from nbaudio.turns import Reply
from nbaudio.wire.requests import serialized
from nbaudio.wire.usage import Usage

__all__ = [
    "Estimate",
    "RequestSize",
    "Toll",
    "estimate",
    "known_cost",
    "learn",
    "least_cost",
    "request_size",
    "text_tokens",
    "toll_of",
]

TOKENS_IN_PER_S = 10.0
TOKENS_OUT_PER_S = 20.0
S_PER_CHARACTER = 0.08
"""Of speech: gpt-4o-mini-tts said 405 characters in 33.4 s."""
_BYTES_PER_TOKEN = 4
_USUAL = {True: (50, 300), False: (150, 0)}  # tokens of text and of sound, spoken (15 s) or not; a guess
_ENOUGH_S = 1.0  # of sound, before a rate is worth more than the guess: tokens are whole numbers


@dataclass(frozen=True)
class Toll:
    """What counts against a budget; it adds up."""

    tokens: int = 0
    cost: Cost = field(default_factory=Cost)
    sound_s: float = 0.0

    def __add__(self, other: Toll) -> Toll:
        return Toll(self.tokens + other.tokens, self.cost + other.cost, self.sound_s + other.sound_s)


@dataclass(frozen=True)
class Estimate:
    """What a request and a usual answer to it are likely to take.

    `usage` are the tokens of both; `sound_in_s` is how much sound goes out, in seconds, and `sound_out_s` how much is
    likely to come; `cost` is None where the price is not known, which is that of the model `unpriced`.
    """

    usage: Usage
    sound_in_s: float
    sound_out_s: float
    cost: Cost | None
    unpriced: str = ""

    @property
    def toll(self) -> Toll:
        """All of it, as budgets count it."""
        tokens = self.usage.input_tokens + self.usage.output_tokens
        return Toll(tokens, Cost() + self.cost, self.sound_in_s + self.sound_out_s)


@dataclass(frozen=True)
class RequestSize:
    """How large the next request is, and what it is likely to take.

    `bytes` is exact: the length of the JSON that would be sent. Tokens are estimates; `answer_text_tokens` and
    `answer_audio_tokens` are those of a usual answer. `sound_s` is how much sound goes out, earlier answers' that are
    referred to by id included, and `cost` is for request and answer, None where the price is not known.
    """

    bytes: int
    input_text_tokens: int
    input_audio_tokens: int
    answer_text_tokens: int
    answer_audio_tokens: int
    sound_s: float
    cost: Cost | None

    def __str__(self) -> str:
        size = f"{self.bytes:,} bytes" if self.bytes < 10_000 else f"{self.bytes / 1e6:,.2f} MB"
        sound = f" and {self.input_audio_tokens:,} for {self.sound_s:.1f} s of sound" if self.sound_s else ""
        price = f"about {dollars(self.cost.usd)}" if self.cost is not None else "at an unknown price"
        return (
            f"{size}; in: about {self.input_text_tokens:,} tokens of text{sound}; "
            f"with a usual answer (about {self.answer_text_tokens + self.answer_audio_tokens:,} tokens) {price}"
        )


class _Habits:
    """What a model on a server has reported so far."""

    def __init__(self) -> None:
        self.heard, self.heard_s = 0, 0.0
        self.spoken, self.spoken_s = 0, 0.0
        self.answers = {True: [0, 0, 0], False: [0, 0, 0]}  # spoken or not: how many, tokens of text, tokens of sound

    @property
    def tokens_in_per_s(self) -> float:
        return self.heard / self.heard_s if self.heard_s >= _ENOUGH_S else TOKENS_IN_PER_S

    @property
    def tokens_out_per_s(self) -> float:
        return self.spoken / self.spoken_s if self.spoken_s >= _ENOUGH_S else TOKENS_OUT_PER_S

    def usual_answer(self, *, aloud: bool, most: int) -> tuple[int, int]:
        """Tokens of text and of sound of a usual answer: the mean of those that there were."""
        count, text, audio = self.answers[aloud]
        text, audio = (round(text / count), round(audio / count)) if count else _USUAL[aloud]
        share = min(1.0, most / max(1, text + audio))
        return math.floor(text * share), math.floor(audio * share)


_known: dict[tuple[str, str], _Habits] = {}


def estimate(exchange: Exchange) -> Estimate:
    """What a request and its answer are likely to take.

    Raises
    ------
    SetupError
        If the file of prices can't be read.
    """
    habits, options = _habits(exchange), exchange.options
    text_bytes, sound_in_s = exchange.weight()
    if options.tools:
        text_bytes += len(json.dumps(options.tools))
    text_in, audio_in = _tokens(text_bytes), _whole(sound_in_s * habits.tokens_in_per_s)
    text_out, audio_out = habits.usual_answer(aloud=options.aloud, most=options.max_completion_tokens)
    usage = _usage(text_in, audio_in, text_out, audio_out)
    own, characters = _cost(exchange, usage), text_out * _BYTES_PER_TOKEN
    said = _speaker_cost(exchange, characters, characters * S_PER_CHARACTER)
    return Estimate(
        usage,
        sound_in_s,
        audio_out / habits.tokens_out_per_s,
        None if own is None or said is None else own + said,
        unpriced=options.model if own is None else _speaker_model(exchange) if said is None else "",
    )


def request_size(exchange: Exchange) -> RequestSize:
    """The exact bytes of a request, and what it is likely to take."""
    guessed = estimate(exchange)
    length, _ = serialized(exchange.body())
    return RequestSize(
        bytes=length,
        input_text_tokens=guessed.usage.input_text_tokens,
        input_audio_tokens=guessed.usage.input_audio_tokens,
        answer_text_tokens=guessed.usage.output_text_tokens,
        answer_audio_tokens=guessed.usage.output_audio_tokens,
        sound_s=guessed.sound_in_s,
        cost=guessed.cost,
    )


def toll_of(exchange: Exchange, expected: Estimate, reply: Reply) -> Toll:
    """What an answer took: as the server reported it, else as far as can be told from what was sent and what came.

    What another server took to say it is told from the words and the sound. What another took to hear is entered where
    that was asked for.
    """
    sound_out_s = _seconds(reply.clips)
    usage, cost = reply.usage, _own_cost(reply)
    if not (usage.input_tokens or usage.output_tokens):
        # Of sound that another made of the words the server has no tokens.
        audio_out = _whole(sound_out_s * _habits(exchange).tokens_out_per_s) if exchange.options.aloud else 0
        sent = expected.usage
        usage = _usage(sent.input_text_tokens, sent.input_audio_tokens, text_tokens([reply.text]), audio_out)
        cost = _own_cost(replace(reply, usage=usage, model=reply.model or exchange.options.model))
    paid = Cost() + cost
    if sound_out_s:
        with contextlib.suppress(SetupError):  # as in `known_cost`
            paid += _speaker_cost(exchange, len(reply.text), sound_out_s)
    return Toll(usage.input_tokens + usage.output_tokens, paid, expected.sound_in_s + sound_out_s)


def known_cost(reply: Reply) -> Cost | None:
    """What an answer cost; None where that is not known, be it because the file of prices can't be read any more."""
    try:
        return reply.cost
    except SetupError:  # it could be when the request was sent, and the answer must not be lost for it
        return None


def least_cost(reply: Reply) -> Cost:
    """What an answer cost, as far as that is known: where another server heard or spoke, the tokens of its own."""
    known = known_cost(reply)
    if known is not None:
        return known
    return (_own_cost(reply) or Cost()) + None


def _own_cost(reply: Reply) -> Cost | None:
    """What the server took that answered, whoever heard or spoke for it."""
    return known_cost(replace(reply, heard_by="", spoken_by="") if reply.heard_by or reply.spoken_by else reply)


def learn(exchange: Exchange, expected: Estimate, reply: Reply) -> None:
    """Take note of what a server counted for a whole answer."""
    usage, sound_out_s = reply.usage, _seconds(reply.clips)
    habits = _known.setdefault(_key(exchange), _Habits())
    if usage.input_audio_tokens and expected.sound_in_s:
        habits.heard += usage.input_audio_tokens
        habits.heard_s += expected.sound_in_s
    if usage.output_audio_tokens and sound_out_s:
        habits.spoken += usage.output_audio_tokens
        habits.spoken_s += sound_out_s
    if usage.output_tokens:
        answers = habits.answers[exchange.options.aloud]
        answers[0] += 1
        answers[1] += usage.output_tokens - usage.output_audio_tokens
        answers[2] += usage.output_audio_tokens


def text_tokens(words: Iterable[str]) -> int:
    """About how many tokens texts are.

    Examples
    --------
    >>> text_tokens(["Is a golden retriever a good family dog?"])
    10
    """
    return _tokens(sum(len(word.encode("utf-8", "surrogatepass")) for word in words))


def _tokens(text_bytes: int) -> int:
    return math.ceil(text_bytes / _BYTES_PER_TOKEN)


def _whole(tokens: float) -> int:
    """Rounded up; what adding seconds up has left behind the comma is not a token."""
    return math.ceil(round(tokens, 6))


def _usage(text_in: int, audio_in: int, text_out: int, audio_out: int) -> Usage:
    return Usage(
        input_tokens=text_in + audio_in,
        output_tokens=text_out + audio_out,
        input_text_tokens=text_in,
        input_audio_tokens=audio_in,
        output_text_tokens=text_out,
        output_audio_tokens=audio_out,
    )


def _cost(exchange: Exchange, usage: Usage) -> Cost | None:
    if exchange.backend.offline:
        return Cost()
    price = price_of(exchange.options.model, server=exchange.backend.name)
    return price.of(usage) if price is not None else None


def _speaker_cost(exchange: Exchange, characters: int, sound_s: float) -> Cost | None:
    """About what it takes to have an answer of this length said by another; nothing where nobody else says it."""
    who = exchange.speaker
    if who is None or who.offline or not characters:
        return Cost()
    price = price_of(who.dialect.speech_model, server=who.name)
    words, sound = _tokens(characters), _whole(sound_s * TOKENS_OUT_PER_S)
    return price.of(replace(_usage(words, 0, 0, sound), characters=characters)) if price is not None else None


def _speaker_model(exchange: Exchange) -> str:
    return f"{exchange.speaker.dialect.speech_model} on {exchange.speaker.name}" if exchange.speaker else ""


def _habits(exchange: Exchange) -> _Habits:
    return _known.get(_key(exchange), _Habits())


def _key(exchange: Exchange) -> tuple[str, str]:
    return exchange.backend.name, family(exchange.options.model)


def _seconds(clips: Iterable[Clip]) -> float:
    return sum(clip.duration_s for clip in clips)
