"""An open session in a browser: what goes out, what is heard, who interrupts whom, and what is left behind: nothing.

The pictures go to ``build/screenshots/session``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from playwright.sync_api import BrowserContext, expect
from signals import decibel, pitch_of

from .chat_page import ChatOnPage, entry
from .looks import PICTURES, THEMES, assert_accessible, assert_nothing_is_cut_off
from .recorder_page import HOLD
from .widget_page import tab

pytestmark = pytest.mark.page

RATE = 24_000
TAP = Path(__file__).with_name("sound_page.js").read_text(encoding="utf-8")
TALK = [
    entry("q1", words="Is a golden retriever a good family dog?"),
    entry("a1", "assistant", "Yes. A golden retriever is a good family dog."),
]

Opened = Callable[..., "SessionOnPage"]
Samples = np.ndarray[Any, Any]


class SessionOnPage(ChatOnPage):
    """A chat of open sessions, and its kernel; what reaches the loudspeaker can be asked for."""

    def __init__(self, *given: Any, before: str = "", **options: Any) -> None:
        super().__init__(*given, before=TAP + before, **{"realtime": True, **options})

    @property
    def session_id(self) -> str:
        """Of the session that the page began the last; "" for none."""
        return next((str(one["session"]) for one in reversed(self.kernel_hears("open"))), "")

    def set(self, **traits: Any) -> None:
        """The kernel sets traits, in one message; a session is by default the one that the page began."""
        own = {"session_id": self.session_id} if "session" in traits else {}
        self.page.evaluate("traits => widgets[0].model.fromKernelAtOnce(traits)", {**own, **traits})

    def sent(self, *, but: tuple[str, ...] = ("ready", "focus", "need")) -> list[dict[str, Any]]:
        """What the kernel got, but for these kinds, and without the session's id."""
        return [{name: value for name, value in one.items() if name != "session"} for one in super().sent(but=but)]

    def begin(self) -> None:
        """The person begins, and the kernel has its session."""
        self.button("Begin talking").click()
        self.set(session="opening")
        self.set(session="open")
        self.until("sent.some(one => one.kind === 'heard')")

    def said(self, item: str, pcm16: Samples, *, over: bool = True, piece: int = 2400) -> None:
        """The kernel sends what the model says, all at once: a busy test is late with none of it."""
        sent: list[tuple[dict[str, Any], str]] = []
        for index, at in enumerate(range(0, len(pcm16), piece)):
            place = {"item": item, "index": index, "frames_before": at, "words": ""}
            data = base64.b64encode(pcm16[at : at + piece].tobytes()).decode()
            sent.append(({"kind": "said", **place}, data))
        if over:
            sent.append(({"kind": "all said", "item": item, "frames": len(pcm16)}, ""))
        self.page.evaluate("sent => sent.forEach(([content, data]) => widgets[0].model.message(content, data))", sent)

    def kernel_hears(self, kind: str) -> list[dict[str, Any]]:
        """What the kernel got of a kind, with `at_ms`."""
        sent: list[dict[str, Any]] = self.page.evaluate("() => widgets[0].model.sent.map(({bytes, ...rest}) => rest)")
        return [message for message in sent if message["kind"] == kind]

    def heard_pieces(self) -> list[Samples]:
        """The microphone's pieces that the kernel got since the last "open", int16."""
        sent = self.page.evaluate("""() => {
            const {sent} = widgets[0].model;
            const begun = sent.findLastIndex(one => one.kind === "open");
            return sent.slice(begun).filter(one => one.kind === "heard");
        }""")
        assert [one["index"] for one in sent] == list(range(len(sent)))
        return [np.frombuffer(base64.b64decode(one["bytes"][0]), "<i2") for one in sent]

    def until_played(self, item: str, seconds: float) -> None:
        """Wait until so much of an item was heard."""
        self.until(f"sounds.get('the-chat-said-{item}')?.position_s >= {seconds}")

    def until_over(self, item: str) -> None:
        self.until(f"sent.some(one => one.kind === 'played' && one.item === '{item}' && !one.sounding)")

    def output(self) -> Samples:
        """What has reached the loudspeaker since it was asked the last time, float32."""
        code = """async () => {
            const [output] = await heard();
            const letters = Array.from(new Uint8Array(output.buffer), one => String.fromCharCode(one));
            return btoa(letters.join(""));
        }"""
        return np.frombuffer(base64.b64decode(self.page.evaluate(code)), "<f4")

    def speak(self, level_dbfs: float = -20.0) -> float:
        """From here on the microphone that a page has made hears a voice; when it began, by the page's clock, ms."""
        return float(self.page.evaluate("dbfs => speak(dbfs)", level_dbfs))

    def listen_to_silence(self) -> None:
        """Wait until the ear knows how still the room is."""
        self.until("sent.filter(one => one.kind === 'heard').length > 12")

    def at(self, item: str) -> float:
        """Where an item stands, seconds."""
        return float(self.page.evaluate("item => nbaudio.players.get(`the-chat-said-${item}`).position_s", item))

    def paused_at_ms(self, item: str) -> float:
        """Wait until an item is silent; when that was, by the page's clock."""
        code = """async item => {
            const sound = nbaudio.players.get(`the-chat-said-${item}`);
            await until(sound, () => !sound.playing);
            return performance.now();
        }"""
        return float(self.page.evaluate(code, item))


