"""The static player, and where its sound lies."""

from __future__ import annotations

import base64

import pytest
from hostile import HOSTILE, Page

from nbaudio.display.player import Embedded, audio_html, player_html, player_markdown

SOUND = Embedded(b"\xff\xfb\x00", "audio/mpeg", 1.5)
BESIDE = Embedded(None, "audio/mpeg", 1.5, href="nbaudio-media/a.mp3", note="It is in nbaudio-media/a.mp3.")
NOWHERE = Embedded(None, "audio/mpeg", 1.5, note="It could not be kept.")


def test_the_player_is_one_element_with_its_sound_on_it() -> None:
    page = Page(audio_html(SOUND, "Answer, 1.5 s"))

    assert page.names == {"audio"}
    assert page.audio["controls"] is None
    assert page.audio["preload"] == "metadata"
    assert page.audio["title"] == "Answer, 1.5 s"
    assert page.audio["src"] == "data:audio/mpeg;base64," + base64.b64encode(b"\xff\xfb\x00").decode()


def test_a_file_beside_the_notebook_is_named() -> None:
    page = Page(player_html(BESIDE, title="t", words="w"))

    assert page.audio["src"] == "nbaudio-media/a.mp3"
    assert "It is in nbaudio-media/a.mp3." in page.words


def test_where_there_is_no_sound_there_is_no_player_but_the_words_and_why() -> None:
    page = Page(player_html(NOWHERE, title="t", words="the words"))

    assert "audio" not in page.names
    assert "the words" in page.words
    assert "It could not be kept." in page.words


def test_no_note_makes_no_paragraph() -> None:
    assert "small" not in Page(player_html(SOUND, title="t", words="w")).names


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_titles_words_notes_and_paths_stay_text(text: str) -> None:
    page = Page(player_html(Embedded(None, text, 1, href=text, note=text), title=text, words=text))

    assert page.names <= {"figure", "audio", "figcaption", "p", "br", "small"}
    assert page.audio["title"] == text
    assert page.audio["src"] == text
    assert set(page.audio) == {"controls", "preload", "title", "src", "style"}


def test_markdown_has_the_words_and_the_note() -> None:
    assert player_markdown("*words*", "a_note") == "\\*words\\*\n\n*a\\_note*"
    assert player_markdown("words") == "words"
