"""Markdown to words worth saying: the marks go, the words stay, and nothing takes long."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbaudio.speakable import speakable


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("**Yes**, *really*, ***both***, __so__.", "Yes, really, both, so."),
        ("# What is it?\nA dog.", "What is it?\nA dog."),
        ("## Dogs ##\nThey bark.", "Dogs.\nThey bark."),
        ("First:\n\n- one\n- two\n\n1. three\n2) four", "First:\n\none\ntwo\n\nthree\nfour"),
        ("> quoted\n> twice", "quoted\ntwice"),
        ("See [the guide](https://example.org/a_(b)?c=1).", "See the guide."),
        ("![a golden dog](dog.png)", "a golden dog"),
        ("It is at https://www.example.org/a/b?c=d.", "It is at example.org."),
        ("(see <https://example.org/x>)", "(see example.org)"),
        ("Use `print(x)` here.", "Use print(x) here."),
        ("Try:\n```python\nx = 1\n```\nDone.", "Try:\nHere is some code.\nDone."),
        ("Cut off:\n```python\nx = ", "Cut off:\nHere is some code."),
        ("above\n\n---\n\nbelow", "above\n\n\n\nbelow"),
        ("a <b>bold</b> word<br/>", "a bold word"),
        ("a<!-- not\nthis --> word", "a word"),
        ("~~~\nx = 1\n~~~\nDone.", "Here is some code.\nDone."),
        ("> It is:\n> ```\n> x = 1\n> ```", "It is:\nHere is some code."),
        ("~~No~~ **yes,\nit is**", "No yes,\nit is"),
        ("- [ ] milk\n- [x] bread", "milk\nbread"),
        ("It costs \\*5\\* &amp; more", "It costs *5* & more"),
        ("See [the guide][1], [it][].\n\n[1]: https://example.org 'A guide'\n[It]: #there", "See the guide, it."),
        ("It barks.[^1]\n\n[^1]: Not always.", "It barks.\n\nNot always."),
        ("Write to <ada@example.org>, or see www.example.org/a?b=c.", "Write to ada@example.org, or see example.org."),
        ("``a `b` c`` and <details><summary>More</summary>", "a `b` c and More"),
    ],
)
def test_marks_go_and_words_stay(written: str, said: str) -> None:
    assert speakable(written) == said


@pytest.mark.parametrize(
    "plain",
    [
        "2 * 3 is 6, and snake_case_names stay",
        "1 < 2 and 3 > 2",
        "Wait... for it.",
        "It was in 1984. Then came 3.5 more.",
        "Tom's dog; #1 of all (really) costs $5 & more!",
        "a*b*c and x_1_y",
        "[Ada]: Good morning.",
        "AT&T and Q&A",
        "It is words[0][1], see [2].",
        "Ünïcödé, 日本語, 🙂",
    ],
)
def test_plain_sentences_stay_as_they_are(plain: str) -> None:
    assert speakable(plain) == plain


@given(st.text("abcdefgh ,.?!'", max_size=80))
def test_words_without_marks_never_change(text: str) -> None:
    assert speakable(text).split() == text.split()


@given(st.text(max_size=200))
def test_any_text_can_be_read_out(text: str) -> None:
    said = speakable(text)

    assert said == said.strip()
    assert speakable(said) is not None


_MARKS = ["*", "_a ", "[", "![", "`", "```\n", "<", "<a", "http://", "**a", "# ", "- ", "> "]
_MARKS += ["~~a", "~~~\n", "<!--", "&a", "\\", "[^a]", "[a][", "[a]: /b\n[a][a] ", "www.", "``a", "**a\n"]


@pytest.mark.parametrize("text", _MARKS)
def test_no_text_takes_long(text: str) -> None:
    begun = time.perf_counter()

    speakable(text * (20_000 // len(text)))

    assert time.perf_counter() - begun < 3


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("| Dog | Age |\n|:--|--:|\n| *Rex* | 3 |", "Here is a table.\nDog: Rex, Age: 3."),
        ("Dog | Age\n--- | ---\nRex | 3\nIda |", "Here is a table.\nDog: Rex, Age: 3.\nDog: Ida."),
        ("|  | A |\n|---|---|\n| x | Yes! |", "Here is a table.\nx, A: Yes!"),
        ("| a |\n| --- |\n\nafter | it", "Here is a table.\n\nafter | it"),
        ("| a | b |\n| --- | --- |\n| x \\| y | `z` |", "Here is a table.\na: x | y, b: z."),
        ("```\n| a |\n| - |\n```", "Here is some code."),
        ("this | is\nno | table", "this | is\nno | table"),
        ("a | b | c\n--- | ---\nd | e", "a | b | c\n--- | ---\nd | e"),
        ("Heading\n=======\nText", "Heading\n\nText"),
    ],
)
def test_a_table_is_read_row_by_row(written: str, said: str) -> None:
    assert speakable(written) == said


@pytest.mark.parametrize("text", ["|", "| - |\n", "|-", "-", "a|b\n-|-\n", "\\|"])
def test_no_table_takes_long(text: str) -> None:
    begun = time.perf_counter()

    speakable("|\n" + text * (20_000 // len(text)) + "x")

    assert time.perf_counter() - begun < 3
