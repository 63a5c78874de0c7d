"""The magics themselves: parse, one call, return."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand

from nbaudio.errors import CellError
from nbaudio.interpolate import interpolate
from nbaudio.magics.listening import LISTEN, Listen, listen_options, parse_listen
from nbaudio.magics.options import COMMON, Option, Parsed, parse, setting_options, usage_text
from nbaudio.magics.transform import AWAITED, SHOWN

if TYPE_CHECKING:
    from nbaudio.speaking.speech import Speech
    from nbaudio.transcribing.transcript import Transcript
    from nbaudio.turns import Reply

__all__ = ["NbAudioMagics"]

_SPEAK = """%%speak sends the cell's text to the model; the answer is spoken, with its words beside it.

    %%speak --voice coral
    Is a golden retriever a good family dog?

    reply = %speak Is a golden retriever a good family dog?

{name}, {name.attribute} and {name[key]} are replaced by values of the notebook."""

_SAY = """%%say has the cell's text spoken as it stands, with no model that answers it.

    %%say --voice coral
    The **train** to [Graz](https://example.org) leaves at noon.

    speech = %say The train leaves at noon.

Markdown, code and tables become words worth saying. {name} is replaced by a value of the notebook."""


def _say_options() -> list[Option]:
    return [
        *setting_options(("voice", "speed", "play", "stream")),
        Option("model", "The model that speaks; by default NbAudio.speech_model, else the server's.", takes="NAME"),
        Option("instructions", "The manner of speaking, for models that can be told.", takes="TEXT"),
        Option("format", "What the server sends: pcm, which is heard as it comes, wav, mp3, opus, flac.", takes="NAME"),
        Option("as_is", "Say the text as it is written, with its marks."),
        *(option for option in COMMON if option.name in ("output", "raw", "help")),
    ]


@magics_class
class NbAudioMagics(Magics):
    """``%%speak``, ``%%listen``, ``%%say``, ``%transcribe``, ``%talk`` and ``%nbaudio``."""

    @no_var_expand
    @line_cell_magic
    def speak(self, line: str, cell: str | None = None) -> Reply | None:
        """Text in, a spoken answer out; ``%%speak --help`` says more."""
        options = [*setting_options(), *COMMON]
        parsed = parse(line, options)
        if "help" in parsed.values:
            _show(usage_text("%%speak", _SPEAK, options))
            return None
        if cell is not None and parsed.rest:
            raise CellError(
                f"%%speak does not know what to do with {parsed.rest!r}.", "Write the text below that line."
            )
        text = parsed.rest if cell is None else cell
        if not text.strip():
            where = "after %speak" if cell is None else "below %%speak"
            raise CellError("The cell is empty: there is nothing to say.", f"Write a question {where}.")
        return self._ask(parsed, text, "", aloud=True, shows=cell is not None)

    @no_var_expand
    @line_cell_magic
    def listen(self, line: str, cell: str | None = None) -> Reply | Awaitable[Reply] | None:
        """What is said, or a recording, in; an answer in words out; ``%%listen --help`` says more."""
        wanted = parse_listen(line.removeprefix(AWAITED))
        if "help" in wanted.parsed.values:
            _show(usage_text("%%listen", LISTEN, listen_options()))
            return None
        text = "\n".join(filter(None, [wanted.text, cell or ""]))
        aloud = bool(wanted.parsed.values.pop("aloud", False))
        shows = cell is not None
        if not wanted.waits:
            return self._ask(wanted.parsed, text, wanted.source, aloud=aloud, shows=shows, again=wanted.again)
        if not line.startswith(AWAITED):
            raise CellError(
                "A recording can't be waited for inside a function, a class or another magic.",
                "Use %listen outside of it, or name a file: %listen question.wav",
            )
        return self._record(wanted, text, aloud=aloud, shows=shows)

    @no_var_expand
    @line_cell_magic
    def say(self, line: str, cell: str | None = None) -> Speech | None:
        """A text, spoken as it stands; ``%%say --help`` says more."""
        options = _say_options()
        parsed = parse(line.removeprefix(SHOWN), options)
        if "help" in parsed.values:
            _show(usage_text("%%say", _SAY, options))
            return None
        if cell is not None and parsed.rest:
            raise CellError(f"%%say does not know what to do with {parsed.rest!r}.", "Write the text below that line.")
        text = parsed.rest if cell is None else cell
        if not text.strip():
            where = "after %say" if cell is None else "below %%say"
            raise CellError("The cell is empty: there is nothing to say.", f"Write a text {where}.")
        from nbaudio.magics.saying import say

        shows = cell is not None or line.startswith(SHOWN)
        name, text, _, values = self._filled(parsed, text, "")
        return say(self.shell, self._names, text, shows=shows, name=name, **values)

    @no_var_expand
    @line_cell_magic
    def transcribe(self, line: str, cell: str | None = None) -> Transcript | None:
        """A recording in, what is said in it out; ``%transcribe --help`` says more."""
        from nbaudio.magics.transcribing import TRANSCRIBE, parse_transcribe, transcribe_options, write_down

        asked = parse_transcribe(line)
        if "help" in asked.parsed.values:
            _show(usage_text("%transcribe", TRANSCRIBE, transcribe_options()))
            return None
        name, body, source, values = self._filled(asked.parsed, cell or "", asked.source)
        if asked.again:
            source = _last_recording()
        return write_down(self.shell, self._names, source, body, values, name=name, cell=cell is not None)

    @no_var_expand
    @line_magic
    def talk(self, line: str) -> None:
        """A spoken conversation with an open microphone; ``%talk --help`` says more."""
        from nbaudio.magics.talking import TALK, talk, talk_options

        options = talk_options()
        parsed = parse(line, options)
        if "help" in parsed.values:
            _show(usage_text("%talk", TALK, options))
            return
        if parsed.rest:
            raise CellError(f"%talk does not know what to do with {parsed.rest!r}.", "Options alone: %talk --help")
        name, _, _, values = self._filled(parsed, "", "")
        talk(self.shell, self._names, name=name, **values)

    @no_var_expand
    @line_magic
    def nbaudio(self, line: str) -> None:
        """Where requests go, and what is wrong if anything is; ``%nbaudio --help`` lists what else it can do."""
        from nbaudio.magics.commands import run

        run(line)

    @property
    def _names(self) -> dict[str, Any]:
        assert self.shell is not None  # magics are made by a shell
        names: dict[str, Any] = self.shell.user_ns
        return names

    def _ask(self, parsed: Parsed, text: str, source: str, *, aloud: bool, shows: bool, again: bool = False) -> Reply:
        # Imported by the first question, not by %load_ext: numpy and httpx take longer than everything else.
        from nbaudio.magics.asking import ask

        name, text, source, values = self._filled(parsed, text, source)
        if again:
            source = _last_recording()
        return ask(self.shell, self._names, text, source, aloud=aloud, shows=shows, name=name, **values)

    def _record(self, wanted: Listen, text: str, *, aloud: bool, shows: bool) -> Awaitable[Reply]:
        from nbaudio.magics.recording import record_and_ask

        name, text, _, values = self._filled(wanted.parsed, text, "")
        how = wanted.recorder
        return record_and_ask(self.shell, self._names, text, how, aloud=aloud, shows=shows, name=name, **values)

    def _filled(self, parsed: Parsed, text: str, source: str) -> tuple[str | None, str, str, dict[str, Any]]:
        """The name of the reply, and text, recording and options with values put in for ``{name}``."""
        values = dict(parsed.values)
        name = values.pop("output", None)
        if name is not None and not name.isidentifier():
            raise CellError(f"{name!r} can't be the name of a variable.", "Write -o reply.")
        if not values.pop("raw", False):
            text, source = interpolate(text, self._names), interpolate(source, self._names)
            values = {
                key: interpolate(value, self._names) if isinstance(value, str) else value
                for key, value in values.items()
            }
        return name, text, source, values


def _last_recording() -> str:
    from nbaudio.widgets.recordings import latest

    path = latest()
    if path is None:
        raise CellError("Nothing has been recorded in this notebook yet.", "Run %%listen, and speak.")
    return str(path)


def _show(text: str) -> None:
    print(text)  # noqa: T201 - what the person asked to read, in the cell's own output
