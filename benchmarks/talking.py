"""Talking in JupyterLab with the offline engine: how soon an answer sounds, and how soon it is silent.

    python benchmarks/talking.py                  # ten questions, ten interruptions; two minutes

A real browser and a real kernel, `nba.VoiceChat(realtime=True)`, and a microphone that says what it is given. Times are
by the page's clock. A question ends with its last sound, so that the half second of silence that ends a turn is in the
first figure. An interruption begins with the first syllable, and is over when the sound thread says that it stopped.
"""

from __future__ import annotations

import argparse
import base64
import statistics
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from engine import QUESTIONS
from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from ui.browser import launch
from ui.server import JupyterServer
from ui.talk_in_lab import RATE, TalkInLab

from nbaudio.engine.parts import engine
from nbaudio.sound import codecs

ROOT = Path(__file__).parents[1]
VOICE = "nova"
SETUP = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nimport nbaudio as nba\nchat = nba.Conversation(voice='alloy')"
SAID = "[...nbaudio.players.entries()].filter(([key]) => key.includes('-said-')).map(([, sound]) => sound)[0]"
FIRST_SOUND = f"""async data => {{
    const {{ ended_ms }} = await speak(data);
    while (!({SAID}?.first_sound_ms > 0)) await new Promise(resolve => setTimeout(resolve, 5));
    return {SAID}.first_sound_ms - ended_ms;
}}"""
INTERRUPTED = f"""async data => {{
    const sound = {SAID}, began_ms = performance.now();
    if (!sound) return -1;
    window.speaking = speak(data);
    while (sound.playing || !sound.still) await new Promise(resolve => setTimeout(resolve, 2));
    return performance.now() - began_ms;
}}"""


def spoken(text: str) -> bytes:
    """A text as PCM16, without silence before and behind it."""
    samples = engine().speaker.speak(text, VOICE)
    loud = np.flatnonzero(np.abs(samples) > 0.02)
    return codecs.samples_to_pcm16(samples[loud[0] : loud[-1] + 1])


def base64_of(pcm16: bytes) -> str:
    return base64.b64encode(pcm16).decode("ascii")


def is_silent(talk: TalkInLab) -> None:
    """Return when nobody speaks and nothing comes."""
    talk.until("said.length === 0 && chat.turns.every(turn => !turn.arriving)", 60_000)


def ask(talk: TalkInLab, sound: bytes) -> float:
    """Seconds from the end of a question to the first sound of its answer, which is then interrupted by a key."""
    waited_ms = float(talk.page.evaluate(FIRST_SOUND, base64_of(sound)))
    talk.button("Interrupt").click()
    is_silent(talk)
    return waited_ms / 1000


def interrupt(talk: TalkInLab, sound: bytes, other: bytes) -> list[float]:
    """Seconds from the first syllable of who breaks in to silence; none where the answer was over before."""
    talk.page.evaluate(FIRST_SOUND, base64_of(sound))
    talk.until("said.length === 0 || said.some(sound => sound.position_s >= 0.4)")
    silent_ms = float(talk.page.evaluate(INTERRUPTED, base64_of(other)))
    if silent_ms < 0:
        return []
    talk.page.evaluate("() => speaking")
    talk.until("said.some(sound => sound.position_s > 0)", 60_000)  # they are answered as well
    talk.button("Interrupt").click()
    is_silent(talk)
    return [silent_ms / 1000]


def line(what: str, seconds: list[float]) -> str:
    return f"{what:<46} {statistics.median(seconds):.3f} s at the median, {max(seconds):.3f} s at most"


def measure(browser: Browser, server: JupyterServer, chosen: argparse.Namespace) -> None:
    talk = TalkInLab(browser.new_context(), server, "talking.ipynb", SETUP, tapped=False)
    try:
        sounds = [spoken(text) for text in (QUESTIONS * 2)[: chosen.questions + 1]]
        talk.begin()
        ask(talk, spoken("Good morning, how are you?"))  # loads all
        first = [ask(talk, sound) for sound in sounds[:-1]]
        silent = [taken for one, other in pairwise(sounds) for taken in interrupt(talk, one, other)]
        seconds = [len(sound) / 2 / RATE for sound in sounds]
        print(f"{len(first)} spoken questions of {min(seconds):.1f} to {max(seconds):.1f} s")
        print(line("first sound after the last of a question", first))
        print(line(f"silence after the first of who breaks in ({len(silent)})", silent), flush=True)
    finally:
        talk.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=10, help="how many (%(default)s)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        (Path(folder) / "notebooks").mkdir()
        (Path(folder) / "state").mkdir()
        browser, _ = launch(playwright)
        server = JupyterServer(Path(folder) / "notebooks", Path(folder) / "state")
        try:
            measure(browser, server, chosen)
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
