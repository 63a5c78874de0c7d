"""The cutting of text into speakable pieces, whole and while it arrives."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbaudio.sentences import LONGEST, SentenceFeed, passages, pieces

# Text that is likely to hit the rules: marks, abbreviations, digits, breaks, quotes and long runs.
SCRAPS = [
    *"abcXYZI019 ,.;:!?…—–-\n\t\"'”’)(*_#。！é漢😀",
    *(" ", ". ", ", ", "\n\n", "Dr. ", "e.g. ", "J. K. ", "p.m. ", "3.5", "...", "?! ", "No. 5 ", "1. ", "U.S. "),
    *("word " * 20, "x" * 120, "one, two, three, four, five, six ", " " * 50),
]
TEXTS = st.lists(st.sampled_from(SCRAPS), max_size=60).map("".join) | st.text(max_size=400)


def visible(text: str) -> str:
    return "".join(text.split())


def stream(text: str, sizes: list[int], eager: bool = False) -> list[str]:
    """What a feed gives when the text comes in tokens of these sizes, over and over."""
    feed, out, at, turn = SentenceFeed(eager=eager), [], 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        out += feed.feed(text[at : at + size])
        at, turn = at + size, turn + 1
    return out + feed.flush()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Dr. Smith met Mrs. Jones. They left.", ["Dr. Smith met Mrs. Jones.", "They left."]),
        ("It costs 3.5 euros. Cheap.", ["It costs 3.5 euros.", "Cheap."]),
        ("Fruit, e.g. Apples, i.e. Food. Yes.", ["Fruit, e.g. Apples, i.e. Food.", "Yes."]),
        ("J. K. Rowling wrote it. So did I. True.", ["J. K. Rowling wrote it.", "So did I.", "True."]),
        ("Well... maybe. Well... Then no.", ["Well... maybe.", "Well...", "Then no."]),
        ("“Stop!” she said. “Why?” He knew.", ["“Stop!” she said.", "“Why?”", "He knew."]),
        ('He said "no." Then (at last.) He went.', ['He said "no."', "Then (at last.)", "He went."]),
        ("See No. 5 and Fig. 2. I said no. Then I left.", ["See No. 5 and Fig. 2.", "I said no.", "Then I left."]),
        ("At 5 p.m. The U.S. Army came, etc. Nobody saw.", ["At 5 p.m.", "The U.S. Army came, etc.", "Nobody saw."]),
        ("Visit example.com. Now.", ["Visit example.com.", "Now."]),
        ("**Bold.** *Next.* End", ["**Bold.**", "*Next.*", "End"]),
        ("1. Apples\n2. Pears\n\nDone", ["1. Apples", "2. Pears", "Done"]),
        ("A wrapped\nline here\nAnother", ["A wrapped\nline here", "Another"]),
        ("A title\n\nand text", ["A title", "and text"]),
        ("... Hello. !!! World", ["... Hello.", "!!! World"]),
        ("今日は。元気？はい", ["今日は。", "元気？", "はい"]),
        ("Really?!  Yes", ["Really?!", "Yes"]),
        ("", []),
        (" \n\t ", []),
    ],
)
def test_sentences_are_cut_where_a_reader_would(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


def test_long_sentence_is_cut_at_its_last_clause_mark() -> None:
    clause = "and the river went on through the quiet valley, "
    cut = pieces("Once " + clause * 12 + "to the sea.")
    assert len(cut) > 1
    assert all(piece.endswith("valley,") for piece in cut[:-1])
    assert all(LONGEST * 0.6 < len(piece) <= LONGEST for piece in cut[:-1])


def test_long_text_without_marks_is_cut_at_spaces_and_a_long_word_anywhere() -> None:
    words = "river " * 120
    assert all(set(piece.split()) == {"river"} for piece in pieces(words))
    assert [len(piece) for piece in pieces("x" * 700)] == [300, 300, 100]


@settings(deadline=None)
@given(TEXTS)
def test_pieces_lose_nothing_and_are_neither_empty_nor_long(text: str) -> None:
    cut = pieces(text)
    assert visible("".join(cut)) == visible(text)
    assert all(piece == piece.strip() and 0 < len(piece) <= LONGEST for piece in cut)


@settings(deadline=None)
@given(TEXTS, st.lists(st.integers(1, 40), min_size=1, max_size=20), st.booleans())
def test_feed_does_not_depend_on_how_the_text_arrives(text: str, sizes: list[int], eager: bool) -> None:
    assert stream(text, sizes, eager) == stream(text, [1], eager)


@settings(deadline=None)
@given(TEXTS, st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_feed_gives_the_pieces_of_the_whole_text(text: str, sizes: list[int]) -> None:
    assert stream(text, sizes) == pieces(text)


@settings(deadline=None)
@given(TEXTS)
def test_eager_feed_loses_nothing_either(text: str) -> None:
    cut = stream(text, [7], eager=True)
    assert visible("".join(cut)) == visible(text)
    assert all(cut)


def test_first_piece_may_end_at_a_clause_and_later_ones_not() -> None:
    text = "When the sun came up over the hills, the birds began to sing, and I woke. Then, at last, I rose."
    assert stream(text, [4], eager=True) == [
        "When the sun came up over the hills,",
        "the birds began to sing, and I woke.",
        "Then, at last, I rose.",
    ]


@pytest.mark.parametrize("opening", ["Yes, of course, ", "Extraordinarily, unquestionably, "])
def test_first_clause_needs_both_length_and_words(opening: str) -> None:
    first = stream(opening + "that is what I would do: nothing.", [3], eager=True)[0]
    assert first == opening + "that is what I would do:"


def test_dash_without_spaces_ends_a_first_clause() -> None:
    assert stream("There was only one thing left—the long way home.", [1], eager=True) == [
        "There was only one thing left—",
        "the long way home.",
    ]


def test_range_of_numbers_is_not_a_clause() -> None:
    assert stream("The shop is open in the hours of 9–17 on week-days.", [1], eager=True) == [
        "The shop is open in the hours of 9–17 on week-days."
    ]


def test_piece_comes_with_the_first_letter_of_the_next_word() -> None:
    feed = SentenceFeed()
    assert feed.feed("It works.") == []
    assert feed.feed(" ") == []
    assert feed.feed("N") == ["It works."]


def test_feed_can_be_used_again_after_a_flush() -> None:
    feed = SentenceFeed()
    assert feed.feed("One") + feed.flush() + feed.flush() == ["One"]
    assert feed.feed("Two. ") + feed.flush() == ["Two."]


def test_a_book_takes_linear_time() -> None:
    sentence = "The quick brown fox jumps over the lazy dog, and nobody minds. "
    start = time.process_time()
    assert len(pieces(sentence * 16_000)) == 16_000
    pieces("a" + " " * 300_000 + "b")
    assert time.process_time() - start < 5


# -- passages -----------------------------------------------------------------------------------------------


def within(longest: int) -> Callable[[str], bool]:
    return lambda text: len(text) <= longest


def test_passages_end_with_sentences() -> None:
    sentences = [f"This is number {n}, and it says little." for n in range(20)]
    cut = passages(" ".join(sentences), within(130))
    assert [passage for _, passage in cut] == [" ".join(sentences[at : at + 3]) for at in range(0, 18, 3)] + [
        " ".join(sentences[18:])
    ]


def test_a_long_sentence_is_not_cut_in_two_where_it_can_be_avoided() -> None:
    long = "Once " + "and the river went on through the quiet valley, " * 9 + "to the sea."
    short = "It was late. " * 24
    cut = [passage for _, passage in passages(f"{short}{long} It was late.", within(600))]
    assert cut == [short.strip(), f"{long} It was late."]


def test_paragraphs_keep_the_space_between_them() -> None:
    assert passages(" One.\n\nTwo.\tThree ", within(5)) == [("", "One."), ("\n\n", "Two."), ("\t", "Three")]


@settings(deadline=None)
@given(TEXTS, st.integers(1, 120))
def test_passages_lose_nothing_and_fit(text: str, longest: int) -> None:
    cut = passages(text, within(longest))
    assert "".join(gap + passage for gap, passage in cut) == text.strip()
    assert all(0 < len(passage) <= longest for _, passage in cut)
    assert all(gap == "" or gap.isspace() for gap, _ in cut)


def test_a_book_is_cut_in_linear_time() -> None:
    start = time.process_time()
    cut = passages("The quick brown fox jumps over the lazy dog, and nobody minds. " * 8_000, within(4096))
    assert len(cut) == 124
    assert time.process_time() - start < 5
