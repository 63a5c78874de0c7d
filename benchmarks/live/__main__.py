"""Speaking and recording, live: nbaudio, gradio's `Audio` and ipyaudio, side by side in one run.

    pip install --editable '.[notebook]' --group test gradio ipyaudio imageio-ffmpeg
    python -m benchmarks.live                 # about 25 minutes; sounds are played in real time
    python -m benchmarks.live --seconds 8 --times 2 --long 30    # a rough look

The players are those beside the `python` that runs this; one that is not there is left out, and a line says so. gradio
streams through the program ffmpeg, which imageio-ffmpeg brings where there is none. Run it on a machine that has
nothing else to do.

What is measured
----------------
*First sound*: from ``time.time()`` in Python just before the first piece is handed over, to the moment at which its
first sample leaves the loudspeaker. PCM16, 24 kHz, mono, in pieces of 100 ms, the first one half a second after the
player was shown. The page listens at the output of its AudioContexts (``tap.js``); the time of a frame is the browser's
own ``getOutputTimestamp``, which has the latency of the sound device in it. gradio plays by an ``<audio>`` element,
which is led through an AudioContext for this; ipyaudio's and nbaudio's contexts are their own. Half of the sounds last
a few seconds, for the median; the first one in a page is counted apart.

*Gaps*: silences of 1 ms and more where the sound has none, over a minute. The sound is a tone with the pauses of
speech. With jitter, each piece comes up to 150 ms earlier or later than its time; "once more" is the same in the same
page.

*Messages*: the most in one second that came to the page through WebSockets; for gradio, which has none while it
speaks, the most answers to requests.

*Stop to first byte*: from the browser's own time of the click on stop to the first byte of the request, at a listener
on the loopback. nbaudio: ``%%listen``, whose request holds the recording as JSON. gradio: a function for
``stop_recording``; ipyaudio: an observer of ``completed``; both send the recording's file as it is, headers first.
Nobody waits ten minutes for ten minutes: nbaudio's page is given so many pieces as if they came from its microphone,
and gradio's gets a WebM file of that length from the browser's recorder, before the real stop (``prefill.js``).
ipyaudio sends pieces of 20 ms one by one, each when the one before has been acknowledged: that can't be hurried.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import wave
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.openai_server import OpenAIServer, serve

from . import recording, speaking
from .first_byte import FirstByte
from .places import Gradio, Lab, browser, lacking
from .sound import AT_ONCE, JITTERY, REAL_TIME, SAMPLE_RATE, SMALL, sound_of
from .speaking import Run, Spoken
from .table import print_recordings, print_sounds

SHORT_S = 4.0


def main() -> None:
    options = _options()
    peers = [name for name in ("gradio", "ipyaudio") if not lacking(name)]
    for name in ("gradio", "ipyaudio"):
        if why := lacking(name):
            print(why)
    names = ", ".join(f"{name} {version(name)}" for name in ("nbaudio", *peers))
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{names}; Python {platform.python_version()}, {os.cpu_count()} processors{load}", flush=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running = stack.enter_context(browser(stack.enter_context(sync_playwright()), _microphone(folder)))
        server = stack.enter_context(serve())
        lab = stack.enter_context(Lab(running))
        gradio = None
        if "gradio" in peers:
            door = stack.enter_context(FirstByte(server))
            gradio = stack.enter_context(Gradio(running, [SHORT_S, options.seconds], door))
        if "speaking" in options.parts:
            _speak(options, lab, server, gradio, "ipyaudio" in peers)
        if "recording" in options.parts:
            _record(options, lab, server, gradio, "ipyaudio" in peers)


def _speak(
    options: argparse.Namespace, lab: Lab, server: OpenAIServer, gradio: Gradio | None, has_ipyaudio: bool
) -> None:
    pages = [
        [
            *[Run(REAL_TIME, SHORT_S)] * (options.times + 1),
            *[Run(AT_ONCE, SHORT_S)] * options.times,
            Run(SMALL, SHORT_S),
            Run(REAL_TIME, options.seconds),
            Run(AT_ONCE, options.seconds),
        ],
        [Run(JITTERY, options.seconds)] * 2,
    ]
    measures: dict[str, Callable[[list[Run]], list[Spoken]]] = {
        "nbaudio": lambda runs: speaking.with_nbaudio(lab, runs),
        "%%speak": lambda runs: speaking.with_speak(lab, server, runs),
    }
    if has_ipyaudio:
        measures["ipyaudio"] = lambda runs: speaking.with_ipyaudio(lab, runs)
    if gradio is not None:
        measures["gradio"] = lambda runs: speaking.with_gradio(gradio, runs)
    found = {name: [one for runs in pages for one in measure(runs)] for name, measure in measures.items()}
    print_sounds(found, options.seconds)


def _record(
    options: argparse.Namespace, lab: Lab, server: OpenAIServer, gradio: Gradio | None, has_ipyaudio: bool
) -> None:
    found = {
        "nbaudio": [
            *recording.with_nbaudio(lab, server, 10, options.times, prefilled=False),
            *recording.with_nbaudio(lab, server, options.long, 3, prefilled=True),
        ]
    }
    if has_ipyaudio:
        found["ipyaudio"] = recording.with_ipyaudio(lab, server, 10, 2)
    if gradio is not None:
        found["gradio"] = [
            *recording.with_gradio(gradio, 10, options.times, prefilled=False),
            *recording.with_gradio(gradio, options.long, 3, prefilled=True),
        ]
    print_recordings(found, options.long)


def _microphone(folder: Path) -> Path:
    path = folder / "microphone.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes((sound_of(20).samples() * 32767).astype("<i2").tobytes())
    return path


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the long sounds (%(default)s)")
    parser.add_argument("--times", type=int, default=5, help="short sounds, and recordings of 10 s (%(default)s)")
    parser.add_argument("--long", type=float, default=600.0, help="length of the long recording (%(default)s)")
    parser.add_argument("--parts", nargs="+", default=["speaking", "recording"], choices=["speaking", "recording"])
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
