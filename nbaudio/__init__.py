"""Talk with an audio model from a notebook.

    %load_ext nbaudio

    %%speak
    Is a golden retriever a good family dog?

Everything that the magics do can be done from Python with the same names:

    import nbaudio as nba
    reply = nba.chat().say("Is a golden retriever a good family dog?")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbaudio.captions.phrases import Captions
    from nbaudio.connecting import connect
    from nbaudio.conversation.chats import chat, chats
    from nbaudio.conversation.talk import Conversation
    from nbaudio.errors import NbaudioError
    from nbaudio.events import (
        CutShort,
        Finished,
        Noticed,
        SpeechBegan,
        SpeechEnded,
        ToolCalled,
        ToolReturned,
        WrittenDown,
    )
    from nbaudio.prices import Cost
    from nbaudio.realtime.secret import realtime_secret
    from nbaudio.realtime.session import Realtime
    from nbaudio.settings import NbAudio
    from nbaudio.sound.clip import Clip
    from nbaudio.speaking.saying import aspeak, speak
    from nbaudio.speaking.speech import Speech
    from nbaudio.spending.accounts import usage
    from nbaudio.spending.budget import Budget
    from nbaudio.spending.estimate import RequestSize
    from nbaudio.transcribing.calls import Transcribed, atranscribe, transcribe
    from nbaudio.transcribing.checking import assert_said
    from nbaudio.transcribing.transcript import Transcript
    from nbaudio.turns import Reply, ToolResult, Turn
    from nbaudio.widgets.player import Player
    from nbaudio.widgets.recorder import Recorder
    from nbaudio.widgets.voice_chat import VoiceChat
    from nbaudio.wire.answers import AudioDelta, TextDelta
    from nbaudio.wire.tool_calls import ToolCall
    from nbaudio.wire.transcripts import Segment, Word
    from nbaudio.wire.usage import Usage

__version__ = "0.1.0"
__all__ = [
    "AudioDelta",
    "Budget",
    "Captions",
    "Clip",
    "Conversation",
    "Cost",
    "CutShort",
    "Finished",
    "NbAudio",
    "NbaudioError",
    "Noticed",
    "Player",
    "Realtime",
    "Recorder",
    "Reply",
    "RequestSize",
    "Segment",
    "Speech",
    "SpeechBegan",
    "SpeechEnded",
    "TextDelta",
    "ToolCall",
    "ToolCalled",
    "ToolResult",
    "ToolReturned",
    "Transcribed",
    "Transcript",
    "Turn",
    "Usage",
    "VoiceChat",
    "Word",
    "WrittenDown",
    "aspeak",
    "assert_said",
    "atranscribe",
    "chat",
    "chats",
    "connect",
    "errors",
    "history",
    "realtime_secret",
    "speak",
    "transcribe",
    "usage",
]

# Where each public name lives. It is imported when it is first used, so that `import nbaudio` costs next to nothing.
_HOMES = {
    "AudioDelta": "nbaudio.wire.answers",
    "Budget": "nbaudio.spending.budget",
    "Captions": "nbaudio.captions.phrases",
    "Clip": "nbaudio.sound.clip",
    "Conversation": "nbaudio.conversation.talk",
    "Cost": "nbaudio.prices",
    "CutShort": "nbaudio.events",
    "Finished": "nbaudio.events",
    "NbAudio": "nbaudio.settings",
    "NbaudioError": "nbaudio.errors",
    "Noticed": "nbaudio.events",
    "Player": "nbaudio.widgets.player",
    "Realtime": "nbaudio.realtime.session",
    "Recorder": "nbaudio.widgets.recorder",
    "Reply": "nbaudio.turns",
    "RequestSize": "nbaudio.spending.estimate",
    "Segment": "nbaudio.wire.transcripts",
    "Speech": "nbaudio.speaking.speech",
    "SpeechBegan": "nbaudio.events",
    "SpeechEnded": "nbaudio.events",
    "TextDelta": "nbaudio.wire.answers",
    "ToolCall": "nbaudio.wire.tool_calls",
    "ToolCalled": "nbaudio.events",
    "ToolResult": "nbaudio.turns",
    "ToolReturned": "nbaudio.events",
    "Transcribed": "nbaudio.transcribing.calls",
    "Transcript": "nbaudio.transcribing.transcript",
    "Turn": "nbaudio.turns",
    "Usage": "nbaudio.wire.usage",
    "VoiceChat": "nbaudio.widgets.voice_chat",
    "Word": "nbaudio.wire.transcripts",
    "WrittenDown": "nbaudio.events",
    "aspeak": "nbaudio.speaking.saying",
    "assert_said": "nbaudio.transcribing.checking",
    "atranscribe": "nbaudio.transcribing.calls",
    "chat": "nbaudio.conversation.chats",
    "chats": "nbaudio.conversation.chats",
    "connect": "nbaudio.connecting",
    "realtime_secret": "nbaudio.realtime.secret",
    "speak": "nbaudio.speaking.saying",
    "transcribe": "nbaudio.transcribing.calls",
    "usage": "nbaudio.spending.accounts",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name in ("errors", "history"):
        return importlib.import_module(f"nbaudio.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'nbaudio' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: Any) -> None:
    """Bring the magics into a notebook: ``%load_ext nbaudio``."""
    from nbaudio.magics.cells import NbAudioMagics
    from nbaudio.magics.transform import await_recordings, fill_empty_body, keep_question_marks, show_lone_say
    from nbaudio.magics.typed_keys import warn_of_typed_keys
    from nbaudio.settings import NbAudio

    options = NbAudio.instance(parent=shell)
    options.take_profile(shell)
    if options not in shell.configurables:
        shell.configurables.append(options)  # so that %config NbAudio finds it
    for transforms, ours in (
        (shell.input_transformers_cleanup, show_lone_say),
        (shell.input_transformers_cleanup, keep_question_marks),
        (shell.input_transformers_post, fill_empty_body),
        (shell.input_transformers_post, await_recordings),
    ):
        if ours not in transforms:
            transforms.append(ours)
    if warn_of_typed_keys not in shell.events.callbacks["pre_run_cell"]:
        shell.events.register("pre_run_cell", warn_of_typed_keys)
    shell.register_magics(NbAudioMagics)
