"""Which model is asked, and in which form; and what is refused before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from openai_server import OpenAIServer
from signals import voice

import nbaudio as nba
from nbaudio.errors import CellError
from nbaudio.settings import Backend, NbAudio, settings
from nbaudio.transcribing.wanted import Wanted, wanted


@pytest.fixture
def backend(server: OpenAIServer) -> Backend:
    return settings().resolve()


def ask(backend: Backend, **options: Any) -> Wanted:
    return wanted(backend, settings(), **options)


@pytest.mark.parametrize(
    ("options", "model", "form"),
    [
        ({}, "gpt-transcribe", "json"),
        ({"timestamps": "segment"}, "gpt-transcribe", "json"),
        ({"timestamps": "word"}, "whisper-1", "verbose_json"),
        ({"diarize": True}, "gpt-4o-transcribe-diarize", "diarized_json"),
        ({"translate": True}, "whisper-1", "json"),
        ({"translate": True, "timestamps": "segment"}, "whisper-1", "verbose_json"),
        ({"model": "whisper-1", "timestamps": "segment"}, "whisper-1", "verbose_json"),
        ({"model": "my/whisper", "timestamps": "word"}, "my/whisper", "verbose_json"),
        ({"model": "my/whisper", "diarize": True}, "my/whisper", "diarized_json"),
        ({"model": "gpt-4o-transcribe", "confidence": True}, "gpt-4o-transcribe", "json"),
        ({"model": "whisper-1", "response_format": "vtt"}, "whisper-1", "vtt"),
    ],
)
def test_model_and_form(backend: Backend, options: dict[str, Any], model: str, form: str) -> None:
    found = ask(backend, **options)
    assert (found.options.model, found.options.form) == (model, form)
    assert bool(found.note) is (model != "gpt-transcribe" and "model" not in options)


def test_a_model_of_the_settings_is_not_exchanged(backend: Backend) -> None:
    NbAudio.instance().transcription_model = "gpt-4o-transcribe"
    with pytest.raises(CellError, match="gpt-4o-transcribe does not say when words sound") as refused:
        ask(backend, timestamps="word")
    assert "model='whisper-1' does" in refused.value.next_step
    assert "timestamps='segment' estimates" in refused.value.next_step
    assert ask(backend, timestamps="segment").estimate


def test_times_are_estimated_only_where_there_are_none(backend: Backend) -> None:
    assert ask(backend, timestamps="segment").estimate
    assert not ask(backend, timestamps="segment", model="whisper-1").estimate
    assert not ask(backend, diarize=True, timestamps="segment").estimate
    assert not ask(backend).estimate


def test_whoever_names_speakers_wants_them_told_apart(backend: Backend) -> None:
    clip = nba.Clip(voice(duration_s=3.0), sample_rate=24_000)
    found = ask(backend, speakers={"Ada": clip})
    assert (found.diarize, found.options.form) == (True, "diarized_json")


def test_subtitles_have_the_times_of_segments(backend: Backend) -> None:
    assert ask(backend, timestamps="segment", model="whisper-1", response_format="srt").options.form == "srt"


def test_speakers_make_the_server_cut_by_itself(backend: Backend) -> None:
    assert ask(backend, diarize=True).options.chunking == "auto"
    assert ask(backend, diarize=True, chunking={"type": "server_vad"}).options.chunking == {"type": "server_vad"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timestamps": "letter"}, "timestamps can't be 'letter'"),
        ({"timestamps": "word", "diarize": True}, "Ask twice"),
        ({"translate": True, "diarize": True}, "without who speaks"),
        ({"translate": True, "timestamps": "word"}, "without the times of words"),
        ({"timestamps": "word", "model": "whisper-1", "response_format": "vtt"}, "form vtt has no times of words"),
        ({"timestamps": "segment", "model": "whisper-1", "response_format": "text"}, "text has no times of segments"),
        ({"diarize": True, "response_format": "json"}, "form json does not say who speaks"),
        ({"translate": True, "language": "de"}, "finds out the language by itself"),
        ({"translate": True, "keywords": ["dog"]}, "takes no keywords"),
        ({"model": "whisper-1", "diarize": True}, "tells no speakers apart"),
        ({"model": "gpt-transcribe", "translate": True}, "does not translate"),
        ({"model": "whisper-1", "language": ["en", "de"]}, "takes one language"),
        ({"model": "whisper-1", "keywords": ["dog"]}, "Write them into prompt"),
        ({"keywords": "dog"}, r"Write keywords=\['dog'\]"),
        ({"diarize": True, "prompt": "Ada"}, "takes no prompt"),
        ({"confidence": True}, "does not say how sure it is"),
        ({"diarize": True, "speakers": dict.fromkeys("abcde", nba.Clip(voice(), 24_000))}, "4 at most"),
        ({"diarize": True, "speakers": {"Ada": nba.Clip(voice(duration_s=1.0), 24_000)}}, "voice is 1.0 s long"),
        ({"diarize": True, "speakers": {"Ada": nba.Clip(voice(duration_s=11.0), 24_000)}}, r"clip\[0:8\]"),
    ],
)
def test_what_can_not_be(backend: Backend, options: dict[str, Any], message: str) -> None:
    with pytest.raises(CellError, match=message):
        ask(backend, **options)
