"""Speech to text of the loopback server, judged by the official client in every form."""

from __future__ import annotations

import base64
import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import soundfile
from openai.types.audio import (
    Transcription,
    TranscriptionDiarized,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionTextSegmentEvent,
    TranscriptionVerbose,
    Translation,
    TranslationVerbose,
)

from nbaudio import Captions, Clip

from .sdk_types import validated
from .server import OpenAIServer
from .transcriptions import Said

QUESTION = Path(__file__).parents[2] / "notebooks" / "question.wav"
TALK = [Said("Hello.", 0.1, 0.5, "Ada"), Said("Hi", 0.6, 0.8, "Bob"), Said("Ada.", 0.8, 1.2, "Bob")]
SOUND = ("question.wav", QUESTION.read_bytes())


@pytest.fixture(autouse=True)
def talk(server: OpenAIServer) -> None:
    server.heard = TALK


def asked(client: openai.OpenAI, **options: Any) -> Any:
    """The JSON of an answer."""
    request: Any = {"file": SOUND, "model": "whisper-1", **options}
    return client.audio.transcriptions.with_raw_response.create(**request).http_response.json()


def streamed(client: openai.OpenAI, **options: Any) -> list[Any]:
    """The JSON of each event, and the last line."""
    request: Any = {"file": SOUND, "stream": True, **options}
    with client.audio.transcriptions.with_streaming_response.create(**request) as response:
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    return [*map(json.loads, lines[:-1]), lines[-1]]


class TestForms:
    def test_json_of_gpt_transcribe(self, client: openai.OpenAI) -> None:
        found = validated(Transcription, asked(client, model="gpt-transcribe", extra_body={"keywords": ["Ada"]}))
        assert found.text == "Hello. Hi Ada."
        assert [language.code for language in found.languages] == ["en"]
        assert (found.usage.type, found.usage.seconds) == ("duration", math.ceil(Clip(QUESTION).duration_s))

    def test_json_with_log_probabilities(self, client: openai.OpenAI) -> None:
        found = validated(Transcription, asked(client, model="gpt-4o-transcribe", include=["logprobs"]))
        assert "".join(token.token for token in found.logprobs) == found.text
        assert found.usage.type == "tokens"
        assert found.usage.total_tokens == found.usage.input_tokens + found.usage.output_tokens

    def test_text(self, client: openai.OpenAI) -> None:
        found = client.audio.transcriptions.create(file=SOUND, model="whisper-1", response_format="text")
        assert str(found) == "Hello. Hi Ada.\n"

    def test_verbose(self, client: openai.OpenAI) -> None:
        both = {"response_format": "verbose_json", "timestamp_granularities": ["word", "segment"]}
        found = validated(TranscriptionVerbose, asked(client, **both))
        assert [(word.word, word.start, word.end) for word in found.words] == [one[:3] for one in TALK]
        assert [segment.text for segment in found.segments] == [" Hello.", " Hi Ada."]
        plain = validated(TranscriptionVerbose, asked(client, response_format="verbose_json"))
        assert plain.words is None
        assert len(plain.segments) == 2

    @pytest.mark.parametrize(("form", "read"), [("srt", Captions.from_srt), ("vtt", Captions.from_vtt)])
    def test_subtitles(self, client: openai.OpenAI, form: Any, read: Any) -> None:
        found = read(str(client.audio.transcriptions.create(file=SOUND, model="whisper-1", response_format=form)))
        assert [(one.text, one.start_s, one.end_s) for one in found] == [("Hello.", 0.1, 0.5), ("Hi Ada.", 0.6, 1.2)]

    def test_diarized(self, client: openai.OpenAI) -> None:
        body = asked(client, model="gpt-4o-transcribe-diarize", response_format="diarized_json")
        found = validated(TranscriptionDiarized, body)
        assert [(one.speaker, one.text) for one in found.segments] == [("A", "Hello."), ("B", "Hi Ada.")]

    def test_diarized_with_a_known_speaker(self, client: openai.OpenAI, tmp_path: Path) -> None:
        sample = tmp_path / "ada.wav"
        soundfile.write(sample, np.zeros(16_000 * 3), 16_000)
        url = f"data:audio/wav;base64,{base64.b64encode(sample.read_bytes()).decode()}"
        known = {"known_speaker_names": ["Bob"], "known_speaker_references": [url]}
        body = asked(client, model="gpt-4o-transcribe-diarize", response_format="diarized_json", extra_body=known)
        assert [one["speaker"] for one in body["segments"]] == ["A", "Bob"]

    def test_translations(self, client: openai.OpenAI) -> None:
        with warnings.catch_warnings():  # the package calls the endpoint deprecated
            warnings.simplefilter("ignore", DeprecationWarning)
            create = client.audio.translations.with_raw_response.create
            plain = create(file=SOUND, model="whisper-1").http_response.json()
            verbose = create(file=SOUND, model="whisper-1", response_format="verbose_json").http_response.json()
        assert validated(Translation, plain).text == "Hello. Hi Ada."
        assert len(validated(TranslationVerbose, verbose).segments) == 2


