"""The served engine, judged by the official `openai` package."""

from __future__ import annotations

import base64
import json
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from openai.types.audio import Transcription, TranscriptionVerbose
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai_server.sdk_types import validated
from serving.brain_server import BrainServer
from serving.running import TOKEN, Command

from nbaudio import Captions, Clip

from .conftest import WAYS

pytestmark = pytest.mark.offline


def request(content: Any, aloud: bool = True, **options: Any) -> Any:
    asked: dict[str, Any] = {"model": "offline", "messages": [{"role": "user", "content": content}]}
    if aloud:
        audio_format = "pcm16" if options.get("stream") else "wav"
        asked |= {"modalities": ["text", "audio"], "audio": {"voice": "nova", "format": audio_format}}
    return {**asked, **options}


@pytest.mark.parametrize("way", WAYS)
def test_whole_answers(client: openai.OpenAI, ways: dict[str, tuple[Any, bool]], way: str) -> None:
    content, aloud = ways[way]
    raw = client.chat.completions.with_raw_response.create(**request(content, aloud))
    answer = validated(ChatCompletion, raw.http_response.json())

    message = answer.choices[0].message
    assert answer.choices[0].finish_reason == "stop"
    assert raw.headers["x-request-id"].startswith("req_")
    if aloud:
        assert len(message.audio.transcript.split()) >= 3
        assert Clip(base64.b64decode(message.audio.data)).duration_s > 1
    else:
        assert len(message.content.split()) >= 3
        assert message.audio is None


@pytest.mark.parametrize("way", WAYS)
def test_streamed_answers(client: openai.OpenAI, ways: dict[str, tuple[Any, bool]], way: str) -> None:
    content, aloud = ways[way]
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(client.chat.completions.create(**request(content, aloud, **options)))

    for chunk in chunks:
        validated(ChatCompletionChunk, chunk.to_dict())
    assert chunks[-1].usage.total_tokens > 0
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    audio = [delta.audio for delta in deltas if delta.audio]
    words = "".join((piece.transcript or "") for piece in audio) if aloud else "".join(d.content or "" for d in deltas)
    assert len(words.split()) >= 3
    pcm16 = b"".join(base64.b64decode(piece.data) for piece in audio if piece.data)
    assert (len(pcm16) > 48_000) is aloud


def test_its_streaming_helper(client: openai.OpenAI) -> None:
    pcm16 = {"voice": "nova", "format": "pcm16"}  # for this is a stream, although nobody says stream=True
    with client.chat.completions.stream(**request("Why is the sky blue?", audio=pcm16)) as stream:
        events = [event.type for event in stream]
        completion = stream.get_final_completion()

    assert events.count("chunk") > 5
    assert len(completion.choices[0].message.audio.transcript.split()) >= 3


def test_an_earlier_answer_is_known_by_its_id(client: openai.OpenAI) -> None:
    first = client.chat.completions.create(**request("Name one animal.")).choices[0].message.audio
    history = [
        {"role": "user", "content": "Name one animal."},
        {"role": "assistant", "audio": {"id": first.id}},
        {"role": "user", "content": "What does it eat?"},
    ]
    by_id = client.chat.completions.create(**request("", messages=history))
    history[1] = {"role": "assistant", "content": first.transcript}
    by_words = client.chat.completions.create(**request("", messages=history))

    assert by_id.choices[0].message.audio.transcript == by_words.choices[0].message.audio.transcript
    history[1] = {"role": "assistant", "audio": {"id": "audio_unknown"}}
    with pytest.raises(openai.BadRequestError, match=r"Assistant audio audio_unknown not found\.") as refused:
        client.chat.completions.create(**request("", messages=history))
    assert refused.value.code == "audio_not_found"


def test_the_models(client: openai.OpenAI) -> None:
    assert "offline" in [model.id for model in client.models.list()]


def test_transcriptions(client: openai.OpenAI, question: bytes) -> None:
    file = ("question.wav", question)
    raw = client.audio.transcriptions.with_raw_response.create(file=file, model="offline")
    as_json = validated(Transcription, raw.http_response.json())
    as_text = client.audio.transcriptions.create(file=file, model="offline", response_format="text")

    assert "golden retriever" in as_json.text.lower()
    assert as_json.usage.seconds == math.ceil(Clip(question).duration_s)
    assert str(as_text).strip() == as_json.text


@pytest.mark.parametrize("form", ["srt", "vtt", "verbose_json"])
def test_transcriptions_with_times(client: openai.OpenAI, question: bytes, form: str) -> None:
    asked: Any = {"file": ("question.wav", question), "model": "offline", "response_format": form}
    if form != "verbose_json":
        cues = Captions.from_srt if form == "srt" else Captions.from_vtt
        (cue, *_) = cues(client.audio.transcriptions.create(**asked))
        assert "golden retriever" in cue.text.lower()
        assert 0 <= cue.start_s < cue.end_s <= Clip(question).duration_s
        return
    raw = client.audio.transcriptions.with_raw_response.create(**asked, timestamp_granularities=["word", "segment"])
    found = validated(TranscriptionVerbose, raw.http_response.json())
    assert found.words is not None
    assert [word.start for word in found.words] == sorted(word.start for word in found.words)
    assert "".join(word.word for word in found.words).lower().count("retriever") == 1
    assert found.segments is not None
    assert found.segments[-1].end <= found.duration


