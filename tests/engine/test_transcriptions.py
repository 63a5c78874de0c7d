"""The engine's ears over a port, judged by the `openai` package in every form that they answer in."""

from __future__ import annotations

import json
import math
import threading
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import openai
import pytest
from openai.types.audio import (
    Transcription,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionVerbose,
)
from openai_server.listening import UvicornThread
from openai_server.sdk_types import validated
from ports import new_listener
from serving.stand_ins import GatedBrain, engine_of

from nbaudio import Captions, Clip
from nbaudio.engine.app import create_app
from nbaudio.engine.hear import SAMPLE_RATE, Passage
from nbaudio.engine.meter import Meter
from nbaudio.engine.parts import Engine, engine

pytestmark = pytest.mark.offline
QUESTION = (Path(__file__).parents[2] / "notebooks" / "question.wav").read_bytes()
STORY = (
    "The sun was going down behind the hills.",
    "We walked home along the river and talked about the summer.",
    "Nobody knew why the lights had gone out, but my brother found some candles in the kitchen.",
)


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    listener = new_listener()
    server = UvicornThread(create_app(engine()))
    server.start(listener)
    try:
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        with openai.OpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
            yield client
    finally:
        server.stop()


@cache
def story() -> tuple[Clip, list[float]]:
    """Three sentences with a second of silence before each, and the seconds at which they begin."""
    speaker, parts, starts = engine().speaker, [], []
    at = 0
    for sentence in STORY:
        sound = speaker.speak(sentence, "nova")
        parts += [np.zeros(24_000, np.float32), sound]
        starts.append((at + 24_000) / 24_000)
        at += 24_000 + len(sound)
    return Clip(np.concatenate(parts), sample_rate=24_000), starts


@cache
def wav() -> bytes:
    return story()[0].encode("wav")


def asked(client: openai.OpenAI, data: bytes = QUESTION, **options: Any) -> Any:
    """The JSON of an answer."""
    raw = client.audio.transcriptions.with_raw_response.create(file=("speech.wav", data), model="offline", **options)
    return raw.http_response.json()


class TestForms:
    def test_json(self, client: openai.OpenAI) -> None:
        found = validated(Transcription, asked(client))
        assert "golden retriever" in found.text.lower()
        assert found.usage.type == "duration"
        assert found.usage.seconds == math.ceil(Clip(QUESTION).duration_s)

    def test_text(self, client: openai.OpenAI) -> None:
        text = client.audio.transcriptions.create(
            file=("question.wav", QUESTION), model="offline", response_format="text", language="en"
        )
        assert "golden retriever" in str(text).lower()

    def test_segments(self, client: openai.OpenAI) -> None:
        found = validated(TranscriptionVerbose, asked(client, wav(), response_format="verbose_json"))
        assert found.words is None
        assert found.language == "english"
        assert found.duration == pytest.approx(story()[0].duration_s, abs=0.01)
        assert [segment.text.strip() for segment in found.segments] == list(STORY)
        assert [segment.id for segment in found.segments] == [0, 1, 2]
        for segment, start_s in zip(found.segments, story()[1], strict=True):
            assert segment.start == pytest.approx(start_s, abs=0.15)
            assert segment.start < segment.end <= found.duration
            assert segment.avg_logprob < 0
            assert 0 <= segment.no_speech_prob <= 1
            assert segment.compression_ratio > 0
            assert segment.tokens

    def test_words(self, client: openai.OpenAI) -> None:
        body = asked(client, wav(), response_format="verbose_json", timestamp_granularities=["word", "segment"])
        found = validated(TranscriptionVerbose, body)
        assert [word.word for word in found.words] == " ".join(STORY).split()
        edges = [edge for word in found.words for edge in (word.start, word.end)]
        assert edges == sorted(edges)
        for segment in found.segments:
            inside = [word for word in found.words if segment.start <= word.start and word.end <= segment.end]
            assert " ".join(word.word for word in inside) == segment.text.strip()

    def test_words_alone(self, client: openai.OpenAI) -> None:
        body = asked(client, response_format="verbose_json", timestamp_granularities=["word"])
        found = validated(TranscriptionVerbose, body)
        assert found.segments is None
        assert found.words

    @pytest.mark.parametrize(("form", "read"), [("srt", Captions.from_srt), ("vtt", Captions.from_vtt)])
    def test_subtitles(self, client: openai.OpenAI, form: Any, read: Any) -> None:
        text = client.audio.transcriptions.create(file=("a.wav", wav()), model="offline", response_format=form)
        captions = read(str(text))
        assert " ".join(phrase.text for phrase in captions) == " ".join(STORY)
        assert max(len(phrase.text) for phrase in captions) <= 60
        assert captions[0].start_s == pytest.approx(story()[1][0], abs=0.15)

    def test_log_probabilities(self, client: openai.OpenAI) -> None:
        found = validated(Transcription, asked(client, include=["logprobs"]))
        assert "".join(one.token for one in found.logprobs).strip() == found.text
        assert all(one.logprob <= 0 and bytes(map(int, one.bytes)) == one.token.encode() for one in found.logprobs)

    def test_silence_is_no_words(self, client: openai.OpenAI) -> None:
        silence = Clip(np.zeros(24_000, np.float32), sample_rate=24_000).encode("wav")
        assert asked(client, silence)["text"] == ""
        body = asked(client, silence, response_format="verbose_json", timestamp_granularities=["word"])
        assert (body["text"], body["words"]) == ("", [])
        text = client.audio.transcriptions.create(file=("a.wav", silence), model="offline", response_format="srt")
        assert str(text) == ""

    def test_a_wav_of_unknown_length(self, client: openai.OpenAI) -> None:
        for size in (b"\xff\xff\xff\xff", bytes(4)):
            at = QUESTION.index(b"data") + 4
            assert "golden retriever" in asked(client, QUESTION[:at] + size + QUESTION[at + 4 :])["text"].lower()


