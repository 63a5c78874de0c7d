"""gradio's `Audio`, speaking and recording, in a process of its own: ``python -m benchmarks.live.gradio_app``.

Prints the address of its page; then, after each answer, when each of its pieces was sent, as JSON.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import time
import wave
from collections.abc import Iterator
from functools import partial

import gradio as gr

from .first_byte import post_file
from .senders import THINKING_S
from .sound import PACES, SAMPLE_RATE, sound_of

__all__: list[str] = []


def _wav(pcm16: bytes) -> bytes:
    """gradio's documentation recommends bytes; a WAV is what it reads with no further process."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        writer.writeframes(pcm16)
    return file.getvalue()


def _app(durations_s: list[float], upload_url: str) -> gr.Blocks:
    def speak(pace: int, duration_s: float) -> Iterator[bytes]:
        time.sleep(THINKING_S)
        sent = []
        for wait_s, piece in PACES[pace].sends(sound_of(duration_s)):
            time.sleep(wait_s)
            sent.append(time.time())
            yield _wav(piece)
        print(json.dumps(sent), flush=True)

    def send(path: str) -> str:
        return post_file(upload_url, path)

    with gr.Blocks() as app:
        spoken = gr.Audio(streaming=True, autoplay=True, label="Answer")
        for pace, duration_s in itertools.product(range(len(PACES)), durations_s):
            gr.Button(f"pace {pace}, {duration_s:g} s").click(partial(speak, pace, duration_s), None, spoken)
        recorded = gr.Audio(sources=["microphone"], type="filepath", label="Question")
        recorded.stop_recording(send, recorded, gr.Textbox(label="Reply"))
    return app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, nargs="+")
    parser.add_argument("--upload-url")
    options = parser.parse_args()
    app = _app(options.seconds, options.upload_url)
    _, address, _ = app.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, inbrowser=False)
    print(address, flush=True)
    app.block_thread()


if __name__ == "__main__":
    main()
