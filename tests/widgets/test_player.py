"""The player on the kernel's side: what it tells the page, and what it leaves in the saved notebook."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nbaudio as nba
from nbaudio import errors
from nbaudio.turns import Reply, Turn
from nbaudio.widgets.player import Player

TONE = nba.Clip((np.sin(np.arange(48_000) / 9) / 4).astype(np.float32), sample_rate=24_000)
REPLY = Reply(text="Yes. A golden retriever is.", clips=(TONE,), offline=True, finish_reason="stop")


class Page:
    """What the page of a player is sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[dict[str, Any], bytes]] = []
        self.states: list[Any] = []
        monkeypatch.setattr(Player, "send", lambda _, content, buffers=None: self.sent.append((content, buffers)))

    def asks(self, player: Player, **message: Any) -> None:
        player._handle_custom_msg(message, [])


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    return Page(monkeypatch)


@pytest.fixture
def arriving(page: Page) -> Iterator[Player]:
    player = Player(state="arriving", title="Answer", play="queue")
    yield player
    player.close()


def test_a_clip_is_described_and_sent_when_the_page_asks_for_it(page: Page) -> None:
    player = Player(TONE)
    assert (player.duration_s, player.sample_rate, player.state, player.play) == (2.0, 24_000, "whole", "click")
    assert player.words == repr(TONE)
    assert page.sent == []

    page.asks(player, kind="need")

    ((message, (data,)),) = page.sent
    assert message == {"kind": "sound", "mime": "audio/wav", "frames": 48_000}
    assert nba.Clip(data).duration_s == 2.0


def test_a_long_sound_goes_to_the_page_as_mp3(page: Page) -> None:
    player = Player(nba.Clip(np.zeros((2_600_000, 1), np.float32), sample_rate=24_000))

    page.asks(player, kind="need")

    ((message, (data,)),) = page.sent
    assert message["mime"] == "audio/mpeg"
    assert len(data) < 2_000_000


def test_what_arrives_is_passed_on_and_is_there_for_a_page_that_is_reloaded(page: Page, arriving: Player) -> None:
    arriving.send_piece({"kind": "piece", "index": 0, "frames_before": 0, "words": "Yes."}, b"\1\0" * 10)
    arriving.send_piece({"kind": "piece", "index": 1, "frames_before": 10, "words": ""}, b"\2\0" * 10)
    assert [buffers for _, buffers in page.sent] == [[b"\1\0" * 10], [b"\2\0" * 10]]

    page.asks(arriving, kind="need")

    assert page.sent[-1] == (
        {"kind": "sound", "mime": "audio/pcm;rate=24000", "frames": 20},
        [b"\1\0" * 10 + b"\2\0" * 10],
    )


def test_the_finished_answer_brings_its_words_phrases_and_notes(page: Page, arriving: Player) -> None:
    arriving.finish(REPLY, 48_000)

    assert page.sent == [({"kind": "whole", "frames": 48_000}, None)]
    assert (arriving.state, arriving.words, arriving.duration_s) == ("whole", REPLY.text, 2.0)
    assert [text for text, _, _ in arriving.phrases] == [phrase.text for phrase in REPLY.captions]
    assert arriving.notes == REPLY.notes
    assert arriving.notes
    assert arriving.clip is TONE


def test_an_answer_that_broke_off_is_marked_as_such(page: Page, arriving: Player) -> None:
    arriving.finish(Reply(text="Yes.", clips=(TONE,), partial=True), 48_000)
    assert arriving.state == "broken"


def test_an_answer_without_sound_has_no_player(arriving: Player) -> None:
    with pytest.raises(errors.ClipError, match="no sound"):
        arriving.finish(Reply(text="Yes."), 0)
    with pytest.raises(errors.ClipError, match="no sound"):
        Player(Turn("user", "words only"))


def test_stop_in_the_page_is_heard(page: Page, arriving: Player) -> None:
    assert not arriving.stopped.is_set()
    page.asks(arriving, kind="stop")
    assert arriving.stopped.is_set()


def test_traits_are_kept_within_their_ranges() -> None:
    player = Player(TONE)
    player.speed = 1.5
    for name, value in (("speed", 3.0), ("volume", 1.1), ("position_s", -1.0), ("play", "sometimes")):
        with pytest.raises(Exception, match=name):
            setattr(player, name, value)


def test_the_saved_output_is_the_static_player_whose_place_the_living_one_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/ada/dogs.ipynb")  # as jupyter_server tells its kernels
    for sound, words in ((REPLY, REPLY.text), (TONE, "2.00 s")):
        player = Player(sound)
        data, _ = player._repr_mimebundle_()

        assert set(data) == {"text/plain", "text/html", "text/markdown"}
        assert "<audio" in data["text/html"]
        assert words in data["text/html"]
        assert f"nbaudio-live-{player.key}" in data["text/html"]


def test_front_ends_that_make_widgets_only_to_show_them_are_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    player = Player(REPLY)
    data, _ = player._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == player.model_id
    assert "<audio" in data["text/html"]


def test_a_reply_gives_its_place_to_the_player_that_it_was_heard_with_once() -> None:
    player = Player(REPLY)
    REPLY.show_once_with(live=player.key)

    assert player.key in REPLY._repr_mimebundle_()["text/html"]
    assert player.key not in REPLY._repr_mimebundle_()["text/html"]


def test_where_one_page_is_is_not_told_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    player = Player(TONE)
    monkeypatch.setattr(player, "_send", lambda message, buffers=None: told.append(message["state"]))
    player.set_state({"playing": True, "position_s": 0.5, "speed": 1.5})
    assert (player.playing, player.position_s, player.speed) == (True, 0.5, 1.5)
    assert told == [{"speed": 1.5}]
    player.playing = False
    assert told[1:] == [{"playing": False}]
