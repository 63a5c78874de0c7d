"""The recorder in a real browser with a microphone that speaks, by mouse and by keyboard; the test is its kernel."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
import soundfile
import soxr
from playwright.sync_api import Browser, BrowserContext, expect
from signals import voice

from nbaudio.codecs import wav_header
from nbaudio.engine.parts import engine

from .recorder_page import RecorderOnPage, browser_with

WORDS = "Good morning. Is a golden retriever a good family dog?"
_HOSTILE = "<img src=x onerror='window.attacked = true'>"

Opened = Callable[..., RecorderOnPage]


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A question of the offline voice, 3 s."""
    path = tmp_path_factory.mktemp("speech") / "question.wav"
    soundfile.write(path, engine().speaker.speak(WORDS, "nova"), 24_000)
    return path


@pytest.fixture(scope="module")
def listening(browser: Browser, speech: Path) -> Iterator[Browser]:
    """A browser whose microphone asks the question, and then is silent."""
    running = browser_with(browser, speech)
    yield running
    running.close()


@pytest.fixture(scope="module")
def asking(browser: Browser, speech: Path) -> Iterator[Browser]:
    """The same, but it asks before a page may use the microphone, and nobody answers."""
    running = browser_with(browser, speech, allowed=False)
    yield running
    running.close()


@pytest.fixture
def contexts() -> Iterator[list[BrowserContext]]:
    opened: list[BrowserContext] = []
    yield opened
    for context in opened:
        context.close()


@pytest.fixture
def opened(listening: Browser, contexts: list[BrowserContext]) -> Iterator[Opened]:
    """Opens a page with a recorder; fails if it logs an error."""
    recorders: list[RecorderOnPage] = []

    def recorder(browser: Browser = listening, **options: Any) -> RecorderOnPage:
        contexts.append(browser.new_context(viewport={"width": 700, "height": 400}))
        recorders.append(RecorderOnPage(contexts[-1].new_page(), **options))
        return recorders[-1]

    yield recorder
    for one in recorders:
        assert one.place.errors == []


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
    assert jiwer.wer(WORDS, heard, reference_transform=plain, hypothesis_transform=plain) <= 0.2, heard
    assert _lost_s(sound, speech) < 0.1
    recorder.until_all_is_closed()


def test_level_and_time_are_told_at_most_ten_times_a_second(opened: Opened) -> None:
    recorder = opened(silence_s=0)
    recorder.button("Record").click()
    recorder.until_seconds(3.0)
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


@pytest.mark.parametrize("seconds", [0.5, 3.0])
def test_stopping_is_instant_at_any_length(opened: Opened, seconds: float) -> None:
    recorder = opened(silence_s=0)
    recorder.button("Record").click()
    recorder.until_seconds(seconds)
    took_ms = recorder.page.evaluate("""() => new Promise(resolve => {
        const {model} = widgets[0], begun_ms = performance.now(), send = Model.prototype.send;
        Model.prototype.send = function (content, ...rest) {
            send.call(this, content, ...rest);
            if (content.kind === "accept") resolve(performance.now() - begun_ms);
        };
        document.querySelector('.nbaudio-recorder-main').click();
    })""")
    assert took_ms < 100
    assert len(recorder.pieces()[-1]) <= 2400


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
    recorder = opened()
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
    assert _lost_s(soxr.resample(recorder.sound(), sample_rate, 24_000), speech) < 0.2
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
    recorder = opened()
    player = recorder.place.add_player(shown_in="#far", state="arriving", play="queue")
    player.send_piece((voice(duration_s=9) * 32767).astype("<i2").tobytes())
    player.until("model.get('position_s') > 0.1")
    recorder.button("Record").click()
    player.until("!model.get('playing')")
    recorder.until_state("done")


# -- which microphone -------------------------------------------------------------------------------------------


def test_a_microphone_is_chosen_by_name_and_remembered(opened: Opened) -> None:
    recorder = opened()
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


def test_a_microphone_that_is_gone_is_not_asked_for_again(opened: Opened) -> None:
    recorder = opened(device="gone", devices=[["gone", "Gone"]])
    recorder.page.evaluate("() => { navigator.mediaDevices.enumerateDevices = async () => []; }")
    recorder.set(device="gone")
    recorder.button("Record").click()
    expect(recorder.view()).to_contain_text("The chosen microphone is not there any more.")


# -- shut doors -------------------------------------------------------------------------------------------------


def test_no_permission_and_then_one(asking: Browser, opened: Opened) -> None:
    recorder = opened(asking)
    recorder.page.context.clear_permissions()
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


