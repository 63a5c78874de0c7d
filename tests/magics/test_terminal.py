"""A spoken answer in a real terminal IPython, with programs on the path that play sound or fail to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from openai_server import OpenAIServer, ToolCall

import nbaudio as nba
from nbaudio.magics.terminal import _printable


def ipython(folder: Path, lines: str, programs: Path) -> str:
    """What a terminal session prints for these lines."""
    environment = {**os.environ, "IPYTHONDIR": str(folder / "ipython"), "PATH": str(programs), "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--simple-prompt", "--no-banner", "--no-confirm-exit", "--colors=NoColor"],
        input=f"%load_ext nbaudio\n{lines}\nexit\n",
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    return folder


def program(folder: Path, name: str, does: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{does}\n")
    (folder / name).chmod(0o755)


SPEAK = "get_ipython().run_cell_magic('speak', '', 'Is it good?');"


@pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")
def test_the_words_are_printed_and_the_sound_is_played(server: OpenAIServer, tmp_path: Path, programs: Path) -> None:
    program(programs, "paplay", f'/bin/cp "$1" {tmp_path}/heard.wav')
    printed = ipython(tmp_path, SPEAK.rstrip(";"), programs)

    clip = nba.Clip(tmp_path / "heard.wav")
    assert f"[spoken, {clip.duration_s:.1f} s]" in printed
    assert not (tmp_path / "nbaudio-media").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows always has a player")
def test_where_nothing_plays_sound_it_is_kept_in_a_file(server: OpenAIServer, tmp_path: Path, programs: Path) -> None:
    printed = ipython(tmp_path, SPEAK.rstrip(";"), programs)

    (kept,) = (tmp_path / "nbaudio-media").iterdir()
    assert f", in nbaudio-media/{kept.name}]" in printed
    assert nba.Clip(kept).duration_s > 0


@pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")
def test_a_player_that_fails_loses_nothing(server: OpenAIServer, tmp_path: Path, programs: Path) -> None:
    program(programs, "aplay", "exit 1")
    assert "in nbaudio-media/" in ipython(tmp_path, SPEAK.rstrip(";"), programs)


def test_words_of_a_model_do_not_drive_the_terminal() -> None:
    assert _printable("a\x1b[2Jb\rc\x07\nd") == "a[2Jbc\nd"


def test_tools_and_what_was_said_stand_above_the_answer_once(
    server: OpenAIServer, tmp_path: Path, programs: Path
) -> None:
    server.script = [[ToolCall("get_weather", {"city": "Paris\x1b[31m"})], "It is mild."]
    server.heard = "Weather?\x1b[31m"
    nba.Clip.from_pcm16(bytes(24_000)).save(tmp_path / "question.wav")
    said = ipython(
        tmp_path,
        "def get_weather(city): return 'mild'\n\n"
        "get_ipython().run_cell_magic('listen', '--tools get_weather --transcribe question.wav', 'Hm?');",
        programs,
    )
    assert "\x1b[31m" not in said
    lines = [line for line in said.splitlines() if "[calls" in line or "gave:" in line or "[You said" in line]
    assert [re.sub(r"^(In \[\d+\]: )+", "", line) for line in lines] == [
        '[calls get_weather({"city":"Paris\\u001b[31m"})]',
        "[get_weather gave: mild]",
        "[You said: Weather?\ufffd[31m]",
    ]
    assert "It is mild." in said


@pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")
def test_a_text_is_printed_and_played(server: OpenAIServer, tmp_path: Path, programs: Path) -> None:
    program(programs, "paplay", f'/bin/cp "$1" {tmp_path}/heard.wav')
    printed = ipython(tmp_path, "%say **Is** it\x1b[31m good?", programs)

    assert nba.Clip(tmp_path / "heard.wav") == nba.Clip(server.speech(server.requests[0].body["input"]), 24_000)
    assert "Is it[31m good?" in printed
    assert "[spoken, 1.2 s]" in printed
    assert "\x1b[31m" not in printed


@pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")
@pytest.mark.parametrize("magic", ["speak", "say"])
def test_an_interrupt_while_it_plays_ends_the_playing_only(
    server: OpenAIServer, tmp_path: Path, programs: Path, magic: str
) -> None:
    program(programs, "paplay", "kill -INT $PPID; exec /bin/sleep 30")
    asked = f"get_ipython().run_cell_magic({magic!r}, '-o kept', 'Is it good?')"
    printed = ipython(tmp_path, f"{asked}\nprint('It', 'is', kept is _, kept.text)", programs)
    assert re.search(r"\[spoken, \d\.\d s\]", printed)
    assert f"It is True {'Is it good?' if magic == 'say' else server.words}" in printed
    assert "KeyboardInterrupt" not in printed
