"""The words of what the person said: asked of the server, put into the turn."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.audio import Transcription
from openai_server import OpenAIServer, Scripted
from openai_server.refusals import Refused
from openai_server.sdk_types import validated

import nbaudio as nba
from nbaudio import errors

QUESTION = Path(__file__).parents[1] / "notebooks" / "question.wav"


def tone(duration_s: float = 0.5) -> nba.Clip:
    return nba.Clip.from_pcm16(bytes(int(48_000 * duration_s)))


@pytest.fixture
def chat(server: OpenAIServer) -> nba.Conversation:
    """Two recordings, a typed question, and their answers."""
    made = nba.Conversation()
    made.say(tone(0.5))
    made.say("Typed.")
    made.say("With words too.", tone(1.0))
    return made


def transcribe(chat: nba.Conversation, index: int | None = None) -> int:
    return chat.transcribe(index)


def atranscribe(chat: nba.Conversation, index: int | None = None) -> int:
    return asyncio.run(chat.atranscribe(index))


@pytest.fixture(params=[transcribe, atranscribe], ids=["plain", "awaited"])
def write(request: pytest.FixtureRequest) -> Callable[..., int]:
    way: Callable[..., int] = request.param
    return way


def by_length(form: dict[str, Any]) -> str:
    return {1: "Short.", 2: "Long."}[round(len(form["file"][2]) / 24_000)]


class TestAConversation:
    def test_every_recording_without_words_gets_some(
        self, server: OpenAIServer, chat: nba.Conversation, write: Callable[..., int]
    ) -> None:
        server.heard = by_length
        ids = [turn.id for turn in chat]
        assert write(chat) == 2
        assert [turn.transcript for turn in chat] == ["Short.", "", "", "", "Long.", ""]
        assert chat[4].words == "With words too.\n\nLong."
        assert [turn.id for turn in chat] == ids
        assert chat[0].clip is not None
        assert write(chat) == 0, "those that have words are not sent again"
        assert len(server.requests) == 5

    def test_what_is_sent(self, server: OpenAIServer, chat: nba.Conversation) -> None:
        chat.transcribe(0)
        sent = server.requests[-1]
        assert sent.path == "/v1/audio/transcriptions"
        assert sent.headers["authorization"] == f"Bearer {server.api_key}"
        name, mime, data = sent.form.pop("file")
        assert (name, mime, data) == ("speech.wav", "audio/wav", tone(0.5).for_model()[0])
        assert sent.form == {"model": "gpt-transcribe", "response_format": "json"}

    def test_an_mp3_stays_one(self, server: OpenAIServer) -> None:
        turn = nba.Turn("user", clips=(nba.Clip(tone(1.0).encode("mp3")),))
        assert turn.transcribe().transcript == "Is it a good dog?"
        assert server.requests[0].form["file"][:2] == ("speech.mp3", "audio/mpeg")

    def test_the_model_is_a_setting(
        self, server: OpenAIServer, chat: nba.Conversation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        nba.NbAudio.instance().transcription_model = "gpt-4o-mini-transcribe"
        chat.transcribe(0)
        assert server.requests[-1].form["model"] == "gpt-4o-mini-transcribe"

    def test_one_turn_again(self, server: OpenAIServer, chat: nba.Conversation) -> None:
        chat.transcribe(0)
        server.heard = "Better."
        assert chat.transcribe(0) == 1
        assert chat[0].transcript == "Better."

    def test_silence_has_no_words(self, server: OpenAIServer, chat: nba.Conversation) -> None:
        server.heard = ""
        assert chat.transcribe() == 0
        assert chat[0].transcript == ""

    def test_what_has_no_recording_of_the_user(self, chat: nba.Conversation) -> None:
        with pytest.raises(errors.CellError, match="Turn 1 is no recording of the user"):
            chat.transcribe(1)
        with pytest.raises(errors.ClipError, match="This turn has no sound"):
            chat[2].transcribe()

    def test_then_the_words_can_take_the_place_of_the_sound(self, server: OpenAIServer, chat: nba.Conversation) -> None:
        chat.transcribe()
        chat.compact(keep_audio=0)
        chat.say("And now?")
        assert server.requests[-1].body["messages"][0] == {"role": "user", "content": "Is it a good dog?"}

    def test_a_turn_of_several_pieces(self, server: OpenAIServer) -> None:
        server.heard = by_length
        turn = nba.Turn("user", clips=(tone(0.5), tone(1.0)))
        assert turn.transcribe() == turn
        assert turn.transcribe().transcript == "Short. Long."


class TestErrors:
    def test_what_came_before_one_is_kept(self, server: OpenAIServer, write: Callable[..., int]) -> None:
        def heard(form: dict[str, Any]) -> str:
            if by_length(form) == "Long.":
                raise Refused("No.")
            return "Short."

        # Four go at once: the last, which fails, goes when one is back.
        chat = nba.Conversation(nba.Turn("user", clips=(tone(s),)) for s in (0.5, 0.5, 0.5, 0.5, 1.0))
        server.heard = heard
        with pytest.raises(errors.BadRequest, match=r"said \(400\): No\."):
            write(chat)
        kept = sum(turn.transcript == "Short." for turn in chat)
        assert kept >= 1
        server.heard = "Now."
        assert write(chat) == 5 - kept

    def test_an_unknown_model(self, server: OpenAIServer) -> None:
        nba.NbAudio.instance().transcription_model = "gpt-9"
        with pytest.raises(errors.UnknownModel, match=r"%config NbAudio\.transcription_model"):
            nba.Turn("user", clips=(tone(),)).transcribe()

    def test_a_server_without_it(self, server: OpenAIServer) -> None:
        server.fail_next(Scripted(404, {}, {"detail": "Not Found"}))
        with pytest.raises(errors.ServerRefused, match="may have no speech-to-text"):
            nba.Turn("user", clips=(tone(),)).transcribe()

    def test_a_passing_failure_is_asked_again(self, server: OpenAIServer) -> None:
        server.fail_next("rate_limited", headers={"retry-after-ms": "1"})
        assert nba.Turn("user", clips=(tone(),)).transcribe().transcript
        assert [request.status for request in server.requests] == [429, 200]

    @pytest.mark.parametrize("fault", ["not_json", "empty_body"])
    def test_an_answer_that_is_none(self, server: OpenAIServer, fault: str) -> None:
        server.fail_next(fault)
        with pytest.raises(errors.BadReply, match="holds no transcript"):
            nba.Turn("user", clips=(tone(),)).transcribe()

    def test_nobody_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        monkeypatch.setenv("NBAUDIO_RETRIES", "0")
        with pytest.raises(errors.ConnectionFailed):
            nba.Turn("user", clips=(tone(),)).transcribe()

    def test_an_interrupt(self, server: OpenAIServer, chat: nba.Conversation) -> None:
        asked = len(server.requests)
        server.fail_next("hang", times=2)

        def interrupt() -> None:
            server.wait_for_request(asked + 2)
            signal.raise_signal(signal.SIGINT)

        threading.Thread(target=interrupt).start()
        with pytest.raises(errors.Interrupted, match="what had been written down is kept"):
            chat.transcribe()
        assert server.wait_for_request(asked + 1).broken_off.wait(10)


def test_the_official_client_takes_the_loopback_servers_answer(server: OpenAIServer) -> None:
    http = openai.DefaultHttpxClient(trust_env=False, verify=False)
    with openai.OpenAI(base_url=server.base_url, api_key=server.api_key, max_retries=0, http_client=http) as client:
        raw = client.audio.transcriptions.with_raw_response.create(
            file=("question.wav", QUESTION.read_bytes()), model="gpt-transcribe"
        )
        assert validated(Transcription, raw.http_response.json()).text == "Is it a good dog?"
        with pytest.raises(openai.BadRequestError) as refused:
            client.audio.transcriptions.create(file=("question.txt", b"no"), model="gpt-transcribe")
        assert refused.value.param == "file"
        with pytest.raises(openai.NotFoundError):
            client.audio.transcriptions.create(file=("question.wav", QUESTION.read_bytes()), model="gpt-9")


@pytest.mark.offline
def test_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBAUDIO_BACKEND", "offline")
    chat = nba.Conversation([nba.Turn("user", clips=(nba.Clip(QUESTION),))])
    assert chat.transcribe() == 1
    assert "golden retriever" in chat[0].transcript.lower()