def test_no_microphone_at_all(browser: Browser, opened: Opened) -> None:
    recorder = opened(browser)
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
    _choose(recorder, "stereo.wav", data.getvalue())
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
    _choose(recorder, f"question.{kind.lower()}", data.getvalue())
    recorder.until_state("done")
    assert recorder.get("duration_s") == pytest.approx(len(samples) / 24_000, abs=0.1)
    assert _lost_s(recorder.sound(), speech) < 0.1


def test_a_long_file_comes_in_small_messages(opened: Opened) -> None:
    data = io.BytesIO()
    soundfile.write(data, voice(duration_s=25)[:, 0], 24_000, format="WAV")
    recorder = opened(max_s=10)  # a file is as long as it is
    _choose(recorder, "long.wav", data.getvalue())
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
    _choose(recorder, "notes.txt", data)
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


# -- the kernel -------------------------------------------------------------------------------------------------


def test_a_program_does_what_the_buttons_do(opened: Opened) -> None:
    recorder = opened()
    recorder.send(kind="start")
    recorder.until_seconds(0.3)
    recorder.send(kind="stop")
    recorder.until_state("done")
    recorder.set(state="idle")
    recorder.send(kind="start")
    recorder.until_seconds(0.3)
    recorder.send(kind="cancel")
    recorder.until_state("cancelled")
    assert recorder.kinds()[-1] == "cancel"
    recorder.until_all_is_closed()


def test_it_begins_by_itself_where_it_is_to(opened: Opened) -> None:
    recorder = opened(auto_start=True)
    recorder.until_seconds(0.2)
    assert recorder.kinds() == ["ready", "begin", "piece"]


def test_the_kernels_own_microphone(opened: Opened) -> None:
    recorder = opened(shut={}, review=True)
    recorder.button("Kernel's microphone").click()
    assert recorder.sent[-1] == {"kind": "kernel", "action": "start"}
    recorder.set(door="kernel", state="recording", level_dbfs=-20.0, elapsed_s=1.5)
    expect(recorder.status).to_have_text("Recording with the kernel's microphone.")
    expect(recorder.view().get_by_role("meter")).to_have_attribute("aria-valuetext", "-20 dBFS")
    expect(recorder.view()).to_contain_text("0:01 / 1:00")
    recorder.button("Stop").click()
    assert recorder.sent[-1] == {"kind": "kernel", "action": "stop"}
    recorder.send(kind="got", take="a-take", duration_s=1.5)
    recorder.set(state="review", duration_s=1.5)
    expect(recorder.button("Play")).to_have_count(0)
    recorder.button("Use this").click()
    assert recorder.sent[-1] == {"kind": "accept", "take": "a-take"}


def test_the_door_that_the_cell_asks_for_comes_first(opened: Opened) -> None:
    recorder = opened(door="kernel", shut={})
    recorder.button("Record at the kernel").click()
    assert recorder.sent[-1] == {"kind": "kernel", "action": "start"}
    assert recorder.open_things() == {"contexts": 0, "tracks": 0}
    recorder.set(shut={"kernel": "No microphone was found there."})
    expect(recorder.button("Record")).to_be_visible()


def test_the_next_recording_by_the_same_recorder(opened: Opened) -> None:
    recorder = opened(max_s=0.5)
    recorder.page.keyboard.press("Space")
    recorder.until_state("done")
    recorder.set(active=False)
    recorder.set(state="idle", active=True, elapsed_s=0.0)
    expect(recorder.button("Record")).to_be_focused()
    recorder.page.keyboard.press("Space")
    recorder.until("sent.filter(one => one.kind === 'accept').length === 2")


def test_the_cell_is_over(recording: RecorderOnPage) -> None:
    recording.set(active=False)
    recording.until_all_is_closed()
    recording.set(state="lost", duration_s=0.6)
    expect(recording.status).to_have_text("The connection broke; what arrived (0.6 s) is kept.")
    expect(recording.view().get_by_role("button")).to_have_count(0)
    count = len(recording.pieces())
    recording.send(kind="start")
    assert len(recording.pieces()) == count


def test_a_kernel_that_knows_better_ends_it(recording: RecorderOnPage) -> None:
    recording.set(state="lost", duration_s=0.5)
    recording.until_all_is_closed()
    expect(recording.status).to_contain_text("what arrived (0.5 s) is kept")


def test_a_kernel_that_is_restarted_leaves_no_microphone_open(recording: RecorderOnPage) -> None:
    recording.page.evaluate("() => listeners.comm_live_update.forEach(react => react())")
    recording.until_all_is_closed()
    expect(recording.status).to_contain_text("The kernel has gone")
    expect(recording.view().get_by_role("button")).to_have_count(0)


def test_a_kernel_that_is_dead_leaves_no_microphone_open(recording: RecorderOnPage) -> None:
    recording.page.evaluate("() => { widgets[0].model.dead = true; }")
    recording.until_all_is_closed()
    expect(recording.status).to_contain_text("The kernel has gone")


