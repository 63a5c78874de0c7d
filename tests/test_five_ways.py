"""The five ways in and out, streamed and not, against the loopback server and the offline engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jiwer
import numpy as np
import pytest
from openai_server import OpenAIServer

import nbaudio as nba
from nbaudio.settings import Backend

QUESTION = Path(__file__).parents[1] / "notebooks" / "question.wav"
GOOD_NEWS = Path(__file__).parents[1] / "notebooks" / "good_news.mp3"

Ask = Callable[..., nba.Reply]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Backend:
    monkeypatch.setenv("NBAUDIO_BACKEND", "offline")
    return nba.NbAudio.instance().resolve()


WAYS = {
    "text to text and audio": (("Is it loyal?",), True),
    "audio to text and audio": ((QUESTION,), True),
    "audio to text": ((QUESTION,), False),
    "text and audio to text and audio": (("Answer this question.", QUESTION), True),
    "text and audio to text": (("What is the mood of the speaker?", GOOD_NEWS), False),
}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("way", WAYS)
def test_with_the_loopback_server(server: OpenAIServer, way: str, stream: bool) -> None:
    parts, aloud = WAYS[way]
    reply = nba.Conversation(voice="coral").say(*parts, aloud=aloud, stream=stream)

    assert reply.text == "Yes, they are loyal and gentle."
    assert not reply.partial
    assert reply.note == ""
    assert reply.usage.input_tokens > 0
    assert reply.usage.output_tokens > 0
    body = server.requests[0].body
    assert body["modalities"] == (["text", "audio"] if aloud else ["text"])
    assert bool(body.get("stream")) is stream
    content = body["messages"][-1]["content"]
    kinds = ["text"] if isinstance(content, str) else [part["type"] for part in content]
    assert kinds == ["text"] * isinstance(parts[0], str) + ["input_audio"] * isinstance(parts[-1], Path)
    if aloud:
        assert body["audio"] == {"voice": "coral", "format": "pcm16" if stream else "wav"}
        assert reply.audio_id.startswith("audio_")
        assert reply.expires_at > reply.time + 3500
        assert reply.clip is not None
        expected = server.sound(reply.text)
        assert reply.clip.samples.shape == expected.shape
        np.testing.assert_allclose(reply.clip.samples, expected, atol=1.01 / 32768)
    else:
        assert reply.clip is None


@pytest.mark.parametrize("order", ["transcript_first", "mixed", "finish_on_last_data"])
def test_every_order_of_a_stream(server: OpenAIServer, order: str) -> None:
    server.stream_order = order  # type: ignore[assignment]
    server.comment_lines, server.line_end, server.piece_bytes = True, "\r\n", 1601
    events = list(nba.Conversation().stream("Hello"))

    assert "".join(e.text for e in events if isinstance(e, nba.TextDelta)) == "Yes, they are loyal and gentle."
    pcm16 = b"".join(e.pcm16 for e in events if isinstance(e, nba.AudioDelta))
    assert isinstance(events[-1], nba.Finished)
    reply = events[-1].reply
    assert reply.clip == nba.Clip.from_pcm16(pcm16)
    assert reply.finish_reason == "stop"
    assert reply.expires_at > 0


def test_the_formats_of_a_whole_answer(server: OpenAIServer) -> None:
    for audio_format in ("wav", "mp3", "flac", "opus", "pcm16"):
        reply = nba.Conversation().say("Hello", stream=False, audio_format=audio_format)
        assert reply.clip is not None
        assert reply.clip.duration_s == pytest.approx(1.0, abs=0.06)
        assert reply.clip.level_dbfs == pytest.approx(nba.Clip(server.sound(reply.text), 24_000).level_dbfs, abs=0.5)


def test_a_clip_fit_to_send_goes_as_it_is(server: OpenAIServer) -> None:
    import base64

    nba.Conversation().say(GOOD_NEWS, aloud=False)
    nba.Conversation().say(nba.Clip(nba.Clip(QUESTION).encode("flac")), aloud=False)
    mp3, from_flac = (request.body["messages"][0]["content"][0]["input_audio"] for request in server.requests)
    assert mp3["format"] == "mp3"
    assert base64.b64decode(mp3["data"]) == GOOD_NEWS.read_bytes()
    assert from_flac["format"] == "wav"
    assert nba.Clip(base64.b64decode(from_flac["data"])) == nba.Clip(QUESTION)


@pytest.mark.offline
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("way", WAYS)
def test_with_the_offline_engine(offline: Backend, way: str, stream: bool) -> None:
    parts, aloud = WAYS[way]
    reply = nba.Conversation(voice="nova").say(*parts, aloud=aloud, stream=stream)

    assert len(reply.text.split()) >= 3
    assert reply.offline
    assert reply.finish_reason == "stop"
    assert reply.usage.output_text_tokens > 0
    assert (reply.usage.input_audio_tokens > 0) is isinstance(parts[-1], Path)
    assert "Offline voice" in reply._repr_mimebundle_()["text/plain"]
    if aloud:
        assert reply.clip is not None
        assert reply.audio_id.startswith("audio_")
        # The sound says the words: the engine's own ears understand it.
        from nbaudio.engine.parts import engine

        heard = engine().listener.hear(reply.clip.resample(16_000).samples[:, 0])
        assert jiwer.wer(_plain(reply.text), _plain(heard)) < 0.25, f"{reply.text!r} sounded like {heard!r}"
    else:
        assert reply.clip is None


@pytest.mark.offline
def test_offline_streams_say_what_whole_answers_say(offline: Backend) -> None:
    whole = nba.Conversation(voice="ash").say("Why is the sky blue?", stream=False)
    streamed = nba.Conversation(voice="ash").say("Why is the sky blue?", stream=True)
    assert whole.text == streamed.text
    assert whole.clip == streamed.clip


@pytest.mark.offline
def test_offline_speech_begins_while_the_model_still_writes(offline: Backend) -> None:
    events = [type(event).__name__ for event in nba.Conversation().stream("Why is the sky blue?")]
    assert "AudioDelta" in events[: len(events) - 1 - events[::-1].index("TextDelta")]


def _plain(text: str) -> str:
    return "".join(c if c.isalnum() or c.isspace() else " " for c in text.lower())
