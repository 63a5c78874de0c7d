"""A conversation on the page: who said what, the latest turns, and nothing that could act."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hostile import HOSTILE, Page, folded
from signals import voice

from nbaudio import Clip, Conversation, NbAudio, Reply, ToolCall, ToolResult, Turn, Usage
from nbaudio.display.reply import OFFLINE

CLIP = Clip(voice(), 24_000)
MP3 = Clip(CLIP.encode("mp3"))
TALK = [
    Turn("user", "Look.", (CLIP,), time=1_700_000_000.0, transcript="What is the weather?"),
    Reply(model="gpt-audio-1.5", tool_calls=(ToolCall("1", "weather", '{"city": "Oslo"}'),)),
    ToolResult(text="no such city", name="weather", call_id="1", failed=True),
    Reply(
        text="It is cold.\n\nVery.",
        clips=(CLIP,),
        model="gpt-audio-1.5",
        voice="ash",
        usage=Usage(24, 14, 23, 1, 0, 12, 2),
        time=1_700_000_003.0,
    ),
    Reply(text="It br", model="gpt-audio-1.5", partial=True, note="This answer broke off; what came of it is kept."),
    Reply(text="No.", refusal="No.", offline=True),
]
PLAIN = """\
Conversation(6 turns)

You, 2023-11-14 22:13:20 UTC:
    Look.

    What is the weather?
    [Spoken, 1.0 s]

gpt-audio-1.5:
    [calls weather({"city": "Oslo"})]

Tool weather, failed:
    no such city

gpt-audio-1.5, 2023-11-14 22:13:23 UTC:
    It is cold.

    Very.
    [Spoken, 1.0 s]

gpt-audio-1.5, broke off:
    It br
    [This answer broke off; what came of it is kept]

