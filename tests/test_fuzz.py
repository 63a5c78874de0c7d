"""Whatever comes from outside: it is read, or it is an error of this package, and it takes no time without end."""

from __future__ import annotations

import base64
import io
import json
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from signals import voice

from nbaudio import Captions, Clip, Conversation, NbaudioError, Reply, Turn
from nbaudio.interpolate import interpolate
from nbaudio.sound.codecs import repair_wav, wav_header
from nbaudio.wire.answers import AnswerReader
from nbaudio.wire.sse import SseDecoder

FEW = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)


def value_or_error(call: Callable[[], Any]) -> Any:
    """What comes of it; None where it is refused in this package's own way."""
    try:
        return call()
    except NbaudioError as error:
        if not error.cause:
            raise
        return None


# -- saved conversations --------------------------------------------------------------------------------------------

CLIP = Clip.from_pcm16(Clip(voice(duration_s=0.1), 24_000).encode("pcm16"))


def _saved() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        turns = [Turn("user", "Listen.", (CLIP,)), Reply(text="Yes.", clips=(CLIP,), marks=((4, 2400),))]
        return Conversation(turns, name="n").save(Path(folder) / "a.nbaudio").read_bytes()


GOOD = _saved()
with zipfile.ZipFile(io.BytesIO(GOOD)) as _packed:
    HEAD = json.loads(_packed.read("conversation.json"))
    SOUND = next(name for name in _packed.namelist() if name != "conversation.json")
    SOUND_BYTES = _packed.read(SOUND)
FIELDS = [
    *(
        "role",
        "id",
        "text",
        "sounds",
        "time",
        "transcript",
        "as_words",
        "model",
        "voice",
        "backend",
        "usage",
        "audio_id",
    ),
    *("expires_at", "finish_reason", "refusal", "partial", "note", "offline", "tool_calls", "marks", "name", "call_id"),
    "failed",
]
SENSIBLE = st.sampled_from(
    ["user", "assistant", "tool", [SOUND], [[1, 2], [4, 9]], [[0, 0]], {"input_tokens": 5}, [{"id": "1", "name": "f"}]]
)


def loaded(data: bytes) -> Conversation | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.nbaudio"
        path.write_bytes(data)
        found: Conversation | None = value_or_error(lambda: Conversation.load(path))
        assert [inside.name for inside in Path(folder).iterdir()] == ["a.nbaudio"]
    return found


def use(chat: Conversation | None) -> None:
    """All that is done with turns: none of it may fail on one that has been loaded."""
    if chat is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        for ending in (".md", ".html", ".wav", ".vtt"):
            value_or_error(lambda ending=ending: chat.export(Path(folder) / f"a{ending}"))  # type: ignore[misc]
        assert list(Conversation.load(chat.save(Path(folder) / "b.nbaudio"))) == list(chat)
    chat._repr_mimebundle_()
    chat.to_messages(audio_ids=True)
    chat.to_dataframe()
    for turn in chat:
        assert turn.captions is not None
        assert repr(turn)


@FEW
@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda data: b"PK\x03\x04" + data + GOOD[-60:]))
def test_any_bytes_as_a_saved_conversation(data: bytes) -> None:
    loaded(data)


@FEW
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_saved_conversation_with_damaged_bytes(damage: list[tuple[int, int]]) -> None:
    data = bytearray(GOOD)
    for place, value in damage:
        data[place] = value
    loaded(bytes(data))


def packed(head: Any, sound: bytes = SOUND_BYTES) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("conversation.json", json.dumps(head))
        file.writestr(SOUND, sound)
    return buffer.getvalue()


@FEW
@given(st.sampled_from(sorted(HEAD)), JSON)
def test_any_value_in_the_head(name: str, value: Any) -> None:
    use(loaded(packed({**HEAD, name: value})))


@settings(FEW, max_examples=120)
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON | SENSIBLE, max_size=5), max_size=3), st.booleans())
@example([{"role": "assistant", "text": "Yes.", "sounds": [SOUND], "marks": [[9, 9_999_999]]}], False)
@example([{"role": "assistant", "text": "Yes.", "sounds": [SOUND], "marks": [[0, 0], [0, 0]], "offline": True}], False)
@example([{"role": "user", "transcript": " \u2028 ", "sounds": [SOUND, SOUND], "time": 253402300799.9}], False)
def test_any_value_in_a_turn(turns: list[dict[str, Any]], sounding: bool) -> None:
    if sounding:
        turns = [{"role": "assistant", "text": "Yes. No.", "sounds": [SOUND], **turn} for turn in turns]
    use(loaded(packed({**HEAD, "turns": turns})))


