"""The player in a real browser, by mouse and by keyboard; the test is its kernel."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import soundfile
from playwright.sync_api import BrowserContext, Locator, expect
from signals import voice

from nbaudio import Clip

from .widget_page import PlayerOnPage, WidgetPage, tab

pytestmark = pytest.mark.page

SOUND_S = 12.0
PHRASES = [["Good news:", 0.0, 1.0], ["all is well.", 1.5, 4.0], ["Shall we go on?", 6.0, 8.0]]
WORDS = "Good news: all is well.\n\nShall we go on? Yes."
_HOSTILE = "<img src=x onerror='window.attacked = true'>"

Opened = Callable[..., WidgetPage]


@pytest.fixture(scope="module")
def pcm16() -> bytes:
    return Clip(voice(duration_s=SOUND_S), sample_rate=24_000).encode("pcm16")


@pytest.fixture
def opened(tabs: BrowserContext) -> Iterator[Opened]:
    """Opens pages; fails if one of them logs an error."""
    pages: list[WidgetPage] = []

    def page(**options: Any) -> WidgetPage:
        pages.append(WidgetPage(tab(tabs, 700, 500), **options))
        return pages[-1]

    yield page
    for one in pages:
        assert one.errors == []
        one.page.close()


@pytest.fixture
def whole(opened: Opened, pcm16: bytes) -> PlayerOnPage:
    """A player that has its sound and its words, and stands still."""
    player = opened().add_player(title="Answer", words=WORDS, phrases=PHRASES, duration_s=SOUND_S, file_name="good.wav")
    player.until("model.sent.length")
    player.send_sound(pcm16)
    expect(_time(player)).to_have_text("0:00 / 0:12")
    return player


@pytest.fixture
def arriving(opened: Opened, pcm16: bytes) -> PlayerOnPage:
    """A player whose first three seconds have come, and play."""
    player = opened().add_player(title="Answer", state="arriving", play="queue")
    player.send_piece(pcm16[: 3 * 48_000], "Good news: all", phrases=PHRASES[:1])
    player.until("model.get('position_s') > 0")
    return player


# -- sound that is here -----------------------------------------------------------------------------------------


def test_a_sound_is_asked_for_once_when_it_can_be_seen(opened: Opened, pcm16: bytes) -> None:
    page = opened()
    player = page.add_player(shown_in="#far", duration_s=SOUND_S)
    page.drawn()
    assert player.sent == []

    player.view("#far").scroll_into_view_if_needed()
    player.until("model.sent.length")
    page.evaluate("() => scrollTo(0, 0)")
    player.view("#far").scroll_into_view_if_needed()
    page.drawn()
    assert player.sent == [{"kind": "need"}]
    assert _drawn(player, "#far") == 0

    player.send_sound(pcm16)
    page.drawn()
    assert _drawn(player, "#far") > 0.3


def test_play_before_the_sound_is_here_begins_when_it_comes(opened: Opened, pcm16: bytes) -> None:
    player = opened().add_player(duration_s=SOUND_S)
    with player.tells(playing=True):
        _button(player, "Play").click()
    expect(player.view().get_by_role("status")).to_have_text("Waits for the kernel to send the sound.")
    assert player.sent == [{"kind": "need"}]

    player.send_sound(pcm16)
    player.until("model.get('position_s') > 0.2")
    expect(player.view().get_by_role("status")).to_have_text("")


def test_the_kernel_may_name_the_sample_rate_after_the_model_is_made(opened: Opened) -> None:
    player = opened().add_player()
    clip = Clip(voice(duration_s=3.0, sample_rate=16_000), sample_rate=16_000)
    player.set(sample_rate=16_000, duration_s=3.0)
    player.until("model.sent.length")
    player.send({"kind": "sound", "mime": "audio/wav", "frames": clip.frames}, clip.encode("wav"))
    player.until("!nbaudio.players.get(model.get('key')).empty")
    expect(_time(player)).to_have_text("0:00 / 0:03")


def test_it_begins_by_itself_where_it_is_to_and_not_again_after_a_reload(opened: Opened, pcm16: bytes) -> None:
    page = opened()
    fresh = page.add_player(duration_s=SOUND_S, play="auto")
    reloaded = page.add_player(duration_s=SOUND_S, play="auto", position_s=2.0, playing=True)
    fresh.send_sound(pcm16)
    fresh.until("model.get('position_s') > 0.1")
    assert reloaded.get("playing") is False
    assert reloaded.get("position_s") == 2.0


def test_an_answer_sounds_by_itself_in_the_page_that_asked_alone(opened: Opened) -> None:
    page, sound = opened(), (voice(duration_s=3) * 32767).astype("<i2").tobytes()
    elsewhere = page.add_player(state="arriving", play="auto", asked_by="another page")
    elsewhere.send_piece(sound)
    here = page.add_player(shown_in="#second", state="arriving", play="auto", asked_by="this page")
    here.send_piece(sound)
    here.until("model.get('position_s') > 0.3")
    assert (elsewhere.get("playing"), elsewhere.get("position_s")) == (False, 0)
    _button(elsewhere, "Play").click()  # who asks for it hears it
    elsewhere.until("model.get('position_s') > 0.1")


def test_what_is_whole_by_then_does_not_begin_in_another_page(opened: Opened, pcm16: bytes) -> None:
    page = opened()
    elsewhere = page.add_player(duration_s=SOUND_S, play="queue", asked_by="another page")
    here = page.add_player(shown_in="#second", duration_s=SOUND_S, play="queue", asked_by="this page")
    for player in (elsewhere, here):
        player.until("model.sent.length")
        player.send_sound(pcm16)
    here.until("model.get('position_s') > 0.1")
    assert (elsewhere.get("playing"), elsewhere.get("position_s")) == (False, 0)
    expect(elsewhere.view().get_by_role("status")).to_have_text("")


def test_what_is_whole_can_wait_for_its_turn_too(opened: Opened, pcm16: bytes) -> None:
    page = opened()
    before = page.add_player(duration_s=SOUND_S, play="auto")
    before.send_sound(pcm16)
    before.until("model.get('position_s') > 0")
    after = page.add_player(shown_in="#second", duration_s=SOUND_S, play="queue")
    after.send_sound(pcm16)
    expect(after.view("#second").get_by_role("status")).to_have_text("Waits for its turn.")
    assert before.get("playing") is True
    assert after.get("playing") is False

    before.set(position_s=11.8)
    after.until("model.get('position_s') > 0.1")
    assert before.get("playing") is False
    expect(after.view("#second").get_by_role("status")).to_have_text("")


def test_play_and_pause_by_mouse(whole: PlayerOnPage) -> None:
    with whole.tells(playing=True):
        _button(whole, "Play").click()
    whole.until("model.get('position_s') > 0.3")
    with whole.tells(playing=False):
        _button(whole, "Pause").click()
    at_s = whole.get("position_s")
    expect(_button(whole, "Play")).to_be_visible()
    assert 0.3 < at_s <= whole.get("position_s") < at_s + 0.1  # it fades out


def test_a_click_and_a_drag_on_the_waveform_seek(whole: PlayerOnPage) -> None:
    box = _waveform(whole).bounding_box()
    assert box is not None
    mouse = whole.page.page.mouse
    _waveform(whole).click(position={"x": box["width"] / 4, "y": 10})
    whole.until("Math.abs(model.get('position_s') - 3) < 0.05")

    mouse.move(box["x"] + box["width"] / 4, box["y"] + 10)
    mouse.down()
    mouse.move(box["x"] + box["width"] * 0.6, box["y"] - 40, steps=4)
    expect(_waveform(whole)).to_have_attribute("aria-valuetext", "7 seconds of 12 seconds")
    assert abs(whole.get("position_s") - 3) < 0.05  # the sound waits for the mouse to let go
    mouse.move(box["x"] + box["width"] * 0.75, box["y"] - 40)
    mouse.up()
    whole.until("Math.abs(model.get('position_s') - 9) < 0.05")


def test_a_click_on_a_phrase_seeks_to_it(whole: PlayerOnPage) -> None:
    with whole.tells(position_s=6):
        _phrase(whole, "Shall we go on?").click()
    expect(_phrase(whole, "Shall we go on?")).to_have_attribute("aria-current", "true")
    expect(_time(whole)).to_have_text("0:06 / 0:12")


def test_words_that_are_selected_do_not_seek(whole: PlayerOnPage) -> None:
    box = _phrase(whole, "Shall we go on?").bounding_box()
    assert box is not None
    mouse = whole.page.page.mouse
    mouse.move(box["x"] + 4, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(box["x"] + 70, box["y"] + box["height"] / 2, steps=3)
    mouse.up()
    assert len(whole.page.evaluate("() => getSelection().toString()")) > 3
    assert whole.get("position_s") == 0


def test_the_phrase_that_sounds_is_marked(whole: PlayerOnPage) -> None:
    current = whole.view().locator("[aria-current]")
    expect(current).to_have_count(0)
    whole.set(position_s=3.7, playing=True)
    expect(current).to_have_text("all is well.")
    whole.set(position_s=5.9)
    expect(current).to_have_text("Shall we go on?")
    whole.set(position_s=11.9)
    whole.until("!model.get('playing')")
    expect(current).to_have_count(0)
    assert abs(whole.get("position_s") - SOUND_S) < 0.01


# -- the keyboard alone -----------------------------------------------------------------------------------------


def test_every_control_is_reached_by_tab_and_says_its_name_and_key(whole: PlayerOnPage) -> None:
    keyboard = whole.page.page.keyboard
    names = []
    for _ in range(7):
        keyboard.press("Tab")
        focused = whole.view().locator(":focus")
        names.append((focused.get_attribute("aria-label") or focused.inner_text(), focused.get_attribute("title")))
        assert focused.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
        assert focused.evaluate("one => parseFloat(getComputedStyle(one).outlineWidth)") >= 2
    assert names == [
        ("Play", "Play (space or k)"),
        ("Position", "Position (← and →)"),
        ("Speed", "Speed (< and >)"),
        ("Mute", "Mute (m)"),
        ("Volume", "Volume (← and →)"),
        ("Download as WAV", "Download as WAV (d)"),
        ("Good news:", "Hear it from 0:00 (enter)"),
    ]
    keyboard.press("Tab")
    assert whole.view().locator(":focus").count() == 0


def test_keys_play_seek_and_change_speed_and_volume(whole: PlayerOnPage) -> None:
    keyboard = whole.page.page.keyboard
    _waveform(whole).focus()
    for key, position_s in [("ArrowRight", 5), ("PageUp", 12), ("ArrowLeft", 7), ("Home", 0), ("End", 12)]:
        keyboard.press(key)
        whole.until(f"Math.abs(model.get('position_s') - {position_s}) < 0.01")
    assert _waveform(whole).get_attribute("aria-valuenow") == "12.0"
    for key, playing in [("Space", True), ("k", False)]:
        with whole.tells(playing=playing):
            keyboard.press(key)
    for key, trait, value in [
        (">", "speed", 1.25),
        (">", "speed", 1.5),
        ("<", "speed", 1.25),
        ("m", "volume", 0),
        ("m", "volume", 1),
    ]:
        with whole.tells(**{trait: value}):
            keyboard.press(key)
    with whole.page.page.expect_download() as download:
        keyboard.press("d")
    assert download.value.suggested_filename == "good.wav"


def test_native_controls_keep_their_own_keys(whole: PlayerOnPage) -> None:
    keyboard = whole.page.page.keyboard
    whole.view().get_by_label("Volume").focus()
    with whole.tells(volume=0.95):
        keyboard.press("ArrowLeft")
    whole.view().get_by_label("Speed").select_option("2×")
    whole.until("model.get('speed') === 2")
    with whole.page.page.expect_download():
        _button(whole, "Download as WAV").press("Space")
    assert whole.get("playing") is False


def test_arrows_walk_through_phrases_and_enter_or_space_seeks(whole: PlayerOnPage) -> None:
    keyboard = whole.page.page.keyboard
    _phrase(whole, "Good news:").focus()
    keyboard.press("ArrowRight")
    expect(_phrase(whole, "all is well.")).to_be_focused()
    with whole.tells(position_s=1.5):
        keyboard.press("Enter")
    keyboard.press("End")
    with whole.tells(position_s=6):
        keyboard.press("Space")
    assert whole.get("playing") is False
    keyboard.press("ArrowUp")
    expect(_phrase(whole, "all is well.")).to_be_focused()
    assert whole.view().locator("[data-phrase][tabindex='0']").all_inner_texts() == ["all is well."]


def test_single_keys_stay_inside_and_those_of_the_application_go_out(whole: PlayerOnPage) -> None:
    page = whole.page.page
    for control in (
        _waveform(whole),
        _button(whole, "Play"),
        whole.view().get_by_label("Volume"),
        _phrase(whole, "all is"),
    ):
        control.focus()
        for key in ("d", "x", "a", "Enter", "k", "Control+s"):
            page.keyboard.press(key)
    assert set(page.evaluate("() => leaked")) == {"Control", "s"}
    assert whole.view().get_attribute("data-lm-suppress-shortcuts") == "true"


# -- both sides -------------------------------------------------------------------------------------------------


def test_what_the_kernel_sets_is_done_and_shown_and_not_told_back(whole: PlayerOnPage) -> None:
    before = len(whole.saved)
    whole.set(speed=1.1, volume=0.3, position_s=4.0)
    expect(whole.view().get_by_label("Speed").locator("option:checked")).to_have_text("1.1×")
    expect(whole.view().get_by_label("Volume", exact=True)).to_have_js_property("value", "0.3")
    expect(_time(whole)).to_have_text("0:04 / 0:12")
    assert whole.saved[before:] == []
    assert whole.page.evaluate("key => nbaudio.players.get(key).position_s", whole.get("key")) == 4

    whole.set(playing=True)
    whole.until("model.get('position_s') > 5.2")
    assert all(one.keys() == {"position_s"} for one in whole.saved[before:])


def test_positions_are_told_four_times_a_second_at_most(whole: PlayerOnPage) -> None:
    whole.set(playing=True, position_s=2.0)
    whole.until("model.get('position_s') >= 4")
    told = [one["position_s"] for one in whole.saved if "position_s" in one]
    steps = [later - earlier for earlier, later in itertools.pairwise(told)]
    assert len(told) > 4
    assert min(steps[1:]) > 0.2, told


def test_two_views_are_alike_and_the_sound_outlives_both(whole: PlayerOnPage) -> None:
    whole.add_view("#second")
    whole.view("#second").get_by_role("button", name="Play").click()
    for parent in ("#first", "#second"):
        expect(whole.view(parent).get_by_role("button", name="Pause")).to_be_visible()
    whole.view("#first").get_by_label("Speed").select_option("0.5×")
    expect(whole.view("#second").get_by_label("Speed").locator("option:checked")).to_have_text("0.5×")

    whole.remove_view(0)
    whole.remove_view(1)
    at_s = whole.get("position_s")
    whole.until(f"model.get('position_s') > {at_s} + 0.3")
    whole.add_view("#first")
    expect(_button(whole, "Pause")).to_be_visible()
    expect(_phrase(whole, "Good news:")).to_be_visible()


def test_the_keyboard_stays_where_it_is_when_one_view_takes_the_place_of_another(whole: PlayerOnPage) -> None:
    page, slider = whole.page, whole.view("#second").get_by_role("slider", name="Position")
    _waveform(whole).focus()
    whole.remove_view(0)
    expect(page.page.locator("body")).to_be_focused()
    second = whole.add_view("#second")
    expect(slider).to_be_focused()
    whole.add_view("#first")  # and where the new one is there before the old one goes
    whole.remove_view(second)
    expect(_waveform(whole)).to_be_focused()

    # Who has gone elsewhere stays there, be it nowhere.
    for elsewhere in ("document.querySelector('#far')", "document.body"):
        page.evaluate(f"() => {{ document.activeElement.blur(); {elsewhere}.tabIndex = 0; {elsewhere}.focus(); }}")
        page.drawn()
        whole.add_view("#second")
        page.drawn()
        assert page.evaluate(f"() => document.activeElement === {elsewhere}")


def test_a_button_that_the_next_view_does_not_show_leaves_the_keyboard_to_the_first(arriving: PlayerOnPage) -> None:
    _button(arriving, "Stop").focus()
    arriving.remove_view(0)
    arriving.finish(3.0)
    arriving.add_view("#first")
    expect(arriving.view().locator(".nbaudio-play")).to_be_focused()


def test_what_nobody_sees_any_more_is_silent_until_it_is_asked_for(arriving: PlayerOnPage, pcm16: bytes) -> None:
    after = arriving.page.add_player(shown_in="#second", state="arriving", play="queue")
    after.send_piece(pcm16)
    with arriving.tells(playing=False):
        arriving.remove_view(0)
    after.until("model.get('position_s') > 0.1")  # it is the next one's turn
    at_s = arriving.get("position_s")
    assert 0.5 < at_s < 2.5, "it went on for the second in which a cell that is moved gets its new view"
    arriving.send_piece(pcm16[3 * 48_000 :])
    after.remove_view(0)
    after.until("!model.get('playing')")
    arriving.add_view("#first")
    arriving.page.drawn()
    assert (arriving.get("playing"), arriving.get("position_s")) == (False, at_s)
    _button(arriving, "Play").click()
    arriving.until(f"model.get('position_s') > {at_s} + 0.1")


def test_a_view_that_is_removed_leaves_nothing_behind(whole: PlayerOnPage) -> None:
    page = whole.page
    whole.set(playing=True)
    whole.until("model.get('position_s') > 0.1")
    held = "() => held.size"
    before = page.evaluate(held)
    view = whole.add_view()
    assert page.evaluate(held) > before + 10
    whole.remove_view(view)
    assert page.evaluate(held) == before


def test_a_model_that_is_closed_leaves_nothing_behind(opened: Opened, pcm16: bytes) -> None:
    page = opened()
    held = []
    for number in range(3):
        player = page.add_player(play="auto", state="arriving")
        player.send_piece(pcm16[:96_000], "one")
        player.until("model.get('position_s') > 0.1")
        player.remove_view(0)
        player.close()
        page.until("nbaudio.contexts.size === 0 && nbaudio.players.size === 0")
        assert page.evaluate(f"() => widgets[{number}].model.listeners") == 0
        held.append(page.evaluate("() => heldByPage().length"))
    assert held[1] == held[2]  # the first also brings what belongs to the page, and Playwright's own


def test_the_file_that_is_downloaded_is_the_sound(whole: PlayerOnPage, pcm16: bytes) -> None:
    with whole.page.page.expect_download() as download:
        _button(whole, "Download as WAV").click()
    samples, sample_rate = soundfile.read(io.BytesIO(download.value.path().read_bytes()), dtype="int16")
    assert sample_rate == 24_000
    assert samples.astype("<i2").tobytes() == pcm16


# -- while it arrives -------------------------------------------------------------------------------------------


def test_words_and_waveform_fill_in_while_it_plays(arriving: PlayerOnPage, pcm16: bytes) -> None:
    view = arriving.view()
    expect(_time(arriving)).to_contain_text("0:03…")
    expect(view.locator(".nbaudio-words")).to_have_text("Good news: all")
    expect(view.locator("[data-phrase]")).to_have_count(1)
    first = view.locator("[data-phrase]").element_handle()
    filled = _drawn(arriving)

    arriving.send_piece(pcm16[3 * 48_000 :], " is well.\n\nShall we", phrases=PHRASES[:2])
    expect(_time(arriving)).to_contain_text("0:12…")
    expect(view.locator(".nbaudio-words p")).to_have_text(["Good news: all is well.", "Shall we"])
    expect(view.locator("[data-phrase]")).to_have_text(["Good news:", "all is well."])
    assert first.evaluate("one => one.isConnected"), "a phrase that may have the focus was made anew"
    arriving.page.drawn()
    assert _drawn(arriving) > filled

    arriving.finish(SOUND_S)
    arriving.set(words=WORDS, phrases=PHRASES)
    expect(_time(arriving)).to_contain_text("/ 0:12")
    expect(_time(arriving)).not_to_contain_text("…")
    expect(view.locator("[data-phrase]")).to_have_count(3)
    assert arriving.sent == []


def test_words_are_read_out_only_where_they_are_not_heard(arriving: PlayerOnPage, pcm16: bytes) -> None:
    words = arriving.view().get_by_role("group", name="Words of: Answer")
    expect(words).to_have_attribute("aria-live", "off")
    with arriving.tells(playing=False):
        _button(arriving, "Pause").click()
    expect(words).to_have_attribute("aria-live", "polite")
    arriving.finish(3.0)
    expect(words).to_have_attribute("aria-live", "off")


def test_stop_silences_tells_and_interrupts_and_what_came_can_be_heard(arriving: PlayerOnPage) -> None:
    with arriving.tells(playing=False):
        _button(arriving, "Stop").click()
    assert arriving.sent == [{"kind": "stop"}]
    assert arriving.interrupts == 1
    arriving.finish(3.0, "broken")
    expect(arriving.view().get_by_role("button", name="Stop")).to_be_hidden()
    expect(_button(arriving, "Play")).to_be_focused()  # the button that had the focus is gone
    expect(arriving.view().get_by_role("status")).to_have_text("The answer broke off: this is what came.")
    with arriving.tells(playing=True):
        arriving.page.page.keyboard.press("k")


def test_stop_has_a_key(arriving: PlayerOnPage) -> None:
    _waveform(arriving).focus()
    with arriving.tells(playing=False):
        arriving.page.page.keyboard.press("s")
    assert arriving.sent == [{"kind": "stop"}]


def test_a_piece_that_never_came_is_asked_for(arriving: PlayerOnPage, pcm16: bytes) -> None:
    arriving.pieces, arriving.frames = 2, 4 * 24_000
    arriving.send_piece(pcm16[4 * 48_000 :])
    arriving.finish(SOUND_S)
    arriving.until("model.sent.length")
    assert arriving.sent == [{"kind": "need"}]
    arriving.send_sound(pcm16)
    expect(_time(arriving)).to_contain_text("/ 0:12")


def test_one_waits_for_the_other_and_says_so(arriving: PlayerOnPage, pcm16: bytes) -> None:
    other = arriving.page.add_player(shown_in="#second", state="arriving", play="queue")
    other.send_piece(pcm16[:48_000], "Two.")
    expect(other.view("#second").get_by_role("status")).to_have_text("Waits for its turn.")
    assert other.get("playing") is False
    other.view("#second").get_by_role("button", name="Play").click()  # out of turn
    other.until("model.get('playing')")
    arriving.until("!model.get('playing')")


# -- a kernel that has gone -------------------------------------------------------------------------------------


def test_an_answer_whose_kernel_is_restarted_ends_there_and_lets_the_next_one_sound(
    opened: Opened, pcm16: bytes
) -> None:
    page = opened()
    one = page.add_player(title="Answer", state="arriving", play="queue")
    one.send_piece(pcm16[: 3 * 48_000], "Good news: all", phrases=PHRASES[:1])
    one.until("model.get('position_s') > 0")
    two = page.add_player(shown_in="#second", state="arriving", play="queue")
    two.send_piece(pcm16, "Two.")
    expect(two.view("#second").get_by_role("status")).to_have_text("Waits for its turn.")
    one.sever()
    two.until("model.get('position_s') > 0.1")
    expect(one.view().get_by_role("status")).to_have_text("The answer broke off: this is what came.")
    expect(_time(one)).to_contain_text("/ 0:03")
    expect(_button(one, "Stop")).to_have_count(0)
    with page.page.expect_download() as download:
        _button(one, "Download as WAV").click()
    assert soundfile.info(download.value.path()).duration == 3.0
    saved, _ = len(one.saved), _button(one, "Play").click()
    one.page.until(f"nbaudio.players.get({_model(one)}.get('key')).playing")
    two.until("!model.get('playing')")
    assert len(one.saved) == saved


@pytest.mark.parametrize("told", [True, False])
def test_a_sound_that_was_never_fetched_says_that_its_kernel_has_gone(opened: Opened, pcm16: bytes, told: bool) -> None:
    page = opened()
    sounding = page.add_player(shown_in="#second", state="arriving", play="queue")
    sounding.send_piece(pcm16, "Two.")
    sounding.until("model.get('position_s') > 0")
    never = page.add_player(shown_in="#far", duration_s=SOUND_S)
    page.evaluate(f"() => {{ {_model(never)}.send = () => {{ throw new Error('disposed'); }}; }}")
    if told:
        never.sever()
    never.view("#far").get_by_role("button", name="Play").click()
    expect(never.view("#far").get_by_role("status")).to_contain_text("The kernel has gone")
    assert sounding.get("playing") is True


def test_what_is_whole_goes_on_without_its_kernel(whole: PlayerOnPage) -> None:
    whole.set(playing=True)
    whole.until("model.get('position_s') > 0.1")
    whole.sever()
    sound = f"nbaudio.players.get({_model(whole)}.get('key'))"
    whole.page.until(f"{sound}.position_s > 0.6")
    _button(whole, "Pause").click()
    whole.page.until(f"!{sound}.playing")


def test_a_player_whose_kernel_has_gone_is_freed_with_its_last_view(arriving: PlayerOnPage) -> None:
    arriving.sever()
    arriving.remove_view(0)
    arriving.page.until("nbaudio.players.size === 0 && nbaudio.contexts.size === 0")
    arriving.until("model.listeners === 0")


# -- what must not be trusted -----------------------------------------------------------------------------------


def test_nothing_that_a_model_says_is_read_as_html(opened: Opened, pcm16: bytes) -> None:
    page = opened()
    player = page.add_player(
        title=_HOSTILE, words=f"{_HOSTILE} and more", phrases=[[_HOSTILE, 0.0, 1.0]], notes=[_HOSTILE], state="arriving"
    )
    player.send_piece(pcm16[:4800], f"\n\n{_HOSTILE}", phrases=[[_HOSTILE, 0.0, 1.0]])
    player.set(file_name=_HOSTILE, source=_HOSTILE)
    page.drawn()
    text = player.view().inner_text()
    assert text.count(_HOSTILE) == 4
    assert player.view().locator("img").count() == 0
    assert page.evaluate("() => window.attacked") is None


def test_a_sound_that_cant_be_read_says_so_and_can_be_asked_for_again(opened: Opened, pcm16: bytes) -> None:
    player = opened().add_player(duration_s=SOUND_S)
    player.until("model.sent.length")
    player.send({"kind": "sound", "mime": "audio/wav", "frames": 10}, b"this is no sound")
    player.until("model.get('trouble')")
    expect(player.view().get_by_role("status")).to_have_text(player.get("trouble"))
    _button(player, "Play").click()
    player.until("model.sent.length === 2")
    player.send_sound(pcm16)
    player.until("model.get('position_s') > 0.1 && model.get('trouble') === ''")


# -- short names ------------------------------------------------------------------------------------------------


def _button(player: PlayerOnPage, name: str) -> Locator:
    return player.view().get_by_role("button", name=name, exact=True)


def _model(player: PlayerOnPage) -> str:
    return f"widgets[{player.number}].model"


def _waveform(player: PlayerOnPage) -> Locator:
    return player.view().get_by_role("slider", name="Position")


def _phrase(player: PlayerOnPage, text: str) -> Locator:
    return player.view().locator("[data-phrase]", has_text=text)


def _time(player: PlayerOnPage) -> Locator:
    return player.view().locator(".nbaudio-time")


def _drawn(player: PlayerOnPage, parent: str = "#first") -> float:
    """The part of the waveform's width that is higher than the dots of what has not come."""
    code = """canvas => {
        const {width, height} = canvas;
        const row = canvas.getContext('2d').getImageData(0, Math.round(height * 0.3), width, 1).data;
        return Array.from({length: width}, (_, x) => row[4 * x + 3]).filter(alpha => alpha > 0).length / width;
    }"""
    return float(player.view(parent).locator("canvas").evaluate(code))
