"""`transcribe` and `atranscribe` against the loopback server: what is sent, what comes back, in every way."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openai_server import Gate, OpenAIServer, Said, Scripted
from signals import voice

import nbaudio as nba
from nbaudio import Segment, TextDelta, Transcribed, Transcript, Word, errors
from nbaudio.magics.heard import Heard
from nbaudio.settings import settings
from nbaudio.spending import accounts
from nbaudio.transcribing import calls
from nbaudio.transcribing.calls import Event

QUESTION = Path(__file__).parents[2] / "notebooks" / "question.wav"
TALK = [Said("Hello.", 0.1, 0.5, "Ada"), Said("Hi", 0.6, 0.8, "Bob"), Said("Ada.", 0.8, 1.2, "Bob")]
CLIP = nba.Clip(voice(duration_s=2.0), 24_000)


@pytest.fixture(autouse=True)
def talk(server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.heard = TALK
    monkeypatch.setenv("NBAUDIO_CACHE_FOLDER", str(tmp_path / "cache"))


@pytest.fixture
def m4a(tmp_path: Path) -> Path:
    """A file that nobody here can read."""
    path = tmp_path / "memo.m4a"
    path.write_bytes(bytes(4) + b"ftypM4A " + bytes(100))
    return path


def plainly(sound: Any, **options: Any) -> Transcript:
    return nba.transcribe(sound, **options)


def awaited(sound: Any, **options: Any) -> Transcript:
    async def run() -> Transcript:
        return await nba.atranscribe(sound, **options)

    return asyncio.run(run())


def last_of(events: list[Event]) -> Transcript:
    assert isinstance(events[-1], Transcribed)
    return events[-1].transcript


def streamed(sound: Any, **options: Any) -> Transcript:
    return last_of(list(nba.transcribe(sound, stream=True, **options)))


def astreamed(sound: Any, **options: Any) -> Transcript:
    async def run() -> list[Event]:
        return [event async for event in nba.atranscribe(sound, stream=True, **options)]

    return last_of(asyncio.run(run()))


@pytest.fixture(params=[plainly, awaited, streamed, astreamed], ids=lambda way: way.__name__)
def write_down(request: pytest.FixtureRequest) -> Callable[..., Transcript]:
    way: Callable[..., Transcript] = request.param
    return way


class TestWays:
    def test_each_gives_the_same(self, write_down: Callable[..., Transcript]) -> None:
        found = write_down(CLIP)
        assert found == Transcript(
            "Hello. Hi Ada.",
            languages=("en",) if write_down in (plainly, awaited) else (),
            duration_s=2.0,
            model="gpt-transcribe",
            backend=found.backend,
            billed_s=2.0 if write_down in (plainly, awaited) else None,
        )
        assert found.clip is CLIP
        assert not found.partial

    def test_each_raises_the_same(self, server: OpenAIServer, write_down: Callable[..., Transcript]) -> None:
        server.fail_next("quota")
        with pytest.raises(errors.QuotaExceeded) as raised:
            write_down(CLIP)
        assert raised.value.partial is None

    def test_words_come_as_they_are_written(self, server: OpenAIServer) -> None:
        server.gate = Gate(pieces=1)
        events = nba.transcribe(CLIP, stream=True)
        assert next(events) == TextDelta("Hello.")
        server.gate.open()
        assert [event for event in events if isinstance(event, TextDelta)] == [TextDelta(" Hi"), TextDelta(" Ada.")]

    def test_a_loop_that_is_left_ends_the_request(self, server: OpenAIServer) -> None:
        server.gate = Gate(pieces=1)
        events = nba.transcribe(CLIP, stream=True)
        next(events)
        events.close()
        assert server.requests[0].broken_off.wait(10)

    def test_a_cancelled_task_ends_the_request(self, server: OpenAIServer) -> None:
        server.gate = Gate(pieces=1)

        async def run() -> None:
            task = asyncio.ensure_future(nba.atranscribe(CLIP))
            await asyncio.to_thread(server.gate.wait_until_held)  # type: ignore[union-attr]
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        server.fail_next("hang")
        server.gate = Gate()
        server.hang_gate = server.gate
        asyncio.run(run())
        assert server.requests[0].broken_off.wait(10)

    def test_an_interrupt_keeps_what_has_come(self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
        server.gate = Gate(pieces=2)
        before = accounts.notebook.spent.answers
        waits, usual = threading.Event(), calls._next

        def wait(arrived: Any) -> Any:
            waits.set()
            return usual(arrived)

        def interrupt() -> None:
            assert waits.wait(10)
            signal.raise_signal(signal.SIGINT)

        events = nba.transcribe(CLIP, stream=True)
        assert [next(events), next(events)] == [TextDelta("Hello."), TextDelta(" Hi")]
        monkeypatch.setattr(calls, "_next", wait)  # from here on the person waits inside
        threading.Thread(target=interrupt).start()
        with pytest.raises(errors.Interrupted) as stopped:
            list(events)
        partial = stopped.value.partial
        assert (partial.text, partial.partial, partial.duration_s) == ("Hello. Hi", True, 2.0)
        assert "broke off" in partial.note
        assert accounts.notebook.spent.answers == before + 1, "what was heard is paid for"

    def test_an_interrupt_before_anything_came(self, server: OpenAIServer) -> None:
        server.fail_next("hang")

        def interrupt() -> None:
            server.wait_for_request()
            signal.raise_signal(signal.SIGINT)

        threading.Thread(target=interrupt).start()
        with pytest.raises(errors.Interrupted, match="before anything was written down") as stopped:
            nba.transcribe(CLIP)
        assert stopped.value.partial is None
        assert server.requests[0].broken_off.wait(10)


class TestWhatIsSent:
    def test_a_clip_that_needs_nothing(self, server: OpenAIServer) -> None:
        nba.transcribe(CLIP)
        form = dict(server.requests[0].form)
        assert form.pop("file") == ("speech.wav", "audio/wav", CLIP.for_model()[0])
        assert form == {"model": "gpt-transcribe", "response_format": "json"}
        assert server.requests[0].path == "/v1/audio/transcriptions"

    @pytest.mark.parametrize("format", ["mp3", "flac", "ogg", "opus"])
    def test_a_file_that_servers_read_goes_as_it_is(self, server: OpenAIServer, tmp_path: Path, format: str) -> None:
        path = CLIP.save(tmp_path / f"talk.{format}")
        assert nba.transcribe(path).clip == nba.Clip(path)
        name, _, data = server.requests[0].form["file"]
        assert name == f"speech.{'ogg' if format == 'opus' else format}"
        assert data == path.read_bytes()

    def test_all_that_can_be_said(self, server: OpenAIServer) -> None:
        nba.transcribe(
            CLIP, language=["en", "de"], prompt=" Ada talks. ", keywords=["Ada"], temperature=0.25, chunking="auto"
        )
        form = dict(server.requests[0].form)
        del form["file"]
        assert form == {
            "model": "gpt-transcribe",
            "response_format": "json",
            "languages[]": ["en", "de"],
            "prompt": "Ada talks.",
            "keywords[]": ["Ada"],
            "temperature": "0.25",
            "chunking_strategy": "auto",
        }

    def test_one_language_and_a_way_of_cutting(self, server: OpenAIServer) -> None:
        cutting = {"type": "server_vad", "threshold": 0.4}
        found = nba.transcribe(CLIP, language="en", chunking=cutting, model="gpt-4o-transcribe")
        form = server.requests[0].form
        assert (form["language"], form["chunking_strategy[type]"]) == ("en", "server_vad")
        assert form["chunking_strategy[threshold]"] == "0.4"
        assert found.language == "en"

    def test_streaming_is_asked_for_where_the_model_can(self, server: OpenAIServer) -> None:
        streamed(CLIP)
        streamed(CLIP, model="whisper-1")
        assert [request.form.get("stream") for request in server.requests] == ["true", None]

    def test_a_turn_a_reply_and_a_transcript_have_sounds(self, server: OpenAIServer) -> None:
        for sound in (nba.Turn("user", clips=(CLIP,)), nba.Reply(clips=(CLIP,)), nba.transcribe(CLIP)):
            assert nba.transcribe(sound).text == "Hello. Hi Ada."
        assert len({request.form["file"][2] for request in server.requests}) == 1

    def test_samples_and_bytes(self, server: OpenAIServer) -> None:
        assert nba.transcribe(CLIP.encode("mp3")).text
        assert server.requests[0].form["file"][0] == "speech.mp3"

    def test_what_only_the_server_can_read(self, server: OpenAIServer, m4a: Path) -> None:
        found = nba.transcribe(m4a, model="whisper-1", timestamps="segment")
        assert server.requests[0].form["file"] == ("speech.m4a", "audio/mp4", m4a.read_bytes())
        assert (found.clip, found.duration_s) == (None, 1.0)
        assert "<audio" not in found._repr_mimebundle_()["text/html"]

    def test_times_in_what_only_the_server_can_read_are_the_servers(self, m4a: Path) -> None:
        found = nba.transcribe(m4a, model="whisper-1", timestamps="word")
        assert found.words == tuple(Word(one.word, one.start_s, one.end_s) for one in TALK)
        assert [(segment.start_s, segment.end_s) for segment in found.segments] == [(0.1, 0.5), (0.6, 1.2)]
        assert found.times_from == "server"
        assert "00:00:00,600 --> 00:00:01,200\nHi Ada." in found.srt

    def test_a_stream_of_what_only_the_server_can_read_has_its_times(self, m4a: Path) -> None:
        events = list(nba.transcribe(m4a, diarize=True, stream=True))
        spans = [(event.start_s, event.end_s) for event in events if isinstance(event, Segment)]
        assert spans == [(0.1, 0.5), (0.6, 1.2)]

    def test_no_times_are_estimated_of_what_cannot_be_read_here(self, m4a: Path) -> None:
        found = nba.transcribe(m4a, timestamps="segment")
        assert (found.segments, found.times_from) == ((), "")
        assert found.note == (
            "No times: gpt-transcribe gives none, and a file that can't be read here shows no pauses."
        )

    def test_what_only_the_server_can_read_and_is_too_large(self, server: OpenAIServer, tmp_path: Path) -> None:
        m4a = tmp_path / "memo.m4a"
        m4a.write_bytes(bytes(4) + b"ftypM4A " + bytes(27_000_000))
        with pytest.raises(errors.ClipError, match="Convert it to MP3"):
            nba.transcribe(m4a)
        assert server.requests == []

    def test_a_server_may_have_another_path(self, server: OpenAIServer) -> None:
        backend = settings().resolve()
        dialect = replace(backend.dialect, transcription_path="v1/audio/transcriptions")
        elsewhere = replace(backend, base_url=server.base_url.removesuffix("/v1"), dialect=dialect)
        assert nba.transcribe(CLIP, backend=elsewhere).text == "Hello. Hi Ada."
        assert [request.path for request in server.requests] == ["/v1/audio/transcriptions"]

    def test_translations_have_an_address_of_their_own(self, server: OpenAIServer) -> None:
        found = nba.transcribe(CLIP, translate=True, prompt="Ada")
        assert server.requests[0].path == "/v1/audio/translations"
        assert server.requests[0].form.keys() == {"file", "model", "response_format", "prompt"}
        assert (found.model, found.translated) == ("whisper-1", True)
        assert found.note == "Written down by whisper-1, for gpt-transcribe does not translate."


class TestWhatComes:
    def test_word_times(self, server: OpenAIServer) -> None:
        found = nba.transcribe(CLIP, timestamps="word")
        assert found.words == tuple(Word(one.word, one.start_s, one.end_s) for one in TALK)
        assert [segment.text for segment in found.segments] == ["Hello.", "Hi Ada."]
        assert (found.model, found.times_from, found.language) == ("whisper-1", "server", "en")
        assert found.note == "Written down by whisper-1, for gpt-transcribe does not say when words sound."

    def test_a_word_that_ends_before_it_begins_has_no_length(self, server: OpenAIServer) -> None:
        words = [{"word": "Hello", "start": 0.5, "end": 0.0}, {"word": "Ada", "start": 1.5, "end": 1.0}]
        server.fail_next(Scripted(body={"text": "Hello Ada", "words": words}))
        found = nba.transcribe(CLIP, timestamps="word", model="whisper-1")
        assert found.words == (Word("Hello", 0.5, 0.5), Word("Ada", 1.5, 1.5))
        assert [mark.start_s for mark in found.marks] == [0.5, 1.5]
        assert found.srt

    def test_segment_times_of_a_model_that_gives_them(self, server: OpenAIServer) -> None:
        found = nba.transcribe(CLIP, timestamps="segment", model="whisper-1")
        assert server.requests[0].form["timestamp_granularities[]"] == ["segment"]
        assert found.words == ()
        assert found.segments[1] == Segment("Hi Ada.", 0.6, 1.2, confidence=pytest.approx(0.951, abs=0.001))
        assert found.note == ""

    def test_segment_times_of_a_model_that_gives_none(self, server: OpenAIServer) -> None:
        found = nba.transcribe(CLIP, timestamps="segment")
        assert server.requests[0].form["response_format"] == "json"
        assert " ".join(segment.text for segment in found.segments) == "Hello. Hi Ada."
        assert 0 <= found.segments[0].start_s < found.segments[-1].end_s <= 2.0
        assert (found.model, found.times_from) == ("gpt-transcribe", "pauses")
        assert "estimated from the pauses" in found.note

    def test_speakers(self, write_down: Callable[..., Transcript]) -> None:
        found = write_down(CLIP, diarize=True)
        assert [(one.speaker, one.text) for one in found.segments] == [("A", "Hello."), ("B", "Hi Ada.")]
        assert found.speakers == ("A", "B")
        assert found.model == "gpt-4o-transcribe-diarize"

    def test_speakers_whose_voices_are_known(self, server: OpenAIServer) -> None:
        sample = nba.Clip(voice(duration_s=3.0), 24_000)
        found = nba.transcribe(CLIP, diarize=True, speakers={"Bob": sample})
        assert found.speakers == ("A", "Bob")
        assert server.requests[0].form["known_speaker_names[]"] == ["Bob"]
        assert server.requests[0].form["known_speaker_references[]"][0].startswith("data:audio/mpeg;base64,")

    def test_segments_in_a_stream(self) -> None:
        events = list(nba.transcribe(CLIP, stream=True, diarize=True))
        assert [type(event) for event in events] == [TextDelta, Segment, TextDelta, Segment, Transcribed]
        assert last_of(events).segments == (events[1], events[3])

    def test_how_sure_it_is(self, write_down: Callable[..., Transcript]) -> None:
        found = write_down(CLIP, confidence=True, model="gpt-4o-transcribe")
        assert [word.text for word in found.words] == ["Hello.", "Hi", "Ada."]
        assert all(word.confidence == pytest.approx(0.951, abs=0.001) for word in found.words)
        assert found.times_from == ""
        assert found.usage.input_audio_tokens == 20

    @pytest.mark.parametrize("form", ["text", "srt", "vtt", "verbose_json", "json"])
    def test_every_form_of_an_answer(self, form: str) -> None:
        found = nba.transcribe(CLIP, model="whisper-1", response_format=form)
        assert found.text == "Hello. Hi Ada."
        assert bool(found.segments) is (form in ("srt", "vtt", "verbose_json"))

    def test_a_server_that_does_not_stream(self, server: OpenAIServer) -> None:
        server.streams_transcripts = ""
        events = list(nba.transcribe(CLIP, stream=True))
        assert events[0] == TextDelta("Hello. Hi Ada.")
        assert last_of(events).text == "Hello. Hi Ada."

    def test_a_server_that_streams_chunks(self, server: OpenAIServer) -> None:
        server.streams_transcripts = "chunks"
        events = list(nba.transcribe(CLIP, stream=True))
        assert [event.text for event in events if isinstance(event, TextDelta)] == ["Hello.", " Hi", " Ada."]
        assert last_of(events).text == "Hello. Hi Ada."

    def test_silence(self, server: OpenAIServer, write_down: Callable[..., Transcript]) -> None:
        server.heard = ""
        found = write_down(CLIP)
        assert (found.text, len(found.captions)) == ("", 0)
        assert "(no words)" in found._repr_mimebundle_()["text/plain"]

    def test_what_a_model_says_is_not_taken_for_anything_else(self, server: OpenAIServer) -> None:
        server.fail_next(Scripted(body={"text": "Hi.\ud83d", "segments": [{"start": "x"}], "duration": "nan"}))
        assert nba.transcribe(CLIP).text == "Hi.\ufffd"


class TestErrors:
    def test_a_stream_that_is_cut(self, server: OpenAIServer) -> None:
        server.fail_next("cut_stream")
        events = nba.transcribe(CLIP, stream=True)
        with pytest.raises(errors.ReplyCut) as cut:
            list(events)
        assert (cut.value.partial.text, cut.value.partial.partial) == ("Hello. Hi", True)

    def test_a_stream_without_an_end(self, server: OpenAIServer) -> None:
        server.fail_next("no_done")
        with pytest.raises(errors.ReplyCut, match="ended in the middle") as cut:
            streamed(CLIP)
        assert cut.value.partial.text == "Hello. Hi Ada."

    def test_an_error_in_a_stream(self, server: OpenAIServer) -> None:
        server.fail_next("error_in_stream")
        with pytest.raises(errors.ServerFailed) as failed:
            streamed(CLIP)
        assert failed.value.partial.text == "Hello. Hi"

    def test_a_passing_failure_is_asked_again(self, server: OpenAIServer) -> None:
        server.fail_next("rate_limited", headers={"retry-after-ms": "1"})
        assert nba.transcribe(CLIP).text
        assert [request.status for request in server.requests] == [429, 200]

    def test_an_unknown_model(self, write_down: Callable[..., Transcript]) -> None:
        with pytest.raises(errors.UnknownModel, match=r"%config NbAudio\.transcription_model"):
            write_down(CLIP, model="gpt-9")

    @pytest.mark.parametrize("fault", ["not_json", "empty_body"])
    def test_an_answer_that_is_none(self, server: OpenAIServer, fault: str) -> None:
        server.fail_next(fault)
        with pytest.raises(errors.BadReply, match="holds no transcript"):
            nba.transcribe(CLIP)

    def test_the_key_is_in_no_error(self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-wrong-key-4567")
        with pytest.raises(errors.AuthenticationFailed) as failed:
            nba.transcribe(CLIP)
        assert "4567" not in str(failed.value)

    def test_an_unknown_option(self) -> None:
        with pytest.raises(errors.CellError, match="Did you mean language"):
            nba.transcribe(CLIP, langage="en")  # type: ignore[call-overload]

    def test_no_such_file(self, tmp_path: Path) -> None:
        CLIP.save(tmp_path / "talk.wav")
        with pytest.raises(errors.ClipNotFound, match=r"Did you mean .*talk\.wav"):
            nba.transcribe(tmp_path / "tolk.wav")

    def test_no_sound(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("no")
        with pytest.raises(errors.ClipError):
            nba.transcribe(tmp_path / "notes.txt")
        with pytest.raises(errors.ClipError, match="no sound in it"):
            nba.transcribe(nba.Turn("user", "Hello."))


def transcribed() -> nba.Turn:
    return nba.Turn("user", clips=(CLIP,)).transcribe()


def checked() -> object:
    return nba.Reply(text="Hello.", clips=(CLIP,)).check(settings().resolve())


class TestMoney:
    def test_it_is_on_the_books(self) -> None:
        before = accounts.notebook.spent
        found = nba.transcribe(CLIP)
        spent = accounts.notebook.spent
        assert found.cost == nba.Cost(Decimal("0.0045") * 2 / 60)
        assert spent.cost.usd - before.cost.usd == found.cost.usd
        assert spent.toll.sound_s - before.toll.sound_s == 2.0
        assert nba.usage().by_conversation["(transcripts)"].answers >= 1

    def test_what_belongs_to_a_conversation_is_on_its_own(self) -> None:
        chat = nba.Conversation([nba.Turn("user", clips=(CLIP,))], name="money")
        chat.transcribe()
        assert chat.cost == nba.Cost(Decimal("0.0045") * 2 / 60)
        assert nba.usage().by_conversation["money"].answers == 1

    def test_a_budget_refuses_before_sending(self, server: OpenAIServer, write_down: Callable[..., Transcript]) -> None:
        with pytest.raises(errors.BudgetExceeded, match="nothing was sent"):
            write_down(CLIP, budget=nba.Budget(minutes=0.01))
        with pytest.raises(errors.BudgetExceeded):
            write_down(CLIP, budget=0.0001)
        assert server.requests == []
        assert write_down(CLIP, budget=0.01).text

    def test_the_budget_of_the_settings_holds(self, server: OpenAIServer) -> None:
        nba.NbAudio.instance().budget_minutes = 0.01
        nba.NbAudio.instance().budget_per = "conversation"
        with pytest.raises(errors.BudgetExceeded):
            nba.transcribe(CLIP)
        chat = nba.Conversation([nba.Turn("user", clips=(CLIP,))])
        with pytest.raises(errors.BudgetExceeded):
            chat.transcribe()
        with pytest.raises(errors.BudgetExceeded):
            chat[0].transcribe()
        assert server.requests == []

    def test_the_budget_of_the_conversation_holds(self, server: OpenAIServer) -> None:
        chat = nba.Conversation([nba.Turn("user", clips=(CLIP,))], budget=nba.Budget(minutes=0.01))
        with pytest.raises(errors.BudgetExceeded, match="nothing was sent"):
            chat.transcribe()
        heard = Heard(chat, (CLIP,), None)
        with pytest.warns(errors.NbaudioWarning, match="nothing was sent"):
            heard.wait()
        assert server.requests == []

    @pytest.mark.parametrize("ask", [transcribed, checked])
    def test_a_turn_of_no_conversation_is_on_the_books(self, server: OpenAIServer, ask: Callable[[], object]) -> None:
        before = accounts.notebook.spent
        ask()
        assert accounts.notebook.spent.cost.usd - before.cost.usd == Decimal("0.0045") * 2 / 60

    def test_a_model_whose_price_is_not_known(self, server: OpenAIServer) -> None:
        server.fail_next(Scripted(body={"text": "Hi."}))
        assert nba.transcribe(CLIP, model="my-model").cost is None
        with pytest.raises(errors.BudgetExceeded, match="price of my-model is not known"):
            nba.transcribe(CLIP, model="my-model", budget=1.0)

    def test_tokens_count_against_a_budget_of_tokens(self) -> None:
        with pytest.raises(errors.BudgetExceeded, match="10 tokens"):
            nba.transcribe(CLIP, model="gpt-4o-transcribe", budget=nba.Budget(tokens=10))
        assert nba.transcribe(CLIP, model="gpt-4o-transcribe", budget=nba.Budget(tokens=30)).usage.input_tokens == 20


@pytest.mark.offline
class TestOffline:
    @pytest.fixture(autouse=True)
    def offline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NBAUDIO_BACKEND", "offline")

    def test_words_with_times(self, server: OpenAIServer) -> None:
        found = nba.transcribe(QUESTION, timestamps="word")
        assert found.offline
        assert [word.text for word in found.words] == found.text.split()
        assert found.times_from == "server"
        assert found.cost == nba.Cost()
        assert "Offline ears" in found._repr_mimebundle_()["text/html"]
        assert server.requests == []

    def test_streamed(self) -> None:
        events = list(nba.transcribe(QUESTION, stream=True))
        assert "".join(event.text for event in events if isinstance(event, TextDelta)) == last_of(events).text

    def test_how_sure_it_is(self) -> None:
        words = nba.transcribe(QUESTION, confidence=True).words
        assert all(word.confidence is not None and 0.05 < word.confidence <= 1 for word in words)
        assert sum(word.confidence or 0 for word in words) / len(words) > 0.6

    def test_what_it_can_not_do(self) -> None:
        for options in ({"diarize": True}, {"translate": True}, {"keywords": ["dog"]}):
            with pytest.raises(errors.CellError):
                nba.transcribe(QUESTION, **options)  # type: ignore[call-overload]
        with pytest.raises(errors.BadRequest, match="another language than English"):
            nba.transcribe(QUESTION, language="fr")
