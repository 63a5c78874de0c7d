"""Captions as values and as files: WebVTT and SRT both ways, whatever a model has written."""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbaudio.captions.phrases import Captions, Phrase
from nbaudio.captions.subtitles import lines_of
from nbaudio.errors import NbaudioError

RESPONSES = Path(__file__).parents[1] / "fixtures" / "wire" / "audio" / "responses"
TWO = Captions([Phrase("Yes & no.", 0.5, 1.25), Phrase("It is 1 < 2.", 1.25, 3723.004)])


def only(text: str) -> Captions:
    return Captions([Phrase(text, 1.0, 2.0)])


# -- a sequence of phrases ----------------------------------------------------------------------------------


def test_captions_are_a_sequence() -> None:
    assert len(TWO) == 2
    assert [phrase.text for phrase in TWO] == ["Yes & no.", "It is 1 < 2."]
    assert TWO[-1].start_s == 1.25
    assert TWO[1:] == Captions([TWO[1]])
    assert TWO.index(TWO[1]) == 1
    assert Phrase("Yes & no.", 0.5, 1.25) in TWO
    assert Captions() == Captions([])
    assert TWO[:1] != TWO
    assert hash(TWO) == hash(Captions(iter(TWO)))
    assert pickle.loads(pickle.dumps(TWO)) == TWO


def test_phrases_are_in_the_order_in_which_they_begin() -> None:
    assert Captions(reversed(TWO)) == TWO


def test_captions_and_phrases_never_change() -> None:
    with pytest.raises(AttributeError):
        TWO.phrases = ()  # type: ignore[misc]
    with pytest.raises(AttributeError):
        TWO[0].text = "No."  # type: ignore[misc]


def test_repr_is_plain() -> None:
    assert repr(Captions()) == "Captions(0 phrases)"
    assert repr(TWO[:1]) == "Captions(1 phrase, 0.5 to 1.2 s)"
    assert not hasattr(TWO, "_repr_html_")


@pytest.mark.parametrize(
    ("time_s", "index"), [(0, None), (0.499, None), (0.5, 0), (1.249, 0), (1.25, 1), (3723.003, 1), (3723.004, None)]
)
def test_which_phrase_sounds_at_a_time(time_s: float, index: int | None) -> None:
    assert TWO.at(time_s) == index


def test_where_phrases_overlap_the_later_one_sounds_and_the_longer_one_goes_on() -> None:
    overlapping = Captions([Phrase("a", 0, 9), Phrase("b", 1, 2), Phrase("c", 1.5, 3)])

    assert [overlapping.at(time_s) for time_s in (0.5, 1.2, 1.7, 2.5, 4, 9)] == [0, 1, 2, 2, 0, None]


@pytest.mark.parametrize(
    ("start_s", "end_s"), [(-0.1, 1), (2, 1), (float("nan"), 1), (0, float("nan")), (0, float("inf"))]
)
def test_impossible_times(start_s: float, end_s: float) -> None:
    with pytest.raises(NbaudioError, match="A phrase can't sound from"):
        Phrase("Yes.", start_s, end_s)


# -- files --------------------------------------------------------------------------------------------------


def test_webvtt() -> None:
    assert TWO.vtt == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.250\nYes &amp; no.\n\n00:00:01.250 --> 01:02:03.004\nIt is 1 &lt; 2.\n"
    )
    assert Captions().vtt == "WEBVTT\n"


def test_srt() -> None:
    assert TWO.srt == (
        "1\n00:00:00,500 --> 00:00:01,250\nYes & no.\n\n2\n00:00:01,250 --> 01:02:03,004\nIt is 1 < 2.\n"
    )
    assert Captions().srt == ""


def test_a_cue_of_no_length_lasts_a_millisecond() -> None:
    assert "00:00:01.000 --> 00:00:01.001" in Captions([Phrase("Oh.", 1.0, 1.0004)]).vtt


def test_the_recorded_answers_are_read() -> None:
    expected = Captions([Phrase("Hello from a notebook.", 0.0, 1.5)])

    assert Captions.from_vtt((RESPONSES / "transcription.vtt").read_text()) == expected
    assert Captions.from_srt((RESPONSES / "transcription.srt").read_text()) == expected


