"""Which habits a server has, by its address, and by no look-alike of it."""

from __future__ import annotations

import pytest

from nbaudio.errors import SetupError
from nbaudio.wire.dialects import dialect_for


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://API.OpenAI.com/v1", "openai"),
        ("https://mine.openai.azure.com/openai/v1", "azure"),
        ("https://mine.cognitiveservices.azure.com/openai/v1", "azure"),
        ("http://offline.nbaudio/v1", "offline"),
        ("http://localhost:8000/v1", "compatible"),
        ("https://api.openai.com.evil.example/v1", "compatible"),
        ("https://evil.example/api.openai.com/v1", "compatible"),
        ("https://api.openai.com@evil.example/v1", "compatible"),
        ("https://notapi.openai.com.example", "compatible"),
        ("no address at all", "compatible"),
    ],
)
def test_habits_follow_the_host(url: str, name: str) -> None:
    assert dialect_for(url).name == name


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
    with pytest.raises(SetupError, match=r"no dialect 'opanai'\. Known ones: openai, azure, offline, compatible"):
        dialect_for("http://localhost", "opanai")


@pytest.mark.parametrize("name", ["openai", "azure", "offline", "compatible"])
def test_every_dialect_says_where_it_is_written_down(name: str) -> None:
    dialect = dialect_for("", name)

    assert dialect.source
    assert dialect.default_model
    assert dialect.key_header


def test_the_key_travels_as_the_server_wants_it() -> None:
    assert (dialect_for("", "openai").key_header, dialect_for("", "openai").key_prefix) == ("Authorization", "Bearer ")
    assert (dialect_for("", "azure").key_header, dialect_for("", "azure").key_prefix) == ("api-key", "")


def test_only_servers_that_keep_audio_ids_are_sent_them() -> None:
    kept = [name for name in ("openai", "azure", "offline", "compatible") if dialect_for("", name).keeps_audio_ids]

    assert kept == ["openai", "azure", "offline"]
