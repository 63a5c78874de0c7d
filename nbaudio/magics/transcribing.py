"""``%transcribe`` and ``%%transcribe``: a recording is written down, its words shown as they come."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from IPython.display import DisplayHandle, clear_output, display
from traitlets import Enum, Float

from nbaudio.display.reply import words_html
from nbaudio.errors import CellError, Interrupted, RequestError
from nbaudio.legible import legible
from nbaudio.magics.live import close_players_of_the_past, keep_player
from nbaudio.magics.options import Option, Parsed, parse, take_word
from nbaudio.sound.clip import Clip
from nbaudio.transcribing.calls import Event, Transcribed, transcribe
from nbaudio.transcribing.transcript import Transcript
from nbaudio.turns import Turn
from nbaudio.widgets.front_end import front_end, widget_view
from nbaudio.wire.answers import TextDelta
from nbaudio.wire.transcriptions import FORMS

__all__ = ["TRANSCRIBE", "Asked", "parse_transcribe", "transcribe_options", "write_down"]

TRANSCRIBE = """%transcribe writes down what is said in a recording of any length.

    %transcribe interview.wav
    notes = %transcribe interview.mp3 --timestamps word

    %%transcribe interview.wav --language en
    A talk with Dr. Kathryn Siobhan about retrievers.

The recording is a file, or a Clip, a Reply, a Turn or bytes in the notebook; --again takes the last one that you spoke.
What stands below %%transcribe is the prompt: names are written as they are there. The result is a Transcript, with
.text, .words, .segments, .captions, .vtt and .srt."""
"""What ``--help`` says first."""

_PAUSE_S = 0.1  # as in `nbaudio.magics.live`
_LONGEST_PLAYED_S = 1200.0  # a browser holds every sample of what a living player plays: 115 MB at 24,000 Hz
_TIMES = ["word", "segment"]
_CHUNKING = "auto|server_vad,threshold=X,..."


@dataclass
class Asked:
    """What a line wants: options by name, and the recording, empty where it is the last one."""

    parsed: Parsed
    source: str
    again: bool


def transcribe_options() -> list[Option]:
    """The options of ``%transcribe``."""
    return [
        Option("again", "Take the last recording of this notebook."),
        Option("language", "The language that is spoken, as en or de; several with commas.", "CODE"),
        Option("prompt", "A text whose style and names it follows; what stands below the line is one too.", "TEXT"),
        Option("keywords", "Words that are likely to be said.", "WORD,WORD"),
        Option("timestamps", "Which times are wanted.", "|".join(_TIMES), trait=Enum(_TIMES)),
        Option("diarize", "Tell speakers apart."),
        Option("speakers", "Who may speak: names, and clips of their voices.", "NAME=CLIP,..."),
        Option("confidence", "Say how sure the model is."),
        Option("translate", "Write it down in English."),
        Option("model", "The model that writes it down.", "NAME"),
        Option("temperature", "0 to 1; 0 takes the likeliest word.", "X", trait=Float()),
        Option("response_format", "The form of the server's answer, in place of the fitting one.", "|".join(FORMS)),
        Option("chunking", "How the server cuts the sound: auto, or server_vad and how it does it.", _CHUNKING),
        Option("stream", "Show words as they come; so it is by default."),
        Option("no_stream", "The opposite of --stream."),
        Option("output", "Also give the transcript this name.", "NAME", letter="o"),
        Option("raw", "Take braces as they are typed, without putting in values."),
        Option("help", "Show this."),
    ]


def parse_transcribe(line: str) -> Asked:
    """What a line of ``%transcribe`` wants.

    Raises
    ------
    CellError
        If that can't be.

    Examples
    --------
    >>> asked = parse_transcribe("--language en 'my talk.wav' --timestamps word")
    >>> asked.source, asked.parsed.values
    ('my talk.wav', {'language': 'en', 'timestamps': 'word'})
    """
    options = transcribe_options()
    parsed = parse(line, options)
    source, rest = take_word(parsed.rest)
    parse(rest, options, parsed)
    again = bool(parsed.values.pop("again", False))
    if "help" in parsed.values:
        return Asked(parsed, source, again)
    if parsed.rest:
        raise CellError(f"%transcribe does not know what to do with {parsed.rest!r}.", "Name one recording.")
    if again and source:
        raise CellError(f"--again is the last recording, and {source} is another one.", "Leave one of the two out.")
    if not (again or source):
        raise CellError("There is no recording named.", "Write %transcribe question.wav, or %transcribe --again.")
    return Asked(parsed, source, again)


def write_down(
    shell: Any, names: dict[str, Any], source: str, body: str, options: dict[str, Any], *, name: str | None, cell: bool
) -> Transcript:
    """The transcript of a recording.

    Parameters
    ----------
    shell : InteractiveShell
    names : dict
        The notebook's variables.
    source : str
        A file or a variable.
    body : str
        What stands below the line.
    options : dict
        As they were parsed.
    name : str, optional
        The variable that the transcript is given to.
    cell : bool
        Whether it is a cell magic, and the output its own.

    Raises
    ------
    NbaudioError
        In one of its kinds. What had come is shown and named before.
    """
    given = _options(options, names)
    given["prompt"] = "\n".join(filter(None, [str(given.get("prompt", "")), body.strip()]))
    streams = bool(given.pop("stream", True))
    events = transcribe(_recording(source, names), **given, stream=True)
    place = front_end(shell)
    shown = streams and (cell or place != "batch")
    live = _Words(place, own_output=cell) if shown else None
    transcript: Transcript | None = None
    try:
        try:
            for event in events:
                transcript = event.transcript if isinstance(event, Transcribed) else transcript
                if live is not None:
                    live.take(event)
        except KeyboardInterrupt as stop:
            # While words are being shown the stream hears of it only so: it ends the requests, and says what came.
            events.throw(stop)
    except (RequestError, Interrupted) as error:
        transcript = error.partial
        raise
    finally:
        if live is not None:
            live.finish()
        if transcript is not None:
            _show(shell, place, transcript, printed=live is not None and live.printed)
            if transcript.partial:
                display(transcript)  # what came of it, above the error
            if name:
                names[name] = transcript
    assert transcript is not None  # a stream that raises nothing ends with `Transcribed`
    return transcript


def _show(shell: Any, place: str, transcript: Transcript, *, printed: bool) -> None:
    """Have it shown as fits whoever reads the output."""
    if place == "terminal" and printed:  # the words stand above already
        facts = "; ".join(note.rstrip(".") for note in transcript.notes)
        transcript.show_once_with({"text/plain": f"[{facts}]" if facts else ""})
    elif place == "live" and transcript.clip is not None and transcript.duration_s <= _LONGEST_PLAYED_S:
        from nbaudio.widgets.player import Player

        close_players_of_the_past(shell)
        player = Player(transcript)
        keep_player(shell, player)
        transcript.show_once_with(widget_view(player.model_id), live=player.key)


class _Words:
    """Words as they come: by display updates, at most ten a second, or printed in a terminal."""

    def __init__(self, place: str, *, own_output: bool) -> None:
        self._prints, self._own_output = place == "terminal", own_output
        self._handle = DisplayHandle()
        self._words: list[str] = []
        self._shown = False
        self._last_s = 0.0
        self.printed = False

    def take(self, event: Event) -> None:
        """Take what has come."""
        if not isinstance(event, TextDelta):
            return
        text = event.text
        self._words.append(text)
        if self._prints:
            sys.stdout.write("".join(letter for letter in legible(text) if letter.isprintable() or letter == "\n"))
            sys.stdout.flush()
            self.printed = True
        elif time.monotonic() - self._last_s >= _PAUSE_S:
            self._last_s = time.monotonic()
            words = "".join(self._words)
            bundle = {"text/html": str(words_html(words)), "text/plain": legible(words)}
            show = self._handle.update if self._shown else self._handle.display
            self._shown = True  # before it is: an interrupt in between leaves words that are to be cleared
            show(bundle, raw=True)

    def finish(self) -> None:
        """Make room for the transcript."""
        if self.printed:
            sys.stdout.write("\n")
        elif self._shown and self._own_output:
            clear_output(wait=True)
        elif self._shown:
            self._handle.update({"text/plain": "", "text/html": ""}, raw=True)


def _options(options: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the line as `transcribe` takes them."""
    given = dict(options)
    if "language" in given:
        codes = [code.strip() for code in given["language"].split(",") if code.strip()]
        given["language"] = codes[0] if len(codes) == 1 else codes
    if "keywords" in given:
        given["keywords"] = [word.strip() for word in given["keywords"].split(",") if word.strip()]
    if "speakers" in given:
        given["speakers"] = dict(_speaker(part, names) for part in given["speakers"].split(","))
    if "chunking" in given:
        given["chunking"] = _chunking(given["chunking"])
    return given