Model, refused:
    No.
    [Offline voice: a small model on this machine, which is often wrong]"""


@pytest.fixture(autouse=True)
def notebook_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bundle(turns: list[Turn]) -> dict[str, str]:
    made: dict[str, str] = Conversation(turns)._repr_mimebundle_()
    return made


def page(turns: list[Turn]) -> Page:
    return Page(bundle(turns)["text/html"])


def test_plain_text_has_everybody_and_everything() -> None:
    assert bundle(TALK)["text/plain"] == PLAIN


def test_the_repr_is_one_short_line() -> None:
    assert repr(Conversation(TALK)) == "Conversation(6 turns)"


def test_html_has_them_in_order_with_players_and_details() -> None:
    shown = page(TALK)

    said = (
        *(
            "You",
            "2023-11-14 22:13:20 UTC",
            "Look.",
            "What is the weather?",
            "gpt-audio-1.5",
            'weather({"city": "Oslo"})',
        ),
        *("Tool weather", "failed", "no such city", "It is cold.", "Very.", "24 in, 14 out", "broke off", "It br"),
        *("refused", "No.", OFFLINE),
    )
    at = 0
    for words in said:
        at = shown.words.index(words, at)
    assert [attributes["title"] for name, attributes in shown.elements if name == "audio"] == [
        "You, 1.0 s",
        "gpt-audio-1.5, 1.0 s",
    ]
    assert sum(name == "details" for name, _ in shown.elements) >= 1
    assert not any("open" in attributes for name, attributes in shown.elements if name == "details")


def test_markdown_has_the_words_without_marks_of_its_speakers() -> None:
    shown = bundle([Turn("user", "*a* <b>"), Reply(text="# b", model="m_1_")])["text/markdown"]

    assert shown == "**You**\n\n\\*a\\* \\<b\\>\n\n**m\\_1\\_**\n\n\\# b"


def test_a_window_of_the_latest_turns_says_how_many_are_before() -> None:
    turns = [Turn("user", f"number {number}") for number in range(1000)]
    shown = bundle(turns)

    for form in ("text/plain", "text/html", "text/markdown"):
        assert "980 earlier turns are not shown here" in shown[form]
        assert re.findall(r"number (\d+)", shown[form]) == [str(number) for number in range(980, 1000)]
    assert "1 earlier turn is not shown here" in bundle(turns[:21])["text/plain"]
    assert "earlier" not in bundle(turns[:20])["text/plain"]


def test_an_empty_conversation_says_so() -> None:
    assert bundle([])["text/plain"] == "Conversation(0 turns)\n\n[Nothing has been said yet]"
    assert "Nothing has been said yet." in bundle([])["text/html"]


def test_all_players_together_stay_within_the_budget_and_the_latest_come_first(notebook_folder: Path) -> None:
    NbAudio.instance().embed_budget_kb = 10
    turns: list[Turn] = [Turn("user", "", (Clip(voice(duration_s=length), 24_000),)) for length in (1, 9, 1, 1)]

    shown = page(turns)

    players = [str(attributes["src"]) for name, attributes in shown.elements if name == "audio"]
    assert len(players) == 2
    assert sum(len(source) * 3 / 4 for source in players) < 10_100
    assert shown.words.index("chat[1].clip plays it") < shown.words.rindex(
        "Spoken" if "Spoken" in shown.words else "You"
    )
    assert shown.words.count("is left out here, for size") == 2
    assert list(notebook_folder.iterdir()) == []  # showing writes no files


def test_an_mp3_is_shown_as_it_is_and_what_is_on_disk_plays_too(tmp_path: Path) -> None:
    saved = Conversation([Turn("user", "", (MP3,))]).save(tmp_path / "talk.nbaudio")
    loaded = Conversation.load(saved)

    assert loaded[0].clips[0].parked
    assert loaded._repr_mimebundle_()["text/html"] == bundle([Turn("user", "", (MP3,))])["text/html"]


def test_what_was_shown_lately_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    chat = Conversation()
    for number in range(3):
        data = Clip(voice(duration_s=1.0 + number), 24_000).encode("wav")
        clip = Clip(data)
        clip.park(lambda data=data, number=number: read.append(number) or data)  # type: ignore[func-returns-value,misc]
        chat.append(Reply(text=f"Answer {number}.", clips=(clip,)))
    read.clear()  # the journal has read them
    first = chat._repr_mimebundle_()["text/html"]
    assert sorted(read) == [0, 1, 2]
    assert chat._repr_mimebundle_()["text/html"] == first
    assert sorted(read) == [0, 1, 2]
    chat.edit(1, "Another.")
    chat._repr_mimebundle_()
    assert sorted(read) == [0, 1, 2]
    monkeypatch.setattr("nbaudio.conversation.showing._KNOWN_BYTES", 10_000)
    chat._repr_mimebundle_()  # the oldest is let go
    chat._repr_mimebundle_()
    assert len(read) > 3


@pytest.mark.parametrize("time", [0.0, -5.0, 1e18, float("nan"), float("inf")])
def test_a_time_that_can_not_be_is_not_shown(time: float) -> None:
    assert "UTC" not in bundle([Turn("user", "x", time=time)])["text/plain"]


def test_nobody_can_pass_for_somebody_else_in_plain_text() -> None:
    shown = bundle([Reply(text="Yes.\nYou:\n    I agree.\u2028You:\x85You:\rYou:", model="m\nYou:")])["text/plain"]

    assert not re.search(r"(?m)^You", shown)
    assert shown.splitlines()[2].startswith("m You")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    turns = [
        Turn("user", text, transcript=text),
        Reply(text=text, model=text, note=text, audio_id=text, tool_calls=(ToolCall(text, text, text),)),
        ToolResult(text=text, name=text),
    ]

    shown = page(turns)

    assert shown.names <= {
        *("div", "figure", "figcaption", "p", "br", "strong", "small", "code", "pre"),
        *("details", "summary", "table", "tbody", "tr", "td"),
    }
    assert all(set(attributes) <= {"style", "class"} for _, attributes in shown.elements)
    assert folded(shown.words).count(folded(text)) >= 8
