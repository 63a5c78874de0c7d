"""OpenAI, Azure, OpenRouter, Qwen-Omni in Model Studio, and LiteLLM in front of any of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openai_server.sounds import FORMATS, SAMPLE_RATE, encode, pcm16

from .server import Asked, Frame, Recorded, Refused, StandIn, choice, encoded, words_of

_PIECE = 4_801  # bytes: no multiple of 2 or 3, so that samples and base64 are cut in the middle
_EXPIRES_AT = 4_000_000_000


def pieces_of(data: bytes, size: int = _PIECE) -> list[bytes]:
    """The data in pieces."""
    return [data[at : at + size] for at in range(0, len(data), size)]


class OpenAI(StandIn):
    """OpenAI itself; the far more thorough one is `openai_server`."""

    dialect = "openai"
    key = "sk-proj-stand-in-of-openai-0123"
    models = ("gpt-audio-1.5",)
    needs_sound = True
    has_stream_errors = True

    def bad_key(self, given: str) -> Refused:
        """JSON that comes as text/plain, with both ends of the key in it."""
        masked = f"{given[:8]}****{given[-4:]}"
        body = {"error": {"message": f"Incorrect API key provided: {masked}.", "type": "invalid_request_error",
                          "param": None, "code": "invalid_api_key"}}  # fmt: skip
        return Refused(401, body, "text/plain")

    def check_message(self, message: dict[str, Any]) -> None:
        """Ids of other servers are not known here."""
        audio = message.get("audio")
        if audio is not None and not audio["id"].startswith("audio_"):
            raise self.error(400, f"Assistant audio {audio['id']} not found.", code="audio_not_found")

    def check_asked(self, asked: Asked) -> None:
        """Streams are pcm16."""
        super().check_asked(asked)
        if asked.aloud and asked.stream and asked.format != "pcm16":
            raise self.error(
                400,
                f"'audio.format' does not support '{asked.format}' when stream=true. Supported values are: 'pcm16'.",
                param="audio.format",
                code="unsupported_value",
            )
        if asked.aloud and asked.format not in FORMATS:
            raise self.error(400, f"Invalid value: '{asked.format}'.", param="audio.format", code="invalid_value")

    def usage(self, asked: Asked) -> dict[str, Any]:
        """Parted into text and sound."""
        return {
            **super().usage(asked),
            "prompt_tokens_details": {"audio_tokens": 5 * bool(asked.sounds), "text_tokens": 6, "cached_tokens": 0},
            "completion_tokens_details": {"audio_tokens": 7 * asked.aloud, "text_tokens": 2},
        }

    def whole(self, asked: Asked) -> dict[str, Any]:
        """Words in the transcript, and content null, where it speaks."""
        body = super().whole(asked)
        if asked.aloud:
            body["choices"][0]["message"] |= {"content": None, "audio": self.audio(asked)}
        return body

    def audio(self, asked: Asked) -> dict[str, Any]:
        """The audio of a whole answer."""
        data = encoded(encode(self.sound, asked.format))
        return {"id": "audio_1", "data": data, "expires_at": _EXPIRES_AT, "transcript": self.words}

    def frames(self, asked: Asked) -> Iterator[Frame]:
        """First the transcript, then the sound, at last the expiry alone, and no finish_reason."""
        if not asked.aloud:
            yield from super().frames(asked)
            return
        head = self.head("chat.completion.chunk", asked)
        for piece in words_of(self.words):
            yield {**head, "choices": [choice(delta={"audio": {"id": "audio_1", "transcript": piece}})]}
        for data in pieces_of(pcm16(self.sound)):
            yield {**head, "choices": [choice(delta={"audio": {"data": encoded(data)}})]}
        yield {**head, "choices": [choice(delta={"audio": {"expires_at": _EXPIRES_AT}})]}
        if asked.include_usage:
            yield {**head, "choices": [], "usage": self.usage(asked)}
        yield "data: [DONE]"

    def stream_error(self) -> Frame:
        """An envelope in the middle."""
        return {"error": {"message": "The server had an error.", "type": "server_error", "param": None, "code": None}}


class Azure(OpenAI):
    """OpenAI's models at Azure: another header, and deployments in the place of models."""

    dialect = "azure"
    root = "/openai/v1"
    key, key_header, key_prefix = "0123456789abcdef0123456789abcdef", "api-key", ""

    def bad_key(self, given: str) -> Refused:
        """Azure's own words, and its code is a text of digits."""
        message = "Access denied due to invalid subscription key or wrong API endpoint."
        return Refused(401, {"error": {"code": "401", "message": message}})

    def unknown_model(self, model: str) -> Refused:
        """A deployment that does not exist."""
        message = "The API deployment for this resource does not exist."
        return Refused(404, {"error": {"code": "DeploymentNotFound", "message": message}})


