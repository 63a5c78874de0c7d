"""The public names: which they are, that each is there and documented, and that none is hidden by a module."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import nbaudio

PUBLIC = [
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


def test_these_are_the_public_names() -> None:
    assert nbaudio.__all__ == PUBLIC
    assert set(PUBLIC) <= set(dir(nbaudio))


@pytest.mark.parametrize("name", PUBLIC)
def test_each_is_there_with_a_docstring(name: str) -> None:
    value = getattr(nbaudio, name)

    assert inspect.getdoc(value)
    if not isinstance(value, ModuleType):
        assert value.__name__ == name
        assert value.__module__.startswith("nbaudio.")


@pytest.mark.parametrize("name", PUBLIC)
def test_no_module_of_the_same_name_hides_it(name: str) -> None:
    # Importing nbaudio.chat, if there were one, would put that module in the place of nbaudio.chat().
    folder = Path(nbaudio.__file__).parent
    is_module = (folder / f"{name}.py").exists() or (folder / name).is_dir()

    assert is_module is isinstance(getattr(nbaudio, name), ModuleType)


@pytest.mark.parametrize("name", PUBLIC)
def test_what_a_public_class_offers_is_documented(name: str) -> None:
    value = getattr(nbaudio, name)
    if not inspect.isclass(value):
        return
    for attribute, member in vars(value).items():
        if attribute.startswith("_") or not (callable(member) or isinstance(member, property | classmethod)):
            continue
        assert inspect.getdoc(member), f"{name}.{attribute} has no docstring"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'nbaudio' has no attribute 'Klip'"):
        _ = nbaudio.Klip
    assert not hasattr(nbaudio, "_ipython_display_")


def test_a_star_import_gives_the_public_names() -> None:
    code = "from nbaudio import *; print(sorted(name for name in dir() if not name.startswith('_')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert eval(done.stdout) == sorted(PUBLIC)


def test_the_version_is_one() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", nbaudio.__version__)
