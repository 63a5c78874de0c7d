"""An answer in a terminal: its words as they come, its sound by a program that plays sound, or in a file."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nbaudio.speaking.speech import Speech
from nbaudio.turns import Reply
from nbaudio.wire.answers import AudioDelta, TextDelta

__all__ = ["TerminalAnswer", "player_command"]

_FOLDER = Path("nbaudio-media")

# What plays a WAV file and ends, quietly; those that a system brings itself come first.
_PROGRAMS = (
    ("afplay",),
    ("pw-play",),
    ("paplay",),
    ("aplay", "-q"),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "quiet"),
    ("mpv", "--no-video", "--really-quiet"),
)


class TerminalAnswer:
    """Prints words as they come; at the end the sound is played, or kept in a file where nothing plays it.

    Parameters
    ----------
    play : {"queue", "auto", "click"}
        With ``"click"`` the sound is only kept: there is nothing to click on.
    """

    def __init__(self, play: str) -> None:
        self._play = play != "click"
        self._printed = False

    def add(self, event: TextDelta | AudioDelta) -> None:
        """Take one piece."""
        if isinstance(event, TextDelta):
            sys.stdout.write(_printable(event.text))
            sys.stdout.flush()
            self._printed = True

    def finish(self, reply: Reply | Speech | None, *, stopped: bool = False) -> bool:
        """Play the sound, or say where it is."""
        if self._printed:
            sys.stdout.write("\n")
        if reply is None:
            return False
        facts = [note.rstrip(".") for note in reply.notes]
        if reply.clip is not None:
            facts.insert(0, f"spoken, {reply.clip.duration_s:.1f} s{self._sound(reply, stopped)}")
        if self._printed:  # the words stand above already
            reply.show_once_with({"text/plain": f"[{'; '.join(facts)}]" if facts else ""})
        return False

    def _sound(self, reply: Reply | Speech, stopped: bool) -> str:
        """Make the sound heard; gives what is to be said of it."""
        assert reply.clip is not None  # the caller has looked
        command = player_command() if self._play and not stopped else None
        if command is not None:
            try:
                with tempfile.TemporaryDirectory() as folder:
                    file = reply.clip.save(Path(folder) / "answer.wav")
                    done = subprocess.run([*command, str(file)], check=False, stderr=subprocess.DEVNULL)  # noqa: S603 - a program of the list above
            except KeyboardInterrupt:  # enough was heard: the answer is here all the same
                return ""
            if done.returncode == 0:
                return ""
        file = _FOLDER / f"{reply.clip.sha256[:16]}.wav"
        try:
            _FOLDER.mkdir(exist_ok=True)
            reply.clip.save(file)
        except OSError as error:
            return f", which can't be kept in {_FOLDER} ({error.strerror}): use reply.clip.save(...)"
        return f", in {file.as_posix()}"


def player_command() -> list[str] | None:
    """The program of this machine that plays a WAV file; None where there is none."""
    for program, *options in _PROGRAMS:
        if path := shutil.which(program):
            return [path, *options]
    if sys.platform == "win32":
        play = "import sys, winsound; winsound.PlaySound(sys.argv[1], winsound.SND_FILENAME)"
        return [sys.executable, "-c", play]
    return None


def _printable(text: str) -> str:
    """Text from a model, which must not drive the terminal: no escape sequences."""
    return "".join(character for character in text if character.isprintable() or character in "\n\t")