def test_saving(tmp_path: Path) -> None:
    assert TWO.save(tmp_path / "a.vtt").read_bytes() == TWO.vtt.encode()
    assert TWO.save(str(tmp_path / "a.SRT")).read_bytes() == TWO.srt.encode()
    assert only("half \ud83d").save(tmp_path / "half.vtt").read_text(encoding="utf-8").endswith("half ?\n")


@pytest.mark.parametrize("name", ["captions.txt", "captions", ".vtt"])
def test_saving_with_another_ending(tmp_path: Path, name: str) -> None:
    with pytest.raises(NbaudioError, match=r"End the name in \.vtt \(WebVTT\) or \.srt"):
        TWO.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


WILD_VTT = """\ufeffWEBVTT - made by hand\r
Kind: captions\r
\r
STYLE\r
::cue { color: red }\r
\r
NOTE a comment\r
of two lines\r
\r
intro\r
00:01.000 --> 00:02.5 align:start position:0%\r
<v Mary Ann>Hello, <c.loud>you</c> &amp; <i>me</i>!<00:00:01.500>\r
And &lt;more&gt;\r
\r
NOTE 00:09\r
\r
2\r
01:00:00.000\t-->\t01:00:01.000\r
One hour\r
100:00:00.000 --> 100:00:01.000\r
no blank line before"""


def test_wild_webvtt_is_read() -> None:
    assert Captions.from_vtt(WILD_VTT) == Captions(
        [
            Phrase("Hello, you & me!\nAnd <more>", 1.0, 2.5),
            Phrase("One hour", 3600.0, 3601.0),
            Phrase("no blank line before", 360000.0, 360001.0),
        ]
    )


WILD_SRT = """\ufeff
1
00:00:01,000 --> 00:00:02,500  X1:40 X2:600
{\\an8}<i>Hello</i>, <font color="#fff">you</font> <b>

and me: a --> b

3
0:0:3.5 --> 0:0:4
In
1984
4
00:00:05,000 --> 00:00:06,000

"""


def test_wild_srt_is_read() -> None:
    for ends in ("\n", "\r\n", "\r"):
        assert Captions.from_srt(WILD_SRT.replace("\n", ends)) == Captions(
            [Phrase("Hello, you\nand me: a --> b", 1.0, 2.5), Phrase("In\n1984", 3.5, 4.0), Phrase("", 5.0, 6.0)]
        )


@pytest.mark.parametrize("text", ["", "Hello", "WEBVTTX\n\n", "webvtt\n", "{}", "<html>"])
def test_what_is_no_webvtt(text: str) -> None:
    with pytest.raises(NbaudioError, match="This is no WebVTT: its first line is not WEBVTT"):
        Captions.from_vtt(text)


def test_one_format_for_the_other() -> None:
    with pytest.raises(NbaudioError, match=r"Captions\.from_srt reads SRT"):
        Captions.from_vtt(TWO.srt)
    with pytest.raises(NbaudioError, match=r"This is WebVTT, not SRT\. Captions\.from_vtt reads it"):
        Captions.from_srt(TWO.vtt)


@pytest.mark.parametrize("text", ["Hello", "1\n2\n3", '{"text": "Hello"}', "a --> b"])
def test_what_is_no_srt(text: str) -> None:
    with pytest.raises(NbaudioError, match="This is no SRT: there are no times in it"):
        Captions.from_srt(text)


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff\r\n"])
def test_an_empty_srt_has_no_captions(text: str) -> None:
    assert Captions.from_srt(text) == Captions()


@pytest.mark.parametrize("times", ["00:00:02.000 --> 00:00:01.000", "00:01.5 --> soon", "-1:00:00.0 --> 00:01.0"])
def test_times_that_cant_be_read_are_named_with_their_line(times: str) -> None:
    with pytest.raises(NbaudioError, match="Line 3 of the captions can't be read"):
        Captions.from_vtt(f"WEBVTT\n\n{times}\nHello\n")
    with pytest.raises(NbaudioError, match="Line 2 of the captions can't be read"):
        Captions.from_srt(f"1\n{times}\nHello\n")


# -- text that would be more than text ----------------------------------------------------------------------

