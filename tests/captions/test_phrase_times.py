"""Which phrases a text has, and when each sounds, by the order in which words and sound came."""

from __future__ import annotations

import re
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbaudio.captions.phrases import Phrase, PhraseTimer
from nbaudio.captions.phrasing import LONGEST, Wording

LONG = (
    "When you charge a battery, you push small charged particles from one side to the other, and when you use it they "
    "travel back, which is why old batteries do not last as long."
)


def phrases_of(text: str) -> list[str]:
    wording = Wording()
    wording.add(text)
    return [text[phrase.start : phrase.end] for phrase in wording.phrases()]


def timer_of(*pieces: str | int, exact: bool = False) -> PhraseTimer:
    """A timer at 1,000 Hz that has taken words and frames in this order."""
    timer = PhraseTimer(1000, exact=exact)
    for piece in pieces:
        if isinstance(piece, str):
            timer.words(piece)
        else:
            timer.sound(piece)
    return timer


# -- phrases ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("", []),
        (" \n ", []),
        ("Hello", ["Hello"]),
        ("Yes. No! Why? Well… Ok.", ["Yes.", "No!", "Why?", "Well…", "Ok."]),
        ("Dr. No paid Mr. Smith 3.5 million. He left.", ["Dr. No paid Mr. Smith 3.5 million.", "He left."]),
        ("J. K. Rowling lives in the U.K. today, e.g. here.", ["J. K. Rowling lives in the U.K. today, e.g. here."]),
        ("See fig. 3 and no. 4. No. It was I. Then", ["See fig. 3 and no. 4.", "No.", "It was I.", "Then"]),
        ('"What?" she asked. "Yes!" He left.', ['"What?" she asked.', '"Yes!"', "He left."]),
        ("1. Eggs\n2. Milk\n\nThat is\nall", ["1. Eggs", "2. Milk", "That is\nall"]),
        ("It was in 1984. Then", ["It was in 1984.", "Then"]),
        ("... and then?", ["... and then?"]),
        ("今天天气很好，我们去公园吧。你说呢？好！", ["今天天气很好，我们去公园吧。", "你说呢？", "好！"]),
    ],
)
def test_a_sentence_is_a_phrase(text: str, phrases: list[str]) -> None:
    assert phrases_of(text) == phrases


def test_a_long_sentence_is_cut_at_its_clauses() -> None:
    assert phrases_of(LONG) == [
        "When you charge a battery,",
        "you push small charged particles from one side to the other,",
        "and when you use it they travel back,",
        "which is why old batteries do not last as long.",
    ]


def test_without_clauses_it_is_cut_between_words_into_even_parts() -> None:
    phrases = phrases_of("the quick brown fox jumps over the lazy dog again and again until it is tired of it at last")

    assert len(phrases) == 2
    assert min(map(len, phrases)) > 30


def test_only_a_word_that_is_longer_goes_beyond_the_longest() -> None:
    assert phrases_of(f"See {'x' * 100} here.") == ["See", "x" * 100, "here."]
    assert all(len(phrase) <= LONGEST / 2 for phrase in phrases_of("天" * 500))


BITS = ["Yes", "no.", "but", "3.5", "Dr.", "I.", "1.", "e.g.", "(so", 'on)."', "天气很好。", "!", "-", "“", "…", "…,"]
GAPS = st.sampled_from([" ", "\n", "\n\n", "", ", "])
TEXTS = st.lists(st.tuples(st.sampled_from(BITS) | st.text(max_size=6), GAPS).map("".join), max_size=30).map("".join)


@settings(max_examples=50)
@given(TEXTS, st.lists(st.integers(0, 10**6), max_size=8))
def test_nothing_is_lost_no_word_is_cut_and_pieces_do_not_matter(text: str, cuts: list[int]) -> None:
    phrases = phrases_of(text)

    assert "".join(re.sub(r"\s", "", phrase) for phrase in phrases) == re.sub(r"\s", "", text)
    wide = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
    words = {word for word in text.split() if not wide.search(word)}
    assert words <= {word for phrase in phrases for word in phrase.split()}
    marks = sorted(cut % (len(text) + 1) for cut in cuts)
    wording = Wording()
    for at, to in pairwise([0, *marks, len(text)]):
        wording.add(text[at:to])
        so_far = wording.phrases()
        assert [text[phrase.start : phrase.end] for phrase in so_far] == phrases_of(text[:to])
    assert wording.words() == sorted(wording.words())


# -- exact times --------------------------------------------------------------------------------------------


def test_words_begin_where_the_sound_before_them_ends() -> None:
    timer = timer_of("One moment.", 1200, 300, " Here", " it is.", 700, " Good.", 500, exact=True)

    assert timer.phrases(over=True)[:2] == (Phrase("One moment.", 0.0, 1.5), Phrase("Here it is.", 1.5, 2.2))
    last = timer.phrases(over=True)[2]
    assert (last.text, last.start_s) == ("Good.", 2.2)
    assert 2.4 < last.end_s <= 2.7  # the pause behind a sentence is no part of it


def test_within_a_run_times_go_by_letters_and_pauses() -> None:
    (first, second, third) = timer_of("Abcdefghij. Abcdefghij. Abcdefghij.", 42_000, exact=True).phrases(over=True)

    # Each has 10 letters and a pause that lasts as long as 4.
    assert (first.start_s, second.start_s, third.start_s, third.end_s) == (0.0, 14.0, 28.0, 38.0)


