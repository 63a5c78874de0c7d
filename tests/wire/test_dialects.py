"""Which habits a server has, by its address and by no look-alike of it; and rows that can't be."""

from __future__ import annotations

import json
from dataclasses import fields
from importlib.resources import files
from typing import Any

import pytest

from nbaudio.errors import SetupError
from nbaudio.wire.dialects import Dialect, dialect_for, dialect_of_row, known_dialects

NAMES = [dialect.name for dialect in known_dialects()]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://API.OpenAI.com/v1", "openai"),
        ("https://mine.openai.azure.com/openai/v1", "azure"),
        ("https://mine.cognitiveservices.azure.com/openai/v1", "azure"),
        ("https://mine.services.ai.azure.com/openai/v1", "azure"),
        ("https://mine.openai.azure.com/openai/deployments/my-audio", "azure-deployments"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://dashscope.aliyuncs.com/compatible-mode/v1", "qwen-omni"),
        ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "qwen-omni"),
        ("https://ws-1.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1", "qwen-omni"),
        ("http://192.168.1.7:8091/v1", "vllm-omni"),
        ("http://sglang-omni:8000/v1", "sglang-omni"),
        ("http://speaches:8000/v1", "speaches"),
        ("http://localai:8080/v1", "localai"),
        ("http://vllm:8000/v1", "vllm"),
        ("http://llama-server:8080/v1", "llama.cpp"),
        ("http://localhost:11434/v1", "ollama"),
        ("http://192.168.1.7:11434", "ollama"),
        ("https://ollama.com/v1", "ollama"),
        ("https://api.mistral.ai/v1", "mistral"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "gemini"),
        ("http://localhost:4000/v1", "litellm"),
        ("http://offline.nbaudio/v1", "offline"),
        ("http://localhost:8000/v1", "compatible"),
        ("https://api.openai.com.evil.example/v1", "compatible"),
        ("https://evil.example/api.openai.com/v1", "compatible"),
        ("https://evil.example/openai/deployments/my-audio", "compatible"),
        ("https://api.openai.com@evil.example/v1", "compatible"),
        ("https://notapi.openai.com.example", "compatible"),
        ("http://[bad", "compatible"),
        ("http://host:99999/v1", "compatible"),
        ("no address at all", "compatible"),
    ],
)
def test_habits_follow_the_address(url: str, name: str) -> None:
    assert dialect_for(url).name == name


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("voxtral-small-latest", "mistral"),
        ("qwen3.5-omni-plus", "qwen-omni"),
        ("Qwen/Qwen3-Omni-30B-A3B-Instruct", "vllm-omni"),
        ("XiaomiMiMo/MiMo-Audio-7B-Instruct", "vllm-omni"),
        ("gemini-flash-latest", "gemini"),
        ("gpt-audio-1.5", "compatible"),
        ("", "compatible"),
    ],
)
def test_the_model_decides_where_the_address_does_not(model: str, name: str) -> None:
    assert dialect_for("http://localhost:8000/v1", model=model).name == name
    assert dialect_for("http://localhost:11434/v1", model=model).name == "ollama"


def test_a_name_wins_over_the_address() -> None:
    assert dialect_for("http://localhost:8000/v1", "openai").keeps_audio_ids


@pytest.mark.parametrize(
    ("name", "model", "events", "tokens"),
    [
        ("openai", "gpt-4o-mini-tts", True, 2000),
        ("azure", "gpt-4o-mini-tts", False, 2000),
        ("offline", "offline", True, 0),
        ("compatible", "tts-1", False, 0),
    ],
)
def test_how_a_server_speaks_a_text(name: str, model: str, events: bool, tokens: int) -> None:
    dialect = dialect_for("", name)
    assert (dialect.speech_model, dialect.speech_events) == (model, events)
    assert (dialect.longest_speech, dialect.longest_speech_tokens) == (4096, tokens)
    assert dialect.speech_instructions is (name != "offline")


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SetupError, match=r"no dialect 'opanai'\. Known ones: azure, azure-deployments, compatible, "):
        dialect_for("http://localhost", "opanai")


