"""Chapters as FFmpeg and libsndfile read them, two readers that nobody here wrote."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from nbaudio.sound.chapters import Chapter, id3_chapters, wav_chapters
from nbaudio.sound.codecs import Mp3Writer, decode, read_header, repair_wav, wav_header

TITLES = ["You: Hello.", "gpt-audio: Ünïcode, 日本, \U0001f415", "x", "odd", "even", "a ☃ <b>", "half \ud83d"]


def chapters(count: int) -> list[Chapter]:
    return [Chapter(TITLES[at % len(TITLES)], at * 0.5, at * 0.5 + 0.4) for at in range(count)]


def by_ffmpeg(data: bytes) -> list[tuple[str, float, float]]:
    with av.open(io.BytesIO(data)) as file:
        return [
            (
                chapter["metadata"].get("title", ""),
                float(chapter["start"] * chapter["time_base"]),
                float(chapter["end"] * chapter["time_base"]),
            )
            for chapter in file.chapters()
        ]


def readable(title: str) -> str:
    return title.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("count", [1, 2, 7, 255, 256, 1000])
def test_chapters_of_an_mp3(count: int) -> None:
    writer = Mp3Writer(24_000)
    writer.write(np.zeros((24_000, 1), np.float32))
    sound = writer.finish()
    marked = id3_chapters(chapters(count), "A talk") + sound

    found = by_ffmpeg(marked)

    assert [title for title, _, _ in found] == [readable(chapter.title) for chapter in chapters(count)]
    assert [(start, end) for _, start, end in found] == [
        (pytest.approx(chapter.start_s), pytest.approx(chapter.end_s)) for chapter in chapters(count)
    ]
    with av.open(io.BytesIO(marked)) as file:
        assert file.metadata["title"] == "A talk"
    assert np.array_equal(decode(marked)[0], decode(sound)[0])  # the sound is not touched


@pytest.mark.parametrize("count", [1, 2, 7, 300])
def test_chapters_of_a_wav(count: int) -> None:
    pcm16 = bytes(24_000 * count)
    data = repair_wav(wav_header(len(pcm16), 24_000) + pcm16 + wav_chapters(chapters(count), 24_000))

    found = by_ffmpeg(data)

    assert [(title, start) for title, start, _ in found] == [
        (readable(chapter.title), pytest.approx(chapter.start_s)) for chapter in chapters(count)
    ]
    assert read_header(data).frames == 12_000 * count


def test_tables_of_tables_name_every_chapter_once() -> None:
    tag = id3_chapters(chapters(1000), "A talk")

    tables = tag.split(b"CTOC")[1:]
    assert len(tables) == 5
    assert tables[0][6:].startswith(b"contents\0\x03\x04table0\0table1\0")
    named = b"".join(tables[1:]).split(b"CHAP")[0]
    assert [named.count(b"chapter%d\0" % number) for number in (1, 255, 256, 1000)] == [1, 1, 1, 1]
