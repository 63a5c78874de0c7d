"""Notebook 7, the other application that many have."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import pytest
from openai_server import OpenAIServer
from playwright.sync_api import expect

from .notebook_page import NotebookPage
from .server import JupyterServer, asking

pytestmark = pytest.mark.skipif(importlib.util.find_spec("notebook") is None, reason="Notebook 7 is not installed")

PLAYER = """
import numpy as np
player = nba.Player(nba.Clip(0.3 * np.sin(np.arange(24_000 * 20) / 9), sample_rate=24_000))
player
"""


def test_answers_and_widgets(
    server: JupyterServer, on_new_page: Callable[..., NotebookPage], openai: OpenAIServer
) -> None:
    server.write_notebook("seven.ipynb", asking(openai), "%%speak --once --voice coral\nIs it a good dog?")
    notebook = on_new_page("seven.ipynb", room="notebooks")

    # -- an answer
    assert notebook.run_all(), notebook.errors()
    [card] = notebook.cards(1)
    assert openai.words in card.text
    notebook.until("sounds[0].position_s > 0.3")
    [sound] = notebook.sounds()
    assert sound["underruns"] == 0
    notebook.save()

    # -- the three widgets
    notebook.begin_only(PLAYER, "recorder = nba.Recorder(silence_s=0)\nrecorder", "nba.VoiceChat()")
    assert notebook.end(), notebook.errors()
    page = notebook.page
    page.locator(".nbaudio-player").get_by_role("button", name="Play").click()
    notebook.until("sounds.at(-1).position_s > 0.3")
    assert notebook.execute("player.position_s = 12.0") == ""
    notebook.until("sounds.at(-1).position_s > 12.3")
    assert notebook.execute("player.playing") == "True"

    recorder = page.locator(".nbaudio-recorder")
    recorder.get_by_role("button", name="Record", exact=True).click()
    notebook.until("sounds.every(sound => !sound.playing)")  # while somebody speaks
    page.wait_for_function("() => [...nbaudio.recorders.values()].some(one => one.pieces > 5)")
    recorder.get_by_role("button", name="Stop").click()
    expect(recorder.get_by_role("status")).to_contain_text("Recorded ")
    # The page says it as soon as it has sent the last piece, which the kernel may have yet to read.
    page.wait_for_function("() => [...nbaudio.recorders.values()].some(one => one.get('duration_s') > 0.5)")
    assert notebook.execute("recorder.clip.duration_s > 0.5") == "True"

    chat = page.locator(".nbaudio-chat")
    chat.get_by_role("textbox", name="Your words").fill("Is it a good dog?")
    page.keyboard.press("Enter")
    expect(chat.get_by_role("article")).to_have_count(2)
    expect(chat.get_by_role("article").nth(1)).to_contain_text(openai.words)
    notebook.until("sounds.at(-1).position_s > 0.3")
    chat.get_by_role("button", name="Hold to talk").hover()
    page.mouse.down()
    expect(chat.get_by_text("Recording.")).to_be_visible()
    page.wait_for_function("() => [...nbaudio.chats.values()][0].recording.get('elapsed_s') > 0.5")
    page.mouse.up()
    expect(chat.get_by_role("article")).to_have_count(4)
    [part] = openai.requests[-1].body["messages"][-1]["content"]
    assert part["type"] == "input_audio"
    notebook.close()

    # -- what was saved
    reopened = on_new_page("seven.ipynb", room="notebooks")
    [player] = reopened.play_all()
    assert player.faults() == []
    assert openai.words in player.beside
