"""What an answer is made of: recordings of any form, heard in little memory, and texts that fit."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import soundfile
from serving.stand_ins import GatedBrain, engine_of

from nbaudio.engine.answer import Answerer
from nbaudio.engine.asked import Refusal

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
            answerer.hear(data, "messages[0]")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 20e6, "as floats it is 61 MB"

    def test_how_long_it_is_does_not_change_with_the_rate(self) -> None:
        answerer = Answerer(engine_of(GatedBrain()))
        data = sound(np.zeros(3 * 44_100, np.int16), 44_100, "WAV", "PCM_16")
        assert answerer.hear(data, "messages[0]") == ("Hello.", 3.0)

    def test_what_is_too_long_is_refused(self) -> None:
        answerer = Answerer(engine_of(GatedBrain(), most_audio_s=2.0))
        with pytest.raises(Refusal, match="longer than 2 s") as refused:
            answerer.hear(sound(np.zeros(48_000, np.int16), 16_000, "WAV", "PCM_16"), "messages[0]")
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
        Answerer(engine).hear(sound(samples, 16_000, "WAV", "FLOAT"), "messages[0]")
        assert max(seen) == pytest.approx(0.1)
