"""The chat in a browser: typed and spoken turns, by pointer and by keyboard, and what it leaves behind: nothing.

The pictures go to ``build/screenshots/chat``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from playwright.sync_api import BrowserContext, expect
from signals import voice

from .chat_page import ChatOnPage, entry
from .looks import PICTURES, THEMES, assert_accessible, assert_nothing_is_cut_off
from .recorder_page import HOLD
from .widget_page import tab

pytestmark = pytest.mark.page

TONE = (np.sin(np.arange(24_000) / 9) * 8000).astype("<i2").tobytes()
PIECE = 4800  # bytes: 100 ms
COMING = {"parts": [], "instead": False, "aloud": True, "here": True, "source": ""}
TALK = [
    entry("q1", words="Is a golden retriever a good family dog?"),
    entry("a1", "assistant", "Yes. A golden retriever is a good family dog.", duration_s=1.0, sample_rate=24_000),
    entry("t1", "tool", '{"population": 2102650}', speaker="Tool population", notes=["The tool failed."]),
]

Opened = Callable[..., ChatOnPage]


@pytest.fixture
def opened(tabs: BrowserContext) -> Iterator[Opened]:
    made: list[ChatOnPage] = []

    def chat(**options: Any) -> ChatOnPage:
        made.append(ChatOnPage(tab(tabs, 720, 700), **options))
        return made[-1]

    yield chat
    for one in made:
        assert one.place.errors == []
        one.page.close()


def answering(chat: ChatOnPage, words: str = "Yes.", **more: Any) -> None:
    """The kernel answers: a piece of the answer has come."""
    arriving = [{"key": "a9", "question": entry("q9", words="Hello"), **COMING, **more}]
    chat.set(asked_times=1, busy=True, arriving=arriving)
    chat.send_piece("a9", TONE[:PIECE], words)


# -- typing -----------------------------------------------------------------------------------------------------


def test_a_typed_turn_is_sent_and_its_answer_is_heard_while_it_comes(opened: Opened) -> None:
    chat = opened()
    expect(chat.view()).to_contain_text("Nothing has been said yet.")
    expect(chat.button("Send")).to_be_disabled()
    chat.text.fill("Hello")
    chat.button("Send").click()
    assert chat.sent() == [{"kind": "say", "text": "Hello"}]
    expect(chat.text).to_have_value("")
    expect(chat.status).to_contain_text("as soon as it is free")
    answering(chat)
    expect(chat.status).to_have_text("The answer is coming.")
    expect(chat.turns).to_have_count(2)
    expect(chat.turns.nth(0)).to_contain_text("Hello")
    expect(chat.turns.nth(1)).to_contain_text("Yes.")
    for at in range(PIECE, 10 * PIECE, PIECE):
        chat.send_piece("a9", TONE[at % len(TONE) :][:PIECE], " It is.")
    chat.until("sounds.get('the-chat-a9')?.position_s > 0.2")  # heard before it is whole
    sounding = chat.page.evaluate_handle("() => nbaudio.players.get('the-chat-a9')")
    chat.send({"kind": "whole", "answer": "a9", "frames": chat.frames})
    done = entry("a9", "assistant", "Yes. It is.", duration_s=1.0, sample_rate=24_000, phrases=[["Yes.", 0.0, 0.4]])
    chat.set(turns=[entry("q9", words="Hello"), done], arriving=[], busy=False)
    chat.until("sounds.get('the-chat-a9').whole && !sounds.get('the-chat-a9').playing")
    assert chat.page.evaluate("sound => sound === nbaudio.players.get('the-chat-a9')", sounding)  # the same went on
    expect(chat.view().locator("[data-phrase]")).to_have_text("Yes.")
    expect(chat.status).to_have_text("")


def test_an_answer_sounds_by_itself_in_the_page_that_asked_alone(opened: Opened) -> None:
    chat = opened()
    coming = {**COMING, "by_page": True}
    another = {"key": "a8", "question": entry("q8", words="Hello"), **coming}
    chat.set(asked_times=1, busy=True, arriving=[another])  # in another tab with the same notebook
    chat.send_piece("a8", TONE, "No.")
    chat.set(busy=False, arriving=[], turns=[entry("q8"), entry("a8", "assistant", duration_s=1, sample_rate=24_000)])

    chat.text.fill("Hello")
    chat.button("Send").click()
    chat.pieces = chat.frames = 0
    answering(chat, by_page=True)
    chat.send_piece("a9", TONE * 5)
    chat.until("sounds.get('the-chat-a9').position_s > 0.2")
    assert chat.page.evaluate("() => nbaudio.players.get('the-chat-a8').position_s") == 0


def test_what_was_said_here_is_answered_aloud_here(opened: Opened) -> None:
    chat = opened()
    chat.button("Hold to talk").hover()
    chat.page.mouse.down()
    chat.until("recorderModel.get('elapsed_s') >= 0.4")
    chat.page.mouse.up()
    chat.until("recorderModel.get('state') === 'done'")
    answering(chat, by_page=True)
    chat.send_piece("a9", TONE * 5)
    chat.until("sounds.get('the-chat-a9').position_s > 0.2")


def test_enter_sends_and_shift_enter_does_not(opened: Opened) -> None:
    chat = opened()
    chat.text.press_sequentially("one")
    chat.text.press("Shift+Enter")
    chat.text.press_sequentially("two")
    chat.text.press("Enter")
    assert chat.sent() == [{"kind": "say", "text": "one\ntwo"}]
    assert chat.page.evaluate("() => leaked") == []  # no key reached the notebook's shortcuts


def test_while_an_answer_comes_one_can_type_on_and_stop(opened: Opened) -> None:
    chat = opened()
    answering(chat)
    chat.text.fill("And then")
    chat.text.press("Enter")
    assert chat.sent() == []  # it stays in the box
    expect(chat.text).to_have_value("And then")
    chat.view().locator(".nbaudio-chat-say").get_by_role("button", name="Stop").click()
    assert chat.sent() == [{"kind": "stop"}]
    chat.until("!sounds.get('the-chat-a9').playing")
    chat.text.press("Escape")
    assert chat.sent() == [{"kind": "stop"}, {"kind": "stop"}]


def test_the_players_own_stop_interrupts_no_kernel(opened: Opened) -> None:
    chat = opened()
    answering(chat)
    chat.turns.nth(1).get_by_role("button", name="Stop").click()
    assert chat.sent() == [{"kind": "stop"}]


def test_what_failed_is_told_and_nothing_typed_is_lost(opened: Opened) -> None:
    chat = opened()
    chat.text.fill("Hello")
    chat.text.press("Enter")
    chat.set(asked_times=1, busy=True)
    chat.set(busy=False, trouble={"words": "The account has no credit.", "typed": "Hello", "recorded_s": 0})
    expect(chat.view().get_by_role("alert")).to_have_text("The account has no credit. Your words are kept.")
    expect(chat.text).to_have_value("Hello")
    chat.button("Try again").click()
    assert chat.sent()[-1] == {"kind": "again"}
    expect(chat.text).to_have_value("")
    chat.set(asked_times=2, trouble={"words": "Once more.", "typed": "Hello", "recorded_s": 0})
    chat.button("Dismiss").click()
    assert chat.sent()[-1] == {"kind": "dismiss"}
    chat.set(trouble={})
    expect(chat.view().get_by_role("alert")).to_be_hidden()
    expect(chat.text).to_have_value("Hello")


def test_what_is_typed_by_then_is_not_overwritten(opened: Opened) -> None:
    chat = opened()
    chat.text.fill("Hello")
    chat.text.press("Enter")
    chat.text.fill("Something else")
    chat.set(asked_times=1, trouble={"words": "No.", "typed": "Hello", "recorded_s": 0})
    expect(chat.text).to_have_value("Something else")


# -- talking ----------------------------------------------------------------------------------------------------


def test_hold_to_talk_by_pointer(opened: Opened) -> None:
    chat = opened()
    chat.button("Hold to talk").hover()
    chat.page.mouse.down()
    chat.until("recorderModel.get('elapsed_s') >= 0.6")
    expect(chat.button("Release to send")).to_be_visible()
    expect(chat.status).to_have_text("Recording.")
    chat.page.mouse.up()
    chat.until("recorderModel.get('state') === 'done'")
    assert chat.recorded() == ["ready", "begin", "piece", "end", "accept"]
    chat.until_all_is_closed()
    expect(chat.button("Hold to talk")).to_be_visible()


@pytest.mark.parametrize("key", ["Space", "Enter"])
def test_hold_to_talk_by_key(opened: Opened, key: str) -> None:
    chat = opened()
    chat.button("Hold to talk").focus()
    chat.page.keyboard.down(key)
    chat.page.keyboard.down(key)  # it repeats while it is held
    chat.until("recorderModel.get('elapsed_s') >= 0.6")
    chat.page.keyboard.up(key)
    chat.until("recorderModel.get('state') === 'done'")
    assert chat.recorded() == ["ready", "begin", "piece", "end", "accept"]
    assert chat.page.evaluate("() => leaked") == []


def test_a_tap_begins_and_the_next_one_ends(opened: Opened) -> None:
    chat = opened()
    chat.button("Hold to talk").click()
    chat.until("recorderModel.get('elapsed_s') >= 0.6")
    expect(chat.button("Press to send")).to_be_visible()
    chat.button("Press to send").click()
    chat.until("recorderModel.get('state') === 'done'")


def test_a_click_of_a_screen_reader_does_the_same(opened: Opened) -> None:
    chat = opened()
    chat.button("Hold to talk").evaluate("button => button.click()")
    chat.until("recorderModel.get('elapsed_s') >= 0.4")
    chat.view().locator(".nbaudio-chat-hold").evaluate("button => button.click()")
    chat.until("recorderModel.get('state') === 'done'")


def test_escape_cancels_what_is_being_said(opened: Opened) -> None:
    chat = opened()
    chat.button("Hold to talk").focus()
    chat.page.keyboard.down("Space")
    chat.until("recorderModel.get('elapsed_s') >= 0.3")
    chat.page.keyboard.press("Escape")
    chat.page.keyboard.up("Space")
    chat.until("recorderModel.get('state') === 'cancelled'")
    assert chat.recorded()[-1] == "cancel"
    chat.until_all_is_closed()


def test_players_are_silent_while_somebody_speaks(opened: Opened) -> None:
    chat = opened()
    answering(chat)
    chat.send_piece("a9", TONE * 5)
    chat.until("sounds.get('the-chat-a9').playing")
    chat.button("Hold to talk").hover()
    chat.page.mouse.down()
    chat.until("!sounds.get('the-chat-a9').playing")
    chat.page.mouse.up()


def test_a_recording_whose_request_failed_is_said_to_be_kept(opened: Opened) -> None:
    chat = opened(trouble={"words": "No answer in time.", "typed": "", "recorded_s": 3.2})
    expect(chat.view().get_by_role("alert")).to_have_text("No answer in time. Your recording (3.2 s) is kept.")
    chat.button("Try again").click()
    assert chat.sent() == [{"kind": "again"}]


def test_a_page_without_microphone_says_why_and_takes_files(opened: Opened) -> None:
    chat = opened(address="http://chat.example/")
    expect(chat.button("Hold to talk")).to_be_disabled()
    expect(chat.view()).to_contain_text("browsers give such a page no microphone")
    expect(chat.button("Sound file")).to_be_enabled()


@pytest.mark.parametrize("dropped", [False, True])
def test_a_sound_file_is_sent(opened: Opened, tmp_path: Path, dropped: bool) -> None:
    soundfile.write(tmp_path / "question.wav", voice(duration_s=1.0)[:, 0], 24_000)
    chat = opened()
    if dropped:
        data = base64.b64encode((tmp_path / "question.wav").read_bytes()).decode()
        files = chat.page.evaluate_handle(
            """data => {
                const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0)), files = new DataTransfer();
                files.items.add(new File([bytes], "question.wav"));
                return files;
            }""",
            data,
        )
        chat.view().dispatch_event("dragover", {"dataTransfer": files})
        chat.view().dispatch_event("drop", {"dataTransfer": files})
    else:
        chat.view().locator("input[type=file]").set_input_files(tmp_path / "question.wav")
    chat.until("recorderModel.get('state') === 'done'")
    assert chat.recorded() == ["ready", "begin", "piece", "end", "accept"]


def test_the_kernels_microphone_where_the_page_has_none(opened: Opened) -> None:
    chat = opened(address="http://chat.example/", recorder={"shut": {}})
    chat.button("Hold to talk").hover()
    chat.page.mouse.down()
    assert chat.recorded() == ["ready", "kernel"]


def test_letting_go_of_the_kernels_microphone_before_the_kernel_has_opened_it(opened: Opened) -> None:
    chat = opened(address="http://chat.example/", recorder={"shut": {}})
    told = "() => recorderModel.sent.map(({kind, action}) => action ?? kind)"
    chat.button("Hold to talk").hover()
    chat.page.mouse.down()
    expect(chat.button("Opening …")).to_be_visible()
    chat.page.wait_for_timeout(400)  # what is shorter is a tap
    chat.page.mouse.up()
    expect(chat.button("Hold to talk")).to_be_visible()
    assert chat.page.evaluate(told) == ["ready", "start", "drop"]
    chat.page.mouse.down()
    chat.page.keyboard.press("Escape")
    chat.page.mouse.up()
    assert chat.page.evaluate(told)[3:] == ["start", "cancel"]


# -- turns ------------------------------------------------------------------------------------------------------


def test_a_turn_of_a_cell_appears_and_plays(opened: Opened) -> None:
    chat = opened()
    chat.set(arriving=[{"key": "a1", "question": TALK[0], **COMING, "aloud": False, "here": False}])
    chat.send_piece("a1", b"", "Yes. A golden")
    expect(chat.turns.nth(1)).to_contain_text("Yes. A golden")
    expect(chat.status).to_have_text("A cell is being answered.")
    chat.set(turns=TALK[:2], arriving=[])
    chat.until("sent.some(one => one.kind === 'need' && one.turn === 'a1')")
    sound = {"kind": "sound", "turn": "a1", "mime": "audio/pcm;rate=24000", "frames": 24_000}
    chat.send({**sound, "phrases": [["Yes.", 0.0, 0.3]]}, TONE)
    chat.turns.nth(1).get_by_role("button", name="Play").click()
    chat.until("sounds.get('the-chat-a1').position_s > 0.1")
    expect(chat.view().locator("[data-phrase]")).to_have_text("Yes.")


def test_calls_and_results_show_before_the_answer_they_are_for(opened: Opened) -> None:
    chat = opened()
    question, calling = entry("q9", words="What is there?"), entry("c1", "assistant", 'look({"at":0})')
    result = entry("t1", "tool", "thing 0", speaker="Tool look")
    chat.set(asked_times=1, busy=True, arriving=[{"key": "a9", "question": question, **COMING, "parts": [calling]}])
    expect(chat.turns).to_have_count(3)
    expect(chat.turns.nth(1)).to_contain_text('look({"at":0})')
    shown = chat.turns.nth(1).element_handle()
    chat.set(arriving=[{"key": "a9", "question": question, **COMING, "parts": [calling, result]}])
    expect(chat.turns).to_have_count(4)
    expect(chat.turns.nth(2)).to_contain_text("thing 0")
    chat.send_piece("a9", TONE[:PIECE], "I see.")
    expect(chat.turns.nth(3)).to_contain_text("I see.")
    done = entry("a9", "assistant", "I see.", duration_s=0.1, sample_rate=24_000)
    chat.send({"kind": "whole", "answer": "a9", "frames": chat.frames})
    chat.set(turns=[question, calling, result, done], arriving=[], busy=False)
    expect(chat.turns).to_have_count(4)
    assert chat.page.evaluate("one => one.isConnected", shown)  # the same turns, not drawn anew


def test_a_piece_that_comes_before_its_answer_is_known_waits_for_it(opened: Opened) -> None:
    chat = opened()
    chat.set(busy=True)
    chat.send_piece("a9", TONE[:PIECE], "Yes.")
    chat.set(arriving=[{"key": "a9", "question": entry("q9", words="Hello"), **COMING}])
    expect(chat.turns.nth(1)).to_contain_text("Yes.")
    chat.until("sounds.get('the-chat-a9').duration_s === 0.1")


def test_an_answer_that_is_whole_before_the_page_is_told_of_it_is_heard_too(opened: Opened) -> None:
    chat = opened()
    chat.set(busy=True)
    chat.send_piece("a9", TONE[:PIECE], "Yes. ")
    chat.send_piece("a9", TONE[PIECE:], "It is.")
    chat.send({"kind": "whole", "answer": "a9", "frames": chat.frames})
    whole = entry("a9", "assistant", "Yes. It is.", duration_s=1.0, sample_rate=24_000, phrases=[["Yes.", 0.0, 0.4]])
    chat.set(busy=False, turns=[entry("q9", words="Hello"), whole])
    chat.until("sounds.get('the-chat-a9')?.position_s > 0.2")
    expect(chat.view().locator(".nbaudio-words")).to_have_text("Yes. It is.")
    expect(chat.view().locator("[data-phrase]")).to_have_text("Yes.")
    chat.until("sounds.get('the-chat-a9').whole && !sounds.get('the-chat-a9').playing")
    assert chat.sent(but=("ready",)) == []  # the page lacks nothing


def test_what_is_asked_again_takes_the_old_answers_place_only_when_it_is_there(opened: Opened) -> None:
    chat = opened(turns=TALK[:2])
    chat.view().get_by_label("Voice", exact=True).select_option("verse")
    chat.button("Ask again").click()
    assert chat.sent() == [{"kind": "retry"}]
    assert chat.page.evaluate("() => widgets[0].model.saved") == [{"voice": "verse"}]
    chat.set(asked_times=1, busy=True, arriving=[{"key": "a9", "question": TALK[0], **COMING, "instead": True}])
    expect(chat.turns).to_have_count(2)
    expect(chat.turns.nth(1)).not_to_contain_text("family")
    chat.set(busy=False, arriving=[])
    expect(chat.turns.nth(1)).to_contain_text("family")  # it failed: the old one is there again


def test_undo(opened: Opened) -> None:
    chat = opened(turns=TALK)
    chat.button("Undo").click()
    assert chat.sent() == [{"kind": "undo"}]
    chat.set(turns=[])
    expect(chat.turns).to_have_count(0)
    expect(chat.button("Undo")).to_be_disabled()
    chat.until("sounds.size === 0")


def test_a_voice_of_another_name(opened: Opened) -> None:
    chat = opened()
    chat.view().get_by_label("Voice", exact=True).select_option("Another voice …")
    other = chat.view().get_by_label("Name of another voice")
    expect(other).to_be_focused()
    other.press_sequentially("my_voice")
    other.press("Enter")
    other.blur()
    assert {"voice": "my_voice"} in chat.page.evaluate("() => widgets[0].model.saved")
    expect(chat.view().get_by_label("Voice", exact=True)).to_have_value("my_voice")
    expect(other).to_be_hidden()
    chat.set(voice="ash")  # and the kernel sets it
    expect(chat.view().get_by_label("Voice", exact=True)).to_have_value("ash")


def test_words_alone(opened: Opened) -> None:
    chat = opened()
    chat.view().get_by_label("Spoken").click()
    assert chat.page.evaluate("() => widgets[0].model.saved") == [{"aloud": False}]


def test_earlier_turns_leave_the_reader_where_he_is(opened: Opened) -> None:
    turns = [entry(f"t{number}", words=f"turn {number}\n" * 6) for number in range(60)]
    chat = opened(turns=turns[40:], earlier=40, more=True)
    log = chat.view().get_by_role("log")
    at_end = "log => log.scrollHeight - log.scrollTop - log.clientHeight < 2"
    chat.place.drawn()
    assert log.evaluate(at_end)
    log.evaluate("log => { log.scrollTop = 0; }")
    chat.button("Earlier").click()
    assert chat.sent() == [{"kind": "earlier"}]
    chat.set(turns=turns[20:], earlier=20, more=True)
    expect(chat.turns).to_have_count(40)
    first = chat.turns.nth(20)  # the one that was the first
    inside = "turn => turn.getBoundingClientRect().top - turn.closest('[role=log]').getBoundingClientRect().top"
    assert -5 < first.evaluate(inside) < 80
    chat.set(turns=turns, earlier=140, more=False)
    expect(chat.view()).to_contain_text("140 earlier turns are not shown here")


def test_words_are_never_read_as_html(opened: Opened) -> None:
    chat = opened(turns=[entry("x", words="<img src=x onerror=alert(1)><b>bold</b>", speaker="<i>You</i>")])
    expect(chat.turns.nth(0)).to_contain_text("<b>bold</b>")
    assert chat.view().locator("img, b, i").count() == 0


def test_two_hundred_turns_are_shown_quickly(opened: Opened) -> None:
    chat = opened(turns=[entry(f"t{number}", words=f"turn {number}") for number in range(200)])
    took_ms = chat.page.evaluate("""() => {
        const {model} = widgets[0];
        const begun_ms = performance.now();
        model.fromKernel({turns: [...model.get('turns').slice(1), {...model.get('turns')[0], key: 'new'}]});
        return Promise.resolve().then(() => document.body.offsetHeight && performance.now() - begun_ms);
    }""")
    assert took_ms < 100
    expect(chat.turns.nth(199)).to_contain_text("turn 0")


# -- what is left -----------------------------------------------------------------------------------------------


def test_an_output_that_is_cleared_leaves_neither_sound_nor_microphone(opened: Opened) -> None:
    chat = opened()
    answering(chat)
    chat.send_piece("a9", TONE * 20)
    chat.until("sounds.get('the-chat-a9').playing")
    chat.button("Hold to talk").hover()
    chat.page.mouse.down()
    chat.until("recorderModel.get('elapsed_s') >= 0.2")
    chat.remove_view(0)
    chat.until_all_is_closed()
    chat.until("sounds.size === 0")
    chat.add_view("#second")  # and it is there again where it is shown again
    expect(chat.view("#second").get_by_role("article")).to_have_count(2)


def test_a_view_that_is_moved_goes_on_sounding_and_keeps_what_is_typed(opened: Opened) -> None:
    chat = opened()
    answering(chat)
    chat.send_piece("a9", TONE * 20)
    chat.text.fill("half a sen")
    chat.until("sounds.get('the-chat-a9').playing")
    chat.remove_view(0)
    chat.add_view("#first")
    at_s = chat.page.evaluate("() => nbaudio.players.get('the-chat-a9').position_s")
    chat.until(f"sounds.get('the-chat-a9').position_s > {at_s + 1.2}")  # longer than a chat without a view goes on
    expect(chat.text).to_have_value("half a sen")


def test_a_model_that_is_closed_leaves_nothing_behind(opened: Opened) -> None:
    chat = opened(turns=TALK)
    chat.button("Hold to talk").hover()
    chat.page.mouse.down()
    chat.until("recorderModel.get('elapsed_s') >= 0.2")
    chat.remove_view(0)
    chat.close()
    chat.until_all_is_closed()
    assert chat.page.evaluate("() => [nbaudio.chats.size, nbaudio.players.size, nbaudio.contexts.size]") == [0, 0, 0]
    assert chat.page.evaluate("() => [widgets[0].model.listeners, recorderModel.listeners]") == [0, 0]
    ours = "heldByPage().filter(({target}) => target && target !== window)"  # the window's are Playwright's own
    assert chat.page.evaluate(f"() => {ours}.map(({{type, target}}) => `${{type}} of ${{target}}`)") == []


def test_a_view_that_is_removed_leaves_nothing_behind(opened: Opened) -> None:
    chat = opened(turns=TALK)
    before = chat.page.evaluate("() => heldByPage().length")
    view = chat.add_view()
    assert chat.page.evaluate("() => heldByPage().length") > before + 20
    chat.remove_view(view)
    assert chat.page.evaluate("() => heldByPage().length") == before


def test_a_kernel_that_is_restarted_leaves_words_and_no_microphone(opened: Opened) -> None:
    chat = opened(turns=TALK)
    chat.text.fill("half a sen")
    chat.button("Hold to talk").hover()
    chat.page.mouse.down()
    chat.until("recorderModel.get('elapsed_s') >= 0.2")
    chat.page.evaluate("() => listeners.comm_live_update.forEach(react => react())")
    chat.until_all_is_closed()
    chat.page.mouse.up()
    expect(chat.status).to_contain_text("The kernel has gone")
    expect(chat.turns.nth(0)).to_contain_text("golden retriever")
    expect(chat.text).to_have_value("half a sen")
    for name in ("Hold to talk", "Ask again", "Undo"):
        expect(chat.button(name)).to_be_disabled()
    chat.remove_view(0)
    chat.until("!nbaudio.chats.size && !nbaudio.players.size")
    assert chat.page.evaluate("() => [widgets[0].model.listeners, recorderModel.listeners]") == [0, 0]


def test_an_answer_whose_kernel_is_restarted_is_silent_and_does_not_keep_its_turn(opened: Opened) -> None:
    chat = opened()
    answering(chat)
    chat.send_piece("a9", TONE * 5)
    chat.until("sounds.get('the-chat-a9').position_s > 0.1")
    chat.page.evaluate("() => widgets[0].model.sever()")
    chat.until("!sounds.get('the-chat-a9').playing")
    chat.until("sounds.get('the-chat-a9').whole")
    expect(chat.turns.nth(1)).to_contain_text("The answer broke off")


def test_the_kernel_knows_where_the_keyboard_is(opened: Opened) -> None:
    chat = opened()
    chat.text.focus()
    chat.button("Sound file").focus()
    # A press in a notebook moves the keyboard to the cell, and from there to what is pressed.
    chat.page.evaluate("() => { document.activeElement.blur(); document.querySelector('textarea').focus(); }")
    chat.page.evaluate("() => document.activeElement.blur()")
    chat.until("sent.some(one => one.kind === 'focus' && !one.inside)")
    told = [message["inside"] for message in chat.sent(but=("ready",)) if message["kind"] == "focus"]
    assert told == [True, False]


# -- looks ------------------------------------------------------------------------------------------------------


def empty(opened: Opened, **options: Any) -> ChatOnPage:
    return opened(**options)


def talked(opened: Opened, **options: Any) -> ChatOnPage:
    spent = "1,234 tokens in, 567 out; $0.0123"
    chat = opened(turns=TALK, spent=spent, earlier=40, more=True, **options)
    chat.until("sent.some(one => one.kind === 'need')")
    sound = {"kind": "sound", "turn": "a1", "mime": "audio/pcm;rate=24000", "frames": 24_000}
    chat.send({**sound, "phrases": [["Yes.", 0.0, 0.3]]}, TONE)
    return chat


def answered(opened: Opened, **options: Any) -> ChatOnPage:
    chat = opened(turns=TALK[:1], play="click", **options)
    answering(chat)
    return chat


def talking(opened: Opened, **options: Any) -> ChatOnPage:
    chat = opened(turns=TALK[:1], **options)
    chat.button("Hold to talk").evaluate("button => button.click()")  # as speech control does: no press to be held
    chat.until("recorderModel.get('elapsed_s') >= 1")
    return chat


def failed(opened: Opened, **options: Any) -> ChatOnPage:
    trouble = {"words": "The account has no credit. Add some, and send it again.", "typed": "Hello", "recorded_s": 0}
    return opened(trouble=trouble, **options)


def no_microphone(opened: Opened, **options: Any) -> ChatOnPage:
    return opened(address="http://chat.example/", **options)


LOOKS: list[Opened] = [empty, talked, answered, talking, failed, no_microphone]


def test_players_follow_a_change_of_theme_where_nothing_is_to_move(opened: Opened) -> None:
    chat = opened(turns=TALK)
    chat.page.emulate_media(reduced_motion="reduce")
    chat.page.evaluate("""() => {
        window.told = 0;
        const canvas = document.querySelector(".nbaudio-waveform canvas");
        canvas.addEventListener("transitionend", () => void told++);
    }""")
    chat.place.drawn()
    chat.place.change_theme("dark")
    chat.page.wait_for_function("() => told > 0")  # by which it is drawn anew


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.__name__)
def test_it_can_be_read_and_operated(opened: Opened, look: Opened) -> None:
    chat = look(opened)
    chat.page.evaluate(HOLD)
    picture = PICTURES / "chat" / look.__name__
    for theme in THEMES if look is talked else THEMES[:2]:
        assert_accessible(chat.place, chat.view(), theme, picture)
    chat.place.change_theme("light")
    if look in (talked, talking, failed):
        assert_nothing_is_cut_off(chat.place, chat.view(), ".nbaudio-chat", 340, picture)


def test_every_control_is_reached_by_the_tab_key_and_has_a_ring(opened: Opened) -> None:
    chat = opened(turns=TALK[:1], more=True, earlier=3)
    chat.text.fill("Hello")
    chat.view().focus()
    reached = []
    for _ in range(10):
        chat.page.keyboard.press("Tab")
        reached.append(
            chat.page.evaluate("""() => {
                const one = document.activeElement;
                const {outlineStyle, outlineWidth} = getComputedStyle(one);
                return [one.getAttribute('aria-label') ?? one.textContent.trim(), outlineStyle, outlineWidth];
            }""")
        )
    names = [
        "Conversation",
        "Earlier",
        "Hold to talk",
        "Your words",
        "Send",
        "Voice",
        "",
        "Ask again",
        "Undo",
        "Sound file",
    ]
    assert [name for name, _, _ in reached] == names
    assert {(style, width) for _, style, width in reached} == {("solid", "2px")}