class AzureDeployments(Azure):
    """The old paths, which want a version."""

    dialect = "azure-deployments"
    root = "/openai/deployments/gpt-audio-1.5"

    def check(self, recorded: Recorded) -> Asked:
        """No version, or one from before audio, is a path that is not there."""
        if recorded.query.get("api-version", "") < "2025-01-01-preview":
            raise Refused(404, {"error": {"code": "404", "message": "Resource not found"}})
        return super().check(recorded)


class OpenRouter(StandIn):
    """OpenRouter: sound in streams only; errors as numbers, also within streams of status 200."""

    dialect = "openrouter"
    root = "/api/v1"
    key = "sk-or-v1-stand-in-0123456789"
    models = ("openai/gpt-audio-mini", "google/lyria-3-clip-preview")
    has_stream_errors = True

    def error(
        self, status: int, message: str, *, code: Any = None, param: str | None = None, kind: str = ""
    ) -> Refused:
        """The code is the status, as a number."""
        return Refused(status, {"error": {"message": message, "code": status}, "user_id": "user_1"})

    def bad_key(self, given: str) -> Refused:
        """Which does not tell a wrong key from none."""
        return self.error(401, "User not found.")

    def unknown_model(self, model: str) -> Refused:
        """A 400."""
        return self.error(400, f"{model} is not a valid model ID")

    def check_asked(self, asked: Asked) -> None:
        """The two rules for sound, in the provider's words behind its own."""
        if asked.aloud and not asked.stream:
            raise self.error(400, "Audio output requires stream: true")
        if asked.aloud and asked.format != "pcm16":
            raw = (
                f'{{"error": {{"message": "\'audio.format\' does not support \'{asked.format}\' when stream=true."}}}}'
            )
            body = {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {"raw": raw, "provider_name": "OpenAI"},
            }
            raise Refused(400, {"error": body})

    def frames(self, asked: Asked) -> Iterator[Frame]:
        """Comments; words and sound in one chunk; the usage in a chunk with a choice. Music is one MP3, wordless."""
        yield ": OPENROUTER PROCESSING"
        head = {**self.head("chat.completion.chunk", asked), "provider": "OpenAI"}
        if asked.aloud and "lyria" in asked.model:
            data = encoded(encode(self.sound, "mp3"))
            yield {**head, "choices": [choice(delta={"role": "assistant", "content": "", "audio": {"data": data}})]}
        elif asked.aloud:
            sound = pieces_of(pcm16(self.sound))
            words = words_of(self.words)
            for at in range(max(len(sound), len(words))):
                audio = {"id": "audio_1", "expires_at": _EXPIRES_AT}
                audio |= {"transcript": words[at]} if at < len(words) else {}
                audio |= {"data": encoded(sound[at])} if at < len(sound) else {}
                yield {**head, "choices": [choice(delta={"role": "assistant", "content": "", "audio": audio})]}
        else:
            for piece in words_of(self.words):
                yield {**head, "choices": [choice(delta={"role": "assistant", "content": piece})]}
        end = {"delta": {"role": "assistant", "content": ""}, "finish_reason": "stop", "native_finish_reason": "stop"}
        yield {**head, "choices": [choice(**end)]}
        yield {**head, "choices": [choice(**end)], "usage": {**self.usage(asked), "cost": 0.0012}}
        yield "data: [DONE]"

    def stream_error(self) -> Frame:
        """A chunk with an error beside a choice."""
        error = {"code": 502, "message": "Upstream error from OpenAI"}
        return {"id": "gen-1", "object": "chat.completion.chunk", "error": error,
                "choices": [choice(delta={"content": ""}, finish_reason="error")]}  # fmt: skip


