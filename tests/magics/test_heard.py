"""``%%listen --transcribe`` where what was said can't be written down."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from abilities import able
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from openai_server import OpenAIServer
from traitlets.config import Config

import nbaudio as nba
from nbaudio import errors
from nbaudio.engine.weights import models
from nbaudio.magics import heard
from nbaudio.magics.above import Above
from nbaudio.magics.asking import aask, ask

QUESTION = Path(__file__).parents[2] / "notebooks" / "question.wav"
OPTIONS: dict[str, Any] = {"aloud": True, "name": "reply", "transcribe": True, "chat": "heard", "new": True}


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    yield InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    InteractiveShell.clear_instance()


def text_of(captured: Any) -> str:
    return captured.stdout + "".join(output.data.get("text/plain", "") for output in captured.outputs)


def test_ears_that_cannot_be_fetched_are_told_of_above_the_answer(
    shell: InteractiveShell, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_before: list[int] = []

    def fetch(_: object) -> None:
        asked_before.append(len(server.requests))
        raise errors.WeightsError("The weights to hear can't be had.", "Try again.")

    able(monkeypatch, transcription_model="")  # a server without speech to text: the offline engine hears for it
    monkeypatch.setattr(models, "ready", lambda _: False)
    monkeypatch.setattr(models, "fetch", fetch)
    names: dict[str, Any] = {}
    with capture_output() as captured:
        ask(shell, names, "What?", str(QUESTION), shows=True, play="click", **OPTIONS)
    assert names["reply"].text == server.words
    assert "What you said could not be written down: The weights to hear can't be had." in text_of(captured)
    with pytest.warns(errors.NbaudioWarning, match="could not be written down: The weights") as warned:
        ask(shell, names, "What?", str(QUESTION), shows=False, **OPTIONS)
    assert len(warned) == 1
    with capture_output() as captured:
        above = Above.for_options(shell, OPTIONS)
        asyncio.run(aask(shell, names, "What?", nba.Clip(QUESTION), shows=True, above=above, play="click", **OPTIONS))
    assert "What you said could not be written down: The weights to hear can't be had." in text_of(captured)
    assert [turn.text for turn in nba.chat("heard")] == ["What?", server.words]
    assert asked_before == [0, 1, 2], "once each, before the question is sent"


def test_what_cannot_be_begun_is_told_of(
    shell: InteractiveShell, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: Any, **__: Any) -> None:
        raise errors.SetupError("There is no such model.", "Name another.")

    monkeypatch.setattr(heard, "start", start)
    with pytest.warns(errors.NbaudioWarning, match="could not be written down: There is no such model"):
        assert ask(shell, {}, "What?", str(QUESTION), shows=False, **OPTIONS).text == server.words
    server.fail_next("quota")
    with pytest.raises(errors.QuotaExceeded):
        ask(shell, {}, "What?", str(QUESTION), shows=False, **OPTIONS)