# -- captions -------------------------------------------------------------------------------------------------------

CUES = st.lists(
    st.sampled_from(
        [
            *(
                "WEBVTT",
                "\n",
                "\n\n",
                "\r",
                "00:00:01.000 --> 00:00:02.000",
                "1",
                "-->",
                "00:01,5 --> 00:02,5",
                "<v A>b",
            ),
            *("99999999:00:00.000 --> 0:0", "00:00 --> 00:01 align:start", "NOTE", "STYLE", "<", "&amp;", "&#x110000;"),
            *("\ufeff", "\x00", "٣:٣ --> ٤:٤", "00:61:61.999 --> 00:61:62.000", "-1:00 --> 00:01", "{\\an8}", "&#0;"),
        ]
    )
    | st.text(max_size=8),
    max_size=20,
).map("".join)


@settings(FEW, max_examples=250)
@given(CUES)
@example("WEBVTT\n\n1:00 --> 2:00\n" + "<" * 20_000)
@example("WEBVTT\n\n1:00 --> 2:00\n" + "<a" * 20_000)
@example("1:00 --> 2:00\n" + "{\\" * 20_000)
@example("WEBVTT\n" + "1:" * 50_000)
@example("WEBVTT\n\n1:00 --> 2:00\n" + "&#x" + "9" * 5000 + ";")
@example("WEBVTT\n\n1:00 --> 2:00\n&#" + "9" * 5000 + ";")
def test_any_text_as_captions(text: str) -> None:
    for read in (Captions.from_vtt, Captions.from_srt):
        found = value_or_error(lambda read=read: read(text))  # type: ignore[misc]
        if found is not None:
            assert len(Captions.from_vtt(found.vtt)) == len(Captions.from_srt(found.srt)) == len(found)


# -- interpolation --------------------------------------------------------------------------------------------------

BRACES = st.lists(
    st.sampled_from(
        ["{", "}", "{a}", "{a.b}", "{a[", "]}", "[0]", "{a[0]}", "{a['x']}", "\\frac", "{a.", "$", "^", "{{"]
    )
    | st.text(max_size=4),
    max_size=15,
).map("".join)


