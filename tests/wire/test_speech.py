"""Text to speech on the wire: the request's body, and a reader that goes by what came."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.audio.speech_create_params import SpeechCreateParams
from openai_server.sdk_types import validated

from nbaudio.errors import BadReply
from nbaudio.wire.answers import AudioDelta
from nbaudio.wire.speech import SpeechOptions, SpeechReader, WordsTimed, WordTime, speech_body, takes_instructions
from nbaudio.wire.sse import SseDecoder
from nbaudio.wire.usage import Usage
from nbaudio.wire.wav_stream import WavStream

WIRE = Path(__file__).parents[1] / "fixtures" / "wire" / "audio"
PCM = bytes(range(256)) * 40


def wav(pcm16: bytes = PCM, *, size: int | None = None, bits: int = 16, channels: int = 1, rate: int = 24_000) -> bytes:
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * frame, frame, bits)
    note = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    head = b"WAVE" + b"fmt " + struct.pack("<I", 16) + form + note + b"data"
    return (
        b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + head + struct.pack("<I", len(pcm16) if size is None else size) + pcm16
    )


def taken(reader: SpeechReader, data: bytes, step: int) -> bytes:
    pieces = [reader.take(data[start : start + step]) for start in range(0, len(data), step)]
    return b"".join(piece.pcm16 for found in pieces for piece in found)


class TestTheRequest:
    def test_every_field_is_the_protocols(self) -> None:
        options = SpeechOptions("gpt-4o-mini-tts", "coral", "Calm.", "pcm", 1.5, events=True)
        body = speech_body("Hello.", options)
        assert body == {
            "model": "gpt-4o-mini-tts",
            "input": "Hello.",
            "voice": "coral",
            "response_format": "pcm",
            "instructions": "Calm.",
            "speed": 1.5,
            "stream_format": "sse",
        }
        validated(SpeechCreateParams, body)

    def test_the_fixture_is_one_that_this_makes(self) -> None:
        body = json.loads((WIRE / "requests" / "speech.json").read_text())
        assert body.pop("speed") == 1.0  # what every server has anyway is not sent
        options = SpeechOptions("gpt-4o-mini-tts", "coral", "Calm.", events=True)
        assert speech_body("Hello from a notebook.", options) == body

    def test_a_voice_of_ones_own_is_an_object(self) -> None:
        body = speech_body("Hello.", SpeechOptions("gpt-4o-mini-tts", "voice_1234"))
        assert body["voice"] == {"id": "voice_1234"}
        validated(SpeechCreateParams, body)

    @pytest.mark.parametrize(
        ("model", "takes"),
        [("tts-1", False), ("tts-1-hd", False), ("tts-1-1106", False), ("tts-10", True), ("x", True)],
    )
    def test_which_models_take_instructions(self, model: str, takes: bool) -> None:
        assert takes_instructions(model) is takes


class TestEvents:
    def test_the_fixture_is_read(self) -> None:
        decoder, reader = SseDecoder(), SpeechReader()
        assert reader.begin("text/event-stream")
        data = (WIRE / "streams" / "speech.sse").read_bytes()
        found = [
            piece for event in [*decoder.feed(data), *decoder.flush()] for piece in reader.take_event(json.loads(event))
        ]
        tone = base64.b64decode((WIRE / "reply_tone_24k.wav.b64").read_text())[44:]
        assert b"".join(piece.pcm16 for piece in found if isinstance(piece, AudioDelta)) == reader.audio
        assert reader.audio == tone[: len(reader.audio)]
        assert reader.ended
        assert reader.usage == Usage(14, 101, input_text_tokens=14, output_audio_tokens=101)

    def test_padding_in_the_middle_and_none_at_all(self) -> None:
        padded, bare = SpeechReader(), SpeechReader()
        text = base64.b64encode(PCM).decode().rstrip("=")
        for start in range(0, len(PCM), 1000):
            padded.take_event({"audio": base64.b64encode(PCM[start : start + 1000]).decode()})
        for start in range(0, len(text), 333):
            bare.take_event({"audio": text[start : start + 333]})
        assert padded.audio == PCM
        assert bare.audio == PCM[: len(bare.audio)]
        assert len(PCM) - len(bare.audio) < 3

    def test_each_piece_a_wav_of_its_own(self) -> None:
        reader = SpeechReader("wav")
        for _ in range(3):
            reader.take_event({"audio": base64.b64encode(wav()).decode()})
        assert (reader.format, reader.audio) == ("pcm", PCM * 3)

    def test_words_and_their_times(self) -> None:
        reader = SpeechReader()
        words = [{"word": "Hi", "start": 0, "end": 0.5}, {"word": "you", "start": 0.5, "end": 0.75, "x": 1}]
        first, second = reader.take_event({"type": "speech.audio.delta", "audio": "AAAAAAAA", "words": words})
        assert first == WordsTimed((WordTime("Hi", 0.0, 0.5), WordTime("you", 0.5, 0.75)))
        assert isinstance(second, AudioDelta)
        assert reader.words == list(first.words)

    @pytest.mark.parametrize(
        "words",
        [
            "Hi",
            {"word": "Hi"},
            [3, None, []],
            [{"word": 5, "start": 0, "end": 1}],
            [{"word": "Hi", "start": 1, "end": 0}],
            [{"word": "Hi", "start": float("nan"), "end": 1}],
            [{"word": "Hi", "start": -1, "end": 1}],
            [{"word": "Hi", "start": 0, "end": 1e300}],
            [{"word": "Hi", "start": "0", "end": True}],
        ],
    )
    def test_times_that_cannot_be_are_none(self, words: Any) -> None:
        reader = SpeechReader()
        assert reader.take_event({"audio": "AAAAAAAA", "words": words}) == [AudioDelta(bytes(6))]
        assert reader.words == []

    @pytest.mark.parametrize("event", [None, [], "x", 3])
    def test_an_event_that_is_none(self, event: Any) -> None:
        with pytest.raises(BadReply, match="no piece of speech"):
            SpeechReader().take_event(event)

    def test_sound_that_is_no_base64(self) -> None:
        with pytest.raises(BadReply, match="no base64"):
            SpeechReader().take_event({"audio": "a*bc"})


class TestBareSound:
    @pytest.mark.parametrize("step", [1, 7, 1000, 10_240])
    def test_pcm_plays_as_it_comes_in_whole_samples(self, step: int) -> None:
        reader = SpeechReader()
        assert not reader.begin("audio/pcm")
        assert taken(reader, PCM, step) == PCM == reader.audio
        assert (reader.format, reader.sample_rate) == ("pcm", 24_000)

    @pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF])
    @pytest.mark.parametrize("step", [1, 7, 20_000])
    def test_a_wav_plays_as_it_comes(self, step: int, size: int | None) -> None:
        reader = SpeechReader("pcm")  # it was asked for something else
        reader.begin("application/octet-stream")
        assert taken(reader, wav(size=size, rate=16_000), step) == PCM == reader.audio
        assert (reader.format, reader.sample_rate) == ("pcm", 16_000)

    def test_what_follows_the_sound_of_a_wav_is_none(self) -> None:
        reader = SpeechReader("wav")
        assert taken(reader, wav() + b"LIST\4\0\0\0abcd", 1000) == PCM

    @pytest.mark.parametrize("bad", [{"bits": 24}, {"channels": 2}, {"bits": 8}])
    def test_a_wav_of_another_kind_is_a_file(self, bad: dict[str, int]) -> None:
        data, reader = wav(**bad), SpeechReader("wav")  # type: ignore[arg-type]
        assert taken(reader, data, 100) == b""
        assert (reader.format, reader.audio) == ("wav", data)

    @pytest.mark.parametrize(
        ("kind", "data", "format"),
        [
            ("audio/mpeg", b"\xff\xfb\x90\x00", "mp3"),
            ("audio/MPEG; charset=x", b"\xff\xfb\x90\x00", "mp3"),
            ("", b"ID3\4", "mp3"),
            ("application/octet-stream", b"OggS", "opus"),
            ("audio/pcm", b"fLaC", "flac"),
            ("audio/aac", b"\xff\xf1\0\0", "aac"),
            ("audio/x-wav", b"RIFX", "wav"),
        ],
    )
    def test_what_came_counts_and_not_what_was_asked_for(self, kind: str, data: bytes, format: str) -> None:
        reader = SpeechReader("pcm")
        reader.begin(kind)
        assert reader.take(data) == []
        assert (reader.format, reader.audio) == (format, data)

    def test_a_rate_that_is_stated(self) -> None:
        reader = SpeechReader()
        reader.begin("audio/L16; rate=44100; channels=1")
        assert reader.take(bytes(4)) == [AudioDelta(bytes(4), 44_100)]

    @pytest.mark.parametrize("kind", ["text/html", "application/json", "application/problem+json"])
    def test_what_is_no_sound(self, kind: str) -> None:
        with pytest.raises(BadReply, match="where sound was asked for"):
            SpeechReader().begin(kind)


@given(st.lists(st.binary(max_size=60), max_size=20), st.sampled_from(["", "audio/wav", "audio/pcm", "audio/mpeg"]))
def test_no_bytes_are_too_odd(pieces: list[bytes], kind: str) -> None:
    reader = SpeechReader()
    reader.begin(kind)
    given_out = b"".join(delta.pcm16 for piece in pieces for delta in reader.take(piece))
    assert len(given_out) % 2 == 0
    assert len(reader.audio) <= len(b"".join(pieces))


@given(st.binary(max_size=200), st.integers(1, 50))
def test_no_wav_is_too_odd(data: bytes, step: int) -> None:
    whole, stepped = WavStream(), WavStream()
    data = b"RIFF" + data[:4] + b"WAVE" + data[4:]
    at_once = whole.feed(data)
    by_step = b"".join(stepped.feed(data[start : start + step]) for start in range(0, len(data), step))
    assert by_step == at_once
    assert stepped.plain == whole.plain
