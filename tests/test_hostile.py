"""A thousand hostile transcripts through every display: nothing acts, nothing breaks the page, all can be read."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from hostile import read, transcripts
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from selectolax.lexbor import LexborHTMLParser, LexborNode
from signals import voice

from nbaudio import Captions, Clip, Conversation, Reply, Segment, ToolCall, ToolResult, Transcript, Turn
from nbaudio.captions.phrases import Phrase
from nbaudio.comparing import compared
from nbaudio.display.player import Embedded, player_html, player_markdown
from nbaudio.errors import NbaudioError, ServerFailed
from nbaudio.journal.found import Found, FoundTurns

TEXTS = transcripts(1000)
SHORT = [text for text in TEXTS if len(text) < 100_000]
CLIP = Clip(voice(duration_s=0.2), 24_000)
REPLY = Reply(text="x", clips=(CLIP,), note="A note.")
ELEMENTS = {
    *("div", "figure", "figcaption", "p", "br", "strong", "small", "code", "pre", "audio"),
    *("details", "summary", "table", "tbody", "tr", "td"),
}
ATTRIBUTES = {"style", "class", "controls", "preload", "title", "src", "scope"}
DRIVES_A_TERMINAL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202d\u202e\ud800-\udfff]")


def parsed(html: str) -> LexborNode:
    """What a browser makes of a piece of HTML, by the standard's own rules; it stays within where it was put."""
    page = LexborHTMLParser(f"<main>{html}</main><section>after</section>")
    body = page.body
    assert body is not None
    assert [node.tag for node in body.iter()] == ["main", "section"], "the page is broken"
    assert body.last_child is not None
    assert body.last_child.text() == "after"
    (main,) = page.css("main")
    return main


def check_html(html: str, *, elements: set[str] = ELEMENTS, attributes: set[str] = ATTRIBUTES) -> str:
    """Nothing of it can act; gives its words."""
    html.encode()  # a notebook's file is UTF-8
    main = parsed(html)
    for node in main.css("*"):
        assert node.tag in elements | {"main"}, f"{node.tag} on the page"
        assert set(node.attributes) <= attributes
        assert str(node.attributes.get("src", "data:audio/")).startswith("data:audio/")
        assert "url(" not in str(node.attributes.get("style", ""))
    return read(main.text(separator=" "))


def check_plain(text: str) -> str:
    """No terminal is driven by it, and no line turned around; gives its words."""
    text.encode()
    assert not DRIVES_A_TERMINAL.search(text)
    return read(text)


def check_markdown(text: str) -> str:
    """As the pages of nbconvert show it."""
    text.encode()
    return check_html(markdown2html_mistune(text), elements={"p", "em", "strong", "br"})


def no_gaps(text: str) -> str:
    return "".join(text.split())


def test_they_are_a_thousand_and_as_hostile_as_they_should_be() -> None:
    assert len(set(TEXTS)) == 1000
    assert sum(len(text) > 900_000 for text in TEXTS) == 2
    for mark in ("<script", "\x1b[", "\u202e", "\x00", "\ud83d", "onerror", "-->", "\u2028"):
        assert sum(mark in text for text in TEXTS) > 20, repr(mark)


def test_replies() -> None:
    for text in TEXTS:
        bundle = replace(REPLY, text=text, model=text[:9999])._repr_mimebundle_()
        said = read(text)

        assert said in check_html(bundle["text/html"])
        assert said in check_plain(bundle["text/plain"])
        json.dumps(bundle, ensure_ascii=False).encode()


def test_replies_in_markdown() -> None:
    for text in SHORT:
        shown = Reply(text=text, note=text)._repr_mimebundle_()["text/markdown"]
        assert no_gaps(read(text)) in no_gaps(check_markdown(shown))


def test_long_lines_in_markdown() -> None:
    for text in set(TEXTS) - set(SHORT):
        shown = Reply(text=text)._repr_mimebundle_()["text/markdown"]
        assert len(shown) > 900_000
        assert not re.search(r"(?<!\\)<", shown)