class Nasty:
    """Fails in every way."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __getitem__(self, key: Any) -> Any:
        raise RuntimeError(key)

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __repr__(self) -> str:
        return "Nasty()"


@settings(FEW, max_examples=250)
@given(BRACES, st.sampled_from([[1, 2], {"x": "y"}, "text", 3, None, Nasty(), [Nasty()]]))
@example("{a[" + "9" * 5000 + "]}", [1])
@example("{a[" + "٣" * 5000 + "]}", {})
@example("{a}", Nasty())
@example("{a[0]} {a.b}", [Nasty()])
@example("\\frac" + "{" * 5000, 1)
@example("\\frac" + "{a}" * 5000 + "{", 1)
@example("{a" + ".b" * 20_000, 1)
@example("{a" + "[b]" * 20_000, 1)
def test_any_text_and_any_value_in_a_cell(text: str, value: Any) -> None:
    made = value_or_error(lambda: interpolate(text, {"a": value, "b": Nasty()}))

    assert isinstance(made, str)
    if "{" not in text:
        assert made == text


# -- answers --------------------------------------------------------------------------------------------------------

BASE64 = st.binary(max_size=9).map(lambda data: base64.b64encode(data).decode()) | st.sampled_from(
    ["A", "!", "AAA=", "ä"]
)
ANY = JSON | BASE64
AUDIO = st.fixed_dictionaries({}, optional={"id": ANY, "data": ANY, "transcript": ANY, "expires_at": ANY}) | JSON
CALL = st.fixed_dictionaries(
    {}, optional={"index": ANY, "id": ANY, "function": JSON | st.fixed_dictionaries({"name": ANY})}
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={"content": ANY, "refusal": ANY, "audio": AUDIO, "tool_calls": st.lists(CALL | JSON, max_size=3) | JSON},
)
CHOICE = st.fixed_dictionaries({}, optional={"delta": MESSAGE | JSON, "message": MESSAGE | JSON, "finish_reason": ANY})
CHUNK = JSON | st.fixed_dictionaries(
    {}, optional={"choices": st.lists(CHOICE | JSON, max_size=2) | JSON, "usage": JSON, "model": ANY, "error": JSON}
)


def made_of(reader: AnswerReader) -> None:
    """What came is always an answer, and a reply that can be shown."""
    answer = reader.answer()
    reply = Reply.from_answer(answer, aloud=True, whole=reader.complete, offline=False)
    reply._repr_mimebundle_()
    assert reply.captions is not None
    assert list(reply.marks) == sorted(reply.marks)


@settings(FEW, max_examples=120)
@given(st.lists(CHUNK, max_size=6))
def test_any_chunks_of_an_answer(chunks: list[Any]) -> None:
    reader = AnswerReader()
    for chunk in chunks:
        value_or_error(lambda chunk=chunk: reader.take_chunk(chunk))  # type: ignore[misc]
    made_of(reader)


@settings(FEW, max_examples=120)
@given(CHUNK, st.sampled_from(["wav", "mp3", "pcm16", "flac", "opus"]))
def test_any_whole_answer(body: Any, format: str) -> None:
    reader = AnswerReader(format)
    value_or_error(lambda: reader.take_whole(body))
    made_of(reader)


LINES = st.lists(
    st.sampled_from(
        [b"data: ", b"data:", b"\n", b"\r", b"\r\n", b"\n\n", b": comment", b"event: x", b"[DONE]", b"\xff", b"{"]
    )
    | st.binary(max_size=6)
    | CHUNK.map(lambda chunk: b"data: " + json.dumps(chunk).encode() + b"\n\n"),
    max_size=12,
).map(b"".join)


@settings(FEW, max_examples=120)
@given(LINES, st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_any_bytes_as_a_stream(data: bytes, sizes: list[int]) -> None:
    def read(pieces: list[bytes]) -> list[str] | None:
        decoder = SseDecoder()
        found: list[str] | None = value_or_error(
            lambda: [event for piece in pieces for event in decoder.feed(piece)] + decoder.flush()
        )
        return found

    pieces, at, turn = [], 0, 0
    while at < len(data):
        pieces.append(data[at : at + sizes[turn % len(sizes)]])
        at, turn = at + len(pieces[-1]), turn + 1

    events = read(pieces)
    assert events == read([data])  # however the bytes are chopped
    reader = AnswerReader()
    for event in events or ():
        try:
            chunk = json.loads(event)
        except (ValueError, RecursionError):
            continue
        value_or_error(lambda chunk=chunk: reader.take_chunk(chunk))  # type: ignore[misc]
    made_of(reader)


# -- sound files ----------------------------------------------------------------------------------------------------

PIECES = st.lists(
    st.sampled_from(
        [b"RIFF", b"WAVE", b"fmt ", b"data", b"LIST", b"cue ", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\1\0\0\0"]
    )
    | st.integers(0, 2**32 - 1).map(lambda size: struct.pack("<I", size))
    | st.binary(max_size=12),
    max_size=14,
).map(b"".join)
STARTS = st.sampled_from(
    [b"", b"RIFF\xff\xff\xff\xffWAVE", wav_header(8, 24_000), wav_header(2**32 - 1 - 36, 8_000, 2)]
)


@settings(FEW, max_examples=250)
@given(STARTS, PIECES)
def test_any_bytes_as_a_wav(start: bytes, rest: bytes) -> None:
    repaired = repair_wav(start + rest)

    assert repair_wav(repaired) == repaired  # once is enough
    assert len(repaired) - len(start + rest) in (0, 1)
    clip = value_or_error(lambda: Clip(start + rest))
    if clip is not None:
        value_or_error(lambda: clip.samples)


@pytest.mark.parametrize("ending", ["wav", "mp3", "flac", "ogg", "opus"])
def test_a_sound_file_with_damaged_bytes(ending: str) -> None:
    good = Clip(voice(duration_s=0.2), 24_000).encode(ending)

    @FEW
    @given(st.lists(st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)), min_size=1, max_size=4))
    def damaged(damage: list[tuple[int, int]]) -> None:
        data = bytearray(good)
        for place, value in damage:
            data[place] = value
        clip = value_or_error(lambda: Clip(bytes(data)))
        if clip is not None:
            samples = value_or_error(lambda: clip.samples)
            assert samples is None or len(samples) < 10_000_000

    damaged()
