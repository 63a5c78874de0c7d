"""The end of speech, heard by the kernel: the same as the browser hears, piece by piece."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from nodejs import node

import nbaudio as nba
from nbaudio.sound.codecs import Samples
from nbaudio.widgets.silence import SILENT_DBFS, Silence, level_dbfs

ROOT = Path(__file__).parents[2]
RATE = 24_000
PIECE = RATE // 10
_NODE = """
import {{ readFileSync }} from "node:fs";
import {{ levelDbfs }} from "{static}/level.js";
import {{ Silence }} from "{static}/silence.js";
const bytes = readFileSync("{sound}");
const sound = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const silence = new Silence({rate}, {silence_s});
const said = [];
for (let at = 0; at + {piece} <= sound.length; at += {piece}) {{
  const piece = sound.subarray(at, at + {piece});
  silence.add(piece);
  said.push([levelDbfs(piece), silence.heard, silence.silent_s, silence.over]);
}}
console.log(JSON.stringify(said));
"""


def speech() -> Samples:
    return nba.Clip(ROOT / "notebooks" / "question.wav").resample(RATE).samples


def noise(seconds: float, level_db: float) -> Samples:
    """A room, always the same."""
    samples = np.random.default_rng(7).standard_normal((round(RATE * seconds), 1))
    return (samples * 10 ** (level_db / 20)).astype(np.float32)


def in_room(level_db: float) -> Samples:
    """Quiet, a question, and quiet again, in a room with noise."""
    sound = np.concatenate([np.zeros((RATE, 1), np.float32), speech(), np.zeros((3 * RATE, 1), np.float32)])
    return (sound + noise(len(sound) / RATE, level_db)[: len(sound)]).astype(np.float32)


def heard(sound: Samples, silence_s: float = 1.5) -> list[tuple[float, bool, float, bool]]:
    silence, said = Silence(RATE, silence_s), []
    for at in range(0, len(sound) - PIECE + 1, PIECE):
        piece = sound[at : at + PIECE]
        silence.add(piece)
        said.append((level_dbfs(piece), silence.heard, silence.silent_s, silence.over))
    return said


SOUNDS = {
    "in a quiet room": lambda: in_room(-70),
    "in a loud room": lambda: in_room(-40),
    "a fan": lambda: noise(6, -25),
    "nothing": lambda: np.zeros((4 * RATE, 1), np.float32),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_the_kernel_hears_what_the_browser_hears(name: str, tmp_path: Path) -> None:
    sound = SOUNDS[name]()
    sound.astype("<f4").tofile(tmp_path / "sound")
    static = (ROOT / "nbaudio" / "widgets" / "static").as_uri()
    code = _NODE.format(static=static, sound=(tmp_path / "sound").as_posix(), rate=RATE, piece=PIECE, silence_s=1.5)
    done = subprocess.run(
        [*node(), "--input-type=module", "-e", code], capture_output=True, text=True, check=True, timeout=60
    )

    there = json.loads(done.stdout)

    here = heard(sound)
    assert [one[1::2] for one in here] == [(is_heard, is_over) for _, is_heard, _, is_over in there]
    assert [one[0] for one in here] == pytest.approx([level for level, *_ in there], abs=0.01)
    assert [one[2] for one in here] == pytest.approx([silent_s for _, _, silent_s, _ in there])


@pytest.mark.parametrize("level_db", [-70, -50])
def test_a_question_ends_a_silence_after_its_last_word(level_db: float) -> None:
    said = heard(in_room(level_db))
    spoken_s = 1 + len(speech()) / RATE

    over_s = next(place for place, one in enumerate(said, 1) if one[3]) / 10

    assert spoken_s - 1.0 <= over_s - 1.5 <= spoken_s + 0.3
    assert not any(is_over for *_, is_over in heard(in_room(level_db), silence_s=0))


@pytest.mark.parametrize("name", ["a fan", "nothing"])
def test_noise_and_nothing_end_nothing(name: str) -> None:
    assert not any(is_heard or is_over for _, is_heard, _, is_over in heard(SOUNDS[name]()))


def test_levels() -> None:
    assert level_dbfs(np.ones((10, 1), np.float32)) == 0
    assert level_dbfs(np.zeros((10, 1), np.float32)) == SILENT_DBFS
    assert level_dbfs(np.zeros((0, 1), np.float32)) == SILENT_DBFS
