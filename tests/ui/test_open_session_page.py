"""An open session in a browser: what goes out, what is heard, who interrupts whom, and what is left behind: nothing.

The pictures go to ``build/screenshots/session``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, expect
from signals import decibel

from .chat_page import ChatOnPage
from .widget_page import tab

pytestmark = pytest.mark.page

RATE = 24_000
TAP = Path(__file__).with_name("sound_page.js").read_text(encoding="utf-8")
CHAT = "nbaudio.chats.get('the-chat')"

Opened = Callable[..., "SessionOnPage"]
Samples = np.ndarray[Any, Any]


class SessionOnPage(ChatOnPage):
    """A chat of open sessions, and its kernel; what reaches the loudspeaker can be asked for."""

    def __init__(self, *given: Any, before: str = "", **options: Any) -> None:
        super().__init__(*given, before=TAP + before, **{"realtime": True, **options})

    def begin(self) -> None:
        """The person begins, and the kernel has its session."""
        self.button("Begin talking").click()
        self.set(session="opening")
        self.set(session="open")
        self.until("sent.some(one => one.kind === 'heard')")

    def said(self, item: str, pcm16: Samples, *, over: bool = True, piece: int = 2400) -> None:
        """The kernel sends what the model says, all at once."""
        for index, at in enumerate(range(0, len(pcm16), piece)):
            place = {"item": item, "index": index, "frames_before": at, "words": ""}
            self.send({"kind": "said", **place}, pcm16[at : at + piece].tobytes())
        if over:
            self.send({"kind": "all said", "item": item, "frames": len(pcm16)})

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

    def speak(self, loud_dbfs: float = -20.0) -> None:
        """From here on the microphone hears somebody, whatever it is that it hears; 0 below -200: nobody."""
        self.page.evaluate("dbfs => { microphone_dbfs = dbfs; }", loud_dbfs)


# A microphone whose sound is made in the page: silence, until a test lets somebody speak.
MADE_MICROPHONE = """
    window.microphone_dbfs = -300;
    const devices = navigator.mediaDevices;
    devices.getUserMedia = async () => {
        const context = new AudioContext({sampleRate: 24000}), buzz = new OscillatorNode(context, {frequency: 300});
        const gain = new GainNode(context, {gain: 0}), out = new MediaStreamAudioDestinationNode(context);
        buzz.connect(gain).connect(out);
        buzz.start();
        const timer = setInterval(() => {
            gain.gain.value = 10 ** (microphone_dbfs / 20);
            if (out.stream.getTracks().every(one => one.readyState === "ended")) {
                clearInterval(timer);
                void context.close();
            }
        }, 2);
        tracks.push(...out.stream.getTracks());
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
    expect(chat.button("End")).to_be_visible()
    chat.until("sent.filter(one => one.kind === 'heard').length >= 10")  # before the session is open, too
    chat.set(session="opening")
    chat.set(session="open")
    expect(chat.status).to_have_text("Listening")
    chat.until("sent.filter(one => one.kind === 'heard').length >= 80")
    assert chat.sent(but=("ready", "focus", "heard")) == [{"kind": "open"}]
    pieces = chat.heard_pieces()
    assert {len(piece) for piece in pieces} == {960}
    at_ms = [one["at_ms"] for one in chat.kernel_hears("heard")]
    assert (at_ms[-1] - at_ms[0]) / (len(at_ms) - 1) == pytest.approx(40, abs=2)
    sound = np.concatenate(pieces) / 32768
    print("level", decibel(sound))
    assert decibel(sound) > -45


def test_what_is_said_is_heard_as_it_is_and_in_order(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    one, two = noise(24_000), noise(12_000, seed=2)
    chat.said("one", one)
    chat.said("two", two)
    expect(chat.status).to_have_text("The model is speaking")
    chat.until_over("two")
    expect(chat.status).to_have_text("Listening")
    output = chat.output()
    heard = trimmed(output)
    np.testing.assert_array_equal(heard[:24_000], one / np.float32(32768))
    np.testing.assert_array_equal(heard[-12_000:], two / np.float32(32768))
    print("gap", len(heard) - 36_000)
    assert len(heard) - 36_000 < 0.1 * RATE
    played = [{name: one[name] for name in ("item", "frames", "sounding")} for one in chat.kernel_hears("played")]
    print(played)


def test_hush_is_silence_at_once_and_says_how_much_was_heard(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    one = noise(10 * RATE)
    chat.said("one", one, over=False)
    chat.said("two", noise(2400, seed=2))
    chat.until_played("one", 0.5)
    chat.send({"kind": "hush", "number": 7})
    chat.until("sent.some(one => one.kind === 'hushed')")
    (hushed,) = chat.kernel_hears("hushed")
    chat.said("one", one[:2400])
    chat.page.wait_for_timeout(300)
    heard = trimmed(chat.output())
    print(hushed, len(heard))


def test_the_ear(opened: Opened) -> None:
    chat = opened(before=MADE_MICROPHONE)
    chat.begin()
    chat.said("one", noise(10 * RATE))
    chat.until_played("one", 1)
    took = chat.page.evaluate("""async () => {
        const sound = nbaudio.players.get('the-chat-said-one');
        const begun = performance.now();
        microphone_dbfs = -20;
        await until(sound, () => !sound.playing);
        return performance.now() - begun;
    }""")
    print("took", took)
