"""What the offline voice does with text: levels, ends, pauses, odd input."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbaudio.engine.speak import SAMPLE_RATE, Speaker, _finished

Floats = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    return Speaker()


def silence_behind_s(sound: Floats) -> float:
    return float(len(sound) - 1 - np.flatnonzero(sound)[-1]) / SAMPLE_RATE


def level_dbfs(sound: Floats) -> float:
    return float(20 * np.log10(np.sqrt(np.square(sound).mean())))


def test_sound_is_mono_float_at_its_level(speaker: Speaker) -> None:
    for text in ("Please turn left at the second bridge.", "Yes!", "Hm."):
        sound = speaker.speak(text, "marin")
        assert sound.dtype == np.float32
        assert sound.ndim == 1
        spoken = sound[: np.flatnonzero(sound)[-1] + 1]
        assert -23 < level_dbfs(spoken) < -19
        assert np.abs(sound).max() <= 1
        assert abs(float(sound.mean())) < 1e-3


def test_same_arguments_give_the_same_samples_whatever_was_said_before(speaker: Speaker) -> None:
    first = speaker.speak("A fair hearing.", "shimmer", 1.3)
    speaker.speak("Something else, in another voice.", "onyx")
    assert np.array_equal(speaker.speak("A fair hearing.", "shimmer", 1.3), first)
    assert np.array_equal(Speaker().speak("A fair hearing.", "shimmer", 1.3), first)


def test_threads_can_share_a_speaker(speaker: Speaker) -> None:
    voices = ["onyx", "nova", "sage", "ash"]
    alone = {voice: speaker.speak("One at a time, please.", voice) for voice in voices}
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda voice: speaker.speak("One at a time, please.", voice), voices * 3))
    assert all(np.array_equal(sound, alone[voice]) for sound, voice in zip(together, voices * 3, strict=True))


@pytest.mark.parametrize(
    "text",
    ["", " \n", "...", "?!", "—", "-", "🎉😀", "👩\u200d👩\u200d👧", "漢字", "\x00\x07", "\ud800", "[](/a/)"],
)
def test_text_with_nothing_to_say_gives_no_samples(speaker: Speaker, text: str) -> None:
    sound = speaker.speak(text)
    assert sound.shape == (0,)
    assert sound.dtype == np.float32


@pytest.mark.parametrize(
    ("odd", "plain"),
    [
        ("[x](/həlˈO/)", "x"),
        ("Read [the manual](https://example.com/a) now.", "Read the manual now."),
        ("[[x](/həlˈO/)]", "[x]"),
        ("so\u00adft", "soft"),
        ("a\tb\x07c", "a b c"),
        ("card 4111111111111111", "card 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"),
        ("step ③", "step 3"),
        ("İstanbul", "Istanbul"),
    ],
)
def test_odd_text_is_said_as_its_plain_form(speaker: Speaker, odd: str, plain: str) -> None:
    assert np.array_equal(speaker.speak(odd), speaker.speak(plain))


@pytest.mark.parametrize(
    "text",
    ["9" * 300, "x" * 700, "1⁷2₄", "$" + "9" * 40, "9," * 60, "привет", "<b>&amp;</b>", "[x](/", "\\" * 50],
)
def test_text_that_hibari_alone_fails_on_or_reads_slowly_is_survived(speaker: Speaker, text: str) -> None:
    assert np.isfinite(speaker.speak(text, speed=4.0)).all()


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=30))
def test_any_text_is_survived(speaker: Speaker, text: str) -> None:
    sound = speaker.speak(text, "verse", 4.0)
    assert np.isfinite(sound).all()
    assert not sound.size or np.abs(sound).max() <= 1


@pytest.mark.parametrize(
    ("text", "pause_s"),
    [
        ("We left.", 0.3),
        ("We left!", 0.3),
        ("We left?", 0.3),
        ("We left…", 0.3),
        ("“We left.”", 0.3),
        ("We left,", 0.12),
        ("We left;", 0.12),
        ("We left —", 0.12),
        ("We left", 0.2),
    ],
)
def test_pause_fits_the_closing_mark(speaker: Speaker, text: str, pause_s: float) -> None:
    assert silence_behind_s(speaker.speak(text, "marin")) == pytest.approx(pause_s, abs=0.002)
    assert silence_behind_s(speaker.speak(text, "marin", 2.0)) == pytest.approx(pause_s / 2, abs=0.002)


def test_nothing_but_the_pause_is_silent_at_the_ends(speaker: Speaker) -> None:
    sound = speaker.speak("Birds sing.", "coral")
    spoken = sound[: np.flatnonzero(sound)[-1] + 1]
    tenth = SAMPLE_RATE // 10
    assert level_dbfs(spoken[:tenth]) > -50
    assert level_dbfs(spoken[-tenth:]) > -50


def test_ends_do_not_click_even_if_the_sound_is_cut_where_it_is_loud() -> None:
    tone = np.cos(np.arange(12_000, dtype=np.float32) * 0.2)
    finished = _finished(tone, pause_s=0.1)
    spoken, pause = finished[:12_000], finished[12_000:]
    assert spoken[0] == spoken[-1] == 0
    assert np.abs(spoken[:24]).max() < 0.3 * np.abs(spoken).max() > np.abs(spoken[-24:]).max()
    assert len(pause) == 2400
    assert not pause.any()


def test_peaks_are_bent_and_not_clipped() -> None:
    pulses = np.full(24_000, 0.01, np.float32)
    pulses[::2400] = 1.0
    pulses[1::2400] = 0.5
    finished = _finished(pulses, pause_s=0)
    assert 0.7 < finished[2401] < finished[2400] <= 1


def test_text_is_said_piece_by_piece(speaker: Speaker) -> None:
    whole = speaker.speak("The door opened. Nobody came in!", "echo")
    parts = [speaker.speak(text, "echo") for text in ("The door opened.", "Nobody came in!")]
    assert np.array_equal(whole, np.concatenate(parts))


def test_long_text_without_marks_is_said_whole(speaker: Speaker) -> None:
    once, often = speaker.speak("river " * 10, "marin"), speaker.speak("river " * 200, "marin")
    assert 15 < len(often) / len(once) < 25


@pytest.mark.parametrize("voice", ["marin", "onyx", "shimmer"])
@pytest.mark.parametrize("speed", [0.25, 0.4, 0.7, 0.9, 1.1, 1.5, 2.0, 4.0])
def test_speed_divides_the_duration(speaker: Speaker, voice: str, speed: float) -> None:
    text = "My sister bought three green apples, a loaf of bread and some cheese."
    normal, changed = speaker.speak(text, voice), speaker.speak(text, voice, speed)
    assert len(changed) * speed / len(normal) == pytest.approx(1, rel=0.08)


@pytest.mark.parametrize("speed", [0.24, 4.01, 0.0, -1.0, float("nan"), float("inf")])
def test_speed_out_of_range_is_refused(speaker: Speaker, speed: float) -> None:
    with pytest.raises(ValueError, match=r"not between 0\.25 and 4\.0"):
        speaker.speak("Hello.", speed=speed)


def test_unknown_voice_is_refused_and_the_known_ones_named(speaker: Speaker) -> None:
    with pytest.raises(ValueError, match=r"no voice 'heart'.*alloy.*verse"):
        speaker.speak("Hello.", "heart")


# -- when each word sounds ----------------------------------------------------------------------------------


def loud_from_s(sound: Floats, after_s: float) -> float:
    """When it gets louder than -40 dBFS after a time."""
    level = np.sqrt(np.square(sound[: len(sound) // 120 * 120]).reshape(-1, 120).mean(axis=1))
    first = int(after_s * SAMPLE_RATE / 120)
    return (first + int(np.flatnonzero(level[first:] > 0.01)[0])) * 120 / SAMPLE_RATE


@pytest.mark.parametrize(("speed", "off_s"), [(0.5, 0.16), (1.0, 0.07), (2.0, 0.05)])
@pytest.mark.parametrize("voice", ["marin", "onyx", "nova", "ballad"])
def test_words_are_timed_as_they_sound(speaker: Speaker, voice: str, speed: float, off_s: float) -> None:
    text = "Go. Ten, ninety, about, every. Wait! Please?"
    frames = 0
    for said in speaker.say(text, voice, speed):
        first, *_, last = (said.words[0], None, said.words[-1])
        assert loud_from_s(said.samples, 0) == pytest.approx(first.start_s, abs=off_s)
        silent_s = silence_behind_s(said.samples)
        assert len(said.samples) / SAMPLE_RATE - silent_s == pytest.approx(last.end_s, abs=2 * off_s)
        frames += len(said.samples)
    assert frames == len(speaker.speak(text, voice, speed))


def test_words_have_their_places_in_the_whole_text(speaker: Speaker) -> None:
    text = "  One two.\n\nThree 🙂 four, (five)!  "
    words = [text[word.start : word.end] for said in speaker.say(text) for word in said.words]
    assert words == ["One", "two.", "Three", "four,", "(five)!"]


def test_times_go_forward_within_the_sound_of_any_text(speaker: Speaker) -> None:
    text = (
        "Dr. Who paid $3.5 million at 3:30 pm; e.g. [this](https://x.org) — and " + "x" * 500 + " 9999999999999999 end."
    )
    for said in speaker.say(text, "verse", 4.0):
        edges = [edge for word in said.words for edge in (word.start_s, word.end_s)]
        assert edges == sorted(edges)
        assert edges[0] >= 0
        assert edges[-1] <= len(said.samples) / SAMPLE_RATE