class TestStreams:
    def test_words_and_their_end(self, client: openai.OpenAI) -> None:
        *deltas, done, end = streamed(client, model="gpt-4o-transcribe", include=["logprobs"])
        found = [validated(TranscriptionTextDeltaEvent, event) for event in deltas]
        assert "".join(event.delta for event in found) == validated(TranscriptionTextDoneEvent, done).text
        assert sum(len(event.logprobs) for event in found) == len(done["logprobs"])
        assert end == "[DONE]"

    def test_speakers(self, client: openai.OpenAI) -> None:
        options = {"model": "gpt-4o-transcribe-diarize", "response_format": "diarized_json"}
        events = streamed(client, **options)
        deltas = [validated(TranscriptionTextDeltaEvent, event) for event in events[:-2:2]]
        segments = [validated(TranscriptionTextSegmentEvent, event) for event in events[1:-2:2]]
        assert [delta.segment_id for delta in deltas] == [segment.id for segment in segments]

    def test_the_clients_own_stream(self, client: openai.OpenAI) -> None:
        events = list(client.audio.transcriptions.create(file=SOUND, model="gpt-transcribe", stream=True))
        assert events[-1].type == "transcript.text.done"

    def test_whisper_passes_over_stream(self, client: openai.OpenAI) -> None:
        raw = client.audio.transcriptions.with_raw_response.create(file=SOUND, model="whisper-1", stream=True)
        assert raw.headers["content-type"] == "application/json"

    def test_a_stream_that_is_cut(self, client: openai.OpenAI, server: OpenAIServer) -> None:
        server.fail_next("cut_stream")
        with pytest.raises(Exception, match="peer closed connection"):  # of the HTTP client that it brings
            streamed(client, model="gpt-transcribe")

    @pytest.mark.parametrize("fault", ["error_in_stream", "no_done"])
    def test_a_stream_that_ends_badly(self, client: openai.OpenAI, server: OpenAIServer, fault: str) -> None:
        server.fail_next(fault)
        with client.audio.transcriptions.with_streaming_response.create(
            file=SOUND, model="gpt-transcribe", stream=True
        ) as response:
            lines = [line for line in response.iter_lines() if line]
        assert ('"error"' in lines[-1]) is (fault == "error_in_stream")
        assert "data: [DONE]" not in lines
        assert "transcript.text.done" not in "".join(lines)


REFUSED: dict[str, tuple[dict[str, Any], str | None]] = {
    "ending": ({"file": ("question.txt", b"no")}, "file"),
    "no sound": ({"file": ("question.wav", b"no")}, "file"),
    "too short": ({"file": ("a.wav", Clip.from_pcm16(bytes(2400)).encode("wav"))}, "file"),
    "form": ({"response_format": "yaml"}, "response_format"),
    "form of another model": ({"model": "gpt-transcribe", "response_format": "vtt"}, "response_format"),
    "prompt with speakers": ({"model": "gpt-4o-transcribe-diarize", "prompt": "Ada"}, "prompt"),
    "granularities without times": ({"timestamp_granularities": ["word"]}, "timestamp_granularities"),
    "log probabilities": ({"include": ["logprobs"]}, "include"),
    "temperature": ({"temperature": 2}, "temperature"),
    "keywords": ({"extra_body": {"keywords": ["Ada"]}}, "keywords"),
    "unknown field": ({"extra_body": {"mood": "good"}}, "mood"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_api_refuses(client: openai.OpenAI, name: str) -> None:
    options, param = REFUSED[name]
    with pytest.raises(openai.BadRequestError) as refused:
        asked(client, **options)
    assert refused.value.param == param


def test_a_model_that_is_not_there(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        asked(client, model="gpt-9")


def test_a_body_that_is_too_large(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="26214400") as refused:
        asked(client, file=("a.wav", bytes(26_214_400)))
    assert refused.value.status_code == 413


def test_a_recording_that_is_too_long_for_a_model(client: openai.OpenAI) -> None:
    long = Clip(np.zeros(8_000 * 1401, np.float32), sample_rate=8_000).encode("flac")
    with pytest.raises(openai.BadRequestError, match="longer than 1400 seconds"):
        asked(client, model="gpt-4o-transcribe", file=("a.flac", long))
