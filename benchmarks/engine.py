"""The offline engine, warm, one thread for each part: how soon it speaks, how fast it hears, and what it holds.

    python benchmarks/engine.py

First audio is from the request to the first piece of sound, for a spoken question of about 3 s.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import psutil

import nbaudio as nba
from nbaudio.engine.parts import engine

QUESTIONS = [
    "Could you please tell me, is a golden retriever a good family dog?",
    "I have always wondered, why is the sky so blue in the daytime?",
    "Can you explain to me in simple words what a volcano really is?",
    "What should I think about before I get a cat for my small flat?",
    "Please tell me, why do plants need so much sunlight to grow?",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=4, help="rounds of all questions (%(default)s)")
    times = parser.parse_args().times
    nba.NbAudio.instance().backend = "offline"
    parts = engine()
    clips = [nba.Clip(parts.speaker.speak(text, "nova"), 24_000) for text in QUESTIONS]
    nba.Conversation().say(clips[0])  # loads and warms every part

    hearing, speaking, first = [], [], []
    for round_ in range(times):
        for text, clip in zip(QUESTIONS, clips, strict=True):
            samples = clip.resample(16_000).samples[:, 0]
            start = time.perf_counter()
            parts.listener.hear(samples)
            hearing.append((time.perf_counter() - start) / clip.duration_s)

            start = time.perf_counter()
            sound = parts.speaker.speak(text, "alloy")
            speaking.append((time.perf_counter() - start) / (len(sound) / 24_000))

            # The engine remembers what it heard: a hardly audible offset makes it a recording that is new to it.
            new = nba.Clip(clip.samples + np.float32(1e-4 * (round_ + 1)), clip.sample_rate)
            stream = nba.Conversation().stream(new)
            start = time.perf_counter()
            heard_first = 0.0
            for event in stream:  # to its end: an abandoned answer would still be at work in the next measurement
                if isinstance(event, nba.AudioDelta) and not heard_first:
                    heard_first = time.perf_counter() - start
            first.append(heard_first)

    durations = ", ".join(f"{clip.duration_s:.1f}" for clip in clips)
    print(f"questions of {durations} s; {len(first)} requests, one thread for each part")
    print(f"first audio of the reply   {statistics.median(first):.3f} s at the median, {max(first):.3f} s at most")
    print(f"hearing, real-time factor  {statistics.median(hearing):.3f} at the median")
    print(f"speaking, real-time factor {statistics.median(speaking):.4f} at the median")
    print(f"memory of the process      {psutil.Process().memory_info().rss / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
