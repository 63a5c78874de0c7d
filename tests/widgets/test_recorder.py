"""The recorder on the kernel's side: what a page sends becomes clips, whatever is missing, late, or cancelled."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cancelling import cancelled
from sounddevice_stand_in import StandIn

import nbaudio as nba
from nbaudio.errors import CellError, SetupError
from nbaudio.journal.alongside import settled
from nbaudio.widgets import arriving, recorder, recordings
from nbaudio.widgets.recorder import Recorder

WIDGET = "application/vnd.jupyter.widget-view+json"
PIECE = 2400
LIMIT_S = 20


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where recordings go."""
    monkeypatch.setattr("platformdirs.user_data_dir", lambda name: str(tmp_path / name))
    return tmp_path / "nbaudio" / "recordings"


class Page:
    """The page of the recorders of a test: it hears what they send, and answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.heard: list[dict[str, Any]] = []
        self.made: list[Recorder] = []
        monkeypatch.setattr(Recorder, "send", lambda _, content, buffers=None: self.heard.append(content))
        monkeypatch.setattr("IPython.display.display", lambda shown: shown._repr_mimebundle_())

    def recorder(self, **traits: Any) -> Recorder:
        self.made.append(Recorder(**traits))
        self.says(self.made[-1], kind="ready")
        return self.made[-1]

    def says(self, of: Recorder, *buffers: bytes, **content: Any) -> None:
        of._handle_custom_msg(content, [memoryview(buffer) for buffer in buffers])

    def begins(self, of: Recorder, sample_rate: int = 24_000, door: str = "microphone") -> str:
        name = uuid.uuid4().hex
        self.says(of, kind="begin", take=name, sample_rate=sample_rate, channels=1, door=door)
        return name

    def sends(self, of: Recorder, name: str, sound: list[bytes], order: list[int] | None = None) -> None:
        for index in order if order is not None else range(len(sound)):
            self.says(of, sound[index], kind="piece", take=name, index=index)

    def ends(self, of: Recorder, name: str, sound: list[bytes]) -> None:
        frames = sum(map(len, sound)) // 2
        self.says(of, kind="end", take=name, pieces=len(sound), frames=frames, reason="stopped")

    def records(self, of: Recorder, sound: list[bytes]) -> str:
        """A whole recording, accepted at once."""
        name = self.begins(of)
        self.sends(of, name, sound)
        self.ends(of, name, sound)
        self.says(of, kind="accept", take=name)
        return name

    def kinds(self) -> list[str]:
        return [message["kind"] for message in self.heard]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    made = Page(monkeypatch)
    yield made
    for one in made.made:
        one.close()


def sound(count: int) -> list[bytes]:
    """Pieces of 100 ms whose samples tell their place."""
    frames = (np.arange(PIECE * count) % 65_536 - 32_768).astype("<i2").tobytes()
    return [frames[at : at + 2 * PIECE] for at in range(0, len(frames), 2 * PIECE)]


def run(main: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(main(), LIMIT_S))  # type: ignore[arg-type]


async def turns(count: int = 5) -> None:
    """Let what is ready be done."""
    for _ in range(count):
        await asyncio.sleep(0)


# -- a recording that goes well -----------------------------------------------------------------------------


def test_a_recording_is_awaited(page: Page, folder: Path) -> None:
    async def main() -> None:
        one = page.recorder()
        waiting = asyncio.ensure_future(one.record())
        await turns()
        assert not waiting.done()
        name = page.records(one, sound(3))

        clip = await waiting

        assert clip.encode("pcm16") == b"".join(sound(3))
        assert one.clip == clip
        assert one.path is not None
        assert one.path.parent == folder
        assert (one.state, one.duration_s) == ("done", pytest.approx(0.3))
        assert page.heard == [{"kind": "got", "take": name, "duration_s": pytest.approx(0.3)}]

    run(main)


def test_it_shows_itself_once(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Recorder] = []
    monkeypatch.setattr("IPython.display.display", lambda one: shown.append(one) or one._repr_mimebundle_())

    async def main() -> None:
        one = page.recorder()
        for _ in range(2):
            waiting = asyncio.ensure_future(one.record())
            await turns()
            page.records(one, sound(1))
            await waiting
        assert shown == [one]
        other = page.recorder()
        other._repr_mimebundle_()  # a cell's last line
        waiting = asyncio.ensure_future(other.record())
        await turns()
        assert shown == [one]
        other.cancel()
        with cancelled():
            await waiting

    run(main)


def test_without_a_review_and_without_a_loop(page: Page) -> None:
    one = page.recorder()
    clips: list[nba.Clip] = []
    remove = one.on_clip(clips.append)
    page.records(one, sound(2))
    page.records(one, sound(4))
    assert [round(clip.duration_s, 3) for clip in clips] == [0.2, 0.4]
    remove()
    remove()
    page.records(one, sound(1))
    assert len(clips) == 2


def test_one_listener_that_fails_does_not_keep_the_others_from_hearing(page: Page) -> None:
    one = page.recorder()
    clips: list[nba.Clip] = []
    one.on_clip(lambda clip: 1 / 0)
    one.on_clip(clips.append)
    page.records(one, sound(1))  # ipywidgets shows what was raised
    assert len(clips) == 1


def test_the_recording_counts_when_the_review_is_over(page: Page) -> None:
    async def main() -> None:
        one = page.recorder(review=True)
        waiting = asyncio.ensure_future(one.record())
        await turns()
        first = page.begins(one)
        page.sends(one, first, sound(2))
        page.ends(one, first, sound(2))
        await turns()
        assert not waiting.done()
        dropped = one.path
        assert dropped is not None
        page.says(one, kind="drop", take=first)
        assert not dropped.exists()
        page.records(one, sound(3))
        assert (await waiting).duration_s == pytest.approx(0.3)

    run(main)


def test_it_streams_from_the_beginning(page: Page) -> None:
    async def main() -> None:
        one = page.recorder()
        heard: list[Any] = []

        async def listen() -> None:
            async for piece in one.stream():
                assert (piece.dtype, piece.shape[1]) == (np.float32, 1)
                heard.append(piece)

        early = asyncio.ensure_future(listen())
        await turns()
        name = page.begins(one)
        page.sends(one, name, sound(3))
        await turns()
        assert sum(map(len, heard)) == 3 * PIECE
        late = asyncio.ensure_future(listen())
        await turns()
        assert sum(map(len, heard)) == 6 * PIECE
        page.ends(one, name, sound(3))
        await asyncio.gather(early, late)

        whole = nba.Clip.from_pcm16(b"".join(sound(3))).samples
        assert np.array_equal(np.concatenate(heard[: len(heard) // 2]), whole)
        assert one.take is not None
        assert one.take.sample_rate == 24_000

    run(main)


def test_two_recorders_are_independent(page: Page) -> None:
    async def main() -> None:
        one, two = page.recorder(), page.recorder()
        both = [asyncio.ensure_future(it.record()) for it in (one, two)]
        await turns()
        names = [page.begins(one), page.begins(two, 16_000)]
        for index in range(3):
            for it, name in ((one, names[0]), (two, names[1])):
                page.says(it, sound(3)[index], kind="piece", take=name, index=index)
        for it, name in ((one, names[0]), (two, names[1])):
            page.ends(it, name, sound(3))
        page.says(two, kind="accept", take=names[1])
        assert (await both[1]).sample_rate == 16_000
        assert not both[0].done()
        one.cancel()
        with cancelled():
            await both[0]
        assert two.clip is not None
        assert one.clip is None

    run(main)


def test_messages_may_come_on_two_threads_and_in_any_order(page: Page) -> None:
    async def main() -> None:
        one = page.recorder()
        waiting = asyncio.ensure_future(one.record())
        await turns()
        pieces, name, start = sound(40), uuid.uuid4().hex, threading.Barrier(2)
        frames = 40 * PIECE
        messages: list[tuple[dict[str, Any], list[bytes]]] = [
            ({"kind": "accept", "take": name}, []),
            ({"kind": "end", "take": name, "pieces": 40, "frames": frames, "reason": "stopped"}, []),
            *(({"kind": "piece", "take": name, "index": i}, [pieces[i]]) for i in range(40)),
            ({"kind": "begin", "take": name, "sample_rate": 24_000, "channels": 1, "door": "microphone"}, []),
        ]

        def speak(mine: list[tuple[dict[str, Any], list[bytes]]]) -> None:
            start.wait()
            for content, buffers in mine:
                page.says(one, *buffers, **content)

        threads = [threading.Thread(target=speak, args=(messages[first::2],)) for first in (0, 1)]
        for thread in threads:
            thread.start()
        clip = await waiting
        for thread in threads:
            thread.join()
        assert clip.encode("pcm16") == b"".join(pieces)
        assert one.trouble == ""

    run(main)


# -- ends of another kind -----------------------------------------------------------------------------------


def test_cancel_deletes_what_was_begun(page: Page) -> None:
    async def main() -> None:
        one = page.recorder()
        waiting = asyncio.ensure_future(one.record())
        await turns()
        name = page.begins(one)
        page.sends(one, name, sound(2))
        path = one.path
        assert path is not None
        assert path.exists()
        page.says(one, kind="cancel")
        with cancelled("Nothing was sent"):
            await waiting
        assert waiting.cancelled()  # this task has ended, and not the loop
        assert not path.exists()
        assert (one.state, one.clip) == ("cancelled", None)
        page.sends(one, name, sound(2))  # what was on its way
        assert one.clip is None

    run(main)


def in_journal(file: Path) -> int:
    """How many parts of recordings the journal has, said or not."""
    assert settled()
    if not file.exists():
        return 0
    connection = sqlite3.connect(file)
    try:
        return int(connection.execute("SELECT count(*) FROM part").fetchone()[0])
    finally:
        connection.close()


@pytest.mark.parametrize("end", ["cancel", "drop", "close", "the next"])
def test_what_is_to_be_said_is_in_the_journal_until_it_is_certain_that_it_is_not(
    end: str, page: Page, journal_file: Path
) -> None:
    one = page.recorder(to_say=True, review=True)
    long = [piece * 60 for piece in sound(2)]  # 6 s each, which is over a part
    name = page.begins(one)
    page.sends(one, name, long)
    assert in_journal(journal_file) == 2
    page.ends(one, name, long)
    assert in_journal(journal_file) == 2
    if end == "cancel":
        page.says(one, kind="cancel")
    elif end == "drop":
        page.says(one, kind="drop", take=name)
    elif end == "close":
        page.says(one, kind="accept", take=name)
        one.close()
    else:
        page.says(one, kind="accept", take=name)
        assert in_journal(journal_file) == 2
        page.begins(one)
    assert in_journal(journal_file) == 0


def test_what_is_not_to_be_said_is_not_in_the_journal(page: Page, journal_file: Path) -> None:
    page.records(page.recorder(), [piece * 60 for piece in sound(2)])
    assert in_journal(journal_file) == 0


def test_a_cancelled_recorder_can_record_again(page: Page) -> None:
    async def main() -> None:
        one = page.recorder()
        one.cancel()
        assert page.kinds() == ["cancel"]
        assert one.state == "cancelled"  # the page knows before it is told to cancel, and does not answer
        waiting = asyncio.ensure_future(one.record())
        await turns()
        assert (one.state, one.active) == ("idle", True)
        page.records(one, sound(1))
        assert (await waiting).duration_s == pytest.approx(0.1)

    run(main)


def test_a_task_that_is_cancelled_stops_the_recording_and_keeps_it(page: Page) -> None:
    async def main() -> None:
        one = page.recorder()
        waiting = asyncio.ensure_future(one.record())
        await turns()
        name = page.begins(one)
        page.sends(one, name, sound(2))
        waiting.cancel()
        await turns()
        assert waiting.cancelled()
        assert page.kinds() == ["stop"]
        page.ends(one, name, sound(2))
        page.says(one, kind="accept", take=name)
        assert one.clip is not None
        assert one.clip.duration_s == pytest.approx(0.2)

    run(main)


def test_a_page_that_falls_silent_leaves_what_arrived(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(arriving.LOST_S, "microphone", 0.05)

    async def main() -> None:
        one = page.recorder()
        clips: list[nba.Clip] = []
        one.on_clip(clips.append)
        waiting = asyncio.ensure_future(one.record())
        await turns()
        name = page.begins(one)
        page.sends(one, name, sound(3))

        clip = await waiting

        assert clip.duration_s == pytest.approx(0.3)
        assert clips == [clip]
        assert one.state == "lost"
        assert "The 0.3 s that arrived are kept." in one.trouble
        # The line is back: what was on its way is added to the file, and is not handed over twice.
        page.sends(one, name, sound(5), [3, 4])
        page.ends(one, name, sound(5))
        page.says(one, kind="accept", take=name)
        assert one.clip is not None
        assert one.clip.encode("pcm16") == b"".join(sound(5))
        assert len(clips) == 1

    run(main)


def test_a_page_that_goes_on_speaking_is_not_lost(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(arriving.LOST_S, "microphone", 0.6)

    async def main() -> None:
        one = page.recorder()
        waiting = asyncio.ensure_future(one.record())
        await turns()
        name = page.begins(one)
        for index, piece in enumerate(sound(8)):  # 1.2 s, which is twice the limit
            page.says(one, piece, kind="piece", take=name, index=index)
            await asyncio.sleep(0.15)
        page.ends(one, name, sound(8))
        page.says(one, kind="accept", take=name)
        assert (await waiting).duration_s == pytest.approx(0.8)
        assert one.state == "done"

    run(main)


def test_a_comm_that_is_closed_leaves_what_arrived(page: Page) -> None:
    one = page.recorder()
    name = page.begins(one)
    page.sends(one, name, sound(2))
    one.comm.handle_close({"content": {"data": {}}})
    assert one.state == "lost"
    assert one.clip is not None
    assert one.clip.duration_s == pytest.approx(0.2)


def test_pieces_that_never_come_are_silent_and_it_is_told(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "MISSING_S", 0.02)

    async def main() -> None:
        one = page.recorder()
        waiting = asyncio.ensure_future(one.record())
        await turns()
        name = page.begins(one)
        page.sends(one, name, sound(4), [0, 1, 3])
        page.ends(one, name, sound(4))
        page.says(one, kind="accept", take=name)
        clip = await waiting
        assert clip.duration_s == pytest.approx(0.4)
        assert not clip[0.2:0.3].samples.any()
        assert one.trouble == "0.1 s of the recording did not arrive: they are silent."

    run(main)


def test_the_last_piece_may_come_after_the_end(page: Page) -> None:
    async def main() -> None:
        one = page.recorder()
        waiting = asyncio.ensure_future(one.record())
        await turns()
        name = page.begins(one)
        page.sends(one, name, sound(4), [0, 1, 2])
        page.ends(one, name, sound(4))
        page.says(one, kind="accept", take=name)
        await turns()
        assert not waiting.done()
        page.sends(one, name, sound(4), [3])
        assert (await waiting).encode("pcm16") == b"".join(sound(4))
        assert one.trouble == ""

    run(main)


def test_nothing_recorded_is_an_error(page: Page) -> None:
    async def main() -> None:
        one = page.recorder()
        waiting = asyncio.ensure_future(one.record())
        await turns()
        page.records(one, [])
        with pytest.raises(CellError, match="Nothing was recorded"):
            await waiting

    run(main)


def test_a_full_disk_is_an_error(page: Page, folder: Path) -> None:
    async def main() -> None:
        one = page.recorder()
        waiting = asyncio.ensure_future(one.record())
        await turns()
        folder.parent.mkdir()
        folder.write_text("in the way")
        page.begins(one)
        with pytest.raises(SetupError, match="The recording can't be written to disk: File exists"):
            await waiting
        assert one.state == "lost"
        assert "can't be written" in one.trouble

    run(main)


def test_close_ends_every_wait_and_keeps_what_arrived(page: Page) -> None:
    async def main() -> None:
        one = page.recorder()
        waiting = asyncio.ensure_future(one.record())
        streamed: list[Any] = []

        async def listen() -> None:
            async for piece in one.stream():
                streamed.append(piece)

        listening = asyncio.ensure_future(listen())
        await turns()
        name = page.begins(one)
        page.sends(one, name, sound(2))
        path = one.path
        one.close()
        with cancelled():
            await waiting
        await listening
        assert path is not None
        assert nba.Clip(path).duration_s == pytest.approx(0.2)
        assert sum(map(len, streamed)) == 2 * PIECE
        one.close()

    run(main)


def test_no_page(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "READY_S", 0.01)

    async def main() -> None:
        one = Recorder()
        with pytest.raises(CellError, match=r"No front end answered .* %%listen question.wav works everywhere"):
            await one.record()
        one.close()

    run(main)


def test_a_change_of_a_trait_is_an_answer_too(page: Page) -> None:
    async def main() -> None:
        one = Recorder()
        page.made.append(one)
        waiting = asyncio.ensure_future(one.record())
        await turns()
        one.set_state({"shut": {"microphone": "no"}})
        await turns()
        page.records(one, sound(1))
        assert (await waiting).duration_s == pytest.approx(0.1)

    run(main)


@pytest.mark.parametrize(
    "content",
    [
        "ready",
        {},
        {"kind": "dance"},
        {"kind": "begin", "take": "a"},
        {"kind": "begin", "take": "a", "sample_rate": 10**9},
        {"kind": "begin", "take": "a", "sample_rate": "fast"},
        {"kind": "piece", "take": "a", "index": 0},
        {"kind": "piece", "take": "here", "index": "first"},
        {"kind": "piece", "take": "here"},
        {"kind": "end", "take": "here", "pieces": None, "frames": 2},
        {"kind": "kernel", "action": "dance"},
    ],
)
def test_what_no_page_of_ours_sends_does_no_harm(page: Page, content: Any) -> None:
    one = page.recorder()
    one.log.disabled = True
    page.says(one, kind="begin", take="here", sample_rate=24_000, channels=1, door="microphone")
    one._handle_custom_msg(content, [])
    one._handle_custom_msg(content, [b"\0\0"])
    one.log.disabled = False
    page.sends(one, "here", sound(2))
    page.ends(one, "here", sound(2))
    page.says(one, kind="accept", take="here")
    assert one.clip is not None
    assert one.clip.frames in (2 * PIECE, 2 * PIECE + 1)


def test_a_recorder_that_is_not_used_is_closed_by_itself() -> None:
    one = Recorder()
    one.close()
    one.close()
    del one


# -- buttons, and what is left ------------------------------------------------------------------------------


def test_the_buttons_can_be_pressed_from_python(page: Page) -> None:
    one = page.recorder()
    one.start()
    one.stop()
    one.cancel()
    assert page.kinds() == ["start", "stop", "cancel"]


def test_it_begins_by_itself_again(page: Page) -> None:
    async def main() -> None:
        one = page.recorder(auto_start=True)
        one._repr_mimebundle_()
        waiting = asyncio.ensure_future(one.record())
        await turns()
        assert page.kinds() == ["start"]
        page.records(one, sound(1))
        await waiting

    run(main)


def test_what_a_saved_notebook_shows(page: Page) -> None:
    one = page.recorder()
    data, _ = one._repr_mimebundle_()
    place = f'<p class="nbaudio-live-{one.key}">'
    assert data[WIDGET]["model_id"] == one.model_id  # for a front end that makes a widget only to show it
    assert (data["text/plain"], data["text/html"]) == ("Recorder", f"{place}Recorder</p>")
    page.records(one, sound(32))
    data, _ = one._repr_mimebundle_()
    assert (data["text/plain"], data["text/html"]) == ("Recording, 3.2 s", f"{place}Recording, 3.2 s</p>")


def test_traits_are_kept_within_their_ranges() -> None:
    one = Recorder()
    for name, value in (("max_s", 0), ("silence_s", -1.0), ("door", "window"), ("state", "asleep"), ("sample_rate", 1)):
        with pytest.raises(Exception, match=name):
            setattr(one, name, value)
    one.close()


def test_the_page_gets_its_code() -> None:
    one = Recorder()
    assert "export default" in one._esm
    assert len(one._css) > 100
    assert one.key != Recorder().key
    one.close()


# -- the kernel's own microphone ----------------------------------------------------------------------------


def speech(count: int) -> list[bytes]:
    return [(np.sin(np.arange(PIECE) / 9) * 8000).astype("<i2").tobytes()] * count


@pytest.fixture
def microphone(monkeypatch: pytest.MonkeyPatch) -> Callable[..., StandIn]:
    def installed(*arguments: Any, **options: Any) -> StandIn:
        module = StandIn(*arguments, **options)
        monkeypatch.setitem(sys.modules, "sounddevice", module)  # type: ignore[arg-type]
        return module

    return installed


def test_the_kernel_records_when_the_page_asks(page: Page, microphone: Callable[..., StandIn]) -> None:
    module = microphone(speech(20))

    async def main() -> None:
        one = page.recorder(silence_s=0)
        assert "kernel" not in one.shut
        waiting = asyncio.ensure_future(one.record())
        await turns()
        page.says(one, kind="kernel", action="start")
        assert (one.state, one.door) == ("recording", "kernel")
        levels: asyncio.Queue[float] = asyncio.Queue()
        one.observe(lambda change: levels.put_nowait(change["new"]), "elapsed_s")
        for _ in range(4):
            module.go_on.release()
        assert [await levels.get() for _ in range(4)] == pytest.approx([0.1, 0.2, 0.3, 0.4])
        assert one.level_dbfs == pytest.approx(-15.26, abs=0.05)
        page.says(one, kind="kernel", action="stop")
        clip = await waiting
        assert clip.encode("pcm16") == b"".join(speech(4))
        assert one.state == "done"
        assert page.kinds() == ["answered", "got"]
        assert module.open == []

    run(main)


def test_the_kernels_recording_can_be_reviewed(page: Page, microphone: Callable[..., StandIn]) -> None:
    module = microphone(speech(20))

    async def main() -> None:
        one = page.recorder(review=True, max_s=0.2, silence_s=0, door="kernel")
        states: asyncio.Queue[str] = asyncio.Queue()
        one.observe(lambda change: states.put_nowait(change["new"]), "state")
        waiting = asyncio.ensure_future(one.record())
        await turns()
        for round_ in range(2):
            one.start()
            assert await states.get() == "recording"
            module.go_on.release()
            module.go_on.release()
            assert await states.get() == "review"
            await turns()
            name = page.heard[-1]["take"]
            if round_ == 0:
                page.says(one, kind="drop", take=name)
        assert not waiting.done()
        page.says(one, kind="accept", take=name)
        assert (await waiting).duration_s == pytest.approx(0.2)
        assert module.open == []

    run(main)


def test_a_kernels_microphone_that_goes_away(page: Page, microphone: Callable[..., StandIn]) -> None:
    module = microphone(speech(2), unplugged=True)

    async def main() -> None:
        one = page.recorder(silence_s=0)
        waiting = asyncio.ensure_future(one.record())
        await turns()
        page.says(one, kind="kernel", action="start")
        for _ in range(3):
            module.go_on.release()
        assert (await waiting).duration_s == pytest.approx(0.2)
        assert one.state == "lost"
        assert module.open == []

    run(main)


def test_cancel_and_close_give_the_kernels_microphone_back(page: Page, microphone: Callable[..., StandIn]) -> None:
    module = microphone(speech(9))

    async def main() -> None:
        one = page.recorder(silence_s=0)
        for end in (lambda: page.says(one, kind="cancel"), one.close):
            page.says(one, kind="kernel", action="start")
            page.says(one, kind="kernel", action="start")  # pressed twice
            assert len(module.open) == 1
            end()
            assert module.open == []

    run(main)


def test_what_is_taken_back_right_behind_its_start_leaves_the_next_one_alone(
    page: Page, microphone: Callable[..., StandIn]
) -> None:
    module = microphone(speech(9))

    async def main() -> None:
        one = page.recorder(silence_s=0)
        clips: list[nba.Clip] = []
        one.on_clip(clips.append)
        for ask in "ab":  # a cell kept the kernel busy: all of it comes at once
            page.says(one, kind="kernel", action="start", ask=ask)
            page.says(one, kind="kernel", action="drop", ask=ask)
            assert (module.open, one.state) == ([], "idle")
        page.says(one, kind="kernel", action="start", ask="c")
        page.says(one, kind="kernel", action="drop", ask="b")
        await turns()
        assert (len(module.open), one.state) == (1, "recording")
        levels: asyncio.Queue[float] = asyncio.Queue()
        one.observe(lambda change: levels.put_nowait(change["new"]), "elapsed_s")
        module.go_on.release()
        await levels.get()
        page.says(one, kind="kernel", action="stop", ask="c")
        await turns()
        assert (module.open, one.state) == ([], "done")
        assert [clip.encode("pcm16") for clip in clips] == speech(1)
        assert [message["ask"] for message in page.heard if message["kind"] == "answered"] == ["a", "b", "c"]

    run(main)


def test_a_page_that_goes_ends_what_it_began_with_the_kernels_microphone(
    page: Page, microphone: Callable[..., StandIn]
) -> None:
    module = microphone(speech(9))

    async def main() -> None:
        one = page.recorder(silence_s=0)
        page.says(one, kind="kernel", action="start", ask="a")
        levels: asyncio.Queue[float] = asyncio.Queue()
        one.observe(lambda change: levels.put_nowait(change["new"]), "elapsed_s")
        module.go_on.release()
        await levels.get()
        page.says(one, kind="kernel", action="lose", ask="another page's")
        assert len(module.open) == 1
        page.says(one, kind="kernel", action="lose", ask="a")
        assert (module.open, one.state) == ([], "lost")
        assert one.clip is not None
        assert one.clip.duration_s == pytest.approx(0.1)

    run(main)


def test_digital_silence_of_the_kernels_microphone_is_told(page: Page, microphone: Callable[..., StandIn]) -> None:
    module = microphone([bytes(4800)] * 2)

    async def main() -> None:
        one = page.recorder(max_s=0.2, silence_s=0)
        waiting = asyncio.ensure_future(one.record())
        await turns()
        page.says(one, kind="kernel", action="start")
        module.go_on.release()
        module.go_on.release()
        await waiting
        assert "digital silence" in one.trouble

    run(main)


def test_a_shut_kernel_door_says_why(page: Page, microphone: Callable[..., StandIn]) -> None:
    module = microphone([], rates=())
    one = page.recorder()
    assert one.shut["kernel"].startswith("The kernel's computer has no microphone.")
    module.rates = (24_000,)
    other = page.recorder(shut={"microphone": "No."})
    assert other.shut == {"microphone": "No."}
    module.rates = ()
    page.says(other, kind="kernel", action="start")
    assert other.shut["kernel"].startswith("The kernel's computer has no microphone.")
    assert other.state == "idle"
    assert list(recordings.recordings_folder().glob("*")) == []
