"""A clip as a page holds it: within a budget, else smaller, else beside the notebook; and always with words."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest
from signals import voice

from nbaudio.settings import NbAudio
from nbaudio.sound import codecs
from nbaudio.sound.clip import Clip

LONG = Clip(voice(duration_s=10), 24_000)
SMALLER = "Re-encoded smaller to fit the notebook; the clip itself is unchanged."


@pytest.fixture(autouse=True)
def notebook_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_speech_is_kept_as_mp3_of_32_kbit_s_with_no_note() -> None:
    embedded = LONG.embed(2_000_000)

    assert embedded.note == ""
    assert embedded.data is not None
    assert len(embedded.data) == pytest.approx(10 * 32 * 125, rel=0.05)
    heard = Clip(embedded.data)
    assert heard.duration_s == pytest.approx(10, abs=0.1)
    assert heard.level_dbfs == pytest.approx(LONG.level_dbfs, abs=0.5)


def test_an_mp3_within_the_budget_stays_the_same_bytes() -> None:
    data = LONG.encode("mp3")

    assert Clip(data).embed(len(data)).data is data
    assert Clip(data).embed(len(data) - 1).data is not data


@pytest.mark.parametrize(("budget", "kbit_s"), [(41_000, 32), (40_100, 16), (25_000, 16), (12_000, 8)])
def test_a_smaller_budget_is_kept_to_and_said(budget: int, kbit_s: int) -> None:
    embedded = LONG.embed(budget)

    assert embedded.data is not None
    assert len(embedded.data) <= budget
    assert len(embedded.data) == pytest.approx(10 * kbit_s * 125, rel=0.05)
    assert embedded.note == ("" if kbit_s == 32 else SMALLER)


def test_stereo_stays_stereo_until_it_does_not_fit() -> None:
    stereo = Clip(voice(duration_s=10, channels=2), 48_000)  # five seconds at this rate
    five_seconds = stereo.duration_s

    wide, narrow = stereo.embed(2_000_000), stereo.embed(round(five_seconds * 33 * 125))

    assert wide.data is not None
    assert narrow.data is not None
    assert (Clip(wide.data).channels, wide.note) == (2, "")
    assert (Clip(narrow.data).channels, narrow.note) == (1, SMALLER)
    assert Clip(wide.data).sample_rate == 24_000


def test_six_channels_are_mixed_for_the_page_and_kept_in_the_clip() -> None:
    clip = Clip(voice(channels=6), 24_000)

    embedded = clip.embed(2_000_000)

    assert embedded.data is not None
    assert Clip(embedded.data).channels == 1
    assert embedded.note == SMALLER
    assert clip.channels == 6


def test_what_no_budget_holds_lies_beside_the_notebook(notebook_folder: Path) -> None:
    embedded = LONG.embed(1_000)

    assert embedded.data is None
    assert embedded.source == f"nbaudio-media/{LONG.sha256[:16]}.mp3"
    assert Clip(notebook_folder / embedded.source).duration_s == pytest.approx(10, abs=0.1)
    assert (
        embedded.note == f"Too long to keep inside the notebook: the sound is in {embedded.source}, which goes with it."
    )


def test_the_file_is_written_once_and_found_again(notebook_folder: Path) -> None:
    path = notebook_folder / LONG.embed(1_000).source
    path.write_bytes(b"already there")

    LONG.embed(1_000)

    assert path.read_bytes() == b"already there"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_with_odd_letters_is_quoted_in_the_address() -> None:
    embedded = LONG.embed(1_000, Path("my sounds & more #1"))

    assert embedded.source == f"my%20sounds%20%26%20more%20%231/{LONG.sha256[:16]}.mp3"


def test_where_nothing_can_be_written_the_words_still_come(notebook_folder: Path) -> None:
    (notebook_folder / "nbaudio-media").write_text("a file in the way")

    embedded = LONG.embed(1_000)

    assert embedded.source == ""
    assert "nbaudio-media can't be written to (" in embedded.note
    assert "clip.save('sound.mp3')" in embedded.note


def test_a_bundle_has_a_player_with_words_beside_it() -> None:
    bundle = LONG._repr_mimebundle_()

    assert bundle["text/plain"] == repr(LONG)
    assert repr(LONG).replace(",", "") in bundle["text/html"].replace(",", "")
    assert '<audio controls preload="metadata" title="Clip, 10.0 s" src="data:audio/mpeg;base64,' in bundle["text/html"]
    (data,) = re.findall(r'src="data:audio/mpeg;base64,([^"]+)"', bundle["text/html"])
    assert codecs.read_header(base64.b64decode(data, validate=True)).format == "mp3"


def test_the_budget_of_a_bundle_is_the_setting() -> None:
    NbAudio.instance().embed_budget_kb = 12

    html = LONG._repr_mimebundle_()["text/html"]

    assert len(html) < 12_000 * 4 / 3 + 1_000
    assert SMALLER in html


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
@pytest.mark.parametrize("sample_rate", [1, 100, 8_000, 44_100, 192_000])
def test_every_rate_and_channel_count_can_be_shown(sample_rate: int, channels: int) -> None:
    clip = Clip(np.full((20, channels), 0.1), sample_rate)

    assert "<audio" in clip._repr_mimebundle_()["text/html"]
