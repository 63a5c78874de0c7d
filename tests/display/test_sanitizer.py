"""JupyterLab's own sanitizer over everything that this package shows: it loses nothing, and nothing can act.

A notebook that came from somebody else is not trusted, and all its HTML goes through `Sanitizer` of
``@jupyterlab/apputils``. `front_end` runs that very code, and the Markdown of JupyterLab with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hostile import HOSTILE, Page, folded, read, transcripts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signals import voice

from nbaudio.conversation.talk import Conversation
from nbaudio.display.html import AS_WRITTEN, escape_markdown
from nbaudio.settings import NbAudio
from nbaudio.sound.clip import Clip
from nbaudio.turns import Reply, ToolResult, Turn
from nbaudio.wire.answers import Answer
from nbaudio.wire.tool_calls import ToolCall
from nbaudio.wire.usage import Usage

from .conftest import FrontEnd

CLIP = Clip(voice(), 24_000)
LONG = Clip(voice(duration_s=4), 24_000)
PCM = CLIP.encode("pcm16")
REPLY = Reply(
    text="Yes.\n\nThey are loyal & gentle: 1 < 2.",
    clips=(CLIP,),
    model="gpt-audio-1.5",
    voice="coral",
    backend="OpenAI",
    usage=Usage(24, 14, 23, 1, 0, 12, 2),
    audio_id="audio_1",
)
ACTS = {"script", "iframe", "object", "embed", "form", "link", "meta", "base", "svg", "style", "button", "a", "img"}


def answered(*, aloud: bool = True, whole: bool = True, **fields: Any) -> Reply:
    """A reply as it comes from the wire."""
    return Reply.from_answer(Answer(**fields), aloud=aloud, whole=whole, offline=False, backend="OpenAI", model="m")


def with_budget(kilobytes: int) -> None:
    NbAudio.instance().embed_budget_kb = kilobytes


SHOWN: dict[str, Callable[[], Any]] = {
    "a clip": lambda: CLIP,
    "a clip in stereo": lambda: Clip(voice(channels=2), 48_000),
    "silence": lambda: Clip([0.0] * 1000, 8_000),
    "a long clip, made smaller": lambda: with_budget(10) or LONG,
    "a long clip, beside the notebook": lambda: with_budget(1) or LONG,
    "a reply": lambda: REPLY,
    "a reply of words alone": lambda: replace(REPLY, clips=(), voice=""),
    "a reply of sound alone": lambda: replace(REPLY, text=""),
    "a reply from the offline engine": lambda: replace(REPLY, offline=True, backend="offline engine"),
    "a long reply, beside the notebook": lambda: with_budget(1) or replace(REPLY, clips=(LONG,)),
    "two sounds": lambda: replace(REPLY, clips=(CLIP, LONG)),
    "a refusal": lambda: answered(
        text="I can't help with that.", refusal="I can't help with that.", finish_reason="stop"
    ),
    "a partial reply": lambda: answered(text="Yes, they", audio=PCM, audio_format="pcm16", whole=False),
    "cut at the limit": lambda: answered(text="Yes, they", audio=PCM, audio_format="pcm16", finish_reason="length"),
    "filtered": lambda: answered(finish_reason="content_filter"),
    "words instead of sound": lambda: answered(text="Yes."),
    "a tool instead of words": lambda: answered(tool_calls=(ToolCall(name="get_weather"),), finish_reason="tool_calls"),
    "a sound that cannot be played": lambda: answered(text="Yes.", audio=b"no sound", audio_format="wav"),
}


@pytest.fixture(autouse=True)
def notebook_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", SHOWN)
def test_nothing_of_it_is_lost(name: str, front_end: FrontEnd) -> None:
    html = SHOWN[name]()._repr_mimebundle_()["text/html"]

    ours, kept = Page(html), Page(front_end.html(html))

    assert kept.elements == ours.elements
    assert kept.words == ours.words
    assert not kept.names & ACTS


@pytest.mark.parametrize("name", [name for name in SHOWN if "clip" in name or "long" in name or "partial" in name])
def test_a_player_is_left_with_sound_buttons_and_a_label(name: str, front_end: FrontEnd) -> None:
    audio = Page(front_end.html(SHOWN[name]()._repr_mimebundle_()["text/html"])).audio

    assert "controls" in audio
    assert audio["preload"] == "metadata"
    assert audio["title"]
    assert str(audio["src"]).startswith("nbaudio-media/" if "beside" in name else "data:audio/mpeg;base64,")


@pytest.mark.parametrize("name", SHOWN)
def test_plain_text_and_markdown_have_the_words_too(name: str, front_end: FrontEnd) -> None:
    shown = SHOWN[name]()
    bundle = shown._repr_mimebundle_()
    wordless = "get_weather()" if name == "a tool instead of words" else "(no words)"
    words = folded(repr(shown) if isinstance(shown, Clip) else shown.text or wordless)

    assert words in folded(bundle["text/plain"])
    page = Page(front_end.markdown(bundle["text/markdown"]))
    assert words in folded(page.words)
    assert page.names <= {"p", "em", "br"}


def test_every_kind_of_note_is_among_these() -> None:
    replies = [shown for shown in (make() for make in SHOWN.values()) if isinstance(shown, Reply)]

    assert {" ".join(reply.note.split()[:3]) for reply in replies} == {
        "",
        "This answer broke",
        "Cut at the",
        "The server's content",
        "The server sent",
        "The model asks",
        "The server's sound",
    }


def test_details_are_folded_away_in_a_table(front_end: FrontEnd) -> None:
    page = Page(front_end.html(REPLY._repr_mimebundle_()["text/html"]))

    assert {"details", "summary", "table", "tr", "td"} <= page.names
    assert folded(page.words).endswith(
        "Details Model gpt-audio-1.5 Voice coral Backend OpenAI "
        "Tokens 24 in, 14 out (sound: 1 in, 2 out) Cost $0.00034 Audio id audio_1"
    )


def test_no_formula_is_made_of_two_prices(front_end: FrontEnd) -> None:
    html = replace(REPLY, text="It costs $5, not $10.")._repr_mimebundle_()["text/html"]

    (figure, *_) = Page(front_end.html(html)).elements

    assert figure[1]["class"] == AS_WRITTEN


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_every_field_neither_acts_nor_gets_lost(text: str, front_end: FrontEnd) -> None:
    reply = replace(REPLY, text=text, model=text, voice=text, backend=text, audio_id=text, note=text)
    html = reply._repr_mimebundle_()["text/html"]

    ours, kept = Page(html), Page(front_end.html(html))

    assert kept.elements == ours.elements
    assert not kept.names & ACTS
    assert folded(kept.words).count(folded(text)) == 6


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_shows_as_it_is_written(text: str, front_end: FrontEnd) -> None:
    page = Page(front_end.markdown(escape_markdown(text)))

    assert page.names <= {"p", "br"}
    assert folded(page.words.replace("\xa0", " ")) == folded(text)


MARKS = st.text(alphabet="\\`*_{}[]()<>#+-.!|~$&=@:/'\"^ \n\t0129abhtpsw", max_size=60)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=MARKS)
def test_any_markdown_shows_as_it_is_written(text: str, front_end: FrontEnd) -> None:
    page = Page(front_end.markdown(escape_markdown(text)))

    assert page.names <= {"p", "br"}
    assert folded(page.words.replace("\xa0", " ")) == folded(text)


@pytest.mark.parametrize(
    ("html", "kept"),
    [
        ("<script>alert(1)</script>x", "x"),
        ("<img src=x onerror=alert(1)>", '<img src="x" />'),
        ('<audio><source src="a.mp3"></audio>', "<audio><source></source></audio>"),
        ('<audio src="a.mp3" aria-label="x" role="y"></audio>', '<audio src="a.mp3"></audio>'),
        ("<style>p{}</style><svg></svg>x", "x"),
        ('<p style="color:var(--x)">x</p>', "<p>x</p>"),
    ],
)
def test_the_sanitizer_is_the_real_one_and_would_take_all_this(html: str, kept: str, front_end: FrontEnd) -> None:
    assert front_end.html(html) == kept


@pytest.mark.parametrize(
    ("markdown", "made"),
    [("[a](https://x.org)", "a"), ("https://x.org", "a"), ("# a", "h1"), ("- a", "ul"), ("![a](b.png)", "img")],
)
def test_the_markdown_is_the_real_one_and_would_make_all_this(markdown: str, made: str, front_end: FrontEnd) -> None:
    assert made in Page(front_end.markdown(markdown)).names


CALLED = replace(REPLY, text="", clips=(), tool_calls=(ToolCall("1", "weather", '{"city": "Oslo"}'),))
TALKS: dict[str, Callable[[], list[Turn]]] = {
    "nothing": list,
    "a question and its answer": lambda: [Turn("user", "Is it?", (CLIP,), time=1.7e9, transcript="A dog?"), REPLY],
    "a tool": lambda: [CALLED, ToolResult(text="3", name="weather"), ToolResult(text="no", name="x", failed=True)],
    "what broke off": lambda: [answered(text="Yes, they", audio=PCM, audio_format="pcm16", whole=False)],
    "more than is shown": lambda: [Turn("user", str(number)) for number in range(50)],
    "more than fits": lambda: with_budget(5) or [Turn("user", "", (CLIP,)), Turn("user", "", (LONG,)), REPLY],
}


@pytest.mark.parametrize("name", TALKS)
def test_nothing_of_a_conversation_is_lost(name: str, front_end: FrontEnd) -> None:
    bundle = Conversation(TALKS[name]())._repr_mimebundle_()

    ours, kept = Page(bundle["text/html"]), Page(front_end.html(bundle["text/html"]))

    assert kept.elements == ours.elements
    assert kept.words == ours.words
    assert not kept.names & ACTS
    assert Page(front_end.markdown(bundle["text/markdown"])).names <= {"p", "em", "br", "strong"}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_a_conversation_neither_acts_nor_gets_lost(text: str, front_end: FrontEnd) -> None:
    reply = replace(REPLY, text=text, model=text, voice=text, backend=text, note=text, tool_calls=(ToolCall("", text),))
    talk = Conversation([Turn("user", text), reply, ToolResult(text=text, name=text)])
    bundle = talk._repr_mimebundle_()

    ours, kept = Page(bundle["text/html"]), Page(front_end.html(bundle["text/html"]))
    written = Page(front_end.markdown(bundle["text/markdown"]))

    assert kept.elements == ours.elements
    assert not kept.names & (ACTS - {"audio"})
    assert folded(kept.words).count(folded(text)) >= 7
    assert written.names <= {"p", "em", "br", "strong"}
    assert folded(written.words.replace("\xa0", " ")).count(folded(text)) >= 5


def test_hundreds_of_hostile_transcripts_as_jupyterlab_shows_them(front_end: FrontEnd) -> None:
    for text in transcripts(400, seed=2):
        if len(text) > 100_000:
            continue
        bundle = replace(REPLY, text=text, note=text)._repr_mimebundle_()
        page, written = front_end.html(bundle["text/html"]), front_end.markdown(bundle["text/markdown"])

        assert not Page(page).names & ACTS
        assert read(text) in read(Page(page).words)
        assert Page(written).names <= {"p", "em", "br"}
        assert "".join(read(text).split()) in "".join(read(Page(written).words).split())
