"""Which phonemes are which word's, also where other words are said than are written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbaudio.engine.reading import Reader, Reading, plain

ODD = ["cat", "3.5", "$5", "e.g.", "—", "🙂", "«q»", "A+B", "10:30", "№", "x_y", "ﬁ"]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


def sounds(reading: Reading, text: str) -> dict[str, str]:
    """The phonemes of each word."""
    return {text[word.start : word.end]: reading.phonemes[int(word.first) : round(word.last)] for word in reading.words}


def test_each_word_has_its_phonemes_without_the_marks_around_it(reader: Reader) -> None:
    text = "“Hello,” said (the) cat."
    found = sounds(reader.read(text), text)
    assert found == {"“Hello,”": "hˈɛlO", "said": "sˈɛd", "(the)": "ðə", "cat.": "kˈæt"}


@pytest.mark.parametrize(
    ("text", "word", "said"),
    [
        ("It is 12 km away.", "12", "twˈɛlv"),
        ("It is 12 km away.", "km", "kəlˈɑməTəɹz"),
        ("Dr. Who, I think.", "Dr.", "dˈɑktəɹ"),
        ("So 5% of it.", "5%", "fˈIv pəɹsˈɛnt"),
        ("It’s late.", "It’s", "ˌɪts"),
        ("A 🙂 cat.", "cat.", "kˈæt"),
        ("In 1984 then.", "then.", "ðˈɛn"),
    ],
)
def test_words_that_are_read_as_others(reader: Reader, text: str, word: str, said: str) -> None:
    assert sounds(reader.read(text), text)[word] == said


def test_words_that_stand_for_several_share_their_time_by_their_letters(reader: Reader) -> None:
    text = "At 3:30 pm we left."
    reading = reader.read(text)
    at, half_past, pm, we, _ = reading.words
    assert at.last <= half_past.first < half_past.last <= pm.first < pm.last <= we.first
    assert half_past.last - half_past.first > pm.last - pm.first


def test_what_is_not_said_has_no_stretch(reader: Reader) -> None:
    text = "🙂 Well — no."
    reading = reader.read(text)
    assert [text[word.start : word.end] for word in reading.words if word.first < word.last] == ["Well", "no."]
    assert len(reading.words) == 4


@settings(max_examples=150)
@given(
    st.lists(
        st.sampled_from(["cat", "3.5", "$5", "e.g.", "—", "🙂", "«q»", "A+B", "10:30", "№", "x_y", "ﬁ"]), max_size=12
    )
)
def test_stretches_lie_in_order_within_the_phonemes(reader: Reader, words: list[str]) -> None:
    text = " ".join(words)
    reading = reader.read(text)
    assert [text[word.start : word.end] for word in reading.words] == words
    at = 0.0
    for word in reading.words:
        assert 0 <= word.first <= word.last <= len(reading.phonemes)
        if word.first < word.last:
            assert word.first >= at - 1e-9
            at = word.last


@settings(max_examples=100)
@given(st.text(max_size=40))
def test_any_text_is_survived(reader: Reader, text: str) -> None:
    assert len(reader.read(text).words) == len(text.split())


def test_plain_text_stays() -> None:
    assert plain("Plain text, with 25 words: none odd.") == "Plain text, with 25 words: none odd."
