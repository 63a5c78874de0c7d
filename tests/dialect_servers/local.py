"""Servers of one's own that speak: vLLM-Omni, SGLang-Omni, speaches, and one that nobody has heard of."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from openai_server.sounds import encode, pcm16

from nbaudio.sound import codecs

from .hosted import pieces_of
from .server import Asked, Frame, Refused, StandIn, choice, encoded, words_of


class VllmOmni(StandIn):
    """vLLM-Omni: sound in ``delta.content`` of chunks whose modality is audio, at the model's own rate."""

    dialect = "vllm-omni"
    models = ("Qwen/Qwen3-Omni-30B-A3B-Instruct",)
    sample_rate = 44_100
    has_stream_errors = True

    def error(
        self, status: int, message: str, *, code: Any = None, param: str | None = None, kind: str = ""
    ) -> Refused:
        """The code is the status, as a number."""
        return Refused(
            status, {"error": {"message": message, "type": kind or "BadRequestError", "param": param, "code": status}}
        )

    def unknown_model(self, model: str) -> Refused:
        """In vLLM's words."""
        return self.error(404, f"The model `{model}` does not exist.", kind="NotFoundError")

    def read(self, body: dict[str, Any]) -> Asked:
        """Without modalities it writes and speaks."""
        return super().read({"modalities": ["text", "audio"], **body})

    def _pcm16(self) -> bytes:
        return codecs.samples_to_pcm16(codecs.resample(self.sound, 24_000, self.sample_rate))

    def whole(self, asked: Asked) -> dict[str, Any]:
        """Content and sound in one message, the transcript empty."""
        body = super().whole(asked)
        if asked.aloud:
            audio = {"id": "audio-0f3a", "data": encoded(encode(self.sound, asked.format)), "expires_at": 1_795_086_400}
            body["choices"][0]["message"]["audio"] = {**audio, "transcript": ""}
        return body

    def frames(self, asked: Asked) -> Iterator[Frame]:
        """Two kinds of chunks, which alternate."""
        head = self.head("chat.completion.chunk", asked)
        words = [
            {**head, "modality": "text", "choices": [choice(delta={"content": piece})]}
            for piece in words_of(self.words)
        ]
        sound = []
        for data in pieces_of(self._pcm16(), 8_820) if asked.aloud else []:
            told = {"format": "pcm16", "sample_rate_hz": self.sample_rate, "channels": 1, "frame_count": len(data) // 2}
            if asked.format != "pcm16":  # a file in each
                data, told = codecs.wav_header(len(data), self.sample_rate) + data, {**told, "format": "wav"}
            chunk = choice(delta={"content": encoded(data)}, audio_metadata=told)
            sound.append({**head, "modality": "audio", "choices": [chunk]})
        for at in range(max(len(words), len(sound))):
            yield from words[at : at + 1]
            yield from sound[at : at + 1]
        yield {**head, "modality": "text", "choices": [choice(delta={"content": ""}, finish_reason="stop")]}
        if asked.include_usage:
            yield {**head, "choices": [], "usage": self.usage(asked)}
        yield "data: [DONE]"

    def stream_error(self) -> Frame:
        """vLLM's envelope in the middle."""
        return {"error": {"message": "EngineCore died", "type": "InternalServerError", "param": None, "code": 500}}


class SglangOmni(StandIn):
    """SGLang-Omni: words in the content, sound without a transcript; errors in FastAPI's own form."""

    dialect = "sglang-omni"
    models = ("Qwen/Qwen3-Omni-30B-A3B-Instruct",)

    def error(
        self, status: int, message: str, *, code: Any = None, param: str | None = None, kind: str = ""
    ) -> Refused:
        """``detail`` is a text."""
        return Refused(status, {"detail": message})

    def check_asked(self, asked: Asked) -> None:
        """A field of the wrong type is told as a list."""
        if not isinstance(asked.body.get("temperature", 1.0), float):
            found = {"type": "float_type", "loc": ["body", "temperature"], "msg": "Input should be a valid number"}
            raise Refused(422, {"detail": [found]})

    def whole(self, asked: Asked) -> dict[str, Any]:
        """Words in the content."""
        body = super().whole(asked)
        if asked.aloud:
            body["choices"][0]["message"]["audio"] = {
                "id": "audio-1",
                "data": encoded(encode(self.sound, asked.format)),
            }
        return body

    def frames(self, asked: Asked) -> Iterator[Frame]:
        """``delta.audio`` holds id and data, and nothing else."""
        head = self.head("chat.completion.chunk", asked)
        for piece in words_of(self.words):
            yield {**head, "choices": [choice(delta={"role": "assistant", "content": piece})]}
        for data in pieces_of(pcm16(self.sound), 9_600) if asked.aloud else []:
            if asked.format != "pcm16":
                data = codecs.wav_header(len(data), 24_000) + data
            yield {**head, "choices": [choice(delta={"audio": {"id": "audio-1", "data": encoded(data)}})]}
        yield {**head, "choices": [choice(delta={}, finish_reason="stop")], "usage": self.usage(asked)}
        yield "data: [DONE]"


class Speaches(StandIn):
    """speaches: a transcriber, a language model elsewhere, and a voice, as one; without ``[DONE]`` and usage."""

    dialect = "speaches"
    counts_in_streams = False
    models = ("llama3.2",)

    def error(
        self, status: int, message: str, *, code: Any = None, param: str | None = None, kind: str = ""
    ) -> Refused:
        """``detail`` is a text."""
        return Refused(status, {"detail": message})

    def check_message(self, message: dict[str, Any]) -> None:
        """An id that it does not know breaks it."""
        if message.get("audio") is not None:
            raise Refused(500, "Internal Server Error", "text/plain")

    def check_asked(self, asked: Asked) -> None:
        """Streams are pcm16, and its models have to be there."""
        if asked.aloud and asked.stream and asked.format != "pcm16":
            message = (
                f"Value error, Unsupported value: 'audio.format' does not support '{asked.format}' when stream=true."
            )
            raise Refused(422, {"detail": [{"type": "value_error", "loc": ["body"], "msg": message}]})
        for name, part in (("speech_model", "Kokoro"), ("transcription_model", "whisper")):
            if part not in asked.body.get(name, ""):
                raise self.error(404, f"Model '{asked.body.get(name)}' is not installed locally.")
        if asked.aloud and asked.body["audio"]["voice"] not in ("af_heart", "am_adam"):
            raise self.error(422, f"Voice '{asked.body['audio']['voice']}' is not supported.")

    def whole(self, asked: Asked) -> dict[str, Any]:
        """As OpenAI."""
        body = super().whole(asked)
        if asked.aloud:
            audio = {"id": "audio_1", "data": encoded(encode(self.sound, asked.format)), "expires_at": 4_000_000_000}
            body["choices"][0]["message"] |= {"content": None, "audio": {**audio, "transcript": self.words}}
        return body

    def frames(self, asked: Asked) -> Iterator[Frame]:
        """Id and expiry on every chunk; sound comes from a model of another name, after the finish_reason too."""
        head = self.head("chat.completion.chunk", asked)
        known = {"id": "audio_1", "expires_at": 4_000_000_000}
        for piece in words_of(self.words):
            delta = {"audio": {**known, "transcript": piece}, "content": None} if asked.aloud else {"content": piece}
            yield {**head, "choices": [choice(delta=delta)]}
        yield {**head, "choices": [choice(delta={"content": None}, finish_reason="stop")]}
        data = pcm16(self.sound)
        for sentence in (data[: len(data) // 4 * 2], data[len(data) // 4 * 2 :]) if asked.aloud else ():
            voice = {**head, "model": asked.body["speech_model"]}
            yield {**voice, "choices": [choice(delta={"audio": {**known, "data": encoded(sentence)}})]}


class Unheard(StandIn):
    """A friend's server: a WAV header before the first piece, 16,000 Hz, no ids, no finish_reason, errors in text."""

    dialect = "compatible"
    counts_in_streams = False
    models = ("gpt-audio-1.5",)

    def error(
        self, status: int, message: str, *, code: Any = None, param: str | None = None, kind: str = ""
    ) -> Refused:
        """Plain text."""
        return Refused(status, message, "text/plain")

    def whole(self, asked: Asked) -> dict[str, Any]:
        """A transcript, no id."""
        body = super().whole(asked)
        if asked.aloud:
            audio = {"data": encoded(encode(self.sound, asked.format)), "transcript": self.words}
            body["choices"][0]["message"] |= {"content": None, "audio": audio}
        return body

    def frames(self, asked: Asked) -> Iterator[Frame]:
        """A WAV of unknown size, cut anywhere."""
        head = self.head("chat.completion.chunk", asked)
        for piece in words_of(self.words):
            yield {
                **head,
                "choices": [{"delta": {"audio": {"transcript": piece}} if asked.aloud else {"content": piece}}],
            }
        sound = codecs.samples_to_pcm16(codecs.resample(self.sound, 24_000, 16_000))
        header = bytearray(codecs.wav_header(0, 16_000))
        struct.pack_into("<I", header, 4, 0xFFFFFFFF)
        struct.pack_into("<I", header, 40, 0xFFFFFFFF)
        for data in pieces_of(bytes(header) + sound, 3_201) if asked.aloud else []:
            yield {**head, "choices": [{"delta": {"audio": {"data": encoded(data)}}}]}
        yield "data: [DONE]"


LOCAL = (VllmOmni, SglangOmni, Speaches, Unheard)
