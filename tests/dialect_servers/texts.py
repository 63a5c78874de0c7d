"""Servers whose answers are words: vLLM, llama.cpp, Ollama, LocalAI, Mistral, Gemini."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .server import Asked, Frame, Refused, StandIn, choice, words_of

_COMMON = (
    "model",
    "messages",
    "stream",
    "stream_options",
    "temperature",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
)


class Vllm(StandIn):
    """vLLM: an unknown form of sound is an error, and so is sound for a model that has no ears."""

    dialect = "vllm"
    models = ("mistralai/Voxtral-Mini-3B-2507", "meta-llama/Llama-3.2-1B-Instruct")
    key = "token-abc123"
    has_stream_errors = True

    def error(
        self, status: int, message: str, *, code: Any = None, param: str | None = None, kind: str = ""
    ) -> Refused:
        """The code is the status, as a number."""
        return Refused(
            status, {"error": {"message": message, "type": kind or "BadRequestError", "param": param, "code": status}}
        )

    def bad_key(self, given: str) -> Refused:
        """One word."""
        return Refused(401, {"error": "Unauthorized"})

    def check_asked(self, asked: Asked) -> None:
        """Text models have no ears."""
        if asked.sounds and "Voxtral" not in asked.model:
            raise self.error(400, "At most 0 audio(s) may be provided in one prompt.")

    def whole(self, asked: Asked) -> dict[str, Any]:
        """With an ``audio`` that is null."""
        body = super().whole(asked)
        body["choices"][0]["message"] |= {"audio": None, "refusal": None, "reasoning": None, "tool_calls": []}
        return body

    def stream_error(self) -> Frame:
        """In an older version's form."""
        return {
            "object": "error",
            "message": "EngineCore died",
            "type": "InternalServerError",
            "param": None,
            "code": 500,
        }


class LlamaCpp(StandIn):
    """llama.cpp's server: any model's name, and an error of its own without a projector for sound."""

    dialect = "llama.cpp"
    models = ("default", "gemma-3n-e2b")
    key = "llama-key-0123"

    def error(
        self, status: int, message: str, *, code: Any = None, param: str | None = None, kind: str = ""
    ) -> Refused:
        """The code is the status, as a number."""
        return Refused(status, {"error": {"code": status, "message": message, "type": kind or "invalid_request_error"}})

    def bad_key(self, given: str) -> Refused:
        """In its own words."""
        return self.error(401, "Invalid API Key", kind="authentication_error")

    def check_asked(self, asked: Asked) -> None:
        """Without mmproj there are no ears."""
        if asked.sounds and "gemma" not in asked.model:
            message = "audio input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
            raise self.error(500, message, kind="server_error")

    def frames(self, asked: Asked) -> Iterator[Frame]:
        """The role comes in a chunk with content null, and the timings with the last."""
        head = self.head("chat.completion.chunk", asked)
        yield {**head, "choices": [choice(delta={"role": "assistant", "content": None})]}
        for piece in words_of(self.words):
            yield {**head, "choices": [choice(delta={"content": piece})]}
        yield {**head, "choices": [choice(delta={}, finish_reason="stop")]}
        if asked.include_usage:
            yield {**head, "choices": [], "usage": self.usage(asked), "timings": {"prompt_n": 11, "predicted_n": 9}}
        yield "data: [DONE]"


class Ollama(StandIn):
    """Ollama: knows its own fields and passes over others, but not ``max_completion_tokens`` by that name."""

    dialect = "ollama"
    models = ("llama3.2", "gemma3n")

    def error(
        self, status: int, message: str, *, code: Any = None, param: str | None = None, kind: str = ""
    ) -> Refused:
        """With null for what it does not say."""
        return Refused(
            status, {"error": {"message": message, "type": kind or "api_error", "param": None, "code": None}}
        )

    def unknown_model(self, model: str) -> Refused:
        """In its own words."""
        return self.error(404, f'model "{model}" not found, try pulling it first', kind="not_found_error")

    def check_message(self, message: dict[str, Any]) -> None:
        """A message without content, as one with an audio id is."""
        if message.get("content") is None and not message.get("tool_calls"):
            raise self.error(400, "invalid message content type: <nil>", kind="invalid_request_error")

    def check_asked(self, asked: Asked) -> None:
        """Text models have no ears; a limit by a name that it does not know would be none."""
        if asked.sounds and "gemma" not in asked.model:
            raise self.error(400, "this model does not support audio input", kind="invalid_request_error")
        if "max_tokens" not in asked.body:
            raise self.error(400, "the stand-in wants a limit that Ollama would keep to")

    def frames(self, asked: Asked) -> Iterator[Frame]:
        """The role in every chunk."""
        for frame in super().frames(asked):
            if isinstance(frame, dict):
                for told in frame["choices"]:
                    told["delta"] = {"role": "assistant", "content": "", **told["delta"]}
            yield frame


