"""How much silence Whisper wants behind speech: words wrong and time taken, by the window that it hears in.

    python benchmarks/hearing.py
    python benchmarks/hearing.py --rooms 2 30    # a rough look

The offline voices say short sentences, each of which is heard at once (no second look), with this much silence
behind it; "whole" is the window of 30 s that Whisper was trained with.
"""

from __future__ import annotations

import argparse
import time

import jiwer

import nbaudio as nba
from nbaudio.engine import hear
from nbaudio.engine.parts import engine

VOICES = ("alloy", "nova", "onyx", "fable")
SENTENCES = (
    "Thank you.",
    "Yes, please.",
    "What time is it in Paris now?",
    "Could you please tell me whether the museum is open today?",
    "Please tell me why plants need so much sunlight to grow.",
    "I have always wondered why the sky is so blue in the daytime.",
    "My sister bought three green apples, a loaf of bread and some cheese.",
    "The train to the coast leaves at noon, but the ticket office closes an hour before.",
)
ROOMS_S = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 11.0, 30.0)


def words(text: str) -> str:
    kept = "".join(character if character.isalnum() or character == "'" else " " for character in text.lower())
    return " ".join(kept.split()) or "nothing"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rooms", type=float, nargs="+", default=ROOMS_S, metavar="S", help="seconds of silence; 30 is all there is"
    )
    rooms_s = parser.parse_args().rooms
    parts = engine()
    spoken = [(text, nba.Clip(parts.speaker.speak(text, voice), 24_000)) for voice in VOICES for text in SENTENCES]
    samples = [clip.resample(16_000).samples[:, 0] for _, clip in spoken]
    ears = parts.listener
    ears.hear(samples[0])
    print(f"{len(spoken)} clips of {min(c.duration_s for _, c in spoken):.1f} to "
          f"{max(c.duration_s for _, c in spoken):.1f} s")  # fmt: skip
    print("silence behind   words wrong   clips to hear again   processor time")
    for room_s in rooms_s:
        heard, again = [], 0
        start = time.process_time()
        for sound in samples:
            stretches = hear.speech(sound)
            said = [ears.look(stretch, min(room_s, 30 - stretch.size / hear.SAMPLE_RATE)) for stretch in stretches]
            again += None in said
            heard.append(words(" ".join(text or "" for text in said)))
        each_s = (time.process_time() - start) / len(samples)
        wrong = jiwer.wer([words(text) for text, _ in spoken], heard)
        label = "whole" if room_s == 30 else f"{room_s:.0f} s"
        print(f"{label:>14} {wrong:13.1%} {again:21} {each_s:13.2f} s", flush=True)


if __name__ == "__main__":
    main()
