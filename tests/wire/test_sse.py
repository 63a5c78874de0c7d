"""The event stream: the same events however the bytes are cut, and whatever the lines end with."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbaudio.errors import BadReply
from nbaudio.wire import sse
from nbaudio.wire.sse import SseDecoder

STREAMS = sorted((Path(__file__).parents[1] / "fixtures" / "wire" / "chat" / "streams").glob("*.sse"))
LINE = st.one_of(
    st.text(max_size=12).map(lambda text: "data: " + " ".join(text.splitlines())),
    st.sampled_from(["", "", "data", "data:", ": comment", "event: x", "id: 1", "retry: 5", "x", "data:a", "data:  b"]),
)


def decoded(*pieces: bytes) -> list[str]:
    decoder = SseDecoder()
    found = [event for piece in pieces for event in decoder.feed(piece)]
    return found + decoder.flush()


def cut(data: bytes, at: list[int]) -> list[bytes]:
    marks = [0, *sorted(place % (len(data) + 1) for place in at), len(data)]
    return [data[start:stop] for start, stop in pairwise(marks)]


@given(st.lists(LINE, max_size=12), st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 10**6), max_size=12))
def test_cuts_change_nothing(lines: list[str], line_end: str, cuts: list[int]) -> None:
    stream = line_end.join(lines).encode()

    assert decoded(*cut(stream, cuts)) == decoded(stream)


@given(st.binary(max_size=80), st.lists(st.integers(0, 10**6), max_size=8))
def test_cuts_change_nothing_of_any_bytes(stream: bytes, cuts: list[int]) -> None:
    try:
        whole = decoded(stream)
    except BadReply:
        with pytest.raises(BadReply):
            decoded(*cut(stream, cuts))
    else:
        assert decoded(*cut(stream, cuts)) == whole


@given(st.lists(LINE, max_size=12))
def test_every_kind_of_line_end_means_the_same(lines: list[str]) -> None:
    found = [decoded(line_end.join([*lines, "", ""]).encode()) for line_end in ("\n", "\r\n", "\r")]

    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_real_stream_in_pieces_of_one_size(path: Path, size: int) -> None:
    stream = path.read_bytes()

    found = decoded(*(stream[at : at + size] for at in range(0, len(stream), size)))

    expected = [block.removeprefix("data: ") for block in stream.decode().split("\n\n") if block.strip()]
    assert [event.rstrip("\n") for event in found] == expected


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", ["a"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b"data:a\n\ndata:  b\n\n", ["a", " b"]),
        (b"data\n\n", [""]),
        (b": ping\n\ndata: a\n\n: ping\n\n", ["a"]),
        (b"event: x\nid: 1\nretry: 3\ndata: a\n\n", ["a"]),
        (b"datum: a\n\ndata_: b\n\n data: c\n\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b"\n\n\n", []),
        (b"data: a", ["a"]),
        (b"data: a\r", ["a"]),
        (b"data: a\r\n\r", ["a"]),
        ("data: größe 🙂\n\n".encode(), ["größe 🙂"]),
        ("data: a\x0bb\x85c\u2028d\n\n".encode(), ["a\x0bb\x85c\u2028d"]),  # line ends elsewhere, not here
    ],
)
def test_the_rules_of_the_format(stream: bytes, events: list[str]) -> None:
    assert decoded(stream) == events


def test_an_event_is_there_as_soon_as_it_is_whole() -> None:
    decoder = SseDecoder()

    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == ["a"]
    assert decoder.feed(b"data: b\n\ndata: c") == ["b"]
    assert decoder.flush() == ["c"]
    assert decoder.flush() == []


def test_what_is_not_utf_8_is_a_bad_reply() -> None:
    with pytest.raises(BadReply, match="not UTF-8"):
        decoded(b"data: \xff\n\n")


@pytest.mark.parametrize("endless", [b"x" * 10, b"data: x\n", b"data\n", b"data:\n"])
def test_an_event_without_an_end_is_a_bad_reply(endless: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_LONGEST_EVENT_BYTES", 1_000)
    decoder = SseDecoder()

    def read_on() -> None:
        for _ in range(2_000):
            decoder.feed(endless)

    with pytest.raises(BadReply, match="does not end"):
        read_on()


def test_many_events_are_no_long_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_LONGEST_EVENT_BYTES", 1_000)
    decoder = SseDecoder()

    assert sum(len(decoder.feed(b"data: 0123456789\n\n")) for _ in range(1_000)) == 1_000


def test_one_long_line_in_small_pieces_is_read_in_one_pass() -> None:
    decoder = SseDecoder()
    line = b"data: " + b"x" * 2_000_000

    for at in range(0, len(line), 1_000):
        assert decoder.feed(line[at : at + 1_000]) == []

    assert len(decoder.feed(b"\n\n")[0]) == 2_000_000
