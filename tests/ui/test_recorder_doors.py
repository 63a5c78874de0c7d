"""A recorder's doors in a real browser: which microphone, why it is shut, and files."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from playwright.sync_api import Browser, BrowserContext, expect
from signals import voice

from nbaudio.sound.codecs import wav_header

from .recorder_page import RecorderOnPage, browser_with, choose, lost_s, recorders

pytestmark = pytest.mark.page

Opened = Callable[..., RecorderOnPage]


@pytest.fixture
def opened(tabs: BrowserContext) -> Iterator[Opened]:
    with recorders(tabs) as opener:
        yield opener


@pytest.fixture
def forbidding(browser: Browser, speech: Path) -> Iterator[BrowserContext]:
    """A browser that asks before a page may use the microphone, where nobody answers."""
    with browser_with(browser, speech, allowed=False) as running:
        yield running.new_context()


@pytest.fixture
def without_microphone(browser: Browser) -> Iterator[BrowserContext]:
    with browser_with(browser, None) as running:
        yield running.new_context()


# -- which microphone -------------------------------------------------------------------------------------------


def test_a_microphone_is_chosen_by_name_and_remembered(browser: Browser, opened: Opened) -> None:
    recorder = opened(browser.new_context())
    chosen = recorder.view().get_by_label("Microphone")
    expect(chosen).to_be_visible()
    names = chosen.locator("option").all_inner_texts()
    assert names[0] == "Default microphone"
    assert len(names) > 2
    chosen.select_option(index=1)
    device = chosen.input_value()
    assert recorder.get("device") == device != ""
    assert [device, names[1]] in recorder.get("devices")
    recorder.button("Record").click()
    recorder.until_state("recording")
    assert recorder.page.evaluate("() => tracks[0].getSettings().deviceId") == device

    again = recorder.page.context.new_page()
    other = RecorderOnPage(again)
    other.until(f"model.get('device') === '{device}'")
    again.context.close()


def test_a_microphone_can_be_chosen_where_the_browser_keeps_nothing(browser: Browser, opened: Opened) -> None:
    recorder = opened(browser.new_context())
    recorder.page.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full'); }; }")
    chosen = recorder.view().get_by_label("Microphone")
    chosen.select_option(index=1)
    assert recorder.get("device") == chosen.input_value() != ""


def test_a_microphone_that_is_gone_is_not_asked_for_again(opened: Opened) -> None:
    recorder = opened(device="gone", devices=[["gone", "Gone"]])
    recorder.page.evaluate("() => { navigator.mediaDevices.enumerateDevices = async () => []; }")
    recorder.set(device="gone")
    recorder.button("Record").click()
    expect(recorder.view()).to_contain_text("The chosen microphone is not there any more.")


# -- shut doors -------------------------------------------------------------------------------------------------


def test_no_permission_and_then_one(forbidding: BrowserContext, opened: Opened) -> None:
    recorder = opened(forbidding)
    recorder.button("Record").click()
    recorder.until("'microphone' in model.get('shut')")
    expect(recorder.view()).to_contain_text("Or choose or drop a sound file.")
    expect(recorder.view()).to_contain_text("The kernel's microphone: The package sounddevice is not installed.")
    expect(recorder.button("Choose or drop a sound file")).to_be_focused()
    assert recorder.get("state") == "idle"

    recorder.page.context.grant_permissions(["microphone"])
    expect(recorder.button("Record")).to_be_visible()
    recorder.button("Record").click()
    recorder.until_seconds(0.2)


def test_no_microphone_at_all(without_microphone: BrowserContext, opened: Opened) -> None:
    recorder = opened(without_microphone)
    recorder.page.context.grant_permissions(["microphone"])
    recorder.button("Record").click()
    expect(recorder.view()).to_contain_text("No microphone was found.")
    expect(recorder.button("Try again")).to_be_visible()
    assert recorder.get("shut")["microphone"].startswith("No microphone was found.")
    recorder.until_all_is_closed()


@pytest.mark.parametrize(
    ("error", "message", "words"),
    [
        ("NotReadableError", "", "Another program holds the microphone"),
        ("NotAllowedError", "Permission dismissed", "was closed without an answer"),
        ("NotAllowedError", "Permission denied by system", "in the system's privacy settings"),
        ("TypeError", "odd", "The microphone can't be used: odd."),
    ],
)
def test_why_the_microphone_is_shut(opened: Opened, error: str, message: str, words: str) -> None:
    recorder = opened()
    recorder.page.evaluate(
        """([name, message]) => {
            navigator.mediaDevices.getUserMedia = async () => { throw new DOMException(message, name); };
        }""",
        [error, message],
    )
    recorder.button("Record").click()
    expect(recorder.view()).to_contain_text(words)
    recorder.until_all_is_closed()


def test_a_page_that_is_not_secure_takes_files(opened: Opened, speech: Path) -> None:
    recorder = opened(address="http://recorder.example/")
    expect(recorder.view()).to_contain_text("plain http")
    expect(recorder.button("Record")).to_have_count(0)
    expect(recorder.button("Try again")).to_be_hidden()
    assert "https" in recorder.get("shut")["microphone"]
    with recorder.page.expect_file_chooser() as chooser:
        recorder.button("Choose or drop a sound file").click()
    chooser.value.set_files(speech)
    recorder.until_state("done")
    assert len(recorder.sound()) == soundfile.info(speech).frames


def test_a_front_end_that_lets_nobody_use_the_microphone(opened: Opened) -> None:
    recorder = opened(before="document.featurePolicy.allowsFeature = () => false;")
    expect(recorder.view()).to_contain_text("does not let its notebooks use the microphone")
    expect(recorder.button("Try again")).to_be_hidden()


# -- files ------------------------------------------------------------------------------------------------------


def test_a_file_in_stereo_at_another_rate(opened: Opened) -> None:
    left, right = voice(duration_s=2, sample_rate=48_000)[:, 0], np.zeros(96_000)
    data = io.BytesIO()
    soundfile.write(data, np.stack([left, right], axis=1), 48_000, format="WAV")
    recorder = opened()
    choose(recorder, "stereo.wav", data.getvalue())
    recorder.until_state("done")
    begin, end = recorder.sent[1], recorder.sent[-2]
    assert (begin["door"], begin["name"], begin["sample_rate"]) == ("file", "stereo.wav", 24_000)
    assert end["reason"] == "file"
    assert end["frames"] == 48_000
    wanted = soxr.resample(left / 2, 48_000, 24_000)
    assert np.abs(recorder.sound() - wanted)[100:-100].max() < 0.01
    expect(recorder.status).to_have_text("Recorded 2.0 s from stereo.wav.")


@pytest.mark.parametrize(("kind", "subtype"), [("MP3", "MPEG_LAYER_III"), ("OGG", "OPUS"), ("FLAC", "PCM_16")])
def test_files_that_a_browser_can_read(opened: Opened, speech: Path, kind: str, subtype: str) -> None:
    samples, _ = soundfile.read(speech)
    data = io.BytesIO()
    soundfile.write(data, samples, 24_000, format=kind, subtype=subtype)
    recorder = opened()
    choose(recorder, f"question.{kind.lower()}", data.getvalue())
    recorder.until_state("done")
    assert recorder.get("duration_s") == pytest.approx(len(samples) / 24_000, abs=0.1)
    assert lost_s(recorder.sound(), speech) < 0.1


def test_a_long_file_comes_in_small_messages(opened: Opened) -> None:
    data = io.BytesIO()
    soundfile.write(data, voice(duration_s=25)[:, 0], 24_000, format="WAV")
    recorder = opened(max_s=10)  # a file is as long as it is
    choose(recorder, "long.wav", data.getvalue())
    recorder.until_state("done")
    pieces = recorder.pieces()
    assert [len(piece) for piece in pieces] == [240_000] * 2 + [120_000]
    assert recorder.get("duration_s") == 25


def test_a_file_is_cancelled_on_its_way(opened: Opened) -> None:
    recorder = opened()
    frames = 24_000 * 600
    recorder.page.evaluate(
        """([head, frames]) => {
            const file = new File([new Uint8Array(head), new Int16Array(frames)], "long.wav");
            void nbaudio.recorders.get("the-key").choose(file);
        }""",
        [list(wav_header(2 * frames, 24_000)), frames],
    )
    recorder.until_seconds(10)
    recorder.page.keyboard.press("Escape")
    recorder.until_state("cancelled")
    assert recorder.kinds() == ["ready", "begin", "piece", "drop", "cancel"]
    assert len(recorder.sent) < 60


@pytest.mark.parametrize(("data", "words"), [(b"no sound at all", "holds no sound"), (b"", "is empty")])
def test_a_file_without_sound_says_so_and_the_doors_stay_open(opened: Opened, data: bytes, words: str) -> None:
    recorder = opened()
    choose(recorder, "notes.txt", data)
    expect(recorder.status).to_contain_text(f"notes.txt {words}")
    assert recorder.get("state") == "idle"
    assert recorder.kinds() == ["ready"]
    expect(recorder.button("Record")).to_be_visible()


def test_a_file_is_dropped_on_it(opened: Opened, speech: Path) -> None:
    recorder = opened()
    files = recorder.page.evaluate_handle(
        """base64 => {
            const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
            const files = new DataTransfer();
            files.items.add(new File([bytes], "dropped.wav", {type: "audio/wav"}));
            return files;
        }""",
        base64.b64encode(speech.read_bytes()).decode(),
    )
    card = recorder.view()
    card.dispatch_event("dragover", {"dataTransfer": files})
    expect(card).to_have_attribute("data-drop", "")
    card.dispatch_event("drop", {"dataTransfer": files})
    recorder.until_state("done")
    assert card.get_attribute("data-drop") is None
    assert recorder.sent[1]["name"] == "dropped.wav"
    assert len(recorder.sound()) == soundfile.info(speech).frames
