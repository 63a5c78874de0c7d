"""The size of a request before it is sent, against what is sent and what the server counts."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from openai_server import OpenAIServer

import nbaudio as nba
from nbaudio.settings import settings

QUESTION = Path(__file__).parents[2] / "notebooks" / "question.wav"


def ten_seconds() -> nba.Clip:
    return nba.Clip.from_pcm16(bytes(2 * 240_000))


class TestBytes:
    @pytest.mark.parametrize("aloud", [True, False])
    def test_they_are_those_that_are_sent(self, server: OpenAIServer, aloud: bool) -> None:
        def add(a: int, b: int) -> int:
            """The sum."""
            return a + b

        chat = nba.Conversation(instructions="Be brief – and kind.", tools=[add])
        for parts in (("What is asked here?", QUESTION), ("And nöw?",), (QUESTION,)):
            size = chat.next_request_size(*parts, aloud=aloud)
            chat.say(*parts, aloud=aloud)
            assert size.bytes == len(server.requests[-1].raw)

    def test_the_history_alone(self, server: OpenAIServer) -> None:
        chat = nba.Conversation()
        chat.say("Hello")
        assert 0 < chat.next_request_size().bytes < chat.next_request_size("And then?").bytes
        assert len(server.requests) == 1  # nothing is sent by asking for a size

    def test_an_hour_of_sound_is_not_turned_into_text(self, server: OpenAIServer) -> None:
        clip = nba.Clip.from_pcm16(bytes(2 * 24_000 * 600))
        size = nba.Conversation().next_request_size(clip)  # imports what it needs
        tracemalloc.start()
        try:
            assert nba.Conversation().next_request_size(clip) == size
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert size.bytes > 38_000_000
        assert peak < 1_000_000


class TestTokens:
    def test_of_sound_that_goes_out(self, server: OpenAIServer) -> None:
        size = nba.Conversation().next_request_size("What is asked here?", ten_seconds())
        assert (size.input_audio_tokens, size.sound_s) == (100, 10.0)
        assert size.input_text_tokens == 5
        assert size.answer_audio_tokens == 300  # a guess before there was an answer
        assert size.cost is not None
        # 5 and 50 of text, 100 and 300 of sound, by the prices of gpt-audio-1.5
        assert float(size.cost.usd) == pytest.approx((5 * 2.5 + 50 * 10 + 100 * 32 + 300 * 64) / 1e6)

    def test_of_earlier_sound_that_goes_by_its_id_or_as_words(self, server: OpenAIServer) -> None:
        server.duration_s = 3.0
        chat = nba.Conversation()
        chat.say("Hello", ten_seconds())
        assert chat.next_request_size("Why?").sound_s == pytest.approx(13.0)
        settings().dialect = "compatible"  # a server that is sent words instead
        assert chat.next_request_size("Why?").sound_s == pytest.approx(10.0)
        chat.edit(0, transcript="What is asked here?")
        chat.compact(keep_audio=0)
        words = chat.next_request_size("Why?")
        assert (words.sound_s, words.input_audio_tokens) == (0.0, 0)
        assert words.input_text_tokens >= 15

    def test_the_servers_own_rates_take_the_place_of_the_guess(
        self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("openai_server.messages.INPUT_TOKENS_PER_S", 25)
        server.duration_s = 2.0
        chat = nba.Conversation()
        chat.say(ten_seconds())
        size = nba.Conversation().next_request_size(ten_seconds())
        assert size.input_audio_tokens == 250
        assert size.answer_audio_tokens == 40  # as long as the last one
        assert nba.Conversation(model="gpt-audio-mini").next_request_size(ten_seconds()).input_audio_tokens == 100

    def test_an_answer_is_never_taken_to_be_longer_than_it_may_be(self, server: OpenAIServer) -> None:
        size = nba.Conversation(max_completion_tokens=70).next_request_size("Hello")
        assert size.answer_text_tokens + size.answer_audio_tokens <= 70
        assert size.answer_audio_tokens > 50


class TestReading:
    def test_it_reads_as_a_sentence(self, server: OpenAIServer) -> None:
        said = str(nba.Conversation().next_request_size("Hello", ten_seconds()))
        assert said.startswith("0.64 MB; in: about 2 tokens of text and 100 for 10.0 s of sound; with a usual answer")
        assert said.endswith("about $0.0229")

    def test_an_unknown_price_is_said(self, server: OpenAIServer) -> None:
        size = nba.Conversation(model="somebody-elses").next_request_size("Hello")
        assert size.cost is None
        assert str(size).endswith("at an unknown price")


@pytest.mark.parametrize("aloud", [True, False])
@pytest.mark.parametrize("stream", [True, False])
def test_a_limit_on_the_answer_goes_out_with_every_request(server: OpenAIServer, aloud: bool, stream: bool) -> None:
    clip = nba.Clip.from_pcm16(bytes(4800))
    nba.Conversation().say("Hello", clip, aloud=aloud, stream=stream)
    assert server.requests[-1].body["max_completion_tokens"] == 2048
    nba.Conversation().say("Hello", clip, aloud=aloud, stream=stream, max_completion_tokens=None)
    assert server.requests[-1].body["max_completion_tokens"] == 2048
