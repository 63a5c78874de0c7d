"""The LiteLLM proxy between: clients of others and nbaudio as a client before it, the served engine behind it."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from serving.brain_server import BrainServer
from serving.running import TOKEN, Command

import nbaudio as nba
from nbaudio import Clip, errors
from nbaudio.settings import NbAudio

from .children import Child
from .conftest import NOTEBOOKS, WAYS
from .environments import program

pytestmark = pytest.mark.offline
KEY = "sk-Zk5Wq8Yt1Rv7Lm3Xp9Hb"  # a weak one it does not take
CONFIG = """\
model_list:
  - model_name: offline
    litellm_params: {{model: openai/offline, api_base: "{engine}/v1", api_key: "{token}"}}
  - model_name: ears
    litellm_params: {{model: openai/offline, api_base: "{engine}/v1", api_key: "{token}"}}
    model_info: {{mode: audio_transcription}}
  - model_name: voice
    litellm_params: {{model: openai/offline, api_base: "{engine}/v1", api_key: "{token}"}}
    model_info: {{mode: audio_speech}}
  - model_name: talk
    litellm_params: {{model: openai/offline, api_base: "{engine}/v1", api_key: "{token}"}}
    model_info: {{mode: realtime}}
  - model_name: busy
    litellm_params: {{model: openai/offline, api_base: "{busy}/v1", api_key: "{token}"}}
litellm_settings: {{num_retries: 0, telemetry: false}}
router_settings: {{disable_cooldowns: true}}
general_settings: {{master_key: "{key}"}}
"""


@pytest.fixture(scope="module")
def brain() -> Iterator[BrainServer]:
    with BrainServer() as brain:
        yield brain


@pytest.fixture(scope="module")
def busy(brain: BrainServer) -> Iterator[Command]:
    """An engine that answers one at a time, and only when its brain is let."""
    with Command("--workers", "1", "--queue", "0", "--brain", brain.brain, "--token", TOKEN) as command:
        yield command


@pytest.fixture(scope="module")
def proxy(served: Command, busy: Command, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The proxy's address."""
    config = tmp_path_factory.mktemp("proxy") / "config.yaml"
    config.write_text(CONFIG.format(engine=served.base_url, busy=busy.base_url, token=TOKEN, key=KEY))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]  # it takes no 0
    options = ["--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    # Without a map of prices of its own it fetches one. Without a width it breaks its lines where a terminal would.
    environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "COLUMNS": "200", "NO_COLOR": "1"}
    child = Child([program("litellm", "litellm"), *options], environment | {"PYTHONUNBUFFERED": "1"})
    try:
        child.wait_for("Uvicorn running on")
        url = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{url}/health/readiness", trust_env=False).status_code == 200
        yield url
    finally:
        child.close()


