"""From a request that passed its checks to its answer: words, sound, a tool call or a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .checks import Asked
from .replies import OUTPUT_TOKENS_PER_S, Reply, Spoken, measure, new_id, usage, word_pieces
from .sounds import SAMPLE_RATE, encode

if TYPE_CHECKING:
    from .server import OpenAIServer

REFUSAL = "I can't help with that."


def compose(server: OpenAIServer, asked: Asked, body: dict[str, Any], fault: str | None) -> Reply:
    """The answer to a request, as the server's script and a fault in it have it.

    Raises
    ------
    ValueError
        If the fault can't show in this kind of answer: the test that queued it would test nothing.
    """
    if fault in ("text_instead_of_audio", "no_data") and not asked.speaks:
        raise ValueError(f"{fault!r} was queued, but the request doesn't ask for sound")
    if fault in ("no_done", "error_in_stream") and not asked.stream:
        raise ValueError(f"{fault!r} was queued, but the request doesn't ask for a stream")
    if fault == "refusal":
        return _reply(server, asked, "stop", text_tokens=len(word_pieces(REFUSAL)), refusal=REFUSAL)
    if fault == "content_filter":
        return _reply(server, asked, "content_filter")
    scripted = server.script.pop(0) if server.script else None
    if isinstance(scripted, list) or (scripted is None and asked.may_call_tools and server.tool_call is not None):
        calls = scripted or server.tool_call
        calls = calls if isinstance(calls, list) else [calls]
        tokens = sum(len(word_pieces(f"{call.name} {call.arguments_text}")) for call in calls)
        return _reply(server, asked, "tool_calls", text_tokens=tokens, tool_calls=calls)
    words = scripted or (server.words if isinstance(server.words, str) else server.words(body))
    if not asked.speaks or fault == "text_instead_of_audio":
        fits = measure(words, 0, asked.token_limit)
        return _reply(server, asked, fits.finish_reason, text_tokens=fits.text_tokens, content=fits.words)
    return _spoken_reply(server, asked, words, with_data=fault != "no_data")


def _spoken_reply(server: OpenAIServer, asked: Asked, words: str, *, with_data: bool) -> Reply:
    fits = measure(words, server.duration_s, asked.token_limit)
    samples = server.sound(words)
    if fits.finish_reason == "length":
        samples = samples[: fits.audio_tokens * SAMPLE_RATE // OUTPUT_TOKENS_PER_S]
    spoken = Spoken(
        id=new_id("audio_"),
        data=encode(samples, asked.audio_format) if with_data else None,
        transcript=fits.words,
        expires_at=int(server.clock() + server.audio_ttl_s),
    )
    return _reply(
        server,
        asked,
        fits.finish_reason,
        text_tokens=fits.text_tokens,
        audio_tokens=fits.audio_tokens if with_data else 0,
        spoken=spoken,
    )


def _reply(
    server: OpenAIServer,
    asked: Asked,
    finish_reason: str,
    *,
    text_tokens: int = 0,
    audio_tokens: int = 0,
    **parts: Any,
) -> Reply:
    return Reply(
        id=new_id("chatcmpl-"),
        model=asked.model,
        created=int(server.clock()),
        usage=usage(asked, text_tokens, audio_tokens),
        finish_reason=finish_reason,
        **parts,
    )