def test_a_transcription_with_what_is_certain(client: openai.OpenAI, question: bytes) -> None:
    file = ("question.wav", question)
    found = client.audio.transcriptions.create(file=file, model="offline", include=["logprobs"])
    assert found.logprobs
    assert all(entry.logprob is not None and entry.logprob <= 0 for entry in found.logprobs)
    assert "".join(entry.token or "" for entry in found.logprobs).strip() == found.text


def test_a_transcription_that_can_not_be(client: openai.OpenAI, question: bytes) -> None:
    asked: Any = {"file": ("question.wav", question), "model": "offline"}
    for wrong, param in (
        ({"response_format": "diarized_json"}, "response_format"),
        ({"response_format": "yaml"}, "response_format"),
        ({"timestamp_granularities": ["word"]}, "timestamp_granularities"),
        ({"file": ("noise.wav", b"no sound at all")}, "file"),
    ):
        with pytest.raises(openai.BadRequestError) as refused:
            client.audio.transcriptions.create(**{**asked, **wrong})
        assert refused.value.param == param


def test_a_transcription_that_is_streamed(client: openai.OpenAI, question: bytes) -> None:
    file = ("question.wav", question)
    events = list(client.audio.transcriptions.create(file=file, model="offline", stream=True))
    *deltas, done = events
    assert done.type == "transcript.text.done"
    assert {delta.type for delta in deltas} == {"transcript.text.delta"}
    assert "".join(delta.delta for delta in deltas if delta.type == "transcript.text.delta").strip() == done.text


@pytest.mark.parametrize("form", ["mp3", "opus", "flac", "wav", "pcm"])
def test_speech(client: openai.OpenAI, form: Any) -> None:
    data = client.audio.speech.create(model="offline", voice="nova", input="Good morning.", response_format=form).read()
    clip = Clip.from_pcm16(data) if form == "pcm" else Clip(data)
    assert 0.5 < clip.duration_s < 2.5
    assert clip.level_dbfs > -30


def test_speech_while_it_comes(client: openai.OpenAI) -> None:
    speaking = client.audio.speech.with_streaming_response
    asked: Any = {"model": "offline", "voice": "nova", "input": "One morning. Two mornings.", "response_format": "pcm"}
    with speaking.create(**asked) as answer:
        pieces = list(answer.iter_bytes(4800))
    with speaking.create(**asked, stream_format="sse") as answer:
        events = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: {")]
    *deltas, done = [event for event in events if event["type"].startswith("speech.audio.")]
    assert done["usage"]["total_tokens"] > 0
    assert b"".join(base64.b64decode(delta["audio"]) for delta in deltas) == b"".join(pieces)


def test_speech_that_can_not_be(client: openai.OpenAI) -> None:
    for wrong in ({"voice": "bob"}, {"speed": 9}, {"response_format": "aac"}, {"input": "a" * 4097}):
        asked: Any = {"model": "offline", "voice": "nova", "input": "Good morning."}
        with pytest.raises(openai.BadRequestError):
            client.audio.speech.create(**{**asked, **wrong})


def test_a_wrong_key(served: Command) -> None:
    with (
        openai.OpenAI(base_url=f"{served.base_url}/v1", api_key="wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as refused,
    ):
        client.models.list()
    assert refused.value.code == "invalid_api_key"
    assert refused.value.request_id is not None


def test_an_unknown_model(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="does not exist") as refused:
        client.chat.completions.create(**request("Hello", model="gpt-audio-1.5"))
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")


def test_an_unknown_route(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="Unknown request URL") as refused:
        client.embeddings.create(model="offline", input="Hello")
    assert refused.value.code == "unknown_url"


def test_a_request_that_can_not_be(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**request("Hello", audio={"voice": "bob", "format": "wav"}))
    assert refused.value.param == "audio.voice"


def test_too_large_a_request(client: openai.OpenAI) -> None:
    for ask in (
        lambda: client.chat.completions.create(**request("word " * 250_000)),
        lambda: client.audio.transcriptions.create(file=("noise.wav", bytes(1_200_000)), model="offline"),
    ):
        with pytest.raises(openai.APIStatusError, match=r"Maximum content size limit \(1000000\) exceeded") as refused:
            ask()
        assert refused.value.status_code == 413


def test_too_long_a_recording(client: openai.OpenAI) -> None:
    silence = Clip.from_pcm16(bytes(2 * 24_000 * 61)).encode("flac")
    with pytest.raises(openai.APIStatusError, match="The sound is longer than 60 s") as refused:
        client.audio.transcriptions.create(file=("silence.flac", silence), model="offline")
    assert refused.value.status_code == 413


def test_a_busy_server() -> None:
    with (
        BrainServer() as brain,
        Command("--workers", "1", "--queue", "0", "--brain", brain.brain, "--token", TOKEN) as command,
        openai.OpenAI(base_url=f"{command.base_url}/v1", api_key=TOKEN, max_retries=0) as client,
        ThreadPoolExecutor() as pool,
    ):
        first = pool.submit(client.chat.completions.create, **request("First?"))
        brain.next_asked()
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(**request("Second?"))
        assert int(refused.value.response.headers["retry-after"]) >= 1
        brain.open()
        assert first.result().choices[0].message.audio.transcript == "You said: First?. That is all."