def test_players() -> None:
    sound = Embedded(b"\xff\xfb", "audio/mpeg", 1.0)
    for text in TEXTS:
        assert read(text) in check_html(player_html(sound, title=text, words=text))
        player_markdown(text, text).encode()


def test_transcripts() -> None:
    for text in TEXTS:
        named = text[:300] if text[:300].strip() else "x"
        segments = (Segment(text, 0.0, 1.0, named), Segment("Yes.", 1.0, 2.0, "Bob")) if text.strip() else ()
        for made in (
            Transcript(text, note=text[:999], model=text[:99], clip=CLIP),
            Transcript(text, segments=segments),
        ):
            bundle = made._repr_mimebundle_()
            assert read(text) in check_html(bundle["text/html"])
            assert read(text) in check_plain(bundle["text/plain"])
            if len(text) < 100_000:
                # Behind a name in bold, nbconvert reads the escaped reference \&\#60; as a character all the same.
                shown = unescape(check_markdown(bundle["text/markdown"]))
                assert no_gaps(unescape(read(text))) in no_gaps(shown)
            json.dumps(bundle, ensure_ascii=False).encode()


def test_subtitles_of_transcripts(tmp_path: Path) -> None:
    segments = tuple(
        Segment(text, float(place), place + 1.0, text[:50]) for place, text in enumerate(SHORT) if text.strip()
    )
    made = Transcript(" ".join(SHORT), segments=segments)
    for ending, read_back in ((".srt", Captions.from_srt), (".vtt", Captions.from_vtt)):
        text = made.save(tmp_path / f"a{ending}").read_bytes().decode()
        found = read_back(text)
        assert len(found) == len(made.captions) >= len(segments)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


def test_comparisons() -> None:
    for text in SHORT[:300]:
        bundle = compared(text, "something else " + text[::-1])._repr_mimebundle_()
        check_html(bundle["text/html"], elements=ELEMENTS | {"thead", "th"}, attributes=ATTRIBUTES | {"scope"})
        check_plain(bundle["text/plain"])


def test_what_tools_gave() -> None:
    for place, text in enumerate(TEXTS):
        bundle = ToolResult(text=text, name=text[:99], failed=place % 2 == 0)._repr_mimebundle_()
        said = no_gaps(read(text[:2000]))

        assert said in no_gaps(check_html(bundle["text/html"]))
        assert said in no_gaps(check_plain(bundle["text/plain"]))
        assert said in no_gaps(check_markdown(bundle["text/markdown"]))


def test_tables() -> None:
    found = [
        Found(text, text[:80], "user", 1.0, text[:99], "", text[:99], "", "kept", 0, partial=False, number=1)
        for text in TEXTS
    ]
    bundle = FoundTurns(found)._repr_mimebundle_()
    rows = check_html(bundle["text/html"], elements={"table", "thead", "tbody", "tr", "th", "td"})
    assert rows
    check_plain(bundle["text/plain"])
    assert len(bundle["text/plain"].split("\n")) == 1001  # one line each
    assert len(bundle["text/markdown"].split("\n")) == 1002


@pytest.fixture(scope="module")
def talk() -> Conversation:
    """All of them, as everything that a conversation holds."""
    turns: list[Turn] = []
    for place, text in enumerate(TEXTS):
        if place % 3 == 0:
            turns.append(Turn("user", text, (CLIP,) if place % 9 == 0 else (), transcript=text[:2000]))
        elif place % 3 == 1:
            call = ToolCall(text[:99], text[:99], text)
            turns.append(Reply(text=text, model=text[:99], note=text[:999], tool_calls=(call,), partial=place % 2 == 0))
        else:
            turns.append(ToolResult(text=text, name=text[:99], failed=place % 2 == 0))
    return Conversation(turns, name=TEXTS[0])


