"""The offline engine, warm, one thread for each part: how soon it speaks, how fast it hears, and what it holds.

    python benchmarks/engine.py

First audio is from the request to the first piece of sound, for a spoken question of about 3 s.
"""

from __future__ import annotations

import argparse
import statistics
import time

import psutil

import nbaudio as nba
from nbaudio.engine.parts import engine

QUESTIONS = [
    "Could you please tell me, is a golden retriever a good family dog?",
    "I have always wondered, why is the sky so blue in the daytime?",
    "Can you explain to me in simple words what a volcano really is?",
    "What should I think about before I get a cat for my small flat?",
    "Please tell me, why do plants need so much sunlight to grow?",
    "How long should I boil an egg if I want the middle to be soft?",
    "Where do penguins live in the wild, and what do they like to eat?",
    "Please explain how a bicycle stays upright when it is moving.",
    "What would be a good name for a small blue fishing boat, do you think?",
    "Who was the first person to walk on the moon, and in which year?",
    "I would like to know how bread becomes so soft inside the oven.",
    "What is the best way to learn to play the piano as an adult?",
    "Can you tell me why the leaves of the trees turn red in autumn?",
    "How do I take good care of a tomato plant on my balcony?",
    "What happens inside a battery when I charge it over the night?",
    "Why does the ocean taste of salt when the rivers do not?",
    "What could I cook tonight with rice, two eggs and some spinach?",
    "Please describe in a few words how a rainbow comes to be.",
    "How can I fall asleep more easily when the street is noisy?",
    "What is the difference between a frog and a toad, please?",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=len(QUESTIONS), help="how many (%(default)s)")
    questions = QUESTIONS[: parser.parse_args().questions]
    nba.NbAudio.instance().backend = "offline"
    parts = engine()
    clips = [nba.Clip(parts.speaker.speak(text, "nova"), 24_000) for text in questions]
    nba.Conversation().say(nba.Clip(parts.speaker.speak("Good morning, how are you?", "nova"), 24_000))  # loads all

    hearing, speaking, first = [], [], []
    for clip in clips:  # each is asked once: a question asked again would be half remembered
        stream = nba.Conversation().stream(clip)
        start = time.perf_counter()
        heard_first = 0.0
        for event in stream:  # to its end: an abandoned answer would still be at work in the next measurement
            if isinstance(event, nba.AudioDelta) and not heard_first:
                heard_first = time.perf_counter() - start
        first.append(heard_first)

    for text, clip in zip(questions, clips, strict=True):
        samples = clip.resample(16_000).samples[:, 0]
        start = time.perf_counter()
        parts.listener.hear(samples)
        hearing.append((time.perf_counter() - start) / clip.duration_s)

        start = time.perf_counter()
        sound = parts.speaker.speak(text, "alloy")
        speaking.append((time.perf_counter() - start) / (len(sound) / 24_000))

    seconds = [clip.duration_s for clip in clips]
    print(f"{len(first)} spoken questions of {min(seconds):.1f} to {max(seconds):.1f} s, one thread for each part")
    print(f"first audio of the reply   {statistics.median(first):.3f} s at the median, {max(first):.3f} s at most")
    print(f"hearing, real-time factor  {statistics.median(hearing):.3f} at the median")
    print(f"speaking, real-time factor {statistics.median(speaking):.4f} at the median")
    print(f"memory of the process      {psutil.Process().memory_info().rss / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
