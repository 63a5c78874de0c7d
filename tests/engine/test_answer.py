"""What an answer is made of: recordings of any form, heard in little memory, and texts that fit."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import soundfile
from serving.stand_ins import GatedBrain, engine_of

from nbaudio.engine import answer
from nbaudio.engine.answer import Answerer, Tally
from nbaudio.engine.asked import Asked, Refusal, read_request
from nbaudio.engine.language import other_language
from nbaudio.engine.stepping import finished
from nbaudio.engine.think import TooLongForBrain

pytestmark = pytest.mark.offline


def sound(samples: Any, sample_rate: int, format: str, subtype: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, sample_rate, subtype, format=format)
    return file.getvalue()


class TestHearing:
    def test_a_small_file_with_much_sound_in_it_takes_little_memory(self) -> None:
        data = sound(np.zeros((10 * 192_000, 8), np.int16), 192_000, "FLAC", "PCM_16")
        answerer = Answerer(engine_of(GatedBrain()))
        tracemalloc.start()
        try:
            finished(answerer.hear(data, "messages[0]"))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 20e6, "as floats it is 61 MB"

    def test_how_long_it_is_does_not_change_with_the_rate(self) -> None:
        answerer = Answerer(engine_of(GatedBrain()))
        data = sound(np.zeros(3 * 44_100, np.int16), 44_100, "WAV", "PCM_16")
        assert finished(answerer.hear(data, "messages[0]")) == ("Hello.", 3.0)

    def test_what_is_too_long_is_refused(self) -> None:
        answerer = Answerer(engine_of(GatedBrain(), most_audio_s=2.0))
        with pytest.raises(Refusal, match="longer than 2 s") as refused:
            finished(answerer.hear(sound(np.zeros(48_000, np.int16), 16_000, "WAV", "PCM_16"), "messages[0]"))
        assert (refused.value.status, refused.value.code) == (413, "audio_too_long")

    def test_a_sample_that_is_no_number_is_silence(self) -> None:
        engine = engine_of(GatedBrain())
        seen: list[float] = []

        def passages(blocks: Any, **_: Any) -> Iterator[Any]:
            seen.extend(float(np.abs(block).max()) for block in blocks)
            return iter(())

        engine._listener.passages = passages  # type: ignore[union-attr,method-assign,assignment]
        samples = np.full(16_000, 0.1, np.float32)
        samples[[100, 200, 300]] = np.inf, -np.inf, np.nan
        finished(Answerer(engine).hear(sound(samples, 16_000, "WAV", "FLOAT"), "messages[0]"))
        assert max(seen) == pytest.approx(0.1)


class SmallBrain(GatedBrain):
    """Takes so many characters, each of which is a token to it."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self.tried: list[list[str]] = []

    def stream(self, messages: Sequence[dict[str, str]], **_: Any) -> Generator[str, None, None]:
        said = [message["content"] for message in messages]
        self.tried.append(said)
        if sum(map(len, said)) > self._most:
            raise TooLongForBrain("exceed_context_size_error")
        yield "That fits. "


def asked(*texts: str) -> Asked:
    roles = ["system", *("user", "assistant") * len(texts)]
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    audio = {"voice": "alloy", "format": "wav"}
    return read_request({"model": "offline", "modalities": ["text", "audio"], "audio": audio, "messages": messages})


class TestFitting:
    def test_what_the_model_can_not_hold_is_left_out_from_the_oldest_turn_on(self) -> None:
        brain, tally = SmallBrain(1200), Tally()
        answerer, request = Answerer(engine_of(brain)), asked("Be kind.", "1" * 900, "2" * 900, "3" * 900)
        messages = answerer.prepare(request, tally)
        before = tally.input_text_tokens
        pieces = list(answerer.pieces(request, messages, tally))
        assert [piece.text for piece in pieces] == ["That fits."]
        assert brain.tried[-1] == ["Be kind.", "3" * 900]
        assert tally.input_text_tokens < before

    def test_what_never_fits_is_refused(self) -> None:
        brain, tally = SmallBrain(500), Tally()
        answerer, request = Answerer(engine_of(brain)), asked("Be kind.", "1" * 900, "2" * 900, "3" * 900)
        messages = answerer.prepare(request, tally)
        with pytest.raises(Refusal, match="too long") as refused:
            list(answerer.pieces(request, messages, tally))
        assert (refused.value.status, refused.value.code) == (400, "context_length_exceeded")

    def test_of_very_many_turns_each_is_counted_once_or_twice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        texts = ["Be kind.", *(f"Turn {number}." for number in range(2_001))]
        counted: list[str] = []
        count = answer.text_tokens
        monkeypatch.setattr(answer, "text_tokens", lambda text: (counted.append(text), count(text))[1])
        fitted = Answerer(engine_of(GatedBrain())).prepare(asked(*texts), Tally())
        assert len(counted) <= 2 * len(texts)
        assert [message["content"] for message in fitted] == texts[:1] + texts[-len(fitted) + 1 :]
        assert 100 < len(fitted) < 1000

    def test_of_a_text_of_megabytes_the_language_of_its_beginning_is_found_out(self) -> None:
        other_language("Ab cd ef gh ij kl mn.")  # what finds it out takes 100 MB itself
        request, tally = asked("Be kind.", "ab cd ef gh " * 500_000), Tally()
        answerer = Answerer(engine_of(GatedBrain()))
        tracemalloc.start()
        try:
            with pytest.raises(Refusal, match="too long") as refused:
                answerer.prepare(request, tally)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert refused.value.code == "context_length_exceeded"
        assert peak < 30e6