class TestStreams:
    def test_the_words_come_as_they_are_heard(self, client: openai.OpenAI) -> None:
        twice = (story()[0] + story()[0]).encode("wav")
        events = list(client.audio.transcriptions.create(file=("a.wav", twice), model="offline", stream=True))
        *deltas, done = events
        assert all(isinstance(event, TranscriptionTextDeltaEvent) for event in deltas)
        assert isinstance(done, TranscriptionTextDoneEvent)
        assert len(deltas) > 1
        assert "".join(event.delta for event in deltas) == done.text == " ".join(STORY * 2)

    def test_events_are_the_protocols(self, client: openai.OpenAI) -> None:
        with client.audio.transcriptions.with_streaming_response.create(
            file=("a.wav", QUESTION), model="offline", stream=True, include=["logprobs"]
        ) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            lines = [line.removeprefix("data: ") for line in response.iter_lines() if line]

        assert lines[-1] == "[DONE]"
        delta = validated(TranscriptionTextDeltaEvent, json.loads(lines[0]))
        done = validated(TranscriptionTextDoneEvent, json.loads(lines[-2]))
        assert [one.to_dict() for one in delta.logprobs] == [one.to_dict() for one in done.logprobs]
        assert "golden retriever" in done.text.lower()

    def test_what_can_not_come_in_pieces_comes_whole(self, client: openai.OpenAI) -> None:
        response = client._client.post(
            "audio/transcriptions",
            data={"model": "offline", "response_format": "verbose_json", "stream": "true"},
            files={"file": ("a.wav", QUESTION)},
        )
        assert response.headers["content-type"] == "application/json"
        validated(TranscriptionVerbose, response.json())

    def test_a_damaged_file_is_told_inside_the_stream(self, client: openai.OpenAI) -> None:
        flac = story()[0].encode("flac")
        damaged = flac[: len(flac) // 2] + bytes(2000) + flac[len(flac) // 2 + 2000 :]
        with pytest.raises(openai.APIError, match="corrupted or unsupported"):
            list(client.audio.transcriptions.create(file=("a.flac", damaged), model="offline", stream=True))

    def test_a_client_that_leaves_ends_it(self, client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
        closed, listener = threading.Event(), engine().listener

        def passages(blocks: Any, **_: Any) -> Iterator[Passage]:
            try:
                while True:
                    yield Passage("Again.", 0.0, 1.0)
            finally:
                closed.set()

        monkeypatch.setattr(listener, "passages", passages)
        stream = client.audio.transcriptions.create(file=("a.wav", QUESTION), model="offline", stream=True)
        next(iter(stream))
        stream.close()
        assert closed.wait(10)


class EndlessListener:
    """Hears one stretch after the other, each when it is let."""

    def __init__(self) -> None:
        self.heard = Meter()
        self.begun, self.let, self.closed = threading.Semaphore(0), threading.Semaphore(0), threading.Event()
        self.made = 0

    def passages(self, blocks: Any, **_: Any) -> Iterator[Passage]:
        try:
            while True:
                self.begun.release()
                assert self.let.acquire(timeout=10)
                self.made += 1
                yield Passage("Again.", 0.0, 1.0)
        finally:
            self.closed.set()


@pytest.mark.parametrize("form", ["json", "srt"])
def test_who_waits_no_longer_for_a_whole_transcription_has_no_other_stretch_heard(form: str) -> None:
    parts = engine_of(GatedBrain())
    parts._listener = listener = EndlessListener()  # type: ignore[assignment]

    async def leave_in_the_second_stretch() -> None:
        async with (
            httpx.AsyncClient(transport=httpx.ASGITransport(create_app(parts)), base_url="http://engine") as http,
            anyio.create_task_group() as tasks,
        ):

            async def ask() -> None:
                data = {"model": "offline", "response_format": form}
                await http.post("/v1/audio/transcriptions", data=data, files={"file": ("a.wav", QUESTION)})

            tasks.start_soon(ask)
            listener.let.release()
            for _ in range(2):
                assert await anyio.to_thread.run_sync(lambda: listener.begun.acquire(timeout=10))
            tasks.cancel_scope.cancel()
            listener.let.release(5)

    anyio.run(leave_in_the_second_stretch)
    assert listener.closed.wait(10)
    assert listener.made == 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_sound_that_does_not_say_that_it_is_too_long_is_refused_when_it_is(stream: bool) -> None:
    parts = Engine(most_audio_s=2.0)
    parts._listener = engine().listener
    flac = bytearray(Clip.from_pcm16(bytes(5 * 48_000)).encode("flac"))
    flac[21] &= 0xF0  # of how many samples: it is not known
    flac[22:26] = bytes(4)

    async def answer() -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app(parts)), base_url="http://engine"
        ) as http:
            data = {"model": "offline", "stream": str(stream).lower()}
            return await http.post("/v1/audio/transcriptions", data=data, files={"file": ("a.flac", bytes(flac))})

    response = anyio.run(answer)
    assert response.status_code == (200 if stream else 413)
    error = json.loads(response.text.removeprefix("data: "))["error"]
    assert error["code"] == "audio_too_long"
    assert "longer than 2 s" in error["message"]


