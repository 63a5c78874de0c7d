"""What a recorder does with its kernel and without, and what it leaves behind when it goes: nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, expect
from signals import voice

from .recorder_page import RecorderOnPage, recorders

pytestmark = pytest.mark.page

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


def test_a_program_opens_no_microphone_where_nobody_sees_it(opened: Opened) -> None:
    recorder = opened()
    recorder.remove_view(0)
    recorder.send(kind="start")  # which goes to every tab with this notebook
    assert recorder.get("state") == "idle"
    recorder.add_view()
    recorder.send(kind="start")
    recorder.until_seconds(0.2)


def test_it_begins_by_itself_where_it_is_to(opened: Opened) -> None:
    recorder = opened(auto_start=True)
    recorder.until_seconds(0.2)
    assert recorder.kinds() == ["ready", "begin", "piece"]


def test_the_kernels_own_microphone(opened: Opened) -> None:
    recorder = opened(shut={}, review=True)
    recorder.button("Kernel's microphone").click()
    expect(recorder.status).to_have_text("The kernel's microphone opens as soon as the kernel is free.")
    ask = recorder.sent[-1]["ask"]
    assert recorder.sent[-1] == {"kind": "kernel", "action": "start", "ask": ask}
    recorder.set(door="kernel", state="recording", level_dbfs=-20.0, elapsed_s=1.5)
    recorder.send(kind="answered", ask=ask)
    expect(recorder.status).to_have_text("Recording with the kernel's microphone.")
    expect(recorder.view().get_by_role("meter")).to_have_attribute("aria-valuetext", "-20 dBFS")
    expect(recorder.view()).to_contain_text("0:01 / 1:00")
    recorder.button("Stop").click()
    assert recorder.sent[-1] == {"kind": "kernel", "action": "stop", "ask": ask}
    recorder.send(kind="got", take="a-take", duration_s=1.5)
    recorder.set(state="review", duration_s=1.5)
    expect(recorder.button("Play")).to_have_count(0)
    recorder.button("Use this").click()
    assert recorder.sent[-1] == {"kind": "accept", "take": "a-take"}


def test_the_door_that_the_cell_asks_for_comes_first(opened: Opened) -> None:
    recorder = opened(door="kernel", shut={})
    recorder.button("Record at the kernel").click()
    ask = recorder.sent[-1]["ask"]
    assert recorder.sent[-1] == {"kind": "kernel", "action": "start", "ask": ask}
    assert recorder.open_things() == {"contexts": 0, "tracks": 0}
    recorder.set(shut={"kernel": "No microphone was found there."})
    recorder.send(kind="answered", ask=ask)
    expect(recorder.button("Record")).to_be_visible()


def test_what_a_busy_kernel_has_not_come_to_can_be_taken_back_and_asked_for_again(opened: Opened) -> None:
    recorder = opened(door="kernel", shut={})
    for _ in range(2):
        recorder.button("Record at the kernel").click()
        recorder.button("Stop").click()
    recorder.button("Record at the kernel").click()
    told = [message for message in recorder.sent if message["kind"] == "kernel"]
    assert [message["action"] for message in told] == ["start", "drop", "start", "drop", "start"]
    first, second, third = (told[index]["ask"] for index in (0, 2, 4))
    assert [told[index]["ask"] for index in (1, 3)] == [first, second]

    for ask in (first, second):  # the kernel is free now, and comes to all of it in a row
        recorder.set(state="recording")
        recorder.send(kind="answered", ask=ask)
        recorder.set(state="idle")
        expect(recorder.button("Stop")).to_be_visible()
        expect(recorder.status).to_contain_text("as soon as the kernel is free")
    recorder.set(state="recording")
    recorder.send(kind="answered", ask=third)
    expect(recorder.status).to_have_text("Recording with the kernel's microphone.")
    recorder.button("Stop").click()
    assert recorder.sent[-1] == {"kind": "kernel", "action": "stop", "ask": third}


@pytest.mark.parametrize("gone", ["cleared", "reloaded"])
def test_a_page_that_goes_leaves_no_kernels_microphone_open(opened: Opened, gone: str) -> None:
    recorder = opened(door="kernel", shut={})
    recorder.button("Record at the kernel").click()
    ask = recorder.sent[-1]["ask"]
    recorder.set(state="recording")
    recorder.send(kind="answered", ask=ask)
    if gone == "cleared":
        recorder.remove_view(0)
    else:
        recorder.page.evaluate("() => window.dispatchEvent(new Event('pagehide'))")
    recorder.until("sent.at(-1).action === 'lose'")
    assert recorder.sent[-1]["ask"] == ask


def test_another_tab_that_goes_leaves_the_kernels_microphone_to_the_one_that_opened_it(opened: Opened) -> None:
    recorder = opened(door="kernel", shut={}, state="recording")
    recorder.page.evaluate("() => window.dispatchEvent(new Event('pagehide'))")
    assert recorder.kinds() == ["ready"]


def test_the_next_recording_by_the_same_recorder(opened: Opened) -> None:
    recorder = opened(max_s=0.5)
    expect(recorder.button("Record")).to_be_focused()
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


def test_players_sound_again_when_nobody_sees_the_recorder_any_more(recording: RecorderOnPage) -> None:
    player = recording.place.add_player(shown_in="#far", state="arriving", play="queue")
    player.send_piece((voice(duration_s=9) * 32767).astype("<i2").tobytes())
    recording.remove_view(0)
    player.until("model.get('position_s') > 0.1")  # the kernel has not found yet that the recording is lost


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
