"""What an hour of speech takes: to be written down, and to be spoken, by the offline engine.

    python benchmarks/long_recording.py                 an hour
    python benchmarks/long_recording.py --minutes 10    a quick run

The recording is spoken by the offline voice and repeated in a WAV file until it is long enough. It is written down with
the times of its words, and a text of about as many minutes is spoken, each in a process of its own. Printed are the
time, the memory of the engine when it is loaded and has done a minute of the same, and the peak above that, in MB of
resident memory as Linux counts it. It fails (exit code 1) if a peak is above 200 MB, or words are missing.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

SENTENCES = (  # enough of them: what repeats itself within 14 s Whisper takes for its own stammering
    "The museum opens early in the morning and closes late in the afternoon.",
    "We walked home along the river and talked about the summer.",
    "Nobody knew why the lights had gone out, but my brother found some candles in the kitchen.",
    "The train to the coast leaves at noon from the old station.",
)
VOICE, SAMPLE_RATE = "nova", 24_000
MOST_MB = 200
MARK = "museum"  # a word that the ears know, once in each round


def memory_mb(which: str) -> float:
    """Resident memory of this process now (VmRSS), or its peak so far (VmHWM)."""
    found = re.search(rf"{which}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def round_pcm16() -> bytes:
    """All sentences, spoken."""
    from nbaudio.engine.speak import Speaker
    from nbaudio.sound import codecs

    speaker = Speaker()
    return b"".join(codecs.samples_to_pcm16(speaker.speak(sentence, VOICE)) for sentence in SENTENCES)


def record(path: Path, pcm16: bytes, minutes: float) -> int:
    """A WAV of so many minutes of these sentences; gives how often they are in it."""
    rounds = max(1, round(minutes * 60 * SAMPLE_RATE * 2 / len(pcm16)))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        for _ in range(rounds):
            file.writeframes(pcm16)
    return rounds


def written_down(folder: Path, minutes: float) -> tuple[float, str]:
    """Write the recording down: gives the peak above the warm engine in MB, and what is wrong, if anything is."""
    import nbaudio as nba

    pcm16 = (folder / "round.pcm").read_bytes()
    record(folder / "short.wav", pcm16, 1)
    rounds = record(folder / "long.wav", pcm16, minutes)
    nba.transcribe(folder / "short.wav", timestamps="word", progress=False)
    warm_mb, begun = memory_mb("VmRSS"), time.perf_counter()
    found = nba.transcribe(folder / "long.wav", timestamps="word", progress=False)
    show("written down", found.duration_s, time.perf_counter() - begun, warm_mb)
    starts = [word.start_s or 0.0 for word in found.words if word.text.lower().startswith(MARK)]
    every_s = len(pcm16) / 2 / SAMPLE_RATE
    if len(starts) != rounds:
        return memory_mb("VmHWM") - warm_mb, f"{MARK!r} was heard {len(starts)} times, and said {rounds} times"
    furthest_s = max(abs(start_s - starts[0] - place * every_s) for place, start_s in enumerate(starts))
    print(f"{'':14}{len(found.words):,} words; those that are said in each round are off by {furthest_s:.2f} s at most")
    return memory_mb("VmHWM") - warm_mb, ""


def spoken(folder: Path, minutes: float) -> tuple[float, str]:
    """As `written_down`, of a text that is spoken."""
    import nbaudio as nba

    every_s = len((folder / "round.pcm").read_bytes()) / 2 / SAMPLE_RATE
    rounds = max(1, round(minutes * 60 / every_s))
    nba.speak(" ".join(SENTENCES * round(60 / every_s)), voice=VOICE)
    warm_mb, begun = memory_mb("VmRSS"), time.perf_counter()
    found = nba.speak(" ".join(SENTENCES * rounds), voice=VOICE)
    show("spoken", found.duration_s, time.perf_counter() - begun, warm_mb)
    words = sum(len(sentence.split()) for sentence in SENTENCES) * rounds
    wrong = "" if len(found.words) == words else f"{len(found.words)} words have times, of {words}"
    return memory_mb("VmHWM") - warm_mb, wrong


def show(what: str, sound_s: float, took_s: float, warm_mb: float) -> None:
    """A row of the table."""
    print(
        f"{what:14}{sound_s / 60:11.1f} min{took_s:9.0f} s{sound_s / took_s:13.1f}"
        f"{warm_mb:14.0f} MB{memory_mb('VmHWM') - warm_mb:11.0f} MB",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="of speech; 60 by default")
    parser.add_argument("--only", choices=("written_down", "spoken"), help="one of the two")
    parser.add_argument("--in", dest="folder", type=Path, help=argparse.SUPPRESS)  # a process of the benchmark's own
    arguments = parser.parse_args()
    if arguments.folder is not None:
        above_mb, wrong = {"written_down": written_down, "spoken": spoken}[arguments.only](
            arguments.folder, arguments.minutes
        )
        if above_mb > MOST_MB:
            wrong = f"{wrong}; peak above {MOST_MB} MB".lstrip("; ")
        if wrong:
            print(f"{'':14}wrong: {wrong}")
        return int(bool(wrong))
    print("                 of speech     took   x real time   engine, warm   peak above")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "round.pcm").write_bytes(round_pcm16())
        environment = {**os.environ, "NBAUDIO_BACKEND": "offline", "NBAUDIO_CACHE_FOLDER": f"{folder}/cache"}
        for part in [arguments.only] if arguments.only else ["written_down", "spoken"]:
            own = [sys.executable, __file__, "--only", part, "--in", folder, "--minutes", str(arguments.minutes)]
            failed |= subprocess.run(own, env=environment, check=False).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
