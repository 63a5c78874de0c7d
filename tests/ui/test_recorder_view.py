"""The recorder in a real browser with a microphone that speaks, by mouse and by keyboard; the test is its kernel."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import jiwer
import numpy as np
import pytest
import soundfile
import soxr
from playwright.sync_api import Browser, BrowserContext, expect
from signals import voice

from nbaudio.engine.parts import engine

from .recorder_page import QUESTION, RecorderOnPage, browser_with, choose, lost_s, recorders

pytestmark = pytest.mark.page

_HOSTILE = "<img src=x onerror='window.attacked = true'>"

Opened = Callable[..., RecorderOnPage]


@pytest.fixture
def opened(tabs: BrowserContext) -> Iterator[Opened]:
    with recorders(tabs) as opener:
        yield opener


@pytest.fixture
def recording(opened: Opened) -> RecorderOnPage:
    """One that has heard half a second."""
    recorder = opened()
    recorder.button("Record").click()
    recorder.until_seconds(0.5)
    return recorder


# -- the microphone ---------------------------------------------------------------------------------------------


def test_what_is_said_arrives_in_pieces_until_a_silence_ends_it(opened: Opened, speech: Path) -> None:
    recorder = opened()
    recorder.button("Record").click()
    expect(recorder.status).to_have_text("Recording.")
    recorder.until_state("done")
    expect(recorder.status).to_contain_text("Recorded 4.")

    assert recorder.kinds() == ["ready", "begin", "piece", "end", "accept"]
    begin, end, accept = recorder.sent[1], recorder.sent[-2], recorder.sent[-1]
    assert (begin["sample_rate"], begin["channels"], begin["door"]) == (24_000, 1, "microphone")
    assert begin["take"] == end["take"] == accept["take"]
    pieces = recorder.pieces()
    assert {len(piece) for piece in pieces[:-1]} == {2400}
    assert (end["pieces"], end["frames"], end["reason"]) == (len(pieces), sum(map(len, pieces)), "silence")
    assert recorder.get("duration_s") == end["frames"] / 24_000

    sound = recorder.sound()
    heard = engine().listener.hear(soxr.resample(sound, 24_000, 16_000).astype(np.float32))
    plain = jiwer.Compose([jiwer.ToLowerCase(), jiwer.RemovePunctuation(), jiwer.ReduceToListOfListOfWords()])
    assert jiwer.wer(QUESTION, heard, reference_transform=plain, hypothesis_transform=plain) <= 0.2, heard
    assert lost_s(sound, speech) < 0.1
    recorder.until_all_is_closed()


def test_level_and_time_are_told_at_most_ten_times_a_second(opened: Opened) -> None:
    recorder = opened(silence_s=0)
    recorder.button("Record").click()
    recorder.until_seconds(2.0)
    told = [saved for saved in recorder.saved if "level_dbfs" in saved and "state" not in saved]
    assert len(told) <= 10 * recorder.get("elapsed_s") + 1
    times = [saved["elapsed_s"] for saved in told]
    assert times == sorted(times)
    levels = [saved["level_dbfs"] for saved in told]
    assert -40 < max(levels) < 0
    assert min(levels) >= -90
    meter = recorder.view().get_by_role("meter", name="Level")
    assert -90 <= int(meter.get_attribute("aria-valuenow") or "") <= 0


@pytest.mark.parametrize(("first", "second"), [("Space", "Space"), ("Enter", "Enter"), ("Enter", "Space")])
def test_a_person_needs_no_mouse(opened: Opened, first: str, second: str) -> None:
    recorder = opened()
    expect(recorder.button("Record")).to_be_focused()
    recorder.page.keyboard.press(first)
    recorder.until_seconds(0.5)
    expect(recorder.button("Stop")).to_be_focused()
    recorder.page.keyboard.press(second)
    recorder.until_state("done")
    assert recorder.sent[-2]["reason"] == "stopped"
    assert recorder.page.evaluate("() => leaked") == []
    assert not recorder.view().evaluate("view => view.contains(document.activeElement)")


def test_a_key_that_is_held_down_does_not_stop_what_it_began(opened: Opened) -> None:
    recorder = opened()
    expect(recorder.button("Record")).to_be_focused()
    for _ in range(5):
        recorder.page.keyboard.down("Enter")
    recorder.until_seconds(0.3)
    assert recorder.kinds() == ["ready", "begin", "piece"]
    recorder.page.keyboard.up("Enter")


@pytest.mark.parametrize("seconds", [0.5, 2.5])
def test_stopping_is_instant_at_any_length(opened: Opened, seconds: float) -> None:
    recorder = opened(silence_s=0)
    recorder.button("Record").click()
    recorder.until_seconds(seconds)
    took_ms, sent = recorder.page.evaluate("""() => new Promise(resolve => {
        const {model} = widgets[0], begun_ms = performance.now(), before = model.sent.length;
        const send = Model.prototype.send;
        Model.prototype.send = function (content, ...rest) {
            send.call(this, content, ...rest);
            const kinds = this.sent.slice(before).map(({kind}) => kind);
            if (content.kind === "accept") resolve([performance.now() - begun_ms, kinds]);
        };
        document.querySelector('.nbaudio-recorder-main').click();
    })""")
    assert took_ms < 300  # benchmarks say how long it takes; after 300 ms the sound thread is given up
    assert sent[-2:] == ["end", "accept"]
    assert set(sent[:-2]) <= {"piece"}
    assert len(sent) <= 4  # one was full, another not


def test_the_longest_recording_is_exactly_that_long(opened: Opened) -> None:
    recorder = opened(max_s=1.25)
    recorder.button("Record").click()
    recorder.until_state("done")
    assert recorder.sent[-2]["reason"] == "longest"
    assert recorder.sent[-2]["frames"] == len(recorder.sound()) == 30_000
    recorder.until_all_is_closed()


def test_a_silence_ends_nothing_before_anything_was_said(browser: Browser, opened: Opened, tmp_path: Path) -> None:
    hiss = np.random.default_rng(1).normal(0, 0.003, 12 * 24_000)
    soundfile.write(tmp_path / "hiss.wav", hiss, 24_000)
    running = browser_with(browser, tmp_path / "hiss.wav")
    recorder = opened(running, silence_s=0.5)
    recorder.button("Record").click()
    expect(recorder.status).to_contain_text("Nothing heard yet: is Fake", timeout=15_000)
    assert 8.0 <= recorder.get("elapsed_s") < 10.0
    recorder.button("Stop").click()
    recorder.until_state("done")
    running.close()


def test_escape_throws_away_what_was_said(recording: RecorderOnPage) -> None:
    recording.page.keyboard.press("Escape")
    recording.until_state("cancelled")
    assert recording.kinds() == ["ready", "begin", "piece", "drop", "cancel"]
    assert recording.sent[-2]["take"] == recording.sent[1]["take"]
    expect(recording.status).to_have_text("Cancelled.")
    assert recording.page.evaluate("() => leaked") == []
    recording.until_all_is_closed()


def test_escape_before_anything_was_said(opened: Opened) -> None:
    recorder = opened()
    expect(recorder.button("Record")).to_be_focused()
    recorder.page.keyboard.press("Escape")
    recorder.until_state("cancelled")
    assert recorder.kinds() == ["ready", "cancel"]


def test_the_microphone_goes_away(recording: RecorderOnPage) -> None:
    recording.page.evaluate("() => tracks[0].dispatchEvent(new Event('ended'))")
    recording.until_state("done")
    assert recording.sent[-2]["reason"] == "device lost"
    expect(recording.status).to_contain_text("The microphone went away")
    recording.until_all_is_closed()


def test_a_browser_that_records_at_the_rate_of_the_device_only(opened: Opened, speech: Path) -> None:
    recorder = opened(max_s=1.5)
    recorder.page.evaluate("""() => {
        const given = AudioContext.prototype.createMediaStreamSource;
        AudioContext.prototype.createMediaStreamSource = function (stream) {
            if (this.sampleRate === 24000) throw new DOMException("another rate", "NotSupportedError");
            return given.call(this, stream);
        };
    }""")
    recorder.button("Record").click()
    recorder.until_state("done")
    sample_rate = recorder.sent[1]["sample_rate"]
    assert sample_rate in (44_100, 48_000)
    assert len(recorder.pieces()[0]) == sample_rate / 10
    assert lost_s(soxr.resample(recorder.sound(), sample_rate, 24_000), speech) < 0.2
    recorder.until_all_is_closed()


def test_a_context_that_wants_a_click_says_so(opened: Opened) -> None:
    recorder = opened()
    recorder.page.evaluate("""() => {
        AudioContext.prototype.resume = () => new Promise(() => {});
        const Given = AudioContext;
        window.AudioContext = class extends Given {
            constructor(...options) { super(...options); this.suspend(); }
        };
    }""")
    recorder.send(kind="start")
    expect(recorder.status).to_contain_text("wants a click")
    assert recorder.get("state") == "idle"
    recorder.until_all_is_closed()


def test_players_are_silent_while_somebody_speaks(opened: Opened) -> None:
    recorder = opened(max_s=0.5)
    player = recorder.place.add_player(shown_in="#far", state="arriving", play="queue")
    player.send_piece((voice(duration_s=9) * 32767).astype("<i2").tobytes())
    player.until("model.get('position_s') > 0.1")
    recorder.button("Record").click()
    player.until("!model.get('playing')")
    recorder.until_state("done")


# -- review -----------------------------------------------------------------------------------------------------


def test_a_recording_is_listened_to_and_used(opened: Opened) -> None:
    recorder = opened(review=True, max_s=1.0)
    recorder.button("Record").click()
    recorder.until_state("review")
    assert recorder.kinds()[-1] == "end"
    expect(recorder.button("Play")).to_be_focused()
    replay = recorder.page.evaluate(
        "async () => [...new Uint8Array(await nbaudio.recorders.get('the-key').replay.arrayBuffer())]"
    )
    samples, sample_rate = soundfile.read(io.BytesIO(bytes(replay)), dtype="int16")
    assert sample_rate == 24_000
    assert np.array_equal(samples, np.concatenate(recorder.pieces()))

    recorder.page.keyboard.press("Space")
    expect(recorder.button("Pause")).to_be_visible()
    expect(recorder.button("Play")).to_be_visible()  # it is over
    recorder.button("Use this").click()
    recorder.until_state("done")
    assert recorder.sent[-1] == {"kind": "accept", "take": recorder.sent[1]["take"]}
    assert recorder.page.evaluate("() => nbaudio.recorders.get('the-key').replay") is None


def test_record_again_drops_what_was_recorded(opened: Opened) -> None:
    recorder = opened(review=True, max_s=0.5)
    recorder.button("Record").click()
    recorder.until_state("review")
    first = recorder.sent[1]["take"]
    recorder.button("Record again").click()
    recorder.until("sent.filter(one => one.kind === 'end').length === 2")
    kinds = recorder.kinds()
    assert kinds == ["ready", "begin", "piece", "end", "drop", "begin", "piece", "end"]
    assert next(one for one in recorder.sent if one["kind"] == "drop")["take"] == first
    recorder.page.keyboard.press("Escape")
    recorder.until_state("cancelled")
    assert recorder.kinds()[-2:] == ["drop", "cancel"]


# -- manners ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["textarea", "input"])
def test_it_does_not_take_the_keyboard_from_somebody_who_types(opened: Opened, tag: str) -> None:
    recorder = opened()
    recorder.page.evaluate(
        "tag => document.body.appendChild(Object.assign(document.createElement(tag), {id: 'text'})).focus()", tag
    )
    recorder.remove_view(0)
    recorder.add_view("#second")
    recorder.place.drawn()
    expect(recorder.page.locator("#text")).to_be_focused()


def test_the_keyboard_goes_back_where_it_was(opened: Opened) -> None:
    recorder = opened()
    expect(recorder.button("Record")).to_be_focused()  # it takes it when it is on the page, which may be a moment later
    recorder.page.evaluate("""() => {
        const cell = document.body.appendChild(document.createElement('div'));
        cell.id = 'cell';
        cell.tabIndex = 0;
        cell.focus();
    }""")
    recorder.remove_view(0)
    recorder.add_view("#first")
    expect(recorder.button("Record")).to_be_focused()
    recorder.page.keyboard.press("Escape")
    expect(recorder.page.locator("#cell")).to_be_focused()


def test_nothing_from_outside_is_read_as_html(opened: Opened) -> None:
    before = """
        const label = words, devices = ["a", "b"].map(deviceId => ({kind: "audioinput", deviceId, label}));
        navigator.mediaDevices.enumerateDevices = async () => devices;
        navigator.mediaDevices.getUserMedia = async () => { throw new Error(words); };
    """
    recorder = opened(before=f'const words = "{_HOSTILE}"; {before}', prompt=_HOSTILE, shut={"kernel": _HOSTILE})
    expect(recorder.view().get_by_label("Microphone").locator("option")).to_contain_text(
        ["Default", _HOSTILE, _HOSTILE]
    )
    choose(recorder, f"{_HOSTILE}.wav", b"no sound")
    expect(recorder.status).to_contain_text(_HOSTILE)
    recorder.button("Record").click()
    expect(recorder.view().locator(".nbaudio-recorder-notes p")).to_contain_text([_HOSTILE, _HOSTILE])
    recorder.set(state="done", trouble=_HOSTILE)
    expect(recorder.status).to_contain_text(_HOSTILE)
    assert recorder.view().locator("img").count() == 0
    assert recorder.page.evaluate("() => window.attacked") is None
