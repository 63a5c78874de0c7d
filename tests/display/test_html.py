"""The one builder of HTML: what is not markup already is text, and text is escaped."""

from __future__ import annotations

import pytest
from hostile import HOSTILE, Page
from hypothesis import given
from hypothesis import strategies as st

from nbaudio.display.html import Html, escape_markdown, paragraphs, tag


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    page = Page(tag("p", text, "!", title=text))

    assert page.names == {"p"}
    assert page.words == text + "!\n"
    assert page.elements[0][1] == {"title": text}


@given(st.text(), st.text())
def test_any_text_comes_back_as_it_was(text: str, title: str) -> None:
    page = Page(tag("p", tag("b", text), text, title=title))

    assert page.names == {"p", "b"}
    assert page.words == text * 2 + "\n"
    assert page.elements[0][1] == {"title": title}


def test_markup_made_here_is_not_escaped_again() -> None:
    assert tag("p", tag("b", "<")) == "<p><b>&lt;</b></p>"
    assert isinstance(tag("p"), Html)


def test_html_joined_with_text_is_text_again() -> None:
    assert tag("p", tag("b", "x") + "<i>") == "<p>&lt;b&gt;x&lt;/b&gt;&lt;i&gt;</p>"


@pytest.mark.parametrize(
    ("made", "html"),
    [
        (tag("br"), "<br>"),
        (tag("audio", controls=True, preload="none", loop=False), '<audio controls preload="none"></audio>'),
        (tag("p", "x", class_="a b"), '<p class="a b">x</p>'),
    ],
)
def test_elements_and_attributes(made: Html, html: str) -> None:
    assert made == html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one", "<p>one</p>"),
        ("one\ntwo", "<p>one<br>two</p>"),
        ("one\n\ntwo", "<p>one</p><p>two</p>"),
        ("one\r\n\r\ntwo\r\nthree", "<p>one</p><p>two<br>three</p>"),
        ("one\n  \n\n\ntwo", "<p>one</p><p>two</p>"),
        ("\n one \n", "<p>one</p>"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_paragraphs(text: str, html: str) -> None:
    assert paragraphs(text) == html


@given(st.text())
def test_paragraphs_lose_no_word(text: str) -> None:
    page = Page(paragraphs(text))

    assert page.words.split() == text.split()
    assert page.names <= {"p", "br"}


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("Plain words, (really) - yes!", "Plain words, (really) - yes!"),
        ("# a", r"\# a"),
        ("- a\n+ b\n1. c\n2) d", "\\- a  \n\\+ b  \n1\\. c  \n2\\) d"),
        ("3.5 and 1984.", r"3\.5 and 1984."),
        ("[a](b) ![c](d)", r"\[a\](b) !\[c\](d)"),
        ("https://x.org", r"https\://x.org"),
        ("a \\ b", "a &#92; b"),
        ("    x", "&nbsp;&nbsp;&nbsp;&nbsp;x"),
        ("\tx", "&nbsp;&nbsp;&nbsp;&nbsp;x"),
        ("one\n\ntwo", "one\n\ntwo"),
        ("", ""),
    ],
)
def test_markdown_is_escaped_where_it_would_mean_something(text: str, markdown: str) -> None:
    assert escape_markdown(text) == markdown
