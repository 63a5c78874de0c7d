"""What leaves a conversation for people without nbaudio: pages, Markdown, one sound with chapters, captions."""

from __future__ import annotations

import base64
import gc
import re
import tracemalloc
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from hostile import Page
from signals import tone, voice

from nbaudio import Captions, Clip, Conversation, Reply, ToolCall, ToolResult, Turn, Usage
from nbaudio.conversation import exporting
from nbaudio.display.page import page_begin
from nbaudio.errors import SavedFileError

LOW, HIGH = Clip(tone(300, duration_s=1.0), 24_000), Clip(tone(900, sample_rate=48_000, duration_s=0.5), 48_000)
TURNS = [
    Turn("user", "Listen <b>well</b>.", (LOW,), time=1_700_000_000.0, transcript="Good morning. How are you?"),
    Turn("user", "And this has no sound."),
    Reply(
        text="I am well. And you?",
        clips=(HIGH, LOW),
        time=1_700_000_001.0,
        model="gpt-audio-1.5",
        usage=Usage(24, 14),
        tool_calls=(ToolCall("1", "weather", "{}"),),
    ),
    ToolResult(text="3", name="weather", call_id="1", failed=True),
    Reply(text="It br", model="gpt-audio-1.5", partial=True, note="This answer broke off."),
    Turn("user", "", (HIGH,)),
]
CHAT = Conversation(TURNS, name="Dogs & cats")
STARTS_S = [0.0, 1.6, 3.7]
COLOURS = re.findall(r"--ink: (#\w+); --ground: (#\w+)", page_begin(""))
ENDS_S = [1.0, 3.1, 4.2]
TITLES = [
    "You: Listen <b>well</b>. Good morning. How are you?",
    "gpt-audio-1.5: I am well. And you?",
    "You",
]


class TestSound:
    @pytest.mark.parametrize("ending", ["wav", "mp3"])
    def test_chapters_as_ffmpeg_reads_them(self, ending: str, tmp_path: Path) -> None:
        with av.open(str(CHAT.export(tmp_path / f"talk.{ending}"))) as file:
            found = file.chapters()

        assert [chapter["metadata"]["title"] for chapter in found] == TITLES
        assert [float(chapter["start"] * chapter["time_base"]) for chapter in found] == pytest.approx(STARTS_S)
        if ending == "mp3":
            assert [float(chapter["end"] * chapter["time_base"]) for chapter in found] == pytest.approx(ENDS_S)

    def test_the_sounds_one_after_the_other_with_gaps(self, tmp_path: Path) -> None:
        samples = Clip(CHAT.export(tmp_path / "talk.wav")).samples[:, 0]

        assert len(samples) == 24_000 * 4.2
        expected = np.zeros_like(samples)
        for start_s, clip in zip([0.0, 1.6, 2.1, 3.7], [LOW, HIGH, LOW, HIGH], strict=True):
            start, heard = round(start_s * 24_000), clip.resample(24_000).samples[:, 0]
            expected[start : start + len(heard)] = heard
        assert np.abs(samples - expected).max() < 1e-4

    def test_another_reader_of_wav_agrees_on_its_sizes(self, tmp_path: Path) -> None:
        path = CHAT.export(tmp_path / "talk.wav")

        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (24_000, 1, 100_800)
        assert int.from_bytes(path.read_bytes()[4:8], "little") == path.stat().st_size - 8

    def test_an_mp3_is_as_long_and_as_loud(self, tmp_path: Path) -> None:
        clip = Clip(CHAT.export(tmp_path / "talk.mp3"))

        assert clip.duration_s == pytest.approx(4.2, abs=0.2)  # what an encoder adds at the ends
        assert clip.level_dbfs == pytest.approx(Clip(CHAT.export(tmp_path / "talk.wav")).level_dbfs, abs=0.5)

    @pytest.mark.parametrize("ending", ["wav", "mp3", "vtt"])
    def test_where_nothing_sounds_it_says_so(self, ending: str, tmp_path: Path) -> None:
        with pytest.raises(SavedFileError, match="Nothing in this conversation sounds"):
            Conversation(TURNS[1:2]).export(tmp_path / f"talk.{ending}")
        assert list(tmp_path.iterdir()) == []

    def test_a_talk_too_long_for_a_wav(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exporting, "_LONGEST_WAV_BYTES", 100_000)

        with pytest.raises(SavedFileError, match=r"longer than the 24 hours.*Export an \.mp3"):
            CHAT.export(tmp_path / "talk.wav")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("ending", ["wav", "html"])
    def test_a_long_talk_is_never_in_memory_as_a_whole(self, ending: str, tmp_path: Path) -> None:
        saved = Conversation(
            Reply(text=str(number), clips=(Clip(voice(duration_s=4) * (number + 1) / 60, 24_000),))
            for number in range(60)
        ).save(tmp_path / "talk.nbaudio")
        talk = Conversation.load(saved)
        gc.collect()
        tracemalloc.start()
        try:
            talk.export(tmp_path / f"talk.{ending}")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert peak < 6e6  # of floats all would be 23 MB, of one 0.4


