"""A text spoken by the loopback server: whole and as it comes, in every form, long, cut off, paid for."""

from __future__ import annotations

import _thread
import asyncio
import re
import threading
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from abilities import able
from openai_server import Gate, OpenAIServer, Scripted

import nbaudio as nba
from nbaudio import errors
from nbaudio.settings import settings
from nbaudio.speaking import saying
from nbaudio.wire.usage import Usage

TEXT = "Hello from a notebook."
SENTENCES = [f"This is sentence number {n}, which goes on for a little while longer." for n in range(12)]
LONG = " ".join(SENTENCES)


def same(speech: nba.Clip, expected: Any) -> bool:
    return speech.samples.shape == expected.shape and bool(np.array_equal(speech.samples, expected))


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes four sentences at a time."""
    able(monkeypatch, longest_speech=300)


class TestOneRequest:
    def test_a_server_may_have_another_path(self, server: OpenAIServer) -> None:
        backend = settings().resolve()
        dialect = replace(backend.dialect, speech_path="v1/audio/speech")
        elsewhere = replace(backend, base_url=server.base_url.removesuffix("/v1"), dialect=dialect)
        assert nba.speak(TEXT, backend=elsewhere).way == "speech endpoint"
        assert [request.path for request in server.requests] == ["/v1/audio/speech"]

    @pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
    def test_a_speech_is_a_clip_with_its_words(self, server: OpenAIServer, stream: bool) -> None:
        speech = nba.speak(f"**{TEXT}**", voice="coral", stream=stream)

        assert isinstance(speech, nba.Speech)
        assert isinstance(speech, nba.Clip)
        assert same(speech, server.speech(TEXT))
        assert (speech.text, speech.said) == (f"**{TEXT}**", TEXT)
        assert (speech.way, speech.model, speech.voice) == ("speech endpoint", "gpt-4o-mini-tts", "coral")
        assert not speech.partial
        assert speech.notes == []
        (request,) = server.requests
        assert request.path == "/v1/audio/speech"
        assert request.body == {
            "model": "gpt-4o-mini-tts",
            "input": TEXT,
            "voice": "coral",
            "response_format": "pcm" if stream else "wav",
            "stream_format": "sse",
        }
        assert speech.usage == Usage(4, 24, input_text_tokens=4, output_audio_tokens=24, characters=len(TEXT))
        assert speech.cost == nba.Cost((4 * Decimal("0.6") + 24 * 12) / 1_000_000)

    def test_every_option_reaches_the_request(self, server: OpenAIServer) -> None:
        nba.speak(
            TEXT, voice="voice_1", model="gpt-4o-mini-tts-2025-12-15", instructions="Calm.", speed=0.5, format="flac"
        )
        body = server.requests[0].body
        assert body == {
            "model": "gpt-4o-mini-tts-2025-12-15",
            "input": TEXT,
            "voice": {"id": "voice_1"},
            "instructions": "Calm.",
            "speed": 0.5,
            "response_format": "flac",
            "stream_format": "sse",
        }

    def test_settings_hold_where_nothing_is_said(self, server: OpenAIServer) -> None:
        settings().voice, settings().speech_model, settings().speed, settings().stream = "ash", "tts-1", 2.0, False
        nba.speak(TEXT)
        body = server.requests[0].body
        assert body == {"model": "tts-1", "input": TEXT, "voice": "ash", "speed": 2.0, "response_format": "wav"}

    @pytest.mark.parametrize("stream", [True, False])
    @pytest.mark.parametrize("audio_format", ["pcm", "wav", "mp3", "opus", "flac"])
    def test_every_format(self, server: OpenAIServer, audio_format: str, stream: bool) -> None:
        speech = nba.speak(TEXT, format=audio_format, stream=stream)
        assert server.requests[0].body["response_format"] == audio_format
        expected = server.speech(TEXT)
        if audio_format in ("mp3", "opus"):
            assert speech.duration_s == pytest.approx(len(expected) / 24_000, abs=0.1)
            assert speech.level_dbfs == pytest.approx(nba.Clip(expected, 24_000).level_dbfs, abs=0.7)
        else:
            assert same(speech, expected)

    def test_the_file_is_kept_as_it_came(self, server: OpenAIServer) -> None:
        speech = nba.speak(TEXT, format="mp3")
        server.fail_next(Scripted(headers={"content-type": "audio/mpeg"}, body=speech.encode("mp3")))
        assert nba.speak("Again.", format="mp3").encode("mp3") == speech.encode("mp3")

    def test_tts_1_is_asked_for_neither_events_nor_a_manner(self, server: OpenAIServer) -> None:
        speech = nba.speak(TEXT, model="tts-1", instructions="Calm.")
        assert server.requests[0].body.keys() == {"model", "input", "voice", "response_format"}
        assert speech.notes == ["tts-1 takes no instructions; they were left out."]
        assert speech.usage == Usage(characters=len(TEXT))
        assert speech.cost == nba.Cost(Decimal(15) * len(TEXT) / 1_000_000)

    def test_another_server_gets_the_plainest_request(
        self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NBAUDIO_DIALECT", "compatible")
        speech = nba.speak(TEXT)
        assert server.requests[0].body == {"model": "tts-1", "input": TEXT, "voice": "alloy", "response_format": "pcm"}
        assert same(speech, server.speech(TEXT))

    def test_what_refuses_events_is_asked_without(self, server: OpenAIServer) -> None:
        refusal = {"error": {"message": "Unknown parameter", "type": "x", "param": "stream_format", "code": None}}
        server.fail_next(Scripted(400, body=refusal))
        for _ in range(2):
            speech = nba.speak(TEXT)
            assert same(speech, server.speech(TEXT))
            assert speech.cost is None  # nobody has said what it took
        assert [("stream_format" in request.body) for request in server.requests] == [True, False, False]
        assert str(nba.usage().cost) == "unknown: 2 answers of unknown price"

    def test_what_is_sent_in_the_place_of_pcm_is_played(self, server: OpenAIServer) -> None:
        wav = nba.Clip(server.speech(TEXT), 24_000).resample(44_100).encode("wav")
        server.fail_next(Scripted(headers={"content-type": "application/octet-stream"}, body=wav))
        server.fail_next(Scripted(headers={"content-type": "audio/wav"}, body=wav))
        streamed, whole = nba.speak(TEXT), nba.speak(TEXT, stream=False)
        assert streamed.sample_rate == 24_000  # it plays at one rate while it comes
        assert whole.sample_rate == 44_100  # as it came
        assert streamed.duration_s == pytest.approx(whole.duration_s, abs=1e-3)

    def test_a_key_never_shows(self, server: OpenAIServer) -> None:
        speech = nba.speak(TEXT)
        assert server.api_key not in f"{speech!r} {speech._repr_mimebundle_()} {vars(speech)}"


class TestWhatCanNotBe:
    @pytest.mark.parametrize(
        ("text", "options", "said"),
        [
            ("", {}, "There are no words in this text"),
            ("---\n\n🙂 …", {}, "There are no words in this text"),
            (" \n", {"as_is": True}, "There are no words in this text"),
            (b"Hi", {}, "A bytes can't be spoken"),
            (None, {}, "A NoneType can't be spoken"),
            ("Hi", {"speed": 0.1}, "The speed can't be 0.1"),
            ("Hi", {"speed": "fast"}, "The speed can't be 'fast'"),
            ("Hi", {"speed": float("nan")}, "The speed can't be nan"),
            ("Hi", {"format": "aac"}, "AAC can't be played here"),
            ("Hi", {"format": "ape"}, "There is no format 'ape'"),
        ],
    )
    def test_is_refused_before_anything_is_sent(
        self, server: OpenAIServer, text: Any, options: dict[str, Any], said: str
    ) -> None:
        with pytest.raises(errors.CellError, match=said):
            nba.speak(text, **options)
        assert server.requests == []

    @pytest.mark.parametrize(
        ("scripted", "kind", "said"),
        [
            (Scripted(headers={"content-type": "text/html"}, body=b"<html>"), errors.BadReply, "sent text/html where"),
            (Scripted(headers={"content-type": "audio/pcm"}), errors.BadReply, "sent no sound"),
            (
                Scripted(headers={"content-type": "audio/aac"}, body=b"\xff\xf1" * 99),
                errors.BadReply,
                "can't be played",
            ),
            (Scripted(headers={"content-type": "audio/mpeg"}, body=b"no mp3"), errors.BadReply, "can't be played"),
            (Scripted(body={"audio": "x"}), errors.BadReply, "sent application/json where sound was asked for"),
            (Scripted(body={"error": {"message": "No GPU left."}}), errors.ServerRefused, "No GPU left"),
            (
                Scripted(headers={"content-type": "text/event-stream"}, body="data: x\n\n"),
                errors.BadReply,
                "is not JSON",
            ),
            (
                Scripted(headers={"content-type": "text/event-stream"}, body="data: [DONE]\n\n"),
                errors.BadReply,
                "no sound",
            ),
        ],
    )
    def test_no_answer_is_taken_for_sound(
        self, server: OpenAIServer, scripted: Scripted, kind: type[errors.NbaudioError], said: str
    ) -> None:
        server.fail_next(scripted)
        with pytest.raises(kind, match=said):
            nba.speak(TEXT)

    @pytest.mark.parametrize(
        ("options", "kind"),
        [({"voice": "bob"}, errors.UnknownVoice), ({"model": "tts-9"}, errors.UnknownModel)],
    )
    def test_a_slip_is_told_and_nobody_else_speaks(
        self, server: OpenAIServer, options: dict[str, Any], kind: type[errors.NbaudioError]
    ) -> None:
        with pytest.raises(kind):
            nba.speak(TEXT, **options)
        assert len(server.requests) == 1


class TestAsItComes:
    def test_words_before_their_sound_and_the_speech_at_last(self, server: OpenAIServer) -> None:
        server.gate = Gate(2)
        events = nba.Speech.stream(TEXT, voice="ash")
        heard: list[Any] = [next(events), next(events)]
        server.gate.wait_until_held()  # the rest has not been sent yet
        server.gate.open()
        heard += events
        assert [event.text for event in heard if isinstance(event, nba.TextDelta)] == [TEXT]
        pcm16 = b"".join(event.pcm16 for event in heard if isinstance(event, nba.AudioDelta))
        assert isinstance(heard[-1], nba.Speech)
        assert heard[-1] == nba.Clip.from_pcm16(pcm16)
        assert same(heard[-1], server.speech(TEXT))

    def test_leaving_the_loop_ends_the_request(self, server: OpenAIServer) -> None:
        server.gate = Gate(3)
        events = nba.Speech.stream(TEXT)
        next(events)
        server.gate.wait_until_held()
        events.close()
        assert server.requests[0].broken_off.wait(5)

    def test_awaited(self, server: OpenAIServer) -> None:
        async def both() -> tuple[nba.Speech, list[Any]]:
            speech = await nba.aspeak(TEXT, voice="ash")
            return speech, [event async for event in nba.Speech.astream(TEXT, voice="ash")]

        speech, events = asyncio.run(both())
        assert same(speech, server.speech(TEXT))
        assert speech == events[-1]
        assert isinstance(events[0], nba.AudioDelta | nba.TextDelta)

    def test_a_cancelled_task_ends_the_request(self, server: OpenAIServer) -> None:
        server.gate = Gate(1)

        async def cancelled() -> None:
            task = asyncio.create_task(nba.aspeak(TEXT))
            await asyncio.to_thread(server.gate.wait_until_held)  # type: ignore[union-attr]
            task.cancel()
            await task

        with pytest.raises(asyncio.CancelledError):
            asyncio.run(cancelled())
        assert server.requests[0].broken_off.wait(5)

    def test_an_interrupt_keeps_what_came(self, server: OpenAIServer) -> None:
        server.gate = Gate(4)
        server.piece_bytes = 4800
        events = nba.Speech.stream(TEXT)
        heard = [next(events) for _ in range(5)]  # the words, and four pieces
        with pytest.raises(errors.Interrupted, match="what had been spoken is kept") as stopped:
            events.throw(KeyboardInterrupt())
        partial = stopped.value.partial
        assert isinstance(partial, nba.Speech)
        assert partial.partial
        assert same(partial, server.speech(TEXT)[: 4 * 2400])
        assert partial == nba.Clip.from_pcm16(b"".join(e.pcm16 for e in heard if isinstance(e, nba.AudioDelta)))
        assert "broke off" in partial.notes[0]
        assert partial.captions[-1].end_s <= partial.duration_s
        assert nba.usage().total.unreported == 1
        assert server.requests[0].broken_off.wait(5)

    def test_an_interrupt_is_heard_while_nothing_comes(
        self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.fail_next("hang")
        waiting, next_of = threading.Event(), saying._next

        def waited(arrived: Any) -> Any:
            waiting.set()
            return next_of(arrived)

        monkeypatch.setattr(saying, "_next", waited)

        def interrupt() -> None:
            server.wait_for_request()
            assert waiting.wait(10)
            _thread.interrupt_main()

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(errors.Interrupted, match="Stopped before anything was spoken") as stopped:
            nba.speak(TEXT)
        thread.join()
        assert stopped.value.partial is None
        assert server.requests[0].broken_off.wait(5)
        assert nba.usage().total.answers == 0

    @pytest.mark.parametrize(("fault", "kind"), [("cut_stream", errors.ReplyCut), ("no_done", errors.ReplyCut)])
    def test_what_broke_off_is_kept(self, server: OpenAIServer, fault: str, kind: type[errors.RequestError]) -> None:
        server.fail_next(fault)
        with pytest.raises(kind) as broken:
            nba.speak(TEXT)
        assert broken.value.partial.partial
        expected = server.speech(TEXT)
        assert same(broken.value.partial, expected[: broken.value.partial.frames])
        assert broken.value.partial.frames == len(expected) if fault == "no_done" else broken.value.partial.frames > 0

    def test_an_error_in_the_middle_is_told(self, server: OpenAIServer) -> None:
        server.fail_next("error_in_stream")
        with pytest.raises(errors.ServerRefused) as broken:
            nba.speak(TEXT)
        assert broken.value.partial.partial

    def test_what_failed_before_it_began_is_sent_again(self, server: OpenAIServer) -> None:
        server.fail_next("rate_limited", headers={"retry-after-ms": "1"})
        server.fail_next("hang_up")
        assert same(nba.speak(TEXT), server.speech(TEXT))
        assert len(server.requests) == 3


class TestLong:
    def test_it_is_cut_at_sentences_and_joined_sample_for_sample(self, server: OpenAIServer, short: None) -> None:
        events = list(nba.Speech.stream(LONG))
        speech = events[-1]
        assert isinstance(speech, nba.Speech)
        bodies = sorted((request.body["input"] for request in server.requests), key=LONG.index)
        assert bodies == [" ".join(SENTENCES[at : at + 4]) for at in (0, 4, 8)]
        assert same(speech, np.concatenate([server.speech(body) for body in bodies]))
        assert speech == nba.Clip.from_pcm16(b"".join(e.pcm16 for e in events if isinstance(e, nba.AudioDelta)))
        assert "".join(event.text for event in events if isinstance(event, nba.TextDelta)) == LONG == speech.said
        assert speech.usage.characters == sum(map(len, bodies))
        assert speech.usage.input_tokens == len(LONG.split())
        assert nba.usage().total.answers == 3
        # each passage begins where its sound does
        begins = [speech.captions.phrases[at].start_s for at in range(len(speech.captions))]
        for passage in (1, 2):
            assert min(abs(begin_s - (passage * 1.2 + 0.1)) for begin_s in begins) < 0.005

    def test_as_other_formats_too(self, server: OpenAIServer, short: None) -> None:
        speech = nba.speak(LONG, format="flac", stream=False)
        expected = np.concatenate([server.speech(" ".join(SENTENCES[at : at + 4])) for at in (0, 4, 8)])
        assert same(speech, expected)

    def test_passages_are_requested_side_by_side_and_heard_from_the_first(
        self, server: OpenAIServer, short: None
    ) -> None:
        server.gate = Gate(2)
        events = nba.Speech.stream(LONG)
        first = next(events)
        assert isinstance(first, nba.AudioDelta | nba.TextDelta)
        server.wait_for_request(3)  # while the first is still coming
        server.gate.open()
        assert isinstance(list(events)[-1], nba.Speech)

    def test_no_more_than_four_at_once(self, server: OpenAIServer, short: None) -> None:
        server.gate = Gate(1)
        thread = threading.Thread(target=lambda: nba.speak(" ".join([LONG] * 3)))
        thread.start()
        server.wait_for_request(4)
        server.gate.wait_until_held()
        assert len(server.requests) == 4
        server.gate.open()
        thread.join()
        assert len(server.requests) == 9

    def test_the_usual_limit_is_4096_code_points(self, server: OpenAIServer) -> None:
        server.duration_s = 0.05
        text = "Été à la plage. " * 600
        nba.speak(text, model="tts-1")
        lengths = sorted(len(request.body["input"]) for request in server.requests)
        assert len(lengths) == 3
        assert lengths[-1] <= 4096
        assert all(request.status == 200 for request in server.requests)

    def test_a_script_of_many_tokens_is_cut_earlier(self, server: OpenAIServer) -> None:
        server.duration_s = 0.05
        nba.speak("今日はとても良い天気ですね。" * 250)
        assert max(len(request.body["input"]) for request in server.requests) <= 2000

    def test_a_passage_that_fails_is_named_and_the_others_are_kept(
        self, server: OpenAIServer, short: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        quota = Scripted(429, body={"error": {"message": "No credit.", "code": "insufficient_quota"}})
        able(monkeypatch, speeches_at_once=1)  # so that it is known which one fails
        done: list[Any] = []
        server.gate = Gate(0)
        events = nba.Speech.stream(LONG)
        thread = threading.Thread(target=lambda: done.append(collected(events)))
        thread.start()
        server.gate.wait_until_held()
        server.fail_next(quota)
        server.gate.open()
        thread.join()
        error = done[0]
        assert isinstance(error, errors.QuotaExceeded)
        assert "Passage 2 of 3 (“This is sentence number" in error.cause
        assert "No credit" in error.cause
        assert isinstance(error.partial, nba.Speech)
        assert error.partial.duration_s == pytest.approx(server.duration_s, abs=0.5)

    def test_what_was_finished_is_not_requested_again(
        self, server: OpenAIServer, short: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken = Scripted(500, {"x-should-retry": "false"}, {"error": {"message": "Broken."}})
        able(monkeypatch, speeches_at_once=1)
        passages = [" ".join(SENTENCES[at : at + 4]) for at in (0, 4, 8)]
        server.fail_next(broken)
        with pytest.raises(errors.ServerFailed, match=r"Passage 1 of 3"):
            nba.speak(LONG)
        assert len(server.requests) == 1  # the others had waited for it

        sound = server.speech

        def speech(text: str) -> Any:
            if text == passages[1]:
                server.fail_next(broken)  # the next one
            return sound(text)

        monkeypatch.setattr(server, "speech", speech)
        with pytest.raises(errors.ServerFailed, match=r"Passage 3 of 3 .*The 2 that are finished are kept") as caught:
            nba.speak(LONG)
        partial = caught.value.partial
        assert same(partial, np.concatenate([sound(passage) for passage in passages[:2]]))
        assert partial.said == " ".join(SENTENCES[:8])

        sent = len(server.requests)
        speech_whole = nba.speak(LONG)
        assert [request.body["input"] for request in server.requests[sent:]] == passages[2:]
        assert same(speech_whole, np.concatenate([sound(passage) for passage in passages]))
        assert speech_whole.said == LONG
        assert nba.usage().total.answers == 3
        assert speech_whole.usage == nba.usage().usage

    def test_a_text_that_repeats_itself_keeps_its_spaces(
        self, server: OpenAIServer, short: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        able(monkeypatch, speeches_at_once=1)
        text = " ".join(SENTENCES[:4] * 3)
        sound = server.speech

        def speech(passage: str) -> Any:
            if len(server.requests) == 1:
                server.fail_next("quota")  # the second
            return sound(passage)

        monkeypatch.setattr(server, "speech", speech)
        with pytest.raises(errors.QuotaExceeded):
            nba.speak(text)
        assert nba.speak(text).said == text

    def test_a_bar_shows_how_far_it_is(
        self, server: OpenAIServer, short: None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        nba.speak(LONG)
        assert re.search(r"Speaking: .* \d/3 ", capsys.readouterr().err)
        nba.speak(TEXT)
        assert capsys.readouterr().err == ""


def collected(events: Any) -> Any:
    try:
        return list(events)
    except errors.NbaudioError as error:
        return error


class TestMoney:
    def test_a_budget_refuses_before_anything_is_sent(self, server: OpenAIServer) -> None:
        with pytest.raises(errors.BudgetExceeded) as refused:
            nba.speak("word " * 800, budget=0.001)
        assert server.requests == []
        assert refused.value.estimate == pytest.approx(0.0776, rel=0.05)  # 4,000 characters: 320 s, 6,400 tokens
        assert "speak less" in refused.value.next_step

    def test_of_the_settings_too_and_all_passages_count(self, server: OpenAIServer, short: None) -> None:
        settings().budget_minutes, settings().budget_per = 1.0, "notebook"
        with pytest.raises(errors.BudgetExceeded):
            nba.speak(LONG)
        settings().budget_minutes = 2.0
        nba.speak(LONG)
        assert nba.usage().total.toll.sound_s == pytest.approx(3.6)

    def test_an_unknown_price_is_unknown(self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NBAUDIO_DIALECT", "compatible")
        server.fail_next(Scripted(headers={"content-type": "audio/pcm"}, body=bytes(48_000)))
        speech = nba.speak(TEXT, model="somebodys-voice")
        assert speech.cost is None
        assert '<td style="text-align:left">unknown</td>' in speech._repr_mimebundle_()["text/html"]
        with pytest.raises(errors.BudgetExceeded, match="The price of somebodys-voice is not known"):
            nba.speak(TEXT, model="somebodys-voice", budget=1)

    def test_spoken_texts_have_a_row_of_their_own(self, server: OpenAIServer) -> None:
        nba.speak(TEXT)
        assert list(nba.usage().by_conversation) == ["(spoken texts)"]
        assert nba.usage().cost == nba.Cost((4 * Decimal("0.6") + 24 * 12) / 1_000_000)