class TestPrompts:
    def test_a_name_is_spelled_as_in_the_prompt(self, client: openai.OpenAI) -> None:
        said = engine().speaker.speak("My friend Kathryn lives in the city.", "nova")
        data = Clip(said, sample_rate=24_000).encode("wav")
        plain, prompted = asked(client, data)["text"], asked(client, data, prompt="A letter from Kathryn.")["text"]
        assert "Kathryn" not in plain
        assert "Kathryn" in prompted

    def test_a_prompt_that_is_too_long_counts_by_its_end(self, client: openai.OpenAI) -> None:
        found = asked(client, prompt="We talk about dogs and what they eat. " * 200)["text"]
        assert "golden retriever" in found.lower()

    def test_a_temperature_changes_what_is_heard_at_most(self, client: openai.OpenAI) -> None:
        body = asked(client, temperature=0.2, response_format="verbose_json")
        assert body["segments"][0]["temperature"] >= 0.2
        assert body["text"]


class TestWhatItHeardBefore:
    def test_is_not_listened_to_again(self, client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
        first = asked(client)["text"]

        def passages(blocks: Any, **_: Any) -> Iterator[Passage]:
            raise AssertionError("listened to again")

        monkeypatch.setattr(engine().listener, "passages", passages)
        assert asked(client)["text"] == first


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "model": ({"model": "whisper-1"}, "model", "does not exist"),
    "sound": ({"file": ("question.wav", b"no sound")}, "file", "corrupted or unsupported"),
    "nothing": ({"file": ("question.wav", b"")}, "file", "Missing required parameter: 'file'"),
    "form": ({"response_format": "yaml"}, "response_format", "Invalid value: 'yaml'"),
    "speakers": ({"response_format": "diarized_json"}, "response_format", "can't tell speakers apart"),
    "known speakers": (
        {"extra_body": {"known_speaker_names": ["Ada"], "known_speaker_references": ["data:audio/wav;base64,"]}},
        "known_speaker_names",
        "can't tell speakers apart",
    ),
    "language": ({"language": "fr"}, "language", "can't hear another language than English"),
    "languages": ({"extra_body": {"languages": ["en", "fr"]}}, "languages", "another language than English"),
    "keywords": ({"extra_body": {"keywords": ["dog"]}}, "keywords", "can't take 'keywords'"),
    "temperature": ({"temperature": 1.5}, "temperature", "from 0 to 1"),
    "granularity": (
        {"response_format": "verbose_json", "timestamp_granularities": ["letter"]},
        "timestamp_granularities",
        "'word' and 'segment'",
    ),
    "granularity without times": ({"timestamp_granularities": ["word"]}, "timestamp_granularities", "verbose_json"),
    "include": ({"include": ["thoughts"]}, "include", "'logprobs' only"),
    "logprobs in text": ({"include": ["logprobs"], "response_format": "text"}, "include", "'json'"),
    "chunking": ({"chunking_strategy": {"type": "server_vad"}}, "chunking_strategy", "cuts at pauses"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_can_not_do_is_refused(client: openai.OpenAI, name: str) -> None:
    change, param, message = REFUSED[name]
    request: Any = {"file": ("question.wav", QUESTION), "model": "offline", **change}
    with pytest.raises(openai.APIStatusError, match=message) as refused:
        client.audio.transcriptions.create(**request)
    assert refused.value.status_code == (404 if param == "model" else 400)
    assert refused.value.param == param  # type: ignore[attr-defined]


def test_chunking_by_itself_is_what_it_does(client: openai.OpenAI) -> None:
    assert asked(client, chunking_strategy="auto")["text"]


def test_translations_are_refused(client: openai.OpenAI) -> None:
    with warnings.catch_warnings():  # the package calls the endpoint deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        with pytest.raises(openai.BadRequestError, match="hears English only"):
            client.audio.translations.create(file=("question.wav", QUESTION), model="offline")


def test_a_file_that_is_too_large_is_refused_before_it_is_read(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="Maximum content size limit") as refused:
        client.audio.transcriptions.create(file=("a.wav", bytes(27_000_000)), model="offline")
    assert refused.value.status_code == 413

    def parts() -> Iterator[bytes]:  # without a length of the whole
        made = httpx.Request(
            "POST", "http://a", data={"model": "offline"}, files={"file": ("a.wav", bytes(27_000_000))}
        )
        boundary.append(made.headers["content-type"])
        body = made.read()
        yield from (body[at : at + 1_000_000] for at in range(0, len(body), 1_000_000))

    boundary: list[str] = []
    body = list(parts())
    response = client._client.post("audio/transcriptions", content=iter(body), headers={"content-type": boundary[0]})
    assert response.status_code == 413


def test_what_is_no_form_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        client.post("/audio/transcriptions", body={"model": "offline"}, cast_to=object)
    assert refused.value.status_code == 404


def test_long_sounds_are_heard_stretch_by_stretch() -> None:
    """Passages come while the sound is still being read, and where they were."""
    sound = story()[0].resample(SAMPLE_RATE).samples[:, 0]
    read = 0

    def blocks() -> Iterator[Any]:
        nonlocal read
        for _ in range(6):
            for at in range(0, len(sound), SAMPLE_RATE):
                read += len(sound[at : at + SAMPLE_RATE])
                yield sound[at : at + SAMPLE_RATE]

    found = []
    for passage in engine().listener.passages(blocks(), timed=True):
        found.append(passage)
        assert read / SAMPLE_RATE - passage.end_s < 45, "half a minute is held, and what is cut from it"
    assert read == 6 * len(sound)
    starts = [word.start_s for passage in found for word in passage.words if word.text == "Nobody"]
    expected = [story()[1][2] + turn * len(sound) / SAMPLE_RATE for turn in range(6)]
    assert starts == pytest.approx(expected, abs=0.2)