# A microphone whose sound is made in the page, for the moment of a first syllable to be known: silence until `speak`.
MADE_MICROPHONE = """
    navigator.mediaDevices.getUserMedia = async wanted => {
        window.wanted = wanted.audio;
        const context = new AudioContext({sampleRate: 24000});
        const voice = new OscillatorNode(context, {frequency: 300, type: "sawtooth"});
        const gain = new GainNode(context, {gain: 0}), out = new MediaStreamAudioDestinationNode(context);
        voice.connect(gain).connect(out);
        voice.start();
        window.speak = dbfs => { gain.gain.value = dbfs < -90 ? 0 : 10 ** (dbfs / 20); return performance.now(); };
        const [track] = out.stream.getTracks(), stop = track.stop.bind(track);
        track.stop = () => { stop(); voice.disconnect(); if (context.state !== "closed") void context.close(); };
        window.unplug = () => { stop(); track.dispatchEvent(new Event("ended")); };
        tracks.push(track);
        return out.stream;
    };
"""


def noise(frames: int, seed: int = 1) -> Samples:
    """Samples that no other place of the sound has, none of them zero."""
    dice = np.random.default_rng(seed)
    return (dice.integers(1000, 6000, frames) * dice.choice([-1, 1], frames)).astype("<i2")


def trimmed(output: Samples) -> Samples:
    """Without the silence before and behind it."""
    sounds = np.flatnonzero(output)
    return output[sounds[0] : sounds[-1] + 1] if len(sounds) else output[:0]