class ModelStudio(StandIn):
    """Qwen-Omni: streams only; sound goes in as a data URL, and comes as PCM although it is asked for as wav."""

    dialect = "qwen-omni"
    root = "/compatible-mode/v1"
    key = "sk-0123456789abcdef0123456789abcdef"
    models = ("qwen3.5-omni-plus",)
    sound_in = "data_url"

    def error(
        self, status: int, message: str, *, code: Any = None, param: str | None = None, kind: str = ""
    ) -> Refused:
        """With an id beside it."""
        kind = kind or "invalid_request_error"
        return Refused(
            status, {"error": {"message": message, "type": kind, "param": None, "code": kind}, "request_id": "1"}
        )

    def bad_key(self, given: str) -> Refused:
        """In its own words."""
        return self.error(401, f"Incorrect API key provided. {given}", kind="invalid_api_key")

    def check_asked(self, asked: Asked) -> None:
        """Streams only, wav only, and voices of its own."""
        if not asked.stream:
            raise self.error(400, "<400> InternalError.Algo.InvalidParameter: only support stream call")
        if asked.aloud and asked.format != "wav":
            raise self.error(400, f"<400> InternalError.Algo.InvalidParameter: audio.format {asked.format}")
        if asked.aloud and asked.body["audio"]["voice"] not in ("Tina", "Cherry", "Ethan"):
            raise self.error(400, f"Voice {asked.body['audio']['voice']!r} is not supported.")

    def frames(self, asked: Asked) -> Iterator[Frame]:
        """Id and expiry on every piece of sound."""
        if not asked.aloud:
            yield from super().frames(asked)
            return
        head = self.head("chat.completion.chunk", asked)
        yield {**head, "choices": [choice(delta={"content": "", "role": "assistant"})]}
        for piece in words_of(self.words):
            yield {**head, "choices": [choice(delta={"audio": {"transcript": piece}})]}
        for data in pieces_of(pcm16(self.sound), 4_800):
            audio = {"data": encoded(data), "expires_at": _EXPIRES_AT, "id": "audio_9f"}
            yield {**head, "choices": [choice(delta={"audio": audio})]}
        yield {**head, "choices": [choice(delta={"content": ""}, finish_reason="stop")]}
        if asked.include_usage:
            yield {**head, "choices": [], "usage": self.usage(asked)}
        yield "data: [DONE]"


class LiteLLM(OpenAI):
    """LiteLLM before OpenAI: null fields go, a finish_reason comes after the expiry, the code is a text."""

    dialect = "litellm"
    key = "sk-litellm-stand-in-0123456789"
    has_stream_errors = False

    def error(
        self, status: int, message: str, *, code: Any = None, param: str | None = None, kind: str = ""
    ) -> Refused:
        """With the kind of exception before the message."""
        message = f"litellm.BadRequestError: OpenAIException - {message}"
        return Refused(status, {"error": {"message": message, "type": None, "param": param, "code": str(status)}})

    def bad_key(self, given: str) -> Refused:
        """As its proxy says it."""
        message = (
            f"Authentication Error, Invalid proxy server token passed. Received API Key = {given[:2]}...{given[-4:]}"
        )
        return Refused(
            401, {"error": {"message": message, "type": "token_not_found_in_db", "param": "key", "code": "401"}}
        )

    def check_message(self, message: dict[str, Any]) -> None:
        """Ids go through, to whatever server is behind it: words are always understood."""
        if message.get("audio") is not None:
            raise self.error(400, "Assistant audio not found.")

    def frames(self, asked: Asked) -> Iterator[Frame]:
        """OpenAI's stream with what the proxy does to it."""
        for frame in super().frames(asked):
            if isinstance(frame, dict) and not frame["choices"]:
                yield {**frame, "choices": [{"index": 0, "delta": {}}]}
                continue
            yield _without_nulls(frame) if isinstance(frame, dict) else frame
            if isinstance(frame, dict) and "expires_at" in frame["choices"][0]["delta"].get("audio", {}):
                yield {**frame, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


HOSTED = (OpenAI, Azure, AzureDeployments, OpenRouter, ModelStudio, LiteLLM)
assert SAMPLE_RATE == 24_000
