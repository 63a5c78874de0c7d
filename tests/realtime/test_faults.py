"""What servers and networks do to a session: it goes on where it can, else says why, and keeps what was said."""

from __future__ import annotations

import base64
import json
import signal
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtime_server import RealtimeServer
from realtime_talking import QUIET, WORDS, Clock, is_a, noticed, pieces, tone, until

import nbaudio as nba
from nbaudio import errors
from nbaudio.events import CutShort, SpeechBegan
from nbaudio.realtime import connected, line
from nbaudio.realtime.dialogue import Dialogue
from nbaudio.realtime.playback import RealTimePlayback
from nbaudio.realtime.sent_sound import SentSound
from nbaudio.realtime.session import Realtime
from nbaudio.settings import Backend, settings
from nbaudio.wire.realtime.events import read_event

WAIT_S = 20.0


def delta(item_id: str, response_id: str, pcm16: bytes) -> str:
    sound = base64.b64encode(pcm16).decode()
    told = {"type": "response.output_audio.delta", "item_id": item_id, "response_id": response_id, "delta": sound}
    return json.dumps(told)


class TestClosing:
    @pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 4999])
    def test_a_server_that_closes_in_the_middle_of_a_word_is_come_back_to(
        self, server: RealtimeServer, backend: Backend, code: int
    ) -> None:
        server.hold.clear()
        with Realtime(backend=backend) as session, ThreadPoolExecutor(1) as other:
            saying = other.submit(session.say, "Hello.")
            until(session, is_a(nba.AudioDelta))
            server.wait_for_connection().shut(code, "restarting")
            cut = saying.result(WAIT_S)
            until(session, noticed("goes on"))
            assert session.say("And now?").text == WORDS
        assert cut.partial
        assert WORDS.startswith(cut.text)
        assert cut.text
        assert [turn.role for turn in session.conversation] == ["user", "assistant"] * 2

    def test_an_answer_that_was_only_announced_is_given_after_the_break(
        self, server: RealtimeServer, backend: Backend
    ) -> None:
        server.deaf = True
        with Realtime(backend=backend) as session, ThreadPoolExecutor(1) as other:
            saying = other.submit(session.say, "Hello.")
            server.wait_for("response.create")
            connection = server.wait_for_connection()
            connection.say("response.created", response={"id": "resp_x", "status": "in_progress", "output": []})
            server.deaf = False
            connection.shut(1012, "restarting")
            assert saying.result(WAIT_S).text == WORDS
        assert [turn.role for turn in session.conversation] == ["user", "assistant"]

    @pytest.mark.parametrize(
        ("code", "error"), [(1008, errors.ReplyCut), (3000, errors.ReplyCut), (4000, errors.ReplyCut)]
    )
    def test_who_waits_for_an_answer_is_told_why_there_is_none(
        self, server: RealtimeServer, backend: Backend, code: int, error: type[Exception]
    ) -> None:
        server.deaf = True
        with Realtime(backend=backend) as session, ThreadPoolExecutor(1) as other:
            saying = other.submit(session.say, "Hello.")
            server.wait_for("response.create")
            server.wait_for_connection().shut(code, "not you")
            with pytest.raises(error, match="not you"):
                saying.result(WAIT_S)
        assert [turn.role for turn in session.conversation] == ["user"]

    def test_who_waits_while_it_is_closed_is_told_so(self, server: RealtimeServer, backend: Backend) -> None:
        server.deaf = True
        with ThreadPoolExecutor(1) as other:
            with Realtime(backend=backend) as session:
                saying = other.submit(session.say, "Hello.")
                server.wait_for("response.create")
            with pytest.raises(errors.CellError, match="was closed"):
                saying.result(WAIT_S)

    def test_a_server_that_closes_again_and_again_is_left_alone(
        self, server: RealtimeServer, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(line, "_AGAIN_S", (0.01, 0.01, 0.01))
        server.close_after_update = True
        with Realtime(backend=backend) as session:
            with pytest.raises(errors.ConnectionFailed, match="again and again"):
                list(session)
            assert "over" in repr(session)
        assert len(server.connections) == 5

    def test_what_is_being_said_when_the_network_is_gone_for_good_is_kept(
        self, server: RealtimeServer, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(line, "_AGAIN_S", (0.01,))
        with Realtime(nba.Conversation(name="dogs"), backend=backend) as session:
            session.send(pieces(tone(0.5)))
            until(session, is_a(SpeechBegan))
            server.refuse = 503, {"error": {"message": "Overloaded."}}
            server.wait_for_connection().drop()
            with pytest.raises(errors.ServerFailed):
                list(session)
        (question,) = nba.history.restore("dogs")
        assert question.clip is not None
        assert question.clip.duration_s == pytest.approx(0.5, abs=0.01)

    def test_what_is_said_while_it_is_away_is_heard_afterwards(self, server: RealtimeServer, backend: Backend) -> None:
        with Realtime(backend=backend) as session:
            session.send(pieces(bytes(48 * 300)))
            server.gate.clear()
            server.wait_for_connection().drop()
            until(session, noticed("opened again"))
            session.send(pieces(tone(0.4) + QUIET))  # nobody is there
            server.gate.set()
            until(session, is_a(nba.Finished))
            session.send(pieces(tone(0.6) + QUIET))
            until(session, is_a(nba.Finished))
        durations = [turn.clip.duration_s for turn in session.conversation if turn.role == "user" and turn.clip]
        assert durations == pytest.approx([0.4, 0.6], abs=0.02)

    def test_it_can_be_closed_while_it_is_away(
        self, server: RealtimeServer, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(line, "_AGAIN_S", (60.0,))
        with Realtime(backend=backend) as session:
            server.refuse = 503, {"error": {"message": "Overloaded."}}
            server.wait_for_connection().drop()
            until(session, noticed("Trying again"))
            began = time.monotonic()
        assert time.monotonic() - began < 1.0
        assert session._running is not None
        assert session._running.done()


class TestFrames:
    @pytest.mark.parametrize(
        "raw",
        [
            b"\xff" * 64,  # no frame of the protocol
            b"\x81\x02\xff\xfe",  # text that is none
            b"\x83\x00",  # a kind that is reserved
            b"\xc1\x02{}",  # compressed, which was not agreed on
            b"\x81\x7f" + (2**40).to_bytes(8, "big"),  # a message of a terabyte
        ],
    )
    def test_what_is_no_frame_is_a_broken_connection(
        self, server: RealtimeServer, backend: Backend, raw: bytes
    ) -> None:
        with Realtime(backend=backend) as session:
            server.wait_for_connection().say_bytes(raw)
            until(session, noticed("goes on"))
            assert session.say("Hello.").text == WORDS
        assert len(server.connections) == 2

    def test_binary_messages_are_read_as_text_is(self, server: RealtimeServer, backend: Backend) -> None:
        with Realtime(backend=backend) as session:
            connection = server.wait_for_connection()
            connection.say_raw(b'{"type": "input_audio_buffer.speech_started", "item_id": "a"}')
            connection.say_raw(b"\xff\x00")
            until(session, is_a(SpeechBegan))
            assert session.say("Hello.").text == WORDS

    def test_half_a_frame_of_sound_harms_nothing(self, server: RealtimeServer, backend: Backend) -> None:
        server.deaf = True
        with Realtime(backend=backend) as session, ThreadPoolExecutor(1) as other:
            saying = other.submit(session.say, "Hello.")
            server.wait_for("response.create")
            connection = server.wait_for_connection()
            for size in (4801, 2, 4800):
                connection.say_raw(delta("a", "r", b"\x01" * size))
            connection.say("response.done", response={"id": "r", "status": "completed", "output": []})
            reply = saying.result(WAIT_S)
        assert reply.clip is not None
        assert len(reply.clip.samples) == 9603 // 2


class TestFloods:
    def test_ten_thousand_pieces_at_once(self, server: RealtimeServer, backend: Backend) -> None:
        count, sound = 10_000, bytes(480)  # 10 ms each
        server.deaf = True
        flood = [delta("a", "r", sound)] * count
        with Realtime(backend=backend) as session, ThreadPoolExecutor(1) as other:
            saying = other.submit(session.say, "Hello.")
            server.wait_for("response.create")
            connection = server.wait_for_connection()
            tracemalloc.start()
            began = time.monotonic()
            for message in flood:
                connection.say_raw(message)
            connection.say("response.done", response={"id": "r", "status": "completed", "output": []})
            reply = saying.result(WAIT_S)
            took_s = time.monotonic() - began
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert reply.clip is not None
        assert reply.clip.duration_s == pytest.approx(100.0)
        assert took_s < 10.0
        assert most < 10 * count * len(sound)

    def test_events_that_nobody_reads_are_not_kept_for_ever(self, server: RealtimeServer, backend: Backend) -> None:
        with Realtime(backend=backend) as session:
            connection = server.wait_for_connection()
            for number in range(12_000):
                connection.say("something.new", number=number)
            session.say("Hello.")  # all of them have been taken by now
            seen = until(session, is_a(nba.Finished))
        assert len(seen) == 10_000

    def test_sound_that_comes_faster_than_it_sounds_can_be_interrupted(
        self, server: RealtimeServer, backend: Backend
    ) -> None:
        clock = Clock()
        server.sound_s = 300.0  # in some milliseconds
        with Realtime(backend=backend, playback=RealTimePlayback(clock)) as session:
            session.say("Hello.")
            clock.now_s = 2.0
            session.interrupt()
            (cut,) = [event.reply for event in until(session, is_a(CutShort)) if isinstance(event, CutShort)]
        assert cut.clip is not None
        assert cut.clip.duration_s == pytest.approx(2.0)
        assert session.conversation[1].clip == cut.clip


class TestTimeouts:
    def test_a_question_that_is_never_answered(
        self, server: RealtimeServer, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings(), "timeout_s", 0.3)
        server.deaf = True
        with Realtime(backend=backend) as session:
            with pytest.raises(errors.TimedOut, match=r"has not answered for 0\.3 s"):
                session.say("Hello.")
            until(session, noticed("has not answered"))
            server.deaf = False
            assert session.say("Are you there?").text == WORDS
        assert [turn.role for turn in session.conversation] == ["user", "user", "assistant"]

    def test_an_answer_that_stops_in_the_middle(
        self, server: RealtimeServer, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings(), "timeout_s", 0.3)
        server.hold.clear()
        with Realtime(backend=backend) as session, pytest.raises(errors.TimedOut):
            session.say("Hello.")
        question, reply = session.conversation
        assert question.text == "Hello."
        assert reply.partial  # type: ignore[attr-defined]
        assert WORDS.startswith(reply.text)

    def test_silence_of_a_server_that_was_asked_nothing_is_none(
        self, server: RealtimeServer, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings(), "timeout_s", 0.1)
        receive, waited = line.Line.receive, threading.Semaphore(0)

        def noted(self: line.Line) -> Any:
            waited.release()
            return receive(self)

        monkeypatch.setattr(line.Line, "receive", noted)
        with Realtime(backend=backend) as session:
            for _ in range(4):  # three times in vain
                assert waited.acquire(timeout=WAIT_S)
            session.say("Hello.")
            seen = until(session, is_a(nba.Finished))
        assert not [event for event in seen if noticed("not answered")(event)]


class TestErrors:
    @pytest.mark.parametrize(
        ("code", "kind", "error"),
        [
            ("invalid_api_key", "invalid_request_error", errors.AuthenticationFailed),
            ("insufficient_quota", "insufficient_quota", errors.QuotaExceeded),
        ],
    )
    def test_what_ends_the_session_ends_who_waits_with_it(
        self, server: RealtimeServer, backend: Backend, code: str, kind: str, error: type[Exception]
    ) -> None:
        server.deaf = True
        with Realtime(backend=backend) as session, ThreadPoolExecutor(1) as other:
            saying = other.submit(session.say, "Hello.")
            server.wait_for("response.create")
            server.wait_for_connection().say("error", error={"type": kind, "code": code, "message": "No."})
            with pytest.raises(error):
                saying.result(WAIT_S)
            with pytest.raises(error):
                list(session)

    def test_an_hour_that_is_over_in_the_middle_of_an_answer(self, server: RealtimeServer, backend: Backend) -> None:
        server.hold.clear()
        with Realtime(backend=backend) as session:
            session.send("Hello.")
            until(session, is_a(nba.AudioDelta))
            expired = {"type": "invalid_request_error", "code": "session_expired", "message": "It is over."}
            connection = server.wait_for_connection()
            connection.say("error", error=expired)
            server.wait_for_connection(2)
            until(session, noticed("goes on"))
            assert session.say("Go on.").text == WORDS
        first = session.conversation[1]
        assert first.partial  # type: ignore[attr-defined]
        assert WORDS.startswith(first.text)


class TestOrder:
    def test_who_speaks_on_before_the_answer_is_over_is_answered_too(
        self, server: RealtimeServer, backend: Backend
    ) -> None:
        clock = Clock()
        server.hold.clear()
        with Realtime(backend=backend, playback=RealTimePlayback(clock)) as session:
            session.send("One?")
            until(session, is_a(nba.AudioDelta))
            clock.now_s = 0.1
            reply = session.say("Two?")
        one, cut, two, answer = session.conversation
        assert (one.text, two.text) == ("One?", "Two?")
        assert cut.clip is not None
        assert cut.clip.duration_s == pytest.approx(0.1)
        assert answer.text == reply.text == WORDS

    @pytest.mark.parametrize("ends", [True, False])
    def test_an_answer_that_does_not_end_in_time_is_not_that_of_the_next_question(
        self, server: RealtimeServer, backend: Backend, monkeypatch: pytest.MonkeyPatch, ends: bool
    ) -> None:
        def begin(connection: Any) -> None:
            connection.say("response.created", response={"id": "r", "status": "in_progress", "output": []})
            said = {"response_id": "r", "item_id": "a"}
            connection.say("response.output_text.delta", delta="The first answer", **said)

        monkeypatch.setattr(connected, "_ENDS_S", 0.1)
        server.instead = [begin]
        with Realtime(backend=backend, aloud=False) as session:
            session.send("One?")
            until(session, is_a(nba.TextDelta))
            assert session.say("Two?").text == WORDS
            if ends:
                usage = {"input_tokens": 7, "output_tokens": 5}
                done = {"id": "r", "status": "cancelled", "output": [], "usage": usage}
                server.wait_for_connection().say("response.done", response=done)
            assert session.say("Three?").text == WORDS
        assert [turn.text for turn in session.conversation] == [
            "One?", "The first answer", "Two?", WORDS, "Three?", WORDS,
        ]  # fmt: skip
        spent = session.conversation.spent
        assert (spent.answers, spent.unreported) == (3, 0 if ends else 1)
        assert spent.usage.input_tokens == 52 + 7 * ends

    def test_two_who_ask_at_once_get_each_their_own_answer(self, server: RealtimeServer, backend: Backend) -> None:
        with Realtime(backend=backend) as session, ThreadPoolExecutor(2) as people:
            replies = [one.result(WAIT_S) for one in [people.submit(session.say, text) for text in ("One?", "Two?")]]
        assert replies[0].id != replies[1].id
        assert [turn.role for turn in session.conversation] == ["user", "assistant"] * 2


class TestKeyboardInterrupt:
    """The kernel is interrupted: Ctrl-C, or the button."""

    def interrupt_when(self, ready: Any) -> None:
        def wait_and_interrupt() -> None:
            ready()
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        threading.Thread(target=wait_and_interrupt, daemon=True).start()

    def test_while_it_is_waited_for_an_answer(self, server: RealtimeServer, backend: Backend) -> None:
        server.hold.clear()
        with Realtime(backend=backend, playback=RealTimePlayback(Clock())) as session:
            self.interrupt_when(lambda: server.wait_for("response.create"))
            began = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                session.say("Hello.")
            assert time.monotonic() - began < 2.0
            server.wait_for("response.cancel")
            assert session.say("And now?").text == WORDS
        assert [turn.text for turn in session.conversation if turn.role == "user"] == ["Hello.", "And now?"]

    def test_while_it_is_iterated(
        self, server: RealtimeServer, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Realtime(backend=backend) as session:
            with monkeypatch.context() as patched:
                patched.setattr(session._telling._changed, "wait", lambda _: signal.raise_signal(signal.SIGINT))
                with pytest.raises(KeyboardInterrupt):
                    list(session)
            session.send("Hello.")
            until(session, is_a(nba.Finished))

    def test_while_a_microphone_is_sent(self, server: RealtimeServer, backend: Backend) -> None:
        def microphone() -> Any:
            yield tone(0.3)
            server.wait_for("input_audio_buffer.append")
            raise KeyboardInterrupt

        with Realtime(backend=backend, turn_detection="push_to_talk") as session:
            with pytest.raises(KeyboardInterrupt):
                session.send(microphone())
            server.wait_for("input_audio_buffer.clear")
            session.send(pieces(tone(0.5)))
            until(session, is_a(nba.Finished))
        question = session.conversation[0]
        assert question.clip is not None
        assert question.clip.encode("pcm16") == tone(0.5)  # and not what came before the interrupt

    def test_while_it_is_opened(self, server: RealtimeServer, backend: Backend) -> None:
        server.silent_on_update = True
        self.interrupt_when(lambda: server.wait_for("session.update"))
        with pytest.raises(KeyboardInterrupt), Realtime(backend=backend):
            pass
        server.wait_until_gone()

    def test_out_of_the_with(self, server: RealtimeServer, backend: Backend) -> None:
        server.hold.clear()
        self.interrupt_when(lambda: server.wait_for("response.create"))
        session = Realtime(nba.Conversation(name="dogs"), backend=backend)

        def talk() -> None:
            with session:
                session.send("Hello.")
                list(session)

        with pytest.raises(KeyboardInterrupt):
            talk()
        server.wait_until_gone()
        assert "over" in repr(session)
        assert nba.history.restore("dogs")[0].text == "Hello."


KINDS = [
    *("response.created", "response.done", "response.output_audio.delta", "response.output_audio_transcript.delta"),
    *("response.output_text.delta", "response.function_call_arguments.done", "input_audio_buffer.speech_started"),
    *("input_audio_buffer.speech_stopped", "input_audio_buffer.committed", "conversation.item.added"),
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.delta",
]
IDS = st.sampled_from(["a", "b", "", "\ud800"])
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5) | IDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)
CALL = st.fixed_dictionaries({"type": st.just("function_call"), "id": IDS, "call_id": IDS, "name": IDS | ANY})
USAGE = st.dictionaries(st.sampled_from(["input_tokens", "output_tokens", "input_token_details"]), ANY, max_size=3)
RESPONSE = st.fixed_dictionaries(
    {"id": IDS},
    optional={
        "status": st.sampled_from(["completed", "cancelled", "failed", "incomplete"]) | ANY,
        "status_details": ANY,
        "output": st.lists(CALL | ANY, max_size=2),
        "usage": USAGE | ANY,
    },
)
EVENT = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS), "item_id": IDS, "response_id": IDS, "response": RESPONSE, "call_id": IDS},
    optional={
        "delta": st.sampled_from(["AA==", "AAA=", "AAAAAAAA", "hello ", "=", "\x00"]) | ANY,
        "transcript": ANY,
        "arguments": ANY,
        "name": ANY,
        "audio_start_ms": st.integers(-(2**63), 2**63) | ANY,
        "audio_end_ms": st.integers(-(2**63), 2**63) | ANY,
        "item": ANY,
    },
)


@given(st.lists(EVENT, max_size=12))
def test_whatever_a_server_says_the_session_goes_on(events: list[dict[str, Any]]) -> None:
    sent = SentSound()
    known = {"model": "m", "voice": "v", "backend": "b", "offline": False, "aloud": True}
    dialogue = Dialogue(nba.Conversation(), RealTimePlayback(Clock()), sent, known)
    for event in events:
        sent.append(bytes(960))
        dialogue.take(read_event(json.dumps(event)))
    dialogue.broke_off()