@pytest.mark.parametrize("name", NAMES)
def test_every_dialect_says_where_it_is_written_down_and_what_it_is_called(name: str) -> None:
    dialect = dialect_for("", name)

    assert dialect.source
    assert dialect.title
    assert dialect.default_model
    assert dialect.key_header
    assert dialect.can_hear(dialect.default_model) or name in ("ollama", "llama.cpp", "localai")
    assert dialect.url == "" or dialect_for(dialect.url).name == name


def test_only_the_offline_engine_has_been_tried_itself() -> None:
    assert [dialect.name for dialect in known_dialects() if dialect.tried] == ["offline"]


def test_rows_name_only_what_differs() -> None:
    found = json.loads(files("nbaudio.wire").joinpath("dialects.json").read_text(encoding="utf-8"))
    plain = Dialect("plain")
    for row in found["dialects"]:
        for name, value in row.items():
            usual = getattr(plain, name)
            if name not in ("default_model", "transcription_model", "speech_model"):
                assert value != (list(usual) if isinstance(usual, tuple) else usual), f"{row['name']}: {name}"


def test_the_key_travels_as_the_server_wants_it() -> None:
    assert (dialect_for("", "openai").key_header, dialect_for("", "openai").key_prefix) == ("Authorization", "Bearer ")
    assert (dialect_for("", "azure").key_header, dialect_for("", "azure").key_prefix) == ("api-key", "")


def test_only_servers_that_keep_audio_ids_are_sent_them() -> None:
    kept = [name for name in NAMES if dialect_for("", name).keeps_audio_ids]

    assert kept == ["openai", "azure-deployments", "azure", "offline"]


def test_a_row_of_ones_own_goes_before_all_others() -> None:
    mine = dialect_of_row({"name": "mine", "hosts": ["api.openai.com"]})
    other = dialect_of_row({"name": "ollama", "ports": [9999]})

    assert dialect_for("https://api.openai.com/v1", more=[mine]) is mine
    assert dialect_for("http://localhost:9999/v1", more=[other]) is other
    assert dialect_for("http://localhost:11434/v1", more=[other]).name == "compatible", "it takes the place of the row"
    usual = dialect_of_row({"name": "compatible", "speaks": []})
    assert dialect_for("http://localhost:8000/v1", more=[usual]) is usual


@pytest.mark.parametrize("field", [one.name for one in fields(Dialect) if one.name not in ("name", "extra_body")])
def test_a_value_of_the_wrong_kind_is_refused(field: str) -> None:
    for wrong in (None, 1j, [1.5], {"a": 1}):
        with pytest.raises(SetupError, match=f"The dialect 'mine' has a {field} that can't be"):
            dialect_of_row({"name": "mine", field: wrong})


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"name": "mine", "stream": "always"}, "has 'stream', which is no habit. Did you mean streams?"),
        ({"name": "mine", "streams": "never"}, "a streams that can't be: 'never'. One of: as asked, aloud, always."),
        ({"name": "mine", "sound_in": "bytes"}, "One of: input_audio, data_url, string, audio_url."),
        ({"name": "mine", "sample_rate": 1}, "a sample_rate that can't be: 1. As with OpenAI it is 24000."),
        ({"name": "mine", "hosts": "example.org"}, "a hosts that can't be: 'example.org'"),
        ({"hosts": []}, 'A dialect has no name. Give it one: name = "..."'),
    ],
)
def test_a_row_that_can_not_be_is_told_what_is_wrong(row: dict[str, Any], words: str) -> None:
    with pytest.raises(SetupError) as caught:
        dialect_of_row(row)

    assert words in str(caught.value)


def test_habits_are_a_key_of_connections() -> None:
    assert len({*known_dialects()}) == len(NAMES)
    assert hash(dialect_of_row({"name": "a", "extra_body": {"x": [1]}})) == hash(dialect_of_row({"name": "a"}))
