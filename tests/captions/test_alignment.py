"""Captions at the pauses of the sound: made-up speech whose words and pauses lie where the test has put them."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbaudio.captions.alignment import Follower, aligned
from nbaudio.captions.pauses import Loudness
from nbaudio.captions.phrases import PhraseTimer

RATE = 8000
Samples = npt.NDArray[np.float32]
TEXT = (
    "Well, I did. The train to the coast leaves at noon, but the ticket office closes an hour before. Do you want to "
    "go there today, or shall we stay at home because it rains so hard? Tell me."
)
PHRASES = [
    "Well, I did.",
    "The train to the coast leaves at noon,",
    "but the ticket office closes an hour before.",
    "Do you want to go there today,",
    "or shall we stay at home because it rains so hard?",
    "Tell me.",
]


def spoken(
    text: str,
    *,
    seed: int = 0,
    s_per_letter: float = 0.07,
    uneven: float = 0.0,
    noise: float = 0.0,
    before_s: float = 0.0,
) -> tuple[Samples, list[float]]:
    """A buzz for each word, pauses of 0.15 to 0.5 s behind its marks, and when each word begins."""
    dice, hiss = random.Random(seed), np.random.default_rng(seed)
    parts, begins, at = [np.zeros(round(before_s * RATE))], [], round(before_s * RATE)
    pace = s_per_letter
    for word in text.split():
        begins.append(at / RATE)
        lasts_s = max(1, len(re.sub(r"\W", "", word))) * pace
        buzz = 0.1 * np.sign(np.sin(np.arange(round(lasts_s * RATE)) * 2 * np.pi * 110 / RATE))
        pause_s = dice.uniform(0.25, 0.5) if word[-1] in ".?!" else dice.uniform(0.15, 0.25) if word[-1] in ",;" else 0
        if word[-1] in ".?!":
            pace = s_per_letter * (1 + dice.uniform(-uneven, uneven))
        parts += [buzz, np.zeros(round(pause_s * RATE))]
        at += len(parts[-1]) + len(parts[-2])
    sound = np.concatenate(parts)
    return (sound + hiss.normal(0, noise, len(sound)) if noise else sound).astype(np.float32), begins


def begins_of(phrases: list[str], begins: list[float]) -> list[float]:
    places = np.cumsum([0, *(len(phrase.split()) for phrase in phrases)])[:-1]
    return [begins[place] for place in places]


def timer_of(text: str, samples: Samples, *, exact: bool = False) -> PhraseTimer:
    timer = PhraseTimer(RATE, exact=exact)
    timer.words(text)
    timer.sound(len(samples))
    return timer


def worst(found: list[float], true: list[float]) -> float:
    assert len(found) == len(true)
    return max(abs(time_s - true_s) for time_s, true_s in zip(found, true, strict=True))


# -- pauses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.0, 0.0005, 0.004])
def test_speech_and_its_pauses_are_found(noise: float) -> None:
    samples, _ = spoken("Yes. No, no. Well", before_s=0.4, noise=noise)
    loudness = Loudness(RATE)
    loudness.add(samples)
    speech = loudness.speech()

    assert speech is not None
    assert speech.start_s == pytest.approx(0.4, abs=0.011)
    assert speech.end_s == pytest.approx(len(samples) / RATE, abs=0.011)
    assert len(speech.pauses) == 3


@given(st.lists(st.integers(0, 900), max_size=12))
def test_pieces_of_sound_do_not_matter(sizes: list[int]) -> None:
    samples, _ = spoken("Yes. No.")
    whole, pieces = Loudness(RATE), Loudness(RATE)
    whole.add(samples)
    for at, to in pairwise([0, *np.cumsum(sizes), len(samples)]):
        pieces.add(samples[at:to] if to > at else samples[:0])
    if sum(sizes) <= len(samples):
        assert str(pieces.speech()) == str(whole.speech())


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(10), np.zeros(24_000), np.zeros(24_000, np.int16)])
def test_silence_is_no_speech(samples: Samples) -> None:
    loudness = Loudness(RATE)
    loudness.add(samples)

    assert loudness.speech() is None


# -- whole answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("uneven", [0.0, 0.25])
@pytest.mark.parametrize("noise", [0.0, 0.001])
def test_phrases_begin_behind_their_pauses(seed: int, uneven: float, noise: float) -> None:
    samples, begins = spoken(TEXT, seed=seed, uneven=uneven, noise=noise, before_s=0.6)
    timer = timer_of(TEXT, samples)

    captions = aligned(timer, samples)

    assert [phrase.text for phrase in captions] == PHRASES
    true = begins_of(PHRASES, begins)
    assert worst([phrase.start_s for phrase in captions], true) < 0.03
    assert worst([phrase.start_s for phrase in timer.phrases(over=True)], true) > 0.3
    assert captions[-1].end_s < len(samples) / RATE - 0.2


def test_level_and_kind_of_samples_do_not_matter() -> None:
    samples, _ = spoken(TEXT)
    timer = timer_of(TEXT, samples)

    assert (
        aligned(timer, (samples * 30_000).astype(np.int16)) == aligned(timer, samples * 1e-3) == aligned(timer, samples)
    )


def test_without_a_pause_the_pace_is_even() -> None:
    samples = np.tile(spoken("Hello")[0][:800], 40)
    timer = timer_of("Abcdefgh. Abcdefgh.", samples)

    assert [phrase.start_s for phrase in aligned(timer, samples)] == [0.0, 2.0]


def test_silence_keeps_the_times_by_order() -> None:
    samples = np.zeros(4 * RATE, np.float32)
    timer = timer_of("Abcdefgh. Abcdefgh.", samples)

    assert aligned(timer, samples).phrases == timer.phrases(over=True)


def test_exact_runs_stay_where_they_are_and_pauses_part_what_is_in_them() -> None:
    long, short = " ".join(PHRASES[3:5]), PHRASES[5]
    first, begins = spoken(long)
    second, _ = spoken(short)
    timer = timer_of(long, first, exact=True)
    timer.words(f" {short}")
    timer.sound(len(second))

    captions = aligned(timer, np.concatenate([first, second]))

    assert [phrase.text for phrase in captions] == PHRASES[3:]
    assert captions[0].start_s == 0.0
    assert captions[1].start_s == pytest.approx(begins[7], abs=0.02)
    assert captions[2].start_s == pytest.approx(len(first) / RATE, abs=0.001)


# -- answers that broke off ---------------------------------------------------------------------------------


@pytest.mark.parametrize("heard", range(1, 6))
@pytest.mark.parametrize("s_per_letter", [0.06, 0.08])
def test_of_a_cut_answer_only_what_is_heard_has_captions(heard: int, s_per_letter: float) -> None:
    samples, begins = spoken(TEXT, s_per_letter=s_per_letter)
    true = begins_of(PHRASES, begins)
    samples = samples[: round((true[heard] - 0.1) * RATE)]

    captions = aligned(timer_of(TEXT, samples), samples, over=False)

    assert [phrase.text for phrase in captions] == PHRASES[:heard]
    assert worst([phrase.start_s for phrase in captions], true[:heard]) < 0.03
    assert captions[-1].end_s <= len(samples) / RATE


def test_a_long_cut_answer_is_followed_to_its_end() -> None:
    text = " ".join([TEXT] * 12)
    samples, begins = spoken(text, s_per_letter=0.085, uneven=0.2)
    samples = samples[: round(0.8 * len(samples))]

    captions = aligned(timer_of(text, samples), samples, over=False)

    true = begins_of(PHRASES * 12, begins)[: len(captions)]
    off = np.abs([phrase.start_s - true_s for phrase, true_s in zip(captions, true, strict=True)])
    assert len(samples) / RATE - true[-1] < 5
    assert np.median(off) < 0.02
    assert max(off) < 0.5


def test_words_that_nobody_heard_have_no_captions() -> None:
    timer = timer_of(TEXT, np.zeros(0, np.float32))

    assert len(aligned(timer, np.zeros(0, np.float32), over=False)) == 0


# -- while it arrives ---------------------------------------------------------------------------------------


def follow(samples: Samples, text: str, *, exact: bool = False) -> tuple[Follower, dict[str, float]]:
    """A follower that has taken it all, and when it said that a phrase begins, half a second after that was heard."""
    follower, said = Follower(RATE, exact=exact), {}
    follower.words(text)
    pcm16 = (samples * 32767).astype("<i2").tobytes()
    for at in range(0, len(pcm16), 1600):
        follower.sound(pcm16[at : at + 1600])
        for phrase in follower.phrases():
            if phrase.start_s + 0.5 < (at + 1600) / 2 / RATE:
                said.setdefault(phrase.text, phrase.start_s)
    return follower, said


def test_phrases_are_known_soon_after_they_are_heard() -> None:
    samples, begins = spoken(TEXT, s_per_letter=0.085)

    follower, said = follow(samples, TEXT)

    true = begins_of(PHRASES, begins)
    assert worst([said[phrase] for phrase in PHRASES[:-1]], true[:-1]) < 0.03
    assert worst([phrase.start_s for phrase in follower.phrases(over=True)], true) < 0.03


def test_a_long_answer_is_followed_and_its_past_stays() -> None:
    text = " ".join([TEXT] * 4)
    samples, begins = spoken(text, s_per_letter=0.08, uneven=0.2)
    follower = Follower(RATE)
    follower.words(text)
    pcm16 = (samples * 32767).astype("<i2").tobytes()
    before: list[float] = []
    for at in range(0, len(pcm16), RATE):
        follower.sound(pcm16[at : at + RATE])
        now = [phrase.start_s for phrase in follower.phrases() if phrase.start_s < at / 2 / RATE - 20]
        assert now[: len(before)] == before
        before = now
    assert len(before) > 12
    off = np.abs(np.subtract(before, begins_of(PHRASES * 4, begins)[: len(before)]))
    assert np.median(off) < 0.02


def test_words_that_come_between_two_looks_are_expected_behind_the_others() -> None:
    samples, _ = spoken("Well, I did.")
    follower = Follower(RATE)
    assert follower.phrases() == ()
    follower.words("Well, I")
    follower.sound((samples[:4000] * 32767).astype("<i2").tobytes())
    assert [phrase.text for phrase in follower.phrases()] == ["Well, I"]
    follower.words(" did. Tell me. Please.")
    phrases = follower.phrases()

    assert [phrase.text for phrase in phrases] == ["Well, I did.", "Tell me.", "Please."]
    assert 0.5 < phrases[1].start_s < phrases[2].start_s < 3


def test_exact_phrases_are_exact_as_soon_as_their_words_come() -> None:
    follower = Follower(RATE, exact=True)
    at = 0
    for sentence in re.findall(r"\S[^.?]*[.?]", TEXT):
        follower.words(f" {sentence}")
        assert any(phrase.start_s == round(at / RATE, 3) for phrase in follower.phrases())
        samples, _ = spoken(sentence)
        follower.sound((samples * 32767).astype("<i2").tobytes())
        at += len(samples)
    assert [phrase.text for phrase in follower.phrases(over=True)] == PHRASES


# -- whatever comes -----------------------------------------------------------------------------------------

SAID = ["Yes. ", "no", ", but", " 3", "…", "\n\n", "天气。", " & ", " I'd say", ". ", "(", " -- "]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(SAID), st.integers(0, 6000), st.sampled_from([0, 20, 9000])), max_size=25),
    st.booleans(),
    st.booleans(),
)
def test_captions_follow_each_other_within_the_sound(
    pieces: list[tuple[str, int, int]], exact: bool, over: bool
) -> None:
    noise = np.random.default_rng(0)
    timer, follower, sounds = PhraseTimer(RATE, exact=exact), Follower(RATE, exact=exact), [np.zeros(0, np.int16)]
    for words, frames, level in pieces:
        sounds.append((level * noise.standard_normal(frames)).clip(-32768, 32767).astype("<i2"))
        for taker in (timer, follower):
            taker.words(words)
        timer.sound(frames)
        follower.sound(sounds[-1].tobytes())
        assert all(left.end_s == right.start_s for left, right in pairwise(follower.phrases()))
    samples = np.concatenate(sounds)

    captions = aligned(timer, samples, over=over)

    duration_s = len(samples) / RATE
    assert all(left.end_s == right.start_s for left, right in pairwise(captions))
    assert all(0 <= phrase.start_s <= phrase.end_s <= duration_s for phrase in captions)
    texts = [phrase.text for phrase in timer.phrases(over)]
    assert [phrase.text for phrase in captions] == (texts if over else texts[: len(captions)])
    if over:
        assert follower.phrases(over=True) == captions.phrases
