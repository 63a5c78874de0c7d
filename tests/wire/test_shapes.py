"""The shapes of other servers' answers, one by one, as the standard reader gets them."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nbaudio.errors import BadReply
from nbaudio.sound import codecs
from nbaudio.sound.incoming import IncomingSound
from nbaudio.wire.answers import Answer, AnswerReader, AudioDelta, TextDelta
from nbaudio.wire.shapes import Shaped

SOUND = (0.4 * np.sin(np.arange(12_000) / 9)).astype(np.float32)[:, np.newaxis]
PCM = codecs.samples_to_pcm16(SOUND)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def audio(data: bytes | str, **more: Any) -> dict[str, Any]:
    return {
        "choices": [{"index": 0, "delta": {"audio": {"data": data if isinstance(data, str) else b64(data), **more}}}]
    }


def words(text: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}}]}


def read(*chunks: Any, sample_rate: int = 24_000) -> tuple[Answer, list[TextDelta | AudioDelta]]:
    """The answer that chunks make, and all events."""
    reader = AnswerReader()
    shaped = Shaped(reader, IncomingSound(sample_rate))
    events = [event for chunk in chunks for event in shaped.take_chunk(chunk)] + shaped.flush()
    return reader.answer(), events


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 4_801, 100_000])
def test_a_standard_stream_stays_as_it_is(size: int) -> None:
    data = PCM if size > 3 else PCM[:60]
    answer, events = read(words("Yes"), *map(audio, pieces(data, size)), words(", it is."))

    assert (answer.text, answer.audio, answer.audio_format) == ("Yes, it is.", data, "pcm16")
    assert b"".join(event.pcm16 for event in events if isinstance(event, AudioDelta)) == data


def test_chunks_of_a_plain_stream_are_handed_on_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = AnswerReader()
    shaped = Shaped(reader, IncomingSound())
    seen: list[Any] = []
    monkeypatch.setattr(reader, "take_chunk", lambda chunk: seen.append(chunk) or [])
    chunks = [words("Yes"), *map(audio, pieces(PCM, 4_800)), {"choices": [], "usage": {"prompt_tokens": 1}}]
    for chunk in chunks:
        shaped.take_chunk(chunk)

    assert all(one is other for one, other in zip(seen, chunks, strict=True))


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_sound_in_the_content_of_chunks_for_sound(rate: int) -> None:
    data = codecs.samples_to_pcm16(codecs.resample(SOUND, 24_000, rate))
    told = {"format": "pcm16", "sample_rate_hz": rate, "channels": 1}
    chunks = [
        {"modality": "audio", "choices": [{"index": 0, "delta": {"content": b64(piece)}, "audio_metadata": told}]}
        for piece in pieces(data, 4_410)
    ]
    answer, _ = read({**words("Yes."), "modality": "text"}, *chunks, {**words(""), "modality": "audio"})

    assert answer.text == "Yes.", "base64 is no word"
    assert len(answer.audio) == pytest.approx(len(PCM), abs=40)
    heard = codecs.pcm16_to_samples(answer.audio)
    np.testing.assert_allclose(heard[300:11_000], SOUND[300:11_000], atol=0.01 if rate > 8_000 else 0.05)


def test_a_wav_in_each_piece() -> None:
    files = [codecs.wav_header(len(piece), 24_000) + piece for piece in pieces(PCM, 4_800)]

    assert read(*map(audio, files))[0].audio == PCM


def test_a_header_that_comes_in_the_middle() -> None:
    first, second = PCM[:9_600], PCM[9_600:]

    assert read(audio(first), audio(codecs.wav_header(len(second), 24_000) + second))[0].audio == PCM


def test_stereo_becomes_one_channel() -> None:
    left, right = SOUND, 0.5 * SOUND
    stereo = codecs.samples_to_pcm16(np.concatenate([left, right], axis=1))
    answer, _ = read(audio(codecs.wav_header(len(stereo), 24_000, 2) + stereo))

    np.testing.assert_allclose(codecs.pcm16_to_samples(answer.audio), 0.75 * SOUND, atol=1e-4)


def test_a_rate_that_stands_beside_the_data() -> None:
    data = codecs.samples_to_pcm16(codecs.resample(SOUND, 24_000, 48_000))
    answer, _ = read(*[audio(piece, sample_rate=48_000) for piece in pieces(data, 9_600)])

    assert len(answer.audio) == pytest.approx(len(PCM), abs=4)


def test_a_rate_that_only_the_row_knows() -> None:
    data = codecs.samples_to_pcm16(codecs.resample(SOUND, 24_000, 44_100))

    assert len(read(*map(audio, pieces(data, 8_820)), sample_rate=44_100)[0].audio) == pytest.approx(len(PCM), abs=4)


def test_a_data_address_in_the_place_of_base64() -> None:
    assert read(audio(f"data:audio/pcm;base64,{b64(PCM)}"))[0].audio == PCM


@pytest.mark.parametrize("audio_format", ["mp3", "flac", "opus"])
@pytest.mark.parametrize("size", [1_000_000, 2_000])
def test_a_file_is_kept_as_it_is_and_played_from_its_samples(audio_format: str, size: int) -> None:
    file = codecs.encode(SOUND, 24_000, audio_format)
    answer, events = read(*map(audio, pieces(file, size)), {"choices": [{"delta": {}, "finish_reason": "length"}]})

    assert (answer.audio, answer.audio_format, answer.finish_reason) == (file, audio_format, "length")
    played = b"".join(event.pcm16 for event in events if isinstance(event, AudioDelta))
    assert len(played) == pytest.approx(len(PCM), abs=5_000)


def test_of_a_file_that_was_cut_the_beginning_is_kept() -> None:
    reader = AnswerReader()
    shaped = Shaped(reader, IncomingSound())
    file = codecs.encode(SOUND, 24_000, "mp3")
    shaped.take_chunk(audio(file[:3_000]))
    shaped.keep_file()

    assert reader.started
    assert not reader.complete
    assert reader.answer().audio == file[:3_000]


def test_the_sound_in_a_second_choice_of_the_same_index() -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "Yes."}},
                         {"index": 0, "delta": {"audio": {"data": b64(PCM)}}, "finish_reason": "stop"}]}  # fmt: skip
    answer, _ = read(chunk)

    assert (answer.text, answer.audio, answer.finish_reason) == ("Yes.", PCM, "stop")


def test_another_answer_beside_the_first_is_left_out() -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "Yes."}}, {"index": 1, "delta": {"content": "No."}}]}

    assert read(chunk)[0].text == "Yes."


def test_content_in_parts() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}

    assert (
        read(words([thought]), words([{"type": "text", "text": "Yes"}, {"type": "text", "text": "."}]))[0].text
        == "Yes."
    )


def test_a_whole_answer_with_its_sound_in_a_second_choice() -> None:
    reader = AnswerReader("wav")
    wav = codecs.wav_header(len(PCM), 24_000) + PCM
    Shaped(reader, IncomingSound()).take_whole(
        {
            "choices": [
                {"index": 0, "message": {"content": "Yes.", "audio": None}, "finish_reason": "stop"},
                {"index": 0, "message": {"content": None, "audio": {"data": b64(wav), "transcript": ""}}},
            ]
        }
    )

    assert (reader.answer().text, reader.answer().audio) == ("Yes.", wav)


def test_a_whole_answer_in_parts() -> None:
    reader = AnswerReader()
    events = Shaped(reader, IncomingSound()).take_whole(
        {"choices": [{"message": {"content": [{"type": "text", "text": "Yes."}]}}]}
    )

    assert events == [TextDelta("Yes.")]


@pytest.mark.parametrize(
    "data",
    [
        "no base64!",
        b64(b"RIFF\x00\x00\x00\x00RIFFfmt " + bytes(40)),
        b64(codecs.wav_header(4, 24_000)[:20] + b"\x07\x00" + codecs.wav_header(4, 24_000)[22:] + bytes(4)),
        b64(codecs.wav_header(4, 24_000, 60) + bytes(4)),
        b64(codecs.wav_header(4, 1) + bytes(4)),
        b64(b"RIFF\x00\x00\x00\x00WAVEjunk\xff\xff\xff\x7f" + bytes(40)),
    ],
)
def test_what_is_no_sound_is_a_bad_reply(data: str) -> None:
    with pytest.raises(BadReply):
        read(audio(data))


def test_a_damaged_file_is_a_bad_reply() -> None:
    with pytest.raises(BadReply, match="can't be read"):
        read(audio(b"fLaC" + bytes(100)))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["choices", "delta", "audio", "data", "content", "modality", "audio_metadata", "index",
                         "sample_rate", "sample_rate_hz", "channels", "message", "text", "type", "finish_reason"]),
        inner, max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(_JSON)
@example({"content": "000\x80"})  # no base64, and no ASCII
def test_no_chunk_and_no_answer_breaks_it(found: Any) -> None:
    for take in ("take_chunk", "take_whole"):
        shaped = Shaped(AnswerReader(), IncomingSound())
        try:
            getattr(shaped, take)(found)
            getattr(shaped, take)({"choices": [{"delta": found, "message": found, "audio_metadata": found}],
                                   "modality": "audio"})  # fmt: skip
            shaped.flush()
        except BadReply:
            pass