def test_views_of_conversations(talk: Conversation) -> None:
    for start in range(0, 1000, 20):
        shown = Conversation(talk[start : start + 20])
        bundle = shown._repr_mimebundle_()
        page, plain = check_html(bundle["text/html"]), check_plain(bundle["text/plain"])
        for turn in shown:
            assert read(turn.text) in page
            assert read(turn.text) in plain
        assert not re.search(
            r"(?m)^(?!You[:,]|Tool|\S.*:$|Conversation\(20 turns\)$| {4}|\s*$|\[)", bundle["text/plain"]
        )


def test_views_of_conversations_in_markdown(talk: Conversation) -> None:
    for start in range(0, 1000, 20):
        shown = Conversation(turn for turn in talk[start : start + 20] if len(turn.text) < 100_000)
        page = no_gaps(check_markdown(shown._repr_mimebundle_()["text/markdown"]))
        for turn in shown:
            assert isinstance(turn, ToolResult) or no_gaps(read(turn.text)) in page


def test_the_page_of_a_conversation(talk: Conversation, tmp_path: Path) -> None:
    html = talk.export(tmp_path / "talk.html").read_text(encoding="utf-8")

    page = LexborHTMLParser(html)
    assert page.body is not None
    assert [node.tag for node in page.body.iter()] == ["h1", *["figure"] * 1000]
    names = {node.tag for node in page.css("*")}
    assert names <= ELEMENTS | {"html", "head", "meta", "title", "style", "body", "h1"}
    for node in page.body.css("*"):
        assert set(node.attributes) <= ATTRIBUTES
    assert len(page.css("meta")) == 3
    assert len(page.css("audio")) == sum(bool(turn.clips) for turn in talk)
    for figure, turn in zip(page.css("figure"), talk, strict=True):
        assert read(turn.text) in read(figure.text(separator=" "))


def test_the_markdown_of_a_conversation(talk: Conversation, tmp_path: Path) -> None:
    few = Conversation((turn for turn in talk if len(turn.text) < 100_000), name=talk.name)
    text = few.export(tmp_path / "talk.md").read_text(encoding="utf-8")

    assert not DRIVES_A_TERMINAL.search(text)
    heading, _, rest = text.partition("\n")
    assert heading.startswith("# ")
    check_markdown(rest)


def test_captions(tmp_path: Path) -> None:
    captions = Captions(Phrase(text, place, place + 1) for place, text in enumerate(TEXTS))

    for ending, read_back in ((".srt", Captions.from_srt), (".vtt", Captions.from_vtt)):
        text = captions.save(tmp_path / f"a{ending}").read_bytes().decode()
        found = read_back(text)
        assert [(phrase.start_s, phrase.end_s) for phrase in found] == [(at, at + 1) for at in range(1000)]
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    for phrase, said in zip(found, TEXTS, strict=True):
        shown, meant = (no_gaps(read(text)).replace("?", "") for text in (phrase.text, said))
        assert shown == meant  # but for halves of characters, which a file shows as ?


def test_captions_of_a_conversation(talk: Conversation, tmp_path: Path) -> None:
    sounding = Conversation(turn for turn in talk if turn.clips and len(turn.text) < 100_000)
    text = sounding.export(tmp_path / "talk.vtt").read_text(encoding="utf-8")

    assert not DRIVES_A_TERMINAL.search(text)
    assert len(Captions.from_vtt(text)) == text.count("\n<v ") > 100


def test_errors() -> None:
    for text in TEXTS:
        for error in (NbaudioError(text, text), ServerFailed(text, status=500, code=text)):
            (line,) = error._render_traceback_()
            check_plain(line)
            assert read(text)[:1000] in read(line) or "[key]" in line  # three stars hide what stands beside them


def test_saved_files(talk: Conversation, tmp_path: Path) -> None:
    assert list(Conversation.load(talk.save(tmp_path / "talk.nbaudio"))) == list(talk)
