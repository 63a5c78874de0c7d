"""An answer on the page, in HTML, Markdown and plain text: everything that a reader needs, and no more."""

from __future__ import annotations

import pytest
from hostile import HOSTILE, Page, folded

from nbaudio.display.player import Embedded
from nbaudio.display.reply import OFFLINE, ReplyView, reply_html, reply_markdown, reply_plain, words_html

SOUND = Embedded(b"\xff\xfb\x00", "audio/mpeg", 1.5)
FULL = ReplyView(
    words="Yes.\n\nThey are.",
    sound=Embedded(None, "audio/mpeg", 1.5, href="nbaudio-media/a.mp3", note="It is in a file."),
    note="Cut at the token limit.",
    offline=True,
    details={"Model": "gpt-audio-1.5", "Tokens": "3 in, 4 out"},
)


def test_html_has_player_words_notes_and_details_in_this_order() -> None:
    page = Page(reply_html(FULL))

    assert page.audio["title"] == "Answer, 1.5 s"
    assert page.words.split("\n") == [
        *("Yes.", "They are.", "Cut at the token limit.", "It is in a file.", OFFLINE, "Details"),
        *("Model", "gpt-audio-1.5", "Tokens", "3 in, 4 out", ""),
    ]
    assert [name for name, _ in page.elements if name in ("audio", "figcaption", "details")] == [
        "audio",
        "figcaption",
        "details",
    ]


def test_plain_text_is_the_words_and_one_line_of_facts() -> None:
    assert reply_plain(FULL) == (
        "Yes.\n\nThey are.\n[spoken, 1.5 s; Cut at the token limit; It is in a file; "
        "Offline voice: a small model on this machine, which is often wrong]"
    )
    assert reply_plain(ReplyView("Yes.", SOUND)) == "Yes.\n[spoken, 1.5 s]"
    assert reply_plain(ReplyView("Yes.")) == "Yes."


def test_markdown_has_the_words_and_the_notes() -> None:
    assert reply_markdown(FULL) == (
        f"Yes.\n\nThey are.\n\n*Cut at the token limit.*\n\n*It is in a file.*\n\n*{OFFLINE}*"
    )


def test_without_sound_there_is_no_player_and_without_details_none_are_folded_away() -> None:
    page = Page(reply_html(ReplyView("Yes.")))

    assert page.names == {"figure", "figcaption", "p"}


def test_a_sound_that_could_not_be_kept_leaves_the_words_and_why() -> None:
    page = Page(reply_html(ReplyView("Yes.", Embedded(None, "audio/mpeg", 1.5, note="It could not be kept."))))

    assert "audio" not in page.names
    assert page.words == "Yes.\nIt could not be kept.\n"


@pytest.mark.parametrize("words", ["", " "])
def test_an_answer_without_words_says_so(words: str) -> None:
    view = ReplyView(words.strip(), SOUND)

    assert "(no words)" in Page(reply_html(view)).words
    assert reply_plain(view).startswith("(no words)")
    assert reply_markdown(view) == "(no words)"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_notes_and_details_stay_text(text: str) -> None:
    page = Page(reply_html(ReplyView(text, SOUND, note=text, details={text: text})))

    assert page.names <= {
        "figure", "audio", "figcaption", "p", "br", "small", "details", "summary", "table", "tbody", "tr", "td"
    }  # fmt: skip
    assert all(
        set(attributes) <= {"style", "class", "controls", "preload", "title", "src"} for _, attributes in page.elements
    )
    assert page.audio["src"] == SOUND.source
    assert folded(page.words).count(folded(text)) == 4  # the words, the note, a detail's name and its value
    assert folded(reply_plain(ReplyView(text))) == folded(text)


def test_words_that_are_still_coming_are_the_words_of_the_answer() -> None:
    assert str(words_html("Yes.\nNo.")) in str(reply_html(ReplyView("Yes.\nNo.")))