def test_it_was_recording_before_the_page_was_loaded_again(opened: Opened) -> None:
    recorder = opened(state="recording", elapsed_s=3.0)
    expect(recorder.status).to_contain_text("before this page was loaded again")
    recorder.button("Record").click()
    recorder.until_seconds(0.2)


# -- views and models come and go -------------------------------------------------------------------------------


def test_two_views_share_one_microphone_and_stay_in_step(opened: Opened) -> None:
    recorder = opened()
    recorder.add_view()
    recorder.button("Record").click()
    expect(recorder.button("Stop", "#second")).to_be_visible()
    recorder.until_seconds(0.5)
    assert recorder.open_things() == {"contexts": 1, "tracks": 1}
    recorder.button("Stop", "#second").click()
    expect(recorder.status).to_contain_text("Recorded")
    expect(recorder.view("#second").get_by_role("status")).to_contain_text("Recorded")
    assert recorder.kinds() == ["ready", "begin", "piece", "end", "accept"]


def test_a_view_that_is_moved_goes_on(opened: Opened) -> None:
    recorder = opened(silence_s=0)
    recorder.button("Record").click()
    recorder.until_seconds(0.3)
    recorder.remove_view(0)
    recorder.add_view("#second")
    recorder.until_seconds(1.8)  # longer than a recorder without a view goes on
    expect(recorder.button("Stop", "#second")).to_be_visible()


def test_an_output_that_is_cleared_leaves_no_microphone_open(recording: RecorderOnPage) -> None:
    recording.remove_view(0)
    recording.until_all_is_closed()
    assert recording.kinds() == ["ready", "begin", "piece"]  # the kernel keeps what arrived


def test_a_model_that_is_closed_leaves_nothing_behind(recording: RecorderOnPage) -> None:
    recording.remove_view(0)
    recording.close()
    recording.until_all_is_closed()
    assert recording.page.evaluate("() => nbaudio.recorders.size") == 0
    assert recording.page.evaluate("() => nbaudio.contexts.size") == 0
    assert recording.page.evaluate("() => widgets[0].model.listeners") == 0
    kept = "[...held].filter(({target}) => target instanceof MediaDevices || target instanceof PermissionStatus)"
    assert recording.page.evaluate(f"() => {kept}.length") == 0


def test_a_view_that_is_removed_leaves_nothing_behind(opened: Opened) -> None:
    recorder = opened()
    before = recorder.page.evaluate("() => held.size")
    view = recorder.add_view()
    assert recorder.page.evaluate("() => held.size") > before + 10
    recorder.remove_view(view)
    assert recorder.page.evaluate("() => held.size") == before


def test_a_permission_that_comes_after_the_recorder_has_gone_opens_nothing(opened: Opened) -> None:
    recorder = opened()
    recorder.page.evaluate("""() => {
        const given = navigator.mediaDevices.getUserMedia;
        navigator.mediaDevices.getUserMedia = async wanted => {
            await new Promise(resolve => { window.allow = resolve; });
            return given(wanted);
        };
    }""")
    recorder.button("Record").click()
    expect(recorder.status).to_contain_text("The browser may ask")
    recorder.page.keyboard.press("Escape")
    recorder.until_state("cancelled")
    recorder.page.evaluate("() => allow()")
    recorder.page.wait_for_function("() => tracks.length === 1")
    recorder.until_all_is_closed()
    assert recorder.kinds() == ["ready", "cancel"]


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
    _choose(recorder, f"{_HOSTILE}.wav", b"no sound")
    expect(recorder.status).to_contain_text(_HOSTILE)
    recorder.button("Record").click()
    expect(recorder.view().locator(".nbaudio-recorder-notes p")).to_contain_text([_HOSTILE, _HOSTILE])
    recorder.set(state="done", trouble=_HOSTILE)
    expect(recorder.status).to_contain_text(_HOSTILE)
    assert recorder.view().locator("img").count() == 0
    assert recorder.page.evaluate("() => window.attacked") is None


def _choose(recorder: RecorderOnPage, name: str, data: bytes) -> None:
    files = recorder.view().locator("input[type=file]")
    files.set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": data})


def _lost_s(sound: Any, speech: Path) -> float:
    """How much of the beginning of the speech is missing, by the place where the two are most alike."""
    samples, _ = soundfile.read(speech, dtype="float32")
    size = 1 << (len(samples) + len(sound)).bit_length()
    alike = np.fft.irfft(np.fft.rfft(samples, size) * np.conj(np.fft.rfft(sound, size)))
    lag = int(np.argmax(alike))
    return (lag if lag < size // 2 else lag - size) / 24_000