class LocalAI(StandIn):
    """LocalAI: any model that is set up there."""

    dialect = "localai"
    models = ("gpt-4", "qwen3-omni")

    def unknown_model(self, model: str) -> Refused:
        """A 500 that says what is missing, and that asking again does not mend."""
        return Refused(404, {"error": {"code": 404, "message": f"model {model} not found", "type": ""}})


class Mistral(StandIn):
    """Mistral: sound is a text in the place of the object, and every field that it does not know is refused."""

    dialect = "mistral"
    key = "mistral-stand-in-key-0123456789"
    models = ("voxtral-small-latest",)
    sound_in = "string"
    fields = (*(name for name in _COMMON if name != "stream_options"), "max_tokens", "random_seed", "stop")

    def error(
        self, status: int, message: str, *, code: Any = None, param: str | None = None, kind: str = ""
    ) -> Refused:
        """An object of the kind error."""
        body = {"object": "error", "message": message, "type": kind or "invalid_request_error", "param": None}
        return Refused(status, {**body, "code": str(status)})

    def bad_key(self, given: str) -> Refused:
        """Outside of any envelope."""
        return Refused(401, {"detail": "Unauthorized"})

    def unknown_field(self, name: str, value: Any) -> Refused:
        """A list in an object in an object."""
        found = {
            "type": "extra_forbidden",
            "loc": ["body", name],
            "msg": "Extra inputs are not permitted",
            "input": value,
        }
        body = {"object": "error", "message": {"detail": [found]}, "type": "invalid_request_error", "param": None}
        return Refused(422, {**body, "code": None})

    def unknown_model(self, model: str) -> Refused:
        """A 400."""
        return self.error(400, f"Invalid model: {model}", kind="invalid_model")

    def whole(self, asked: Asked) -> dict[str, Any]:
        """The content is a list of parts, as that of its models that think is."""
        body = super().whole(asked)
        thought = {"type": "thinking", "thinking": [{"type": "text", "text": "A question about dogs."}]}
        body["choices"][0]["message"]["content"] = [thought, {"type": "text", "text": self.words}]
        return body

    def frames(self, asked: Asked) -> Iterator[Frame]:
        """The usage comes with the last choice, asked for or not."""
        head = self.head("chat.completion.chunk", asked)
        for piece in words_of(self.words):
            yield {**head, "choices": [choice(delta={"content": piece})]}
        yield {**head, "choices": [choice(delta={"content": ""}, finish_reason="stop")], "usage": self.usage(asked)}
        yield "data: [DONE]"


class Gemini(StandIn):
    """Gemini's compatible endpoint: unknown fields are refused, and errors come in a list."""

    dialect = "gemini"
    root = "/v1beta/openai"
    key = "AIzaStandIn0123456789abcdefghijklmnopq"
    models = ("gemini-flash-latest",)
    fields = (*_COMMON, "max_tokens", "max_completion_tokens", "n", "stop", "top_p", "reasoning_effort")

    def error(
        self, status: int, message: str, *, code: Any = None, param: str | None = None, kind: str = ""
    ) -> Refused:
        """A list of one."""
        return Refused(status, [{"error": {"code": status, "message": message, "status": kind or "INVALID_ARGUMENT"}}])

    def bad_key(self, given: str) -> Refused:
        """A 400 for a key, as it does."""
        return self.error(400, "API key not valid. Please pass a valid API key.")

    def unknown_field(self, name: str, value: Any) -> Refused:
        """In its own words."""
        return self.error(400, f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')

    def unknown_model(self, model: str) -> Refused:
        """In its own words."""
        return self.error(404, f"models/{model} is not found for API version v1main", kind="NOT_FOUND")

    def check_asked(self, asked: Asked) -> None:
        """Also fields within fields."""
        for name in asked.body.get("stream_options", {}):
            if name != "include_usage":
                raise self.error(400, f"Invalid JSON payload received. Unknown name \"{name}\" at 'stream_options'.")


TEXTS = (Vllm, LlamaCpp, Ollama, LocalAI, Mistral, Gemini)