FORGED = "00:00:05{0}000 --> 00:00:06{0}000"
HOSTILE = [
    "Hello\n\n" + FORGED.format(".") + "\nBuy now",
    "Hello\r\n\r\n2\r\n" + FORGED.format(",") + "\r\nBuy now",
    FORGED.format(","),
    "2\n" + FORGED.format(","),
    *(f"Hello{end}{end}{FORGED.format('.')}{end}Buy now" for end in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"),
    "Hello\n \t \n\n" + FORGED.format(".") + "\nBuy now",
    "Hello\n\nNOTE\n\nWEBVTT\n\nSTYLE\n::cue {}",
    "<v Boss>Pay</v> <c.red>me</c> <00:00:01.000>",
    "<i>a</i> <b <i>> {\\an8} <font color=red>",
    "&#10;&#10;" + FORGED.format("."),
    "&lt;b&gt; &amp;amp; --&gt;",
    "--\x00> \x1b[31m \x00",
    "-" * 5000 + ">" + "<" * 5000 + "-->" * 2000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=[repr(text[:24]) for text in HOSTILE])
def test_no_text_makes_a_second_cue_or_marks(text: str) -> None:
    captions = Captions([Phrase("Before", 0.0, 1.0), Phrase(text, 1.0, 2.0), Phrase("After", 2.0, 3.0)])

    assert captions.vtt.count("-->") == captions.srt.count("-->") == 3
    assert captions.vtt.count("\n\n") == 3
    assert captions.srt.count("\n\n") == 2
    assert not {"<", "\x00", "\x1b", "\r", "\u2028"} & set(captions.vtt)
    assert not {"\x00", "\x1b", "\r", "\u2028"} & set(captions.srt)
    assert [phrase.start_s for phrase in Captions.from_vtt(captions.vtt)] == [0.0, 1.0, 2.0]
    assert Captions.from_vtt(captions.vtt)[1].text == "\n".join(lines_of(text))
    again = Captions.from_srt(captions.srt)
    assert [(phrase.start_s, phrase.end_s) for phrase in again] == [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]
    assert (again[0].text, again[2].text) == ("Before", "After")
    assert again.srt == captions.srt


# Characters of which files are made, more often than by chance.
MARKS = ["-->", "\n", "\r", "<", ">", "&", "lt;", "1", ":", ".", "i", "/", "{\\", "}", "\x85", " "]
TEXTS = st.lists(st.sampled_from(MARKS) | st.characters(), max_size=12).map("".join)


@given(st.lists(st.tuples(TEXTS, st.integers(0, 10**8), st.integers(1, 10**5)), max_size=5))
def test_any_captions_come_back_from_webvtt(parts: list[tuple[str, int, int]]) -> None:
    captions = Captions(Phrase(text, start / 1000, (start + length) / 1000) for text, start, length in parts)

    again = Captions.from_vtt(captions.vtt)

    assert [(p.start_s, p.end_s) for p in again] == [(p.start_s, p.end_s) for p in captions]
    assert [p.text for p in again] == ["\n".join(lines_of(p.text)) for p in captions]
    assert Captions.from_vtt(again.vtt) == again


@given(st.lists(st.tuples(TEXTS, st.integers(0, 10**8), st.integers(1, 10**5)), max_size=5))
def test_any_captions_come_back_from_srt_but_for_what_it_cant_hold(parts: list[tuple[str, int, int]]) -> None:
    captions = Captions(Phrase(text, start / 1000, (start + length) / 1000) for text, start, length in parts)

    again = Captions.from_srt(captions.srt)

    assert [(p.start_s, p.end_s) for p in again] == [(p.start_s, p.end_s) for p in captions]
    for phrase, read in zip(captions, again, strict=True):
        if not any(part in phrase.text for part in ("-->", "<", "{\\")):
            assert read.text == "\n".join(lines_of(phrase.text))
    assert again.srt == captions.srt


@given(st.text(alphabet="WEBVT\n\r0123456789:.,-> <abci/&;{}\\\ufeff", max_size=80))
def test_any_text_is_captions_or_an_error_of_ours(text: str) -> None:
    for read in (Captions.from_vtt, Captions.from_srt):
        for candidate in (text, "WEBVTT\n\n" + text, "00:01.000 --> 00:02.000\n" + text):
            with contextlib.suppress(NbaudioError):  # any other error fails the test
                assert all(0 <= phrase.start_s <= phrase.end_s for phrase in read(candidate))
