"""The magics themselves: parse, one call, return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand

from nbaudio.errors import CellError
from nbaudio.interpolate import interpolate
from nbaudio.magics.options import Option, Parsed, parse, setting_options, take_word, usage_text

if TYPE_CHECKING:
    from nbaudio.turns import Reply

__all__ = ["NbAudioMagics"]

_COMMON = [
    Option("output", "Also give the reply this name.", takes="NAME", letter="o"),
    Option("chat", "The conversation that this belongs to; by default the notebook's own.", takes="NAME"),
    Option("new", "Begin that conversation afresh."),
    Option("once", "Belong to no conversation."),
    Option("raw", "Send braces as they are typed, without putting in values."),
    Option("help", "Show this."),
]
_ALOUD = Option("aloud", "Answer with a voice, not in words alone.")
_SPEAK = """%%speak sends the cell's text to the model; the answer is spoken, with its words beside it.

    %%speak --voice coral
    Is a golden retriever a good family dog?

    reply = %speak Is a golden retriever a good family dog?

{name}, {name.attribute} and {name[key]} are replaced by values of the notebook."""
_LISTEN = """%%listen sends a recording, and what the cell says of it, to the model; the answer comes in words.

    %%listen question.wav
    What is the speaker's mood? Answer in one sentence.

    reply = %listen --aloud question.wav

The recording is a file (WAV, MP3, FLAC, Ogg, Opus), or the name of a Clip, a Reply, or bytes in the notebook."""


@magics_class
class NbAudioMagics(Magics):
    """``%%speak``, ``%%listen`` and ``%nbaudio``."""

    @no_var_expand
    @line_cell_magic
    def speak(self, line: str, cell: str | None = None) -> Reply | None:
        """Text in, a spoken answer out; ``%%speak --help`` says more."""
        options = [*setting_options(), *_COMMON]
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
    def listen(self, line: str, cell: str | None = None) -> Reply | None:
        """A recording in, an answer in words out; ``%%listen --help`` says more."""
        options = [_ALOUD, *setting_options(), *_COMMON]
        parsed = parse(line, options)
        if "help" in parsed.values:
            _show(usage_text("%%listen", _LISTEN, options))
            return None
        source, rest = take_word(parsed.rest)
        parse(rest, options, parsed)  # options may follow the recording too
        if not source:
            raise CellError("%%listen needs a recording.", "Name it: %%listen question.wav")
        text = "\n".join(filter(None, [parsed.rest, cell or ""]))
        aloud = bool(parsed.values.pop("aloud", False))
        return self._ask(parsed, text, source, aloud=aloud, shows=cell is not None)

    @no_var_expand
    @line_magic
    def nbaudio(self, line: str) -> None:
        """Where requests go, which model and voice, whether the offline engine is ready, and what is wrong."""
        if line.strip() in ("--help", "-h", "help"):
            _show("%nbaudio prints where requests go, which model and voice, and what is wrong if anything is.")
        elif line.strip():
            raise CellError(f"%nbaudio does not know {line.strip()!r}.", "Write %nbaudio alone.")
        else:
            from nbaudio.doctor import status

            _show(status())

    @property
    def _names(self) -> dict[str, Any]:
        assert self.shell is not None  # magics are made by a shell
        names: dict[str, Any] = self.shell.user_ns
        return names

    def _ask(self, parsed: Parsed, text: str, source: str, *, aloud: bool, shows: bool) -> Reply:
        # Imported by the first question, not by %load_ext: numpy and httpx take longer than everything else.
        from nbaudio.magics.asking import ask

        values = dict(parsed.values)
        name = values.pop("output", None)
        if name is not None and not name.isidentifier():
            raise CellError(f"{name!r} can't be the name of a variable.", "Write -o reply.")
        raw = values.pop("raw", False)
        if not raw:
            text, source = interpolate(text, self._names), interpolate(source, self._names)
            values = {
                key: interpolate(value, self._names) if isinstance(value, str) else value
                for key, value in values.items()
            }
        return ask(self.shell, self._names, text, source, aloud=aloud, shows=shows, name=name, **values)


def _show(text: str) -> None:
    print(text)  # noqa: T201 - what the person asked to read, in the cell's own output
