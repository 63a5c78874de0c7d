"""The options of a magic: read from the line, with the text after them left exactly as it is.

argparse and shlex would choke on the first apostrophe of a question, so only what begins with a dash is cut up.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from traitlets import Bool, Enum, Float, Int, TraitError

from nbaudio.errors import CellError
from nbaudio.settings import NbAudio, from_text

__all__ = ["COMMON", "Option", "Parsed", "parse", "setting_options", "take_word", "usage_text"]

_SHAPING = (
    "voice", "model", "instructions", "play", "stream", "audio_format", "max_completion_tokens", "temperature", "cache",
)  # fmt: skip


@dataclass(frozen=True)
class Option:
    """One option: its name, which is ``--name`` on the line; `letter` is its short form; `takes` names its value."""

    name: str
    help: str
    takes: str = ""
    letter: str = ""
    trait: Any = None

    @property
    def flag(self) -> str:
        """How it is written."""
        return "--" + self.name.replace("_", "-")


COMMON = [
    Option("output", "Also give the reply this name.", takes="NAME", letter="o"),
    Option("chat", "The conversation that this belongs to; by default the notebook's own.", takes="NAME"),
    Option("new", "Begin that conversation afresh."),
    Option("once", "Belong to no conversation."),
    Option("tools", "Functions of the notebook that the model may call.", takes="NAME,NAME"),
    Option("raw", "Send braces as they are typed, without putting in values."),
    Option("help", "Show this."),
]
"""What ``%%speak`` and ``%%listen`` both know."""


@dataclass
class Parsed:
    """What a line says: option values by name, and the rest of it as typed."""

    values: dict[str, Any] = field(default_factory=dict)
    rest: str = ""


def setting_options(names: Sequence[str] = _SHAPING) -> list[Option]:
    """The options that shape a request, from the settings that they override for one cell."""
    traits = NbAudio.class_traits(config=True)
    made = []
    for name in names:
        trait = traits[name]
        takes = {Bool: "", Int: "N", Float: "X"}.get(type(trait), "NAME")
        if isinstance(trait, Enum):
            takes = "|".join(str(value) for value in trait.values)  # type: ignore[union-attr]
        made.append(Option(name, trait.help or "", takes, trait=trait))
        if isinstance(trait, Bool):
            made.append(Option(f"no_{name}", f"The opposite of --{name}.", trait=trait))
    return made


def parse(line: str, options: Sequence[Option], into: Parsed | None = None) -> Parsed:
    r"""The options at the beginning of a line, and the rest of it.

    ``--`` ends the options, for a text that begins with a dash.

    Raises
    ------
    CellError
        For an unknown option (with the nearest known one), and a value that is missing or wrong.

    Examples
    --------
    >>> known = [Option("voice", "", takes="NAME"), Option("raw", "")]
    >>> parsed = parse('--voice "coral" --raw what\'s that?', known)
    >>> parsed.values, parsed.rest
    ({'voice': 'coral', 'raw': True}, "what's that?")
    """
    parsed = into or Parsed()
    known = {option.flag: option for option in options} | {f"-{o.letter}": o for o in options if o.letter}
    rest = line.strip()
    while match := re.match(r"(--?[A-Za-z][\w-]*)(=?)", rest):
        option = known.get(match[1])
        if option is None:
            raise CellError(f"There is no option {match[1]}.", _nearest(match[1], known))
        rest = rest[match.end() :]
        if not option.takes:
            if match[2]:
                raise CellError(f"{match[1]} takes no value.", f"Write {match[1]} alone.")
            name, value = (option.name[3:], False) if option.name.startswith("no_") else (option.name, True)
            parsed.values[name] = value
        else:
            quote = rest.lstrip()[:1]
            word, rest = take_word(rest)
            if quote in ("'", '"'):
                if word.startswith(quote):
                    raise CellError(f"The quotes after {match[1]} don't close.", f"Write {match[1]} {quote}...{quote}.")
            elif not word or word in known:
                raise CellError(f"{match[1]} needs a value.", f"Write {match[1]} {option.takes}.")
            parsed.values[option.name] = _value(option, match[1], word)
        rest = rest.lstrip()
    parsed.rest = rest[2:].lstrip() if re.match(r"--(\s|$)", rest) else rest
    return parsed


def take_word(text: str) -> tuple[str, str]:
    """The first word of a text, which may be in quotes, and the rest.

    >>> take_word('"my file.wav" what is it?')
    ('my file.wav', 'what is it?')
    """
    text = text.strip()
    if match := re.match(r"\"([^\"]*)\"(?=\s|$)|'([^']*)'(?=\s|$)", text):
        word = match[1] if match[1] is not None else match[2]
    else:
        match = re.match(r"\S*", text)
        assert match is not None  # \S* matches anything
        word = match[0]
    return word, text[match.end() :].lstrip()


def usage_text(magic: str, summary: str, options: Sequence[Option]) -> str:
    """What ``--help`` prints."""
    lines = [summary, "", f"Options of {magic}:"]
    for option in options:
        written = ", ".join(filter(None, [f"-{option.letter}" if option.letter else "", option.flag]))
        lines.append(f"  {(written + ' ' + option.takes).strip():<34} {option.help}")
    return "\n".join(lines)


def _value(option: Option, flag: str, word: str) -> Any:
    if option.trait is None:
        return word
    try:
        value = from_text(option.trait, word)
        return option.trait.validate(NbAudio.instance(), value)
    except (TraitError, ValueError):
        raise CellError(f"{flag} can't be {word!r}.", f"Write {flag} {option.takes}.") from None


def _nearest(flag: str, known: Mapping[str, Option]) -> str:
    near = difflib.get_close_matches(flag, known, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {near[0]}?"
    return f"Known ones: {', '.join(name for name in known if name.startswith('--'))}. A text may begin after --."
