"""Turns as they go out to a server."""

from __future__ import annotations

import base64
import json

import pytest
from realtime_server import RealtimeServer
from realtime_talking import WORDS

import nbaudio as nba
from nbaudio.realtime.said_before import items_of
from nbaudio.realtime.session import Realtime
from nbaudio.settings import Backend
from nbaudio.turns import Turn

LARGEST_BYTES = 15 * 1024 * 1024  # of a message that servers take


def recording(duration_s: float) -> nba.Clip:
    frames = int(duration_s * 24_000)
    return nba.Clip.from_pcm16((bytes(range(1, 255, 2)) * (frames * 2 // 127 + 1))[: frames * 2])


@pytest.mark.parametrize(("duration_s", "count"), [(0.5, 1), (240.0, 1), (240.01, 2), (490.0, 3)])
def test_a_long_recording_goes_out_in_messages_that_servers_take(duration_s: float, count: int) -> None:
    clip = recording(duration_s)
    items = items_of([Turn("user", clips=(clip,))])
    assert max(len(json.dumps(item)) for item in items) < LARGEST_BYTES
    pieces = [base64.b64decode(item["item"]["content"][0]["audio"]) for item in items]
    assert len(pieces) == count
    assert max(map(len, pieces)) - min(map(len, pieces)) <= 2 * count  # and none is too short to be heard
    assert b"".join(pieces) == clip.encode("pcm16")


def test_its_words_stand_behind_it(server: RealtimeServer, backend: Backend) -> None:
    with Realtime(backend=backend) as session:
        assert session.say("What is this?", recording(250.0)).text == WORDS
    assert len(server.connections) == 1
    contents = [event["item"]["content"] for event in server.wait_for("conversation.item.create", 2)]
    assert [[part["type"] for part in content] for content in contents] == [
        ["input_audio"],
        ["input_audio", "input_text"],
    ]
    assert [turn.role for turn in session.conversation] == ["user", "assistant"]