def test_digits_and_spelled_letters_take_longer() -> None:
    def share(first: str) -> float:
        return timer_of(f"{first}. Abcdefgh.", 1000, exact=True).phrases(over=True)[1].start_s

    assert share("Abcdefgh") == 0.5
    assert share("1999") > share("USA") > share("Abc")


def test_silence_before_the_first_words_is_not_theirs() -> None:
    assert timer_of(500, "Yes.", 1000, exact=True).phrases(over=True)[0].start_s == 0.5


def test_while_words_wait_for_their_sound_it_is_expected() -> None:
    timer = timer_of("Abcdefghij abcdefghij abcdefghij.", 2800, " Abcdefghij. Abcdefghij.", exact=True)

    expected = [phrase.start_s for phrase in timer.phrases()]
    assert expected == [0.0, 2.8, pytest.approx(3.8, abs=0.1)]
    timer.sound(100)
    assert [phrase.start_s for phrase in timer.phrases()] == expected
    timer.sound(9000)
    assert timer.phrases()[2].start_s > 6


# -- times by an even pace ----------------------------------------------------------------------------------


def test_all_words_first() -> None:
    timer = timer_of("Abcdefghij. Abcdefghij. Abcdefghij.", 21_000, 21_000)

    assert [phrase.start_s for phrase in timer.phrases(over=True)] == [0.0, 14.0, 28.0]


def test_words_are_not_heard_before_they_come() -> None:
    # An even pace would let the second sentence begin after 1.0 s.
    timer = timer_of("Abcdefghij.", 1400, " Abcdefghij.", 600)

    assert [phrase.start_s for phrase in timer.phrases(over=True)] == [0.0, 1.4]
    assert [phrase.start_s for phrase in timer_of("Abcdefghij. Abcdefghij.", 2000).phrases(over=True)] == [0.0, 1.0]


def test_words_that_come_behind_their_sound_tell_nothing() -> None:
    late = timer_of("Abcdefghij.", 10_000, 4000, " Abcdefghij. Abcdefghij. ", 28_000).phrases(over=True)
    behind = timer_of(4000, 38_000, "Abcdefghij. Abcdefghij. Abcdefghij.").phrases(over=True)

    assert [phrase.start_s for phrase in late] == [phrase.start_s for phrase in behind] == [0.0, 14.0, 28.0]


def test_while_it_arrives_the_pace_is_the_usual_one_or_slower() -> None:
    timer = timer_of(LONG, 100)
    usual = timer.phrases()[-1].start_s
    timer.sound(100)
    assert timer.phrases()[-1].start_s == usual
    timer.sound(20_000)
    assert timer.phrases()[-1].start_s > 1.5 * usual


def test_without_words_or_sound_there_are_no_phrases() -> None:
    assert timer_of().phrases() == timer_of(1000).phrases(over=True) == timer_of("Yes.").phrases(over=True) == ()
    assert timer_of(" \n", 1000, " ", exact=True).phrases(over=True) == ()
    assert timer_of("Yes.").phrases() == (Phrase("Yes.", 0.0, 0.21),)


def test_a_phrase_is_one_line() -> None:
    assert timer_of("It is\n  all\x00right", 1000).phrases(over=True)[0].text == "It is all right"


def test_a_whole_answer_is_taken_by_its_marks() -> None:
    text, marks = "One moment. Here it is.", [(11, 0), (23, 1200), (23, 2200)]

    assert PhraseTimer(1000).phrases() == ()
    for exact in (True, False):
        timer = PhraseTimer(1000, exact=exact)
        timer.take(text, marks)
        assert timer.phrases(True) == timer_of("One moment.", 1200, " Here it is.", 1000, exact=exact).phrases(True)


SAID = ["Yes. ", "no", ", but", " 3", "…", "\n\n", "天气。", " & ", " I'd say"]
PIECES = st.lists(st.integers(0, 5000) | st.sampled_from(SAID), max_size=40)


@given(PIECES, st.booleans())
def test_phrases_follow_each_other_within_the_sound(pieces: list[str | int], exact: bool) -> None:
    timer = PhraseTimer(1000, exact=exact)
    for piece in pieces:
        timer.words(piece) if isinstance(piece, str) else timer.sound(piece)
        phrases = timer.phrases()
        assert all(left.end_s == right.start_s for left, right in pairwise(phrases))
    over = timer.phrases(over=True)
    duration_s = sum(piece for piece in pieces if isinstance(piece, int)) / 1000
    assert all(left.end_s == right.start_s for left, right in pairwise(over))
    assert all(0 <= phrase.start_s <= phrase.end_s <= duration_s for phrase in over)
    if duration_s:
        assert [phrase.text for phrase in over] == [phrase.text for phrase in phrases]


@given(st.lists(st.tuples(st.sampled_from(["Yes. ", "Do it now! ", "Fine.\n"]), st.integers(1, 5000)), max_size=20))
def test_exact_sentences_begin_with_their_sound(runs: list[tuple[str, int]]) -> None:
    timer = timer_of(*(piece for run in runs for piece in run), exact=True)
    begins = [0, *accumulate(frames for _, frames in runs)][:-1]

    assert [phrase.start_s for phrase in timer.phrases(over=True)] == [begin / 1000 for begin in begins]