def loudness_agrees(sound: Samples, said: Samples) -> float:
    """How alike two sounds go up and down, whatever lies between their beginnings: -1 to 1."""

    def levels(one: Samples) -> Samples:  # of each 20 ms
        parts = np.array_split(one, len(one) // 480)
        return np.clip([decibel(part + 1e-9) for part in parts], -60, 0)

    loud, soft = levels(sound), levels(said)
    found = []
    for shift in range(40):
        size = min(len(loud), len(soft) - shift)
        found.append(np.corrcoef(loud[:size], soft[shift : shift + size])[0, 1])
    return float(max(found))


@pytest.fixture
def opened(tabs: BrowserContext) -> Iterator[Opened]:
    made: list[SessionOnPage] = []

    def chat(**options: Any) -> SessionOnPage:
        made.append(SessionOnPage(tab(tabs, 720, 700), **options))
        return made[-1]

    yield chat
    for one in made:
        assert one.place.errors == []
        one.page.close()


# -- what goes out ----------------------------------------------------------------------------------------------


def test_the_microphone_goes_out_in_pieces_of_40_ms(opened: Opened, speech: Path) -> None:
    chat = opened()
    chat.button("Begin talking").click()
    expect(chat.status).to_contain_text("Opening")
    expect(chat.button("End")).to_be_focused()
    chat.until("sent.filter(one => one.kind === 'heard').length >= 5")  # before the session is open, too
    chat.set(session="opening")
    chat.set(session="open")
    expect(chat.status).to_have_text("Listening")
    chat.until("sent.filter(one => one.kind === 'heard').length >= 80")
    assert chat.sent(but=("ready", "focus", "heard")) == [{"kind": "open"}]
    pieces = chat.heard_pieces()
    assert {len(piece) for piece in pieces} == {960}
    at_ms = [one["at_ms"] for one in chat.kernel_hears("heard")]
    assert (at_ms[-1] - at_ms[0]) / (len(at_ms) - 1) == pytest.approx(40, abs=2)
    # The browser's echo canceller and its gain change the samples, but not what is said.
    sound, (said, _) = np.concatenate(pieces) / 32768, soundfile.read(speech)
    assert decibel(sound) == pytest.approx(decibel(said), abs=12)
    assert loudness_agrees(sound, said) > 0.6


def test_the_browser_is_asked_to_take_the_echo_out(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE, recorder={"device": ""})
    chat.begin()
    wanted = {"echoCancellation": True, "noiseSuppression": True, "autoGainControl": True, "channelCount": 1}
    assert chat.page.evaluate("() => wanted") == wanted


def test_a_browser_that_gives_another_rate_is_heard_at_24000_hz(opened: Opened) -> None:
    # Firefox connects no microphone to a context of another rate than the device's.
    firefox = """
        const connected = AudioContext.prototype.createMediaStreamSource;
        AudioContext.prototype.createMediaStreamSource = function (stream) {
            if (this.sampleRate === 24000) throw new DOMException("another rate", "NotSupportedError");
            return connected.call(this, stream);
        };
    """
    chat = opened(before=MADE_MICROPHONE + firefox)
    chat.begin()
    chat.speak()
    chat.until("sent.filter(one => one.kind === 'heard').length >= 30")
    assert chat.page.evaluate("() => contexts.at(-1).sampleRate") != RATE
    pieces = chat.heard_pieces()
    assert {len(piece) for piece in pieces} == {960}
    assert pitch_of(np.concatenate(pieces[10:])[:, np.newaxis] / 32768, RATE) == pytest.approx(300, abs=3)


def test_muted_it_goes_on_with_silence(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    chat.speak()
    chat.until("sent.filter(one => one.kind === 'heard').length >= 20")
    chat.button("Mute").click()
    expect(chat.button("Mute")).to_have_attribute("aria-pressed", "true")
    expect(chat.status).to_have_text("Muted")
    assert {"muted": True} in chat.page.evaluate("() => widgets[0].model.saved")
    count = len(chat.heard_pieces())
    chat.until(f"sent.filter(one => one.kind === 'heard').length >= {count + 10}")
    pieces = chat.heard_pieces()
    assert np.any(pieces[15])
    assert not np.any(pieces[count:])
    chat.set(muted=False)  # a program does what the button does
    expect(chat.button("Mute")).to_have_attribute("aria-pressed", "false")
    chat.view().focus()
    chat.page.keyboard.press("m")
    expect(chat.status).to_have_text("Muted")
    chat.button("End").click()
    assert chat.kernel_hears("close")


def test_where_a_button_is_to_be_held(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE, hold_to_talk=True)
    chat.button("Begin talking").click()
    chat.set(session="open")
    hold = chat.button("Hold to talk")
    expect(hold).to_be_enabled()
    expect(chat.button("Mute")).to_be_hidden()
    chat.said("one", noise(5 * RATE))
    chat.until_played("one", 0.2)
    chat.speak()
    chat.until_played("one", 0.6)  # the page's ear says nothing here
    assert not chat.kernel_hears("heard")
    for turn, how in enumerate(("pointer", "Space in the chat", "Space on the button"), 1):
        if how == "pointer":
            hold.hover()
            chat.page.mouse.down()
        else:
            (chat.view() if how == "Space in the chat" else hold).focus()
            chat.page.keyboard.down("Space")
            chat.page.keyboard.down("Space")  # it repeats while it is held
        expect(chat.button("Release to send")).to_be_visible()
        expect(chat.status).to_have_text("You are speaking")
        chat.until("sent.some(one => one.kind === 'interrupt')")  # who talks does not want to hear
        count = len(chat.heard_pieces())
        chat.until(f"sent.filter(one => one.kind === 'heard').length >= {count + 12}")
        if how == "pointer":
            chat.page.mouse.up()
        else:
            chat.page.keyboard.up("Space")
        chat.until(f"sent.filter(one => one.kind === 'turn over').length === {turn}")
        count = len(chat.heard_pieces())
        expect(hold).to_be_visible()
        chat.page.wait_for_timeout(200)
        assert len(chat.heard_pieces()) == count  # all of it came before
        assert [one["kind"] for one in chat.sent()][-1] == "turn over"
    assert [one["sounded"] for one in chat.kernel_hears("interrupt")] == ["one"]
    assert chat.page.evaluate("() => leaked") == []


def test_a_tap_holds_until_the_next_one(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE, hold_to_talk=True)
    chat.button("Begin talking").click()
    chat.set(session="open")
    chat.button("Hold to talk").click()
    chat.until("sent.filter(one => one.kind === 'heard').length >= 12")
    chat.button("Press to send").click()
    chat.until("sent.some(one => one.kind === 'turn over')")


def test_what_is_typed_is_sent_while_the_model_speaks(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    chat.set(busy=True)
    chat.text.fill("And a cat?")
    chat.text.press("Enter")
    assert chat.sent(but=("ready", "focus", "heard"))[-1] == {"kind": "say", "text": "And a cat?"}
    expect(chat.text).to_have_value("")
    expect(chat.status).to_have_text("Listening")
    chat.text.fill("mmm  ")
    chat.text.press("Space")  # no key of the session: it is a letter here
    expect(chat.text).to_have_value("mmm   ")
    expect(chat.button("Mute")).to_have_attribute("aria-pressed", "false")


def test_what_was_typed_is_given_back_where_no_session_opens(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.button("Begin talking").click()
    for words in ("Hello", "Is anybody there?"):
        chat.text.fill(words)
        chat.text.press("Enter")
    assert [one["text"] for one in chat.kernel_hears("say")] == ["Hello", "Is anybody there?"]
    typed = "Hello\n\nIs anybody there?"
    chat.set(session="closed", trouble={"words": "The key is wrong.", "session": True, "typed": typed})
    expect(chat.text).to_have_value(typed)
    expect(chat.view().get_by_role("alert")).to_have_text("The key is wrong. Your words are kept.")
    chat.button("Try again").click()
    expect(chat.text).to_have_value(typed)


# -- what is heard ----------------------------------------------------------------------------------------------


def test_what_is_said_is_heard_as_it_is_and_in_order(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    one, two = noise(24_000), noise(12_000, seed=2)
    chat.said("one", one)
    chat.said("two", two)
    expect(chat.status).to_have_text("The model is speaking")
    chat.until_over("two")
    expect(chat.status).to_have_text("Listening")
    heard = trimmed(chat.output())
    np.testing.assert_array_equal(heard[: len(one)], one / np.float32(32768))
    np.testing.assert_array_equal(heard[-len(two) :], two / np.float32(32768))
    assert len(heard) - len(one) - len(two) < 0.1 * RATE  # between the two
    played = [(told["item"], told["frames"], told["sounding"], told["at_ms"]) for told in chat.kernel_hears("played")]
    assert [told[:3] for told in played if not told[2]] == [("one", 24_000, False), ("two", 12_000, False)]
    first = [told for told in played if told[0] == "one"]
    assert first[0][1] < 0.05 * RATE  # its first sound
    assert 4 <= len(first) <= 7
    for before, after in pairwise(first):
        assert (after[1] - before[1]) / RATE == pytest.approx((after[3] - before[3]) / 1000, abs=0.05)
    assert chat.page.evaluate("() => nbaudio.players.size") == 0  # nothing is kept of what is over


def test_pieces_that_come_as_they_are_spoken_run_dry_nowhere(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    one = noise(24_000)
    chat.page.evaluate(
        """async data => {
            const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
            for (let index = 0; index < 10; index++) {
                const part = String.fromCharCode(...bytes.subarray(4800 * index, 4800 * (index + 1)));
                const place = {item: "one", index, frames_before: 2400 * index, words: ""};
                widgets[0].model.message({kind: "said", ...place}, btoa(part));
                await settled(50);
            }
            widgets[0].model.message({kind: "all said", item: "one", frames: 24000}, "");
        }""",
        base64.b64encode(one.tobytes()).decode(),
    )
    chat.until_over("one")
    np.testing.assert_array_equal(trimmed(chat.output()), one / np.float32(32768))


def test_hush_is_silence_at_once_and_tells_what_was_heard(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    one = noise(10 * RATE)
    chat.said("one", one, over=False)
    chat.said("two", noise(2400, seed=2))
    chat.until_played("one", 0.5)
    chat.send({"kind": "hush", "number": 7})
    chat.until("sent.some(one => one.kind === 'hushed')")
    (hushed,) = chat.kernel_hears("hushed")
    chat.said("one", one[:2400])  # it was on its way
    chat.said("three", noise(2400, seed=3))
    chat.until_over("three")
    heard = trimmed(chat.output())
    assert (hushed["number"], hushed["sounded"]) == (7, "one")
    assert hushed["played"].keys() == {"one", "two"}
    assert hushed["played"]["two"] == 0
    first = trimmed(heard[:-2400])
    assert hushed["played"]["one"] == pytest.approx(len(first), abs=0.005 * RATE)
    np.testing.assert_array_equal(first[:12_000], one[:12_000] / np.float32(32768))
    np.testing.assert_array_equal(heard[-2400:], noise(2400, seed=3) / np.float32(32768))
    chat.send({"kind": "hush", "number": 8})
    chat.until("sent.filter(one => one.kind === 'hushed').length === 2")
    told = chat.kernel_hears("hushed")[1]
    assert (told["number"], told["played"], told["sounded"]) == (8, {}, "")


def test_the_person_interrupts(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    expect(chat.button("Interrupt")).to_have_attribute("aria-disabled", "true")
    for number, how in enumerate(("button", "Space", "Escape", "Escape in the text box")):
        chat.said(how, noise(10 * RATE))
        chat.until_played(how, 0.2)
        if how == "button":
            chat.button("Interrupt").click()
        elif how == "Escape in the text box":
            chat.text.press("Escape")
        else:
            chat.view().focus()
            chat.page.keyboard.press(how)
        chat.until(f"sent.filter(one => one.kind === 'interrupt').length === {number + 1}")
        told = chat.kernel_hears("interrupt")[number]
        assert told["sounded"] == how
        assert told["played"] == {how: pytest.approx(len(trimmed(chat.output())), abs=0.005 * RATE)}
        expect(chat.status).to_have_text("Listening")
    assert chat.page.evaluate("() => leaked") == []


def test_who_speaks_now(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    chat.send({"kind": "speech", "began": True})
    expect(chat.status).to_have_text("You are speaking")
    chat.send({"kind": "speech", "began": False})
    expect(chat.status).to_have_text("Listening")
    chat.set(notice="The connection broke off. It is opened again.")
    expect(chat.view().locator(".nbaudio-chat-notice")).to_have_text("The connection broke off. It is opened again.")
    chat.set(notice="")
    expect(chat.view().locator(".nbaudio-chat-notice")).to_be_hidden()


def test_another_sound_of_the_page_interrupts_the_model(opened: Opened) -> None:
    turn = entry("a1", "assistant", "Yes.", duration_s=1.0, sample_rate=RATE)
    chat = opened(before=MADE_MICROPHONE, turns=[turn])
    chat.until("sent.some(one => one.kind === 'need')")
    sound = {"kind": "sound", "turn": "a1", "mime": "audio/pcm;rate=24000", "frames": RATE, "phrases": []}
    chat.send(sound, noise(RATE).tobytes())
    chat.begin()
    chat.said("one", noise(10 * RATE))
    chat.until_played("one", 0.2)
    chat.turns.nth(0).get_by_role("button", name="Play").click()
    chat.until("sent.some(one => one.kind === 'interrupt')")
    chat.until("sounds.get('the-chat-a1').position_s > 0.1")


def test_escape_in_a_player_of_the_chat_interrupts_the_model(opened: Opened) -> None:
    turn = entry("a1", "assistant", "Yes.", duration_s=1.0, sample_rate=RATE)
    chat = opened(before=MADE_MICROPHONE, turns=[turn])
    chat.begin()
    chat.said("one", noise(10 * RATE))
    chat.until_played("one", 0.2)
    chat.turns.nth(0).get_by_role("button", name="Play").focus()
    chat.page.keyboard.press("Escape")
    chat.until("sent.some(one => one.kind === 'interrupt')")


def test_escape_that_ends_the_composing_of_a_word_interrupts_nothing(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    press = """(area, isComposing) => {
        area.focus();
        area.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape", bubbles: true, cancelable: true, isComposing}));
    }"""
    chat.text.evaluate(press, True)
    chat.page.wait_for_timeout(100)
    assert not chat.kernel_hears("interrupt")
    chat.text.evaluate(press, False)
    chat.until("sent.some(one => one.kind === 'interrupt')")


@pytest.mark.parametrize("whole", [False, True], ids=["while it comes", "whole"])
def test_what_a_cell_plays_by_itself_waits_until_the_session_is_over(opened: Opened, whole: bool) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    chat.said("one", noise(20 * RATE))
    chat.until_played("one", 0.2)
    cell = chat.place.add_player(
        shown_in="#second", play="auto", sample_rate=RATE, duration_s=1.0, state="whole" if whole else "arriving"
    )
    if whole:
        cell.until("model.sent.some(one => one.kind === 'need')")
        cell.send_sound(noise(RATE).tobytes())
    else:
        cell.send_piece(noise(RATE).tobytes(), "Yes.")
        cell.finish(1.0)
    expect(cell.view("#second").get_by_role("status")).to_have_text("Waits for its turn.")
    chat.until_played("one", chat.at("one") + 0.3)
    assert cell.get("position_s") == 0
    assert not chat.kernel_hears("interrupt")
    chat.button("End").click()
    cell.until("model.get('position_s') > 0.1")


# -- the page's own ear -----------------------------------------------------------------------------------------


def test_who_begins_to_speak_is_not_talked_over(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    chat.listen_to_silence()
    chat.said("one", noise(20 * RATE))
    chat.until_played("one", 0.3)
    talked_over_s = []
    while len(talked_over_s) < 5 and min(talked_over_s, default=1) > 0.15:  # a busy machine is late itself
        chat.speak(-200)
        chat.send({"kind": "speech", "began": False})
        chat.until_played("one", chat.at("one") + 0.4)
        talked_over_s.append(
            chat.page.evaluate("""async () => {
                const sound = nbaudio.players.get('the-chat-said-one'), begun_s = sound.position_s;
                speak(-20);
                await until(sound, () => !sound.playing);
                await settled(50);  // until it is known where it stands
                return sound.position_s - begun_s;
            }""")
        )
        chat.send({"kind": "speech", "began": True})
    stood_s = chat.at("one")
    chat.page.wait_for_timeout(900)  # longer than it would wait for the kernel's word
    assert chat.at("one") == stood_s
    expect(chat.status).to_have_text("You are speaking")
    chat.send({"kind": "hush", "number": 1})
    chat.until("sent.some(one => one.kind === 'hushed')")
    (hushed,) = chat.kernel_hears("hushed")
    assert hushed["sounded"] == "one"
    assert hushed["played"]["one"] == round(stood_s * RATE)
    assert 0.05 < min(talked_over_s) < 0.15


def test_after_a_false_alarm_it_goes_on_where_it_stood_and_is_harder_of_hearing(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    chat.listen_to_silence()
    one = noise(2 * RATE)
    chat.said("one", one)
    chat.until_played("one", 0.3)
    chat.speak(-42)
    stopped_ms = chat.paused_at_ms("one")
    chat.speak(-200)
    stood_s = chat.at("one")
    expect(chat.status).to_have_text("Listening")
    chat.until_played("one", stood_s + 0.1)
    went_on_ms = chat.page.evaluate("() => performance.now()")
    assert 650 < went_on_ms - stopped_ms < 1300
    at_s = chat.at("one")
    chat.page.evaluate("async () => { speak(-42); await settled(300); speak(-200); }")
    assert chat.at("one") > at_s + 0.25  # this voice has 3 dB to spare
    chat.until_over("one")
    heard = trimmed(chat.output())
    sounding = heard[np.flatnonzero(heard)]
    assert len(sounding) == pytest.approx(len(one), abs=0.03 * RATE)  # nothing is missing, nothing comes twice
    assert not chat.kernel_hears("interrupt")


# -- what can go wrong ------------------------------------------------------------------------------------------


def test_a_microphone_that_goes_away_can_be_opened_again(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    chat.listen_to_silence()
    count = len(chat.heard_pieces())
    chat.page.evaluate("() => unplug()")
    expect(chat.status).to_contain_text("Nobody hears you")
    expect(chat.view()).to_contain_text("The microphone went away")
    assert len(chat.heard_pieces()) - count >= 25  # a server that waits for the end of a turn gets its silence
    assert not chat.kernel_hears("close")
    chat.said("one", noise(4800))
    chat.until_over("one")  # the session is there
    chat.text.fill("Are you there?")
    chat.text.press("Enter")
    assert chat.kernel_hears("say")
    count = len(chat.heard_pieces())
    chat.button("Open the microphone").click()
    chat.until(f"sent.filter(one => one.kind === 'heard').length > {count + 5}")
    expect(chat.status).to_have_text("Listening")
    expect(chat.view()).not_to_contain_text("The microphone went away")
    chat.heard_pieces()  # numbered on


def test_without_a_microphone_it_says_why_and_one_can_type(opened: Opened) -> None:
    refuse = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', window.reason); };"
    chat = opened(before=refuse)
    for name, words in (
        ("NotAllowedError", "told not to let"),
        ("NotFoundError", "No microphone"),
        ("NotReadableError", "Another program"),
    ):
        chat.page.evaluate("name => { window.reason = name; }", name)
        chat.button("Begin talking").click()
        expect(chat.view().locator(".nbaudio-chat-shut")).to_contain_text(words)
        assert [one["kind"] for one in chat.sent()][-2:] == ["open", "close"]
    expect(chat.button("Begin talking")).to_be_enabled()
    chat.text.fill("Hello")
    chat.text.press("Enter")
    assert chat.sent()[-1] == {"kind": "say", "text": "Hello"}
    chat.until_all_is_closed()


def test_a_page_that_can_have_none_says_so_at_once(opened: Opened) -> None:
    chat = opened(address="http://chat.example/")
    expect(chat.button("Begin talking")).to_be_disabled()
    expect(chat.view()).to_contain_text("browsers give such a page no microphone")
    chat.text.fill("Hello")
    expect(chat.button("Send")).to_be_enabled()


def test_the_kernel_refuses(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.button("Begin talking").click()
    chat.until("sent.some(one => one.kind === 'heard')")
    chat.set(session="closed", trouble={"words": "The key is wrong."})  # it was never anything but closed
    expect(chat.button("Begin talking")).to_be_enabled()
    expect(chat.view().get_by_role("alert")).to_have_text("The key is wrong.")
    chat.until_all_is_closed()
    chat.set(trouble={"words": "The key is wrong.", "session": True})
    chat.button("Try again").click()
    chat.until("sent.at(-1).kind === 'heard'")
    assert [one["kind"] for one in chat.sent(but=("ready", "focus", "heard"))] == ["open", "open"]


def test_the_kernel_ends_it(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    chat.said("one", noise(10 * RATE))
    chat.until_played("one", 0.2)
    chat.set(session="closed")
    chat.until_all_is_closed()
    expect(chat.button("Begin talking")).to_be_enabled()
    chat.until("sounds.size === 0")


def test_a_kernel_that_is_restarted_leaves_no_microphone_open(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    chat.said("one", noise(10 * RATE))
    chat.until_played("one", 0.2)
    chat.page.evaluate("() => listeners.comm_live_update.forEach(react => react())")
    chat.until_all_is_closed()
    expect(chat.status).to_contain_text("The kernel has gone")
    expect(chat.button("Begin talking")).to_be_disabled()


@pytest.mark.parametrize("begun", [True, False])
def test_a_kernel_that_is_dead_leaves_no_microphone_open(opened: Opened, begun: bool) -> None:
    chat = opened(before=MADE_MICROPHONE)
    if begun:
        chat.begin()
    chat.page.evaluate("() => { widgets[0].model.dead = true; }")
    if not begun:
        chat.button("Begin talking").click()
    chat.until_all_is_closed()
    expect(chat.status).to_contain_text("The kernel has gone")


def test_a_hidden_tab_goes_on(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    # What a hidden tab has: no frames, and timers once a second. Headless, no page can be hidden.
    chat.page.evaluate("""() => {
        const later = setTimeout;
        window.setTimeout = (react, ms = 0, ...given) => later(react, Math.max(1000, ms), ...given);
        window.requestAnimationFrame = () => 1;
        Object.defineProperty(document, "hidden", {value: true});
        document.dispatchEvent(new Event("visibilitychange"));
    }""")
    one = noise(2 * RATE)
    chat.said("one", one)
    chat.page.wait_for_function(
        "() => widgets[0].model.sent.some(one => one.kind === 'played' && !one.sounding)", polling=100
    )
    chat.said("two", noise(10 * RATE))
    chat.page.wait_for_function("() => nbaudio.players.get('the-chat-said-two').position_s > 0.2", polling=100)
    asked_ms = chat.page.evaluate("() => performance.now()")
    chat.send({"kind": "hush", "number": 1})
    chat.page.wait_for_function("() => widgets[0].model.sent.some(one => one.kind === 'hushed')", polling=100)
    assert chat.kernel_hears("hushed")[0]["at_ms"] - asked_ms < 500
    np.testing.assert_array_equal(trimmed(chat.output())[: len(one)], one / np.float32(32768))
    at_ms = [told["at_ms"] for told in chat.kernel_hears("heard")]
    assert max(np.diff(at_ms)) < 500


# -- what is left -----------------------------------------------------------------------------------------------


def test_end_leaves_nothing_open(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    before = chat.page.evaluate("() => heldByPage().length")
    chat.begin()
    chat.said("one", noise(10 * RATE))
    chat.until_played("one", 0.2)
    chat.button("End").click()
    chat.until_all_is_closed()
    chat.until("sent.some(one => one.kind === 'close')")
    (end,) = chat.kernel_hears("close")
    assert end["sounded"] == "one"  # it stays in the conversation as far as it was heard
    assert 0.2 * RATE <= end["played"]["one"] < 5 * RATE
    expect(chat.status).to_have_text("Ending …")
    expect(chat.button("Begin talking")).to_be_disabled()  # until the kernel knows
    chat.set(session="closed")
    expect(chat.button("Begin talking")).to_be_focused()
    assert chat.page.evaluate("() => [nbaudio.players.size, nbaudio.contexts.size]") == [0, 0]
    assert chat.page.evaluate("() => heldByPage().length") == before
    chat.begin()  # and once more, from 0
    chat.until("sent.at(-1).kind === 'heard' && sent.at(-1).index >= 3")
    assert len(chat.heard_pieces()) >= 4


def test_end_before_it_is_open(opened: Opened) -> None:
    ask = "async wanted => { await new Promise(allow => { window.allow = allow; });"
    chat = opened(before=MADE_MICROPHONE.replace("async wanted => {", ask))
    chat.button("Begin talking").click()
    expect(chat.status).to_contain_text("The browser may ask")
    chat.button("End").click()
    assert [one["kind"] for one in chat.sent()] == ["open", "close"]
    chat.page.evaluate("() => allow()")
    chat.page.wait_for_function("() => tracks.length === 1")
    chat.until_all_is_closed()


def test_an_output_that_is_cleared_ends_it(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    chat.remove_view(0)
    chat.until_all_is_closed()
    chat.until("sent.some(one => one.kind === 'close')")


def test_a_view_that_is_moved_goes_on_and_a_second_one_is_alike(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    chat.add_view("#second")
    second = chat.view("#second")
    expect(second.get_by_role("button", name="End", exact=True)).to_be_visible()
    expect(second.locator(".nbaudio-chat-status")).to_have_text("Listening")
    assert chat.page.evaluate("() => tracks.length") == 1
    chat.remove_view(0)
    count = len(chat.heard_pieces())
    chat.until(f"sent.filter(one => one.kind === 'heard').length > {count + 40}")  # longer than without a view
    second.get_by_role("button", name="End", exact=True).click()
    chat.until_all_is_closed()


def test_a_model_that_is_closed_leaves_nothing_behind(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    chat.said("one", noise(10 * RATE))
    chat.until_played("one", 0.2)
    chat.remove_view(0)
    chat.close()
    chat.until_all_is_closed()
    assert chat.page.evaluate("() => [nbaudio.chats.size, nbaudio.players.size, nbaudio.contexts.size]") == [0, 0, 0]
    assert chat.page.evaluate("() => [widgets[0].model.listeners, recorderModel.listeners]") == [0, 0]
    ours = "heldByPage().filter(({target}) => target && target !== window)"  # the window's are Playwright's own
    assert chat.page.evaluate(f"() => {ours}.map(({{type, target}}) => `${{type}} of ${{target}}`)") == []


def test_a_page_that_has_begun_says_once_a_minute_that_it_is_there(opened: Opened) -> None:
    quick = "const each = setInterval; window.setInterval = (react, ms) => each(react, ms === 60000 ? 50 : ms);"
    chat = opened(before=MADE_MICROPHONE + quick)
    chat.begin()
    chat.page.evaluate("() => unplug()")  # one may go on typing
    count = len(chat.kernel_hears("here"))
    chat.until(f"sent.filter(one => one.kind === 'here').length > {count + 1}")
    assert {one["session"] for one in chat.kernel_hears("here")} == {chat.session_id}
    chat.button("End").click()
    count = len(chat.kernel_hears("here"))
    chat.page.wait_for_timeout(200)
    assert len(chat.kernel_hears("here")) == count


def test_all_of_a_session_has_its_id(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    for _ in range(2):
        chat.begin()
        chat.button("End").click()
        chat.until("sent.some(one => one.kind === 'close')")
        chat.set(session="closed")
    begun = [one["session"] for one in chat.kernel_hears("open")]
    assert len(set(begun)) == 2
    assert [one["session"] for one in chat.kernel_hears("close")] == begun
    assert [one["session"] for one in chat.kernel_hears("heard") if one["index"] == 0] == begun


def test_a_session_that_is_over_needs_no_end(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    chat.set(session="closed")  # as when it is taken over in another tab, which may have begun by now
    chat.until_all_is_closed()
    expect(chat.button("Begin talking")).to_be_enabled()
    assert not chat.kernel_hears("close")


@pytest.mark.parametrize("state", ["opening", "open", "closed"])
@pytest.mark.parametrize("begun", [False, True], ids=["before it has begun", "while it is open"])
def test_a_page_whose_session_is_not_the_kernels_shuts_its_microphone(opened: Opened, state: str, begun: bool) -> None:
    chat = opened(before=MADE_MICROPHONE)
    if begun:
        chat.begin()
    else:
        chat.button("Begin talking").click()
        chat.until("sent.some(one => one.kind === 'heard')")
    own = chat.session_id
    chat.set(session=state, session_id="another page's")
    chat.until_all_is_closed()
    chat.until("sent.some(one => one.kind === 'close')")
    assert [one["session"] for one in chat.kernel_hears("close")] == [own]  # the kernel may be about to begin it
    if state != "closed":
        expect(chat.status).to_contain_text("another tab")
    expect(chat.button("Begin talking")).to_be_enabled()


def test_begun_again_before_the_kernel_has_heard_of_the_end(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.button("Begin talking").click()
    first = chat.session_id
    chat.button("End").click()
    chat.set(session="opening", session_id=first)
    expect(chat.status).to_have_text("Ending …")
    chat.set(session="closed", session_id=first)
    chat.button("Begin talking").click()
    second = chat.session_id
    chat.button("End").click()
    chat.button("Begin talking").click()
    chat.until("sent.at(-1).kind === 'heard'")
    for state in ("opening", "open", "closed"):  # the kernel is not so far yet
        chat.set(session=state, session_id=second)
        expect(chat.button("End")).to_be_visible()
        expect(chat.status).to_contain_text("Opening")
    chat.set(session="open")
    expect(chat.status).to_have_text("Listening")
    assert [one["kind"] for one in chat.sent(but=("ready", "focus", "heard"))] == ["open", "close"] * 2 + ["open"]


def test_who_takes_over_begins_only_where_nobody_was_quicker(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE, session="open", session_id="one page's")
    chat.button("Begin talking").click()
    chat.set(session="opening", session_id="another page's")
    expect(chat.status).to_contain_text("another tab")
    chat.set(session="closed", session_id="another page's")  # much later
    expect(chat.status).to_have_text("")
    assert not chat.kernel_hears("open")


def test_a_session_of_another_tab(opened: Opened) -> None:
    chat = opened(session="open", session_id="another page's")
    expect(chat.status).to_contain_text("another tab")
    chat.said("one", noise(2400))
    chat.send({"kind": "hush", "number": 1})
    assert chat.sent() == []  # it is not this page that plays
    assert not chat.page.evaluate("() => nbaudio.players?.size")
    chat.button("Begin talking").click()  # it ends there, and begins here
    (end,) = chat.kernel_hears("close")
    assert end["session"] == "another page's"
    expect(chat.status).to_have_text("Ending …")
    chat.set(session="closed", session_id="another page's")
    chat.until("sent.some(one => one.kind === 'heard')")
    assert chat.sent(but=("ready", "focus", "heard")) == [{"kind": "close"}, {"kind": "open"}]
    chat.set(session="open")
    chat.page.evaluate("() => dispatchEvent(new Event('pagehide'))")  # the page is left, or loaded again
    chat.until_all_is_closed()
    assert [one["kind"] for one in chat.sent()][-1] == "close"


# -- looks ------------------------------------------------------------------------------------------------------


def closed(opened: Opened, **options: Any) -> SessionOnPage:
    return opened(before=MADE_MICROPHONE, **options)


def listening(opened: Opened, **options: Any) -> SessionOnPage:
    chat = opened(before=MADE_MICROPHONE, turns=TALK, **options)
    chat.begin()
    chat.listen_to_silence()
    return chat


def spoken_to(opened: Opened, **options: Any) -> SessionOnPage:
    chat = listening(opened, **options)
    chat.page.evaluate("""async () => {
        for (const dbfs of [-30, -14, -22, -9, -60, -12, -20, -200]) {
            speak(dbfs);
            await settled(160);
        }
    }""")
    chat.send({"kind": "speech", "began": True})
    return chat


def speaking(opened: Opened, **options: Any) -> SessionOnPage:
    chat = listening(opened, **options)
    time_s = np.arange(20 * RATE) / RATE
    syllables = np.abs(np.sin(2 * np.pi * 1.7 * time_s)) ** 2 * (0.5 + 0.5 * np.sin(2 * np.pi * 0.31 * time_s))
    chat.said("one", (20_000 * syllables * np.sin(time_s * 1800)).astype("<i2"))
    chat.until_played("one", 2.5)
    return chat


def muted(opened: Opened, **options: Any) -> SessionOnPage:
    chat = listening(opened, **options)
    chat.button("Mute").click()
    return chat


def held(opened: Opened, **options: Any) -> SessionOnPage:
    chat = opened(before=MADE_MICROPHONE, turns=TALK, hold_to_talk=True, **options)
    chat.button("Begin talking").click()
    chat.set(session="open")
    chat.button("Hold to talk").click()
    chat.until("sent.filter(one => one.kind === 'heard').length >= 12")
    return chat


def unplugged(opened: Opened, **options: Any) -> SessionOnPage:
    chat = listening(opened, notice="The connection broke off; it was opened again, and what was said is known there.")
    chat.page.evaluate("() => unplug()")
    return chat


LOOKS: list[Callable[..., SessionOnPage]] = [closed, spoken_to, speaking, muted, held, unplugged]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.__name__)
def test_it_can_be_read_and_operated(opened: Opened, look: Callable[..., SessionOnPage]) -> None:
    chat = look(opened)
    chat.page.evaluate(HOLD)
    picture = PICTURES / "session" / look.__name__
    for theme in THEMES if look in (speaking, muted) else THEMES[:2]:
        assert_accessible(chat.place, chat.view(), theme, picture)
    chat.place.change_theme("light")
    if look in (speaking, held, unplugged):
        assert_nothing_is_cut_off(chat.place, chat.view(), ".nbaudio-chat", 300, picture)
        chat.page.emulate_media(forced_colors="active")
        chat.place.drawn()
        chat.place.picture(picture.with_name(f"{look.__name__}-forced.png"), below=chat.view())


def test_the_waves_show_who_was_heard(opened: Opened) -> None:
    chat = spoken_to(opened)
    heights = """who => {
        const canvas = document.querySelector(`.nbaudio-chat-wave[data-who="${who}"] canvas`);
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let rows = 0;
        for (let y = 0; y < canvas.height; y++) {
            let found = false;
            for (let x = 0; x < canvas.width; x++) found ||= data[4 * (y * canvas.width + x) + 3] > 20;
            rows += found;
        }
        return rows / canvas.height;
    }"""
    assert chat.page.evaluate(heights, "you") > 0.5
    assert chat.page.evaluate(heights, "model") < 0.2
    chat.said("one", noise(5 * RATE))
    chat.until_played("one", 0.4)
    assert chat.page.evaluate(heights, "model") > 0.3


def test_every_control_is_reached_by_the_tab_key_and_has_a_ring(opened: Opened) -> None:
    chat = listening(opened)
    chat.text.fill("Hello")
    chat.button("End").focus()
    reached = []
    for _ in range(4):
        chat.page.keyboard.press("Tab")
        reached.append(
            chat.page.evaluate("""() => {
                const one = document.activeElement;
                const {outlineStyle, outlineWidth} = getComputedStyle(one);
                return [one.getAttribute('aria-label') ?? one.textContent.trim(), outlineStyle, outlineWidth];
            }""")
        )
    assert [name for name, _, _ in reached] == ["Your words", "Send", "Mute", "Interrupt"]
    assert {(style, width) for _, style, width in reached} == {("solid", "2px")}
