"""Passages joined: in order whenever they come, sample for sample, without clicks and long pauses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals import tone

from nbaudio.speaking.joining import Joining
from nbaudio.wire.answers import AudioDelta, TextDelta

RATE = 24_000
Samples = npt.NDArray[np.int16]


def spoken(hertz: float, *, before_s: float = 0.1, behind_s: float = 0.1, fade: int = 240) -> Samples:
    """A tone between two silences."""
    sound = tone(hertz, duration_s=0.5)[:, 0] * 32767
    edge = np.minimum(1, np.minimum(np.arange(len(sound)), np.arange(len(sound))[::-1]) / fade) if fade else 1
    silences = [np.zeros(round(length_s * RATE)) for length_s in (before_s, behind_s)]
    return np.rint(np.concatenate([silences[0], sound * edge, silences[1]])).astype(np.int16)


def pieces(samples: Samples, words: str, size: int = 1000) -> list[TextDelta | AudioDelta]:
    return [TextDelta(words), *(AudioDelta(samples[at : at + size].tobytes()) for at in range(0, len(samples), size))]


class Heard:
    def __init__(self, count: int) -> None:
        self.events: list[TextDelta | AudioDelta] = []
        self.joining = Joining(self.events.append, count)

    @property
    def samples(self) -> Samples:
        return np.frombuffer(b"".join(e.pcm16 for e in self.events if isinstance(e, AudioDelta)), "<i2")

    @property
    def words(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    def frames_before(self, words: str) -> int:
        place = next(at for at, event in enumerate(self.events) if isinstance(event, TextDelta) and event.text == words)
        return sum(len(event.pcm16) // 2 for event in self.events[:place] if isinstance(event, AudioDelta))

    def take(self, index: int, samples: Samples, words: str) -> None:
        for event in pieces(samples, words):
            self.joining.add(index, event)
        self.joining.end(index)


ONE, TWO, THREE = (spoken(hertz) for hertz in (200, 300, 400))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_in_whatever_order_they_come_they_are_joined_sample_for_sample(order: tuple[int, ...]) -> None:
    heard = Heard(3)
    for index in order:
        heard.take(index, (ONE, TWO, THREE)[index], f"w{index} ")
    assert np.array_equal(heard.samples, np.concatenate([ONE, TWO, THREE]))
    assert heard.words == "w0 w1 w2 "
    assert heard.joining.sound.clip().encode("pcm16") == heard.samples.tobytes()
    assert heard.joining.offsets == [0, len(ONE), len(ONE) + len(TWO)]


def test_side_by_side_the_first_is_heard_while_others_wait() -> None:
    heard = Heard(2)
    for first, second in zip(pieces(ONE, "one"), pieces(TWO, " two"), strict=True):
        heard.joining.add(1, second)
        heard.joining.add(0, first)
    assert heard.words == "one"
    assert 0.5 * RATE < len(heard.samples) < len(ONE)
    heard.joining.end(1)
    assert heard.words == "one"
    heard.joining.end(0)
    assert np.array_equal(heard.samples, np.concatenate([ONE, TWO]))


def test_words_come_when_their_sound_begins() -> None:
    heard = Heard(2)
    heard.take(0, ONE, "one")
    heard.take(1, TWO, " two")
    silence = 0.1 * RATE
    assert heard.frames_before("one") == 0  # the first are there to be read at once
    assert heard.joining.begins[0] == pytest.approx(silence, abs=8)
    assert heard.frames_before(" two") == pytest.approx(len(ONE) + silence, abs=8) == heard.joining.begins[1]


@pytest.mark.parametrize(
    ("behind_s", "before_s", "pause_s"),
    [
        (0.1, 0.1, 0.2),
        (0.4, 0.2, 0.6),
        (0.5, 0.5, 0.6),
        (2.0, 0.0, 0.6),
        (0.0, 2.0, 0.6),
        (0.1, 2.0, 0.6),
        (2.0, 0.1, 0.6),
    ],
)
def test_a_pause_is_no_longer_than_a_speakers(behind_s: float, before_s: float, pause_s: float) -> None:
    heard = Heard(2)
    heard.take(0, spoken(200, behind_s=behind_s), "one")
    heard.take(1, spoken(300, before_s=before_s), "two")
    loud = np.flatnonzero(np.abs(heard.samples.astype(int)) > 104)
    assert np.diff(loud).max() / RATE == pytest.approx(pause_s, abs=0.005)
    # where the second would begin had nothing been left out of it, so that times of its words can be counted from there
    assert heard.joining.begins[1] - heard.joining.offsets[1] == pytest.approx(before_s * RATE, abs=8)


def test_a_sound_that_is_cut_off_does_not_click() -> None:
    heard = Heard(2)
    heard.take(0, spoken(200, behind_s=0, fade=0)[:-30], "one")  # ends at the top of a wave
    heard.take(1, spoken(300, before_s=0, fade=0)[20:], "two")
    steps = np.abs(np.diff(heard.samples.astype(int)))
    assert steps.max() < 1.1 * np.abs(np.diff(tone(300)[:, 0] * 32767)).max()
    assert len(heard.samples) == len(spoken(200, behind_s=0)) - 30 + len(spoken(300, before_s=0)) - 20


def test_of_a_single_passage_nothing_is_changed_or_held_back() -> None:
    heard, samples = Heard(1), spoken(200, before_s=2.0, behind_s=2.0, fade=0)
    for event in pieces(samples, "one"):
        heard.joining.add(0, event)
    assert np.array_equal(heard.samples, samples)
    heard.joining.end(0)
    assert np.array_equal(heard.samples, samples)


def test_silence_alone_comes_out_as_it_is() -> None:
    heard = Heard(1)
    heard.take(0, np.zeros(5000, np.int16), "hush")
    assert len(heard.samples) == 5000
    assert heard.words == "hush"


def test_stopped_in_the_middle_it_gives_what_it_holds() -> None:
    heard = Heard(3)
    heard.take(0, ONE, "one")
    for event in pieces(TWO, "two")[:10]:
        heard.joining.add(1, event)
    heard.joining.stop()
    assert np.array_equal(heard.samples, np.concatenate([ONE, TWO[:9000]]))


@given(st.lists(st.lists(st.integers(-400, 400), max_size=30), min_size=1, max_size=4), st.integers(1, 7), st.randoms())
def test_nothing_but_quiet_is_ever_lost(passages: list[list[int]], size: int, dice: object) -> None:
    heard = Heard(len(passages))
    order = list(range(len(passages)))
    dice.shuffle(order)  # type: ignore[attr-defined]
    for index in order:
        for event in pieces(np.array(passages[index], np.int16), f"w{index}", size):
            heard.joining.add(index, event)
        heard.joining.end(index)
    assert heard.words == "".join(f"w{index}" for index in range(len(passages)))
    assert len(heard.samples) == sum(map(len, passages))  # all pauses here are short