def _chunking(text: str) -> str | dict[str, Any]:
    """The server's ``chunking_strategy``, from its kind and the fields of its object."""
    kind, *fields = (part.strip() for part in text.split(","))
    if kind == "auto" and not fields:
        return kind
    made: dict[str, Any] = {"type": kind}
    for field in fields:
        key, sign, value = (part.strip() for part in field.partition("="))
        try:
            made[key] = float(value) if "." in value else int(value)
        except ValueError:
            sign = ""
        if not (key and sign):
            raise CellError(f"--chunking can't be {text!r}.", "Write --chunking server_vad,threshold=0.4")
    return made


def _speaker(part: str, names: Mapping[str, Any]) -> tuple[str, Any]:
    who, sign, source = (text.strip() for text in part.partition("="))
    if not (who and sign and source):
        raise CellError(f"--speakers can't be {part!r}.", "Write --speakers Ada=ada_clip,Bob=bob.wav")
    sound = _recording(source, names)
    return who, sound.clip if isinstance(sound, Turn) else Clip(sound)


def _recording(source: str, names: Mapping[str, Any]) -> Any:
    value = names.get(source)
    if isinstance(value, (Turn, Transcript, Clip, bytes, Path)):
        return value
    if value is not None and source.isidentifier() and not Path(source).exists():
        raise CellError(
            f"{source} is a {type(value).__name__}, no recording.",
            f"Make a clip of it: clip = nbaudio.Clip({source}, sample_rate=...)",
        )
    return source
