"""``%talk``: a spoken conversation in the notebook, in which either side may begin at any time."""

from __future__ import annotations

from typing import Any

from IPython.display import display

from nbaudio.errors import CellError
from nbaudio.magics.asking import conversation, find_tools
from nbaudio.magics.options import COMMON, Option, setting_options
from nbaudio.widgets.front_end import front_end
from nbaudio.widgets.voice_chat import VoiceChat

__all__ = ["TALK", "talk", "talk_options"]

TALK = """%talk shows a conversation with an open microphone: speak, be answered at once, and interrupt.

    %talk
    %talk --voice coral --instructions "You are a patient teacher of French." --language fr
    %talk --hold

Press "Begin talking" there. Your cells run meanwhile, and what is said is in the notebook's conversation, which
%%speak and %%listen share. Only servers with Realtime sessions can do it, and the offline engine."""


def talk_options() -> list[Option]:
    """The options of ``%talk``."""
    return [
        *setting_options(("voice", "instructions")),
        Option("model", "The Realtime model; by default the server's.", takes="NAME"),
        Option("hold", "Hold a button, or Space, while you speak; else a silence ends your turn."),
        Option("semantic", "Your turn ends when what you said sounds finished, where the server can tell."),
        Option("language", "What you speak, such as en.", takes="CODE"),
        Option("words", "Answers in words alone."),
        *(option for option in COMMON if option.name in ("output", "chat", "new", "once", "tools", "help")),
    ]


def talk(shell: Any, names: dict[str, Any], *, name: str | None = None, **options: Any) -> None:
    """Show the conversation in the running cell.

    Parameters
    ----------
    shell : InteractiveShell
    names : dict
        The notebook's variables.
    name : str, optional
        The variable that the widget is given to.
    options : Any
        Values of `talk_options` by name.

    Raises
    ------
    CellError
        In a terminal, which has no page; and for options that can't be.
    """
    if front_end(shell) == "terminal":
        raise CellError(
            "%talk needs a notebook: the page has the microphone and the loudspeaker.",
            "nbaudio.Realtime talks from a program, see docs/realtime.md.",
        )
    find_tools(options, names)
    chat = conversation(options)
    aloud = not options.pop("words", False)
    widget = VoiceChat(chat, aloud=aloud, realtime={"turn_detection": _turn_detection(options), **options})
    if name:
        names[name] = widget
    display(widget)


def _turn_detection(options: dict[str, Any]) -> str:
    hold, semantic = options.pop("hold", False), options.pop("semantic", False)
    if hold and semantic:
        raise CellError("--hold and --semantic exclude each other.", "With --hold nobody listens for the end.")
    return "push_to_talk" if hold else "semantic_vad" if semantic else "server_vad"