@pytest.fixture(scope="module")
def client(proxy: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{proxy}/v1", api_key=KEY, max_retries=0) as client:
        yield client


def request(content: Any, aloud: bool = True, **options: Any) -> Any:
    asked: dict[str, Any] = {"model": "offline", "messages": [{"role": "user", "content": content}]}
    if aloud:
        asked |= {"modalities": ["text", "audio"], "audio": {"voice": "nova", "format": "pcm16"}}
    return {**asked, **options}


class TestBeforeIt:
    """The official client, which knows nothing of what is behind."""

    @pytest.mark.parametrize("way", WAYS)
    def test_whole_answers(self, client: openai.OpenAI, ways: dict[str, tuple[Any, bool]], way: str) -> None:
        content, aloud = ways[way]
        message = client.chat.completions.create(**request(content, aloud)).choices[0].message

        words = message.audio.transcript if aloud else message.content
        assert len(words.split()) >= 3
        if aloud:
            assert len(base64.b64decode(message.audio.data)) > 48_000

    @pytest.mark.parametrize("way", WAYS)
    def test_streamed_answers(self, client: openai.OpenAI, ways: dict[str, tuple[Any, bool]], way: str) -> None:
        content, aloud = ways[way]
        chunks = list(client.chat.completions.create(**request(content, aloud, stream=True)))

        deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
        audio = [delta.audio for delta in deltas if delta.audio]
        pcm16 = b"".join(base64.b64decode(piece.data) for piece in audio if piece.data)
        assert (len(pcm16) > 48_000) is aloud
        words = [piece.transcript for piece in audio] if aloud else [delta.content for delta in deltas]
        assert len("".join(filter(None, words)).split()) >= 3

    def test_transcriptions(self, client: openai.OpenAI, question: bytes) -> None:
        file = ("question.wav", question)
        found = client.audio.transcriptions.create(file=file, model="ears", response_format="json")
        assert "golden retriever" in found.text.lower()

    def test_speech(self, client: openai.OpenAI) -> None:
        data = client.audio.speech.create(model="voice", voice="nova", input="Good morning.", response_format="wav")
        assert 0.5 < Clip(data.read()).duration_s < 2.5

    def test_an_unknown_voice(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.BadRequestError, match="Supported values are") as refused:
            client.chat.completions.create(**request("Hello", audio={"voice": "bob", "format": "wav"}))
        assert refused.value.param == "audio.voice"


@pytest.fixture
def through_the_proxy(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests of nbaudio go to the proxy."""
    monkeypatch.setenv("OPENAI_BASE_URL", f"{proxy}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NBAUDIO_DIALECT", "offline")
    monkeypatch.setenv("NBAUDIO_TRANSCRIPTION_MODEL", "ears")


ASKED = {
    "text to speech": (("Is a golden retriever a good family dog?",), True),
    "speech to speech": ((NOTEBOOKS / "question.wav",), True),
    "speech to text": ((NOTEBOOKS / "question.wav",), False),
    "both to speech": (("Answer this.", NOTEBOOKS / "question.wav"), True),
    "both to text": (("Answer this.", NOTEBOOKS / "question.wav"), False),
}


@pytest.mark.usefixtures("through_the_proxy")
class TestNbaudio:
    """nbaudio as the client, which does not know that a proxy is between."""

    @pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
    @pytest.mark.parametrize("way", WAYS)
    def test_five_ways(self, way: str, stream: bool) -> None:
        parts, aloud = ASKED[way]
        reply = nba.Conversation(voice="nova").say(*parts, aloud=aloud, stream=stream)

        assert len(reply.text.split()) >= 3
        assert reply.finish_reason == "stop"
        assert reply.usage.output_text_tokens > 0
        assert (reply.usage.input_audio_tokens > 0) is isinstance(parts[-1], Path)
        assert reply.audio_id.startswith("audio_") is aloud
        assert (reply.clip is not None and reply.clip.duration_s > 1) is aloud

    def test_turns_by_audio_id(self, served: Command) -> None:
        chat = nba.Conversation()
        chat.say("Name one animal.")
        by_id = chat.say("What does it eat?")
        words = nba.Conversation()
        words.say("Name one animal.")
        words[1].__dict__["audio_id"] = ""  # as after an hour
        assert by_id.text == words.say("What does it eat?").text

    def test_what_was_said_is_written_down(self) -> None:
        chat = nba.Conversation()
        chat.say(NOTEBOOKS / "question.wav", aloud=False)
        assert chat.transcribe() == 1
        assert "golden retriever" in chat[0].transcript.lower()

    def test_a_text_is_spoken(self) -> None:
        NbAudio.instance().speech_model = "voice"
        speech = nba.speak("The museum opens early. It closes late.", voice="nova")
        assert speech.way == "speech endpoint"
        assert 1.5 < speech.duration_s < 5
        nba.assert_said(speech, "The museum opens early. It closes late.", wer=0.2)

    def test_a_recording_is_written_down(self) -> None:
        found = nba.transcribe(NOTEBOOKS / "question.wav")
        assert "golden retriever" in found.text.lower()

    def test_a_realtime_session(self) -> None:
        with nba.Realtime(model="talk", voice="nova", turn_detection="push_to_talk") as session:
            first = session.say("Is a golden retriever a good family dog?")
            second = session.say(nba.Clip(NOTEBOOKS / "question.wav"))
        for reply in (first, second):
            assert len(reply.text.split()) >= 3
            assert reply.clip is not None
            assert reply.clip.level_dbfs > -30
        assert "golden retriever" in session.conversation[2].transcript.lower()

    def test_errors_are_told(self) -> None:
        with pytest.raises(errors.UnknownVoice) as voice:
            nba.Conversation(voice="bob").say("Hello")
        assert voice.value.param == "audio.voice"
        with pytest.raises(errors.BadRequest, match="Invalid model name"):
            nba.Conversation(model="nothing").say("Hello")

    def test_429_is_absorbed(self, brain: BrainServer, busy: Command) -> None:
        NbAudio.instance().model = "busy"
        with ThreadPoolExecutor() as pool:
            first = pool.submit(nba.Conversation().say, "First?")
            assert brain.next_asked() == "First?"
            second = pool.submit(nba.Conversation().say, "Second?")
            busy.wait_for_log(" 429 ")
            brain.open()
            assert first.result().text == "You said: First?. That is all."
            assert second.result().text == "You said: Second?. That is all."

    def test_the_sound_is_the_engines_own(self) -> None:
        reply = nba.Conversation(voice="ash").say("Why is the sky blue?")
        assert reply.clip is not None
        assert reply.clip.sample_rate == 24_000
        assert -26 < Clip(reply.clip.encode("wav")).level_dbfs < -15