class TestCaptions:
    def test_each_turn_that_sounds_at_its_time_with_its_speaker(self, tmp_path: Path) -> None:
        text = CHAT.export(tmp_path / "talk.vtt").read_text(encoding="utf-8")

        found = Captions.from_vtt(text)
        assert [phrase.text for phrase in found] == ["Good morning.", "How are you?", "I am well.", "And you?"]
        assert re.findall("<v ([^>]*)>", text) == ["You", "You", "gpt-audio-1.5", "gpt-audio-1.5"]
        assert found[0].start_s == pytest.approx(0, abs=0.05)
        assert found[2].start_s == pytest.approx(1.6, abs=0.05)
        assert found[3].end_s <= 3.1 + 0.002

    def test_a_speaker_can_not_break_out(self, tmp_path: Path) -> None:
        hostile = "a>\n\n00:00.000 --> 00:09.000\nfake & <b"
        talk = Conversation([Reply(text="Yes.", clips=(LOW,), model=hostile)])

        text = talk.export(tmp_path / "talk.vtt").read_text(encoding="utf-8")

        assert [phrase.text for phrase in Captions.from_vtt(text)] == ["Yes."]
        assert "\n<v a&gt; 00:00.000 --&gt; 00:09.000 fake &amp; &lt;b>Yes.\n" in text


class TestPage:
    def test_it_needs_nothing_beside_it(self, tmp_path: Path) -> None:
        text = CHAT.export(tmp_path / "talk.html").read_text(encoding="utf-8")
        page = Page(text.removeprefix("<!doctype html>\n"))

        sources = [str(attributes["src"]) for name, attributes in page.elements if name == "audio"]
        assert len(sources) == 3
        assert all(source.startswith("data:audio/mpeg;base64,") for source in sources)
        heard = Clip(base64.b64decode(sources[1].partition(",")[2]))
        assert heard.duration_s == pytest.approx(1.5, abs=0.1)
        assert not page.names & {"script", "link", "img", "iframe"}
        assert "http:" not in text
        assert "https:" not in text
        assert [path.name for path in tmp_path.iterdir()] == ["talk.html"]

    def test_the_browser_is_told_to_load_nothing(self, tmp_path: Path) -> None:
        page = Page(CHAT.export(tmp_path / "talk.html").read_text(encoding="utf-8").removeprefix("<!doctype html>\n"))

        (policy,) = [attributes["content"] for _, attributes in page.elements if "http-equiv" in attributes]
        assert policy == (
            "default-src 'none'; media-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        )

    def test_it_says_everything_in_order(self, tmp_path: Path) -> None:
        text = CHAT.export(tmp_path / "talk.html").read_text(encoding="utf-8")
        words = Page(text.removeprefix("<!doctype html>\n")).words

        places = [
            words.index(said)
            for said in (
                *("Dogs & cats", "You 2023-11-14 22:13:20 UTC", "Listen <b>well</b>.", "And this has no sound."),
                *("I am well. And you?", "weather({})", "24 in, 14 out", "Tool weather failed", "broke off", "It br"),
                "(no words)",
            )
        ]
        assert places == sorted(places)

    def test_an_mp3_goes_as_it_is(self, tmp_path: Path) -> None:
        mp3 = Clip(Clip(voice(), 44_100).encode("mp3", kbit_s=128))
        text = Conversation([Turn("user", "", (mp3,))]).export(tmp_path / "talk.html").read_text(encoding="utf-8")

        assert base64.b64encode(mp3.encode("mp3")).decode() in text

    @pytest.mark.parametrize(("ink", "ground"), COLOURS)
    def test_every_text_has_contrast(self, ink: str, ground: str) -> None:
        assert len(COLOURS) == 3  # by day, by night and on paper

        def luminance(colour: tuple[float, ...]) -> float:
            parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
            return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

        def parts(colour: str) -> tuple[float, ...]:
            return tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))

        # Notes have an opacity of 0.7.
        faded = tuple(0.7 * front + 0.3 * back for front, back in zip(parts(ink), parts(ground), strict=True))
        lighter, darker = sorted((luminance(faded), luminance(parts(ground))), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) > 4.5


class TestMarkdown:
    def test_the_words_as_they_are_written(self, tmp_path: Path) -> None:
        text = CHAT.export(tmp_path / "talk.md").read_text(encoding="utf-8")

        assert text.startswith("# Dogs & cats\n\n**You**, 2023-11-14 22:13:20 UTC\n\nListen \\<b\\>well\\</b\\>.\n")
        assert "\n\n**gpt-audio-1.5**, broke off\n\nIt br\n\n*This answer broke off.*\n" in text
        assert "\n\n**Tool weather**, failed\n\n3\n" in text


@pytest.mark.parametrize("name", ["talk.pdf", "talk", "talk.nbaudio"])
def test_an_ending_that_is_unknown_is_refused_with_those_that_are(name: str, tmp_path: Path) -> None:
    with pytest.raises(SavedFileError, match=r"one of \.md, \.html, \.wav, \.mp3, \.vtt; chat\.save"):
        CHAT.export(tmp_path / name)


def test_an_empty_conversation_is_a_page_and_markdown(tmp_path: Path) -> None:
    assert "<h1>Conversation</h1>" in Conversation().export(tmp_path / "talk.html").read_text()
    assert Conversation().export(tmp_path / "talk.md").read_text() == "# Conversation\n"
