"""A turn with a server that can't hear or can't speak: who does it instead, in which order, and what is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
from dialect_servers import Server, serve
from dialect_servers.voice import VoiceServer, serve_voice
from openai_server import Gate

import nbaudio as nba
from nbaudio import errors
from nbaudio.conversation.chats import chat
from nbaudio.conversation.watching import Watcher
from nbaudio.servers.backend import Backend

QUESTION = Path(__file__).parents[2] / "notebooks" / "question.wav"
GOOD_NEWS = Path(__file__).parents[2] / "notebooks" / "good_news.mp3"
SENTENCES = ["Yes, they are loyal.", "They are gentle, too."]


@pytest.fixture
def writer() -> Iterator[Server]:
    """A server with a text model: it neither hears nor speaks."""
    with serve("ollama") as running:
        yield running


@pytest.fixture
def voice() -> Iterator[VoiceServer]:
    with serve_voice() as running:
        yield running


@pytest.fixture
def backend(writer: Server, voice: VoiceServer) -> Backend:
    """The writer, with the voice server to hear and to speak for it."""
    return nba.connect(writer.url, "llama3.2", dialect="ollama", hear_with=voice.url, speak_with=voice.url)


def said(reply: nba.Reply) -> bytes:
    assert reply.clip is not None
    return reply.clip.encode("pcm16")


def test_words_go_out_and_speech_comes_back(writer: Server, voice: VoiceServer, backend: Backend) -> None:
    reply = nba.Conversation(backend=backend).say(QUESTION)

    assert voice.forms[0]["model"] == "whisper-1"
    assert writer.requests[0].body["messages"] == [{"role": "user", "content": voice.heard}]
    assert "audio" not in writer.requests[0].body
    assert [one["input"] for one in voice.said] == SENTENCES
    assert {(one["response_format"], one["model"]) for one in voice.said} == {("pcm", "tts-1")}
    assert reply.text == " ".join(SENTENCES)
    assert said(reply) == b"".join(map(voice.sound, SENTENCES))
    assert (reply.partial, reply.finish_reason, reply.audio_id) == (False, "stop", "")
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.output_audio_tokens) == (11, 9, 0)
    assert (reply.model, reply.backend) == ("llama3.2", backend.name)


def test_the_output_says_who_spoke_and_who_heard(voice: VoiceServer, backend: Backend) -> None:
    reply = nba.Conversation(backend=backend).say(QUESTION)
    who = voice.url.removeprefix("http://").removesuffix("/v1")

    line = f"Answered by llama3.2 on {backend.name}, heard and spoken by {who}."
    assert (reply.heard_by, reply.spoken_by, reply.by) == (who, who, line)
    bundle = reply._repr_mimebundle_()
    assert line.removesuffix(".") in bundle["text/plain"]
    assert line in bundle["text/html"]
    assert "heard and spoken by" in bundle["text/markdown"]
    assert (
        line in nba.Conversation([nba.Turn("user", "Hello."), reply])._repr_html_()
        if hasattr(nba.Conversation, "_repr_html_")
        else True
    )


def test_what_was_heard_becomes_the_transcript_of_the_turn(voice: VoiceServer, backend: Backend) -> None:
    talk = nba.Conversation(backend=backend)
    talk.say("About dogs:", QUESTION)

    assert talk[0].transcript == voice.heard
    assert talk[0].text == "About dogs:"
    assert not talk[0].as_words, "a server that hears gets the sound later on"
    assert talk[0].clips == (nba.Clip(QUESTION),)


def test_each_recording_is_written_down_once(writer: Server, voice: VoiceServer, backend: Backend) -> None:
    talk = nba.Conversation(backend=backend)
    talk.say(QUESTION)
    talk.say(GOOD_NEWS)

    assert len(voice.forms) == 2
    assert [message["content"] for message in writer.requests[1].body["messages"]] == [
        voice.heard,
        " ".join(SENTENCES),
        voice.heard,
    ]


def test_recordings_of_a_time_with_a_server_that_heard_get_their_words(
    writer: Server, voice: VoiceServer, backend: Backend
) -> None:
    talk = nba.Conversation([nba.Turn("user", clips=(nba.Clip(QUESTION),)), nba.Reply(text="Yes.")], backend=backend)
    reply = talk.say("Why?")

    assert [message["content"] for message in writer.requests[0].body["messages"]] == [voice.heard, "Yes.", "Why?"]
    assert talk[0].transcript == voice.heard
    assert reply.heard_by == "", "of this question nothing had to be heard"
    assert reply.spoken_by


@pytest.mark.parametrize(
    ("fields", "transcript"),
    [({}, None), ({"transcript": "By hand."}, "By hand."), ({"clips": (nba.Clip(GOOD_NEWS),)}, "")],
)
def test_what_a_cell_says_of_recordings_while_an_answer_comes_stays(
    voice: VoiceServer, backend: Backend, fields: dict[str, Any], transcript: str | None
) -> None:
    first, second = (nba.Turn("user", clips=(nba.Clip(QUESTION),)) for _ in range(2))
    talk = nba.Conversation([first, nba.Reply(text="Yes."), second, nba.Reply(text="No.")], backend=backend)

    class Meanwhile(Watcher):
        def came(self, question: nba.Turn, *pieces: object) -> None:
            if fields and not talk[2].transcript and talk[2] == second:
                talk.edit(0, transcript="Of a cell.")
                talk.edit(2, **fields)

    talk.watch(Meanwhile())
    talk.retry()

    assert [turn.transcript for turn in (talk[0], talk[2])] == (
        [voice.heard] * 2 if transcript is None else ["Of a cell.", transcript]
    )


def test_sound_begins_before_the_text_is_finished(writer: Server, backend: Backend) -> None:
    writer.stand_in.gate = gate = Gate(5)  # "Yes, they are loyal. They": the next sentence has begun
    events = nba.Conversation(backend=backend).stream("Is it loyal?")
    kinds = []
    for event in events:
        kinds.append(type(event).__name__)
        if kinds[-1] == "AudioDelta":
            assert not gate.is_open
            break
    assert kinds[:-1] == ["TextDelta"] * 5
    gate.open()
    kinds += [type(event).__name__ for event in events]
    assert kinds[-1] == "Finished"
    assert kinds.count("TextDelta") == 8


def test_captions_are_exact_because_each_sentence_was_spoken_by_itself(voice: VoiceServer, backend: Backend) -> None:
    reply = nba.Conversation(backend=backend).say("Is it loyal?")

    assert reply.marks == ((20, 0), (42, 12_000), (42, 24_000))
    assert [(phrase.text, phrase.start_s) for phrase in reply.captions] == [(SENTENCES[0], 0.0), (SENTENCES[1], 0.5)]


def test_an_answer_that_is_not_streamed_is_spoken_too(writer: Server, voice: VoiceServer, backend: Backend) -> None:
    reply = nba.Conversation(backend=backend).say("Is it loyal?", stream=False)

    assert "stream" not in writer.requests[0].body
    assert said(reply) == b"".join(map(voice.sound, SENTENCES))


def test_words_only_are_not_spoken(writer: Server, voice: VoiceServer, backend: Backend) -> None:
    reply = nba.Conversation(backend=backend).say(QUESTION, aloud=False)

    assert (reply.clip, reply.spoken_by, voice.said) == (None, "", [])
    assert reply.heard_by
    assert writer.requests[0].body["messages"][0]["content"] == voice.heard


def test_what_another_hears_is_within_the_budget_and_on_the_books(
    writer: Server, voice: VoiceServer, backend: Backend
) -> None:
    sound_s = nba.Clip(QUESTION).duration_s
    talk = nba.Conversation(backend=backend, budget=nba.Budget(minutes=0.01))
    with pytest.raises(errors.BudgetExceeded, match="nothing was sent"):
        talk.say(QUESTION, aloud=False)
    assert (writer.requests, voice.forms) == ([], [])
    assert talk.spent.answers == 0

    talk = nba.Conversation(backend=backend, budget=nba.Budget(minutes=1))
    talk.say(QUESTION, aloud=False)
    assert talk.spent.answers == 2
    assert talk.spent.toll.sound_s == pytest.approx(sound_s)
    assert talk.spent.cost.usd == pytest.approx(Decimal("0.006") * Decimal(sound_s) / 60, rel=Decimal("0.01"))


def test_a_model_that_hears_is_sent_the_sound(writer: Server, voice: VoiceServer) -> None:
    backend = nba.connect(writer.url, "gemma3n", dialect="ollama", speak_with=voice.url)
    talk = nba.Conversation(backend=backend)
    reply = talk.say(QUESTION)

    assert writer.requests[0].body["messages"][0]["content"][0]["type"] == "input_audio"
    assert voice.forms == []
    assert (reply.heard_by, bool(reply.spoken_by), talk[0].transcript) == ("", True, "")


def test_who_is_named_speaks_also_where_the_server_could(voice: VoiceServer) -> None:
    with serve("compatible") as server:
        reply = nba.Conversation(backend=nba.connect(server.url, speak_with=voice.url)).say("Is it loyal?")

    assert server.requests[0].body["modalities"] == ["text"]
    assert said(reply) == b"".join(map(voice.sound, SENTENCES))


def test_nobody_leaves_the_server_to_it(writer: Server) -> None:
    backend = nba.connect(writer.url, "llama3.2", dialect="ollama", hear_with="nobody", speak_with="nobody")
    reply = nba.Conversation(backend=backend).say("Is it loyal?")
    assert reply.note == "The server sent words only, although sound was asked for."
    with pytest.raises(errors.BadRequest, match="does not support audio input"):
        nba.Conversation(backend=backend).say(QUESTION)


def test_markdown_is_not_read_out_and_code_neither(writer: Server, voice: VoiceServer, backend: Backend) -> None:
    writer.stand_in.words = (
        "**Do** this:\n\n```python\nfor dog in dogs:\n    print(dog)\n```\n\nThen [look](http://a.b/c)."
    )
    reply = nba.Conversation(backend=backend).say("How?")

    assert [one["input"] for one in voice.said] == ["Do this:", "Here is some code.", "Then look."]
    assert reply.text == writer.stand_in.words
    assert reply.marks[-2][0] == len(reply.text)


def test_a_wav_is_taken_where_pcm_was_asked_for(voice: VoiceServer, backend: Backend) -> None:
    voice.content = "audio/wav"
    reply = nba.Conversation(backend=backend).say("Is it loyal?")

    assert said(reply) == b"".join(map(voice.sound, SENTENCES))


# -- what goes wrong ----------------------------------------------------------------------------------------


def test_what_can_not_be_spoken_is_kept_as_words_and_says_so(voice: VoiceServer, backend: Backend) -> None:
    voice.fail_on = "gentle"
    talk = nba.Conversation(backend=backend)
    reply = talk.say("Is it loyal?")

    assert reply.text == " ".join(SENTENCES)
    assert said(reply) == voice.sound(SENTENCES[0]), "what had been said by then plays"
    assert not reply.partial
    assert reply.note.startswith("It could not be spoken: ")
    assert "This can't be said." in reply.note
    assert talk[-1] is reply


def test_a_voice_that_is_no_voice_leaves_the_words(voice: VoiceServer, backend: Backend) -> None:
    voice.content = "application/json"
    reply = nba.Conversation(backend=backend).say("Is it loyal?")

    assert reply.clip is None
    assert "sent text instead of speech" in reply.note


def test_what_can_not_be_heard_is_not_sent(writer: Server, voice: VoiceServer, backend: Backend) -> None:
    voice.fail_hearing = True
    talk = nba.Conversation(backend=backend)
    with pytest.raises(errors.BadRequest, match="The model is not loaded"):
        talk.say(QUESTION)

    assert (writer.requests, list(talk)) == ([], [])


def test_silence_is_not_sent(writer: Server, voice: VoiceServer, backend: Backend) -> None:
    voice.heard = ""
    with pytest.raises(errors.CellError, match="No words were heard in the recording, by 127"):
        nba.Conversation(backend=backend).say(QUESTION)

    assert writer.requests == []


def test_an_earlier_recording_without_words_is_told_as_that(
    writer: Server, voice: VoiceServer, backend: Backend
) -> None:
    voice.heard = ""
    silent = nba.Turn("user", clips=(nba.Clip(QUESTION),))
    nba.Conversation([silent, nba.Reply(text="Pardon?")], backend=backend).say("Is it loyal?")

    assert writer.requests[0].body["messages"][0] == {"role": "user", "content": "(inaudible)"}


def test_a_stream_that_breaks_off_keeps_words_and_sound(voice: VoiceServer) -> None:
    with serve("vllm") as server:
        server.stand_in.words = "Yes. " + server.stand_in.words
        server.stand_in.gate = gate = Gate(3)
        monkey_model = "meta-llama/Llama-3.2-1B-Instruct"
        key = server.stand_in.key
        backend = nba.connect(server.url, monkey_model, dialect="vllm", key=key, speak_with=voice.url)
        talk = nba.Conversation(backend=backend)
        events = talk.stream("Is it loyal?")
        for event in events:
            if isinstance(event, nba.AudioDelta):
                server.stand_in.error_in_stream = True
                gate.open()
                break
        with pytest.raises(errors.ServerFailed) as caught:
            list(events)

    partial = caught.value.partial
    assert partial is talk[-1]
    assert partial.partial
    assert partial.text.startswith("Yes. Yes, they")
    assert partial.clip is not None
    assert partial.spoken_by


def test_leaving_the_stream_keeps_what_was_said_so_far(writer: Server, voice: VoiceServer, backend: Backend) -> None:
    writer.stand_in.gate = gate = Gate(5)
    talk = nba.Conversation(backend=backend)
    events = talk.stream(QUESTION)
    for event in events:
        if isinstance(event, nba.AudioDelta):
            break
    gate.wait_until_held()
    events.close()
    writer.wait_until_broken_off()

    question, partial = talk
    assert question.transcript == voice.heard
    assert isinstance(partial, nba.Reply)
    assert partial.partial
    assert partial.text == "Yes, they are loyal. They"
    assert said(partial) == voice.sound(SENTENCES[0])[: len(said(partial))]
    assert [phrase.text for phrase in partial.captions] == [SENTENCES[0]]


def test_a_cancelled_task_stops_the_voice_in_the_middle(voice: VoiceServer, backend: Backend) -> None:
    import threading

    voice.hold = threading.Event()
    talk = nba.Conversation(backend=backend)

    async def ask() -> None:
        async for event in talk.astream("Is it loyal?"):
            if isinstance(event, nba.AudioDelta):
                task.cancel()

    async def main() -> None:
        global task
        task = asyncio.create_task(ask())
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert talk[-1].partial  # type: ignore[attr-defined]
    assert talk[-1].text == " ".join(SENTENCES)
    assert 0 < len(said(talk[-1])) < len(voice.sound(SENTENCES[0]))  # type: ignore[arg-type]


def test_nobody_to_speak_is_told_before_anything_is_sent(writer: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbaudio.completing.parties.offline_installed", lambda: False)
    nba.connect(writer.url, "llama3.2", dialect="ollama")
    with pytest.raises(errors.NoBackend) as caught:
        nba.Conversation().say("Is it loyal?")

    assert "llama3.2 on 127.0.0.1" in caught.value.cause
    assert "does not speak, and there is nobody to do it instead" in caught.value.cause
    assert caught.value.next_step == (
        "pip install 'nbaudio[offline]', or name a server: nba.connect(..., speak_with=...)."
    )
    assert writer.requests == []
    assert nba.Conversation().say("Is it loyal?", aloud=False).text == writer.stand_in.words


def test_who_has_no_voice_can_not_lend_it(writer: Server) -> None:
    with serve("mistral") as other:
        backend = nba.connect(writer.url, "llama3.2", dialect="ollama")
        mute = nba.connect(other.url, dialect="mistral", key=other.stand_in.key)
        nba.connect(backend, speak_with=mute)
        with pytest.raises(errors.NoBackend, match="has no text to speech, and can't speak for others"):
            nba.Conversation().say("Is it loyal?")


@pytest.mark.offline
def test_a_voice_that_the_offline_engine_lacks_is_told_before_anything_is_sent(writer: Server) -> None:
    nba.connect(writer.url, "llama3.2", dialect="ollama")
    with pytest.raises(errors.UnknownVoice, match="The offline engine has no voice 'Tina'"):
        nba.Conversation(voice="Tina").say("Is it loyal?")

    assert writer.requests == []


# -- with the rest of nbaudio -------------------------------------------------------------------------------


def test_a_tool_is_called_between_hearing_and_speaking(writer: Server, voice: VoiceServer, backend: Backend) -> None:
    def bark(times: int) -> str:
        """Bark.

        Parameters
        ----------
        times : int
            How often.
        """
        return "woof " * times

    frames = type(writer.stand_in).frames
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "bark", "arguments": '{"times": 2}'}}

    def with_a_call(stand_in: object, asked: object) -> Iterator[object]:
        if len(writer.requests) == 1:
            yield {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
            yield "data: [DONE]"
        else:
            yield from frames(stand_in, asked)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(writer.stand_in), "frames", with_a_call)
        talk = nba.Conversation(backend=backend, tools=[bark])
        reply = talk.say(QUESTION)

    assert [type(turn).__name__ for turn in talk] == ["Turn", "Reply", "ToolResult", "Reply"]
    assert len(voice.forms) == 1, "the second request knows the words of the first"
    assert writer.requests[1].body["messages"][0] == {"role": "user", "content": voice.heard}
    assert talk[1].note == ""  # type: ignore[attr-defined]
    assert said(reply) == b"".join(map(voice.sound, SENTENCES))
    assert reply.heard_by


def test_the_cache_knows_recordings_and_voices_apart(
    writer: Server, voice: VoiceServer, backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBAUDIO_CACHE_FOLDER", str(tmp_path))
    nba.NbAudio.instance().cache_folder = str(tmp_path)

    def ask(recording: Path, backend: Backend, **options: str) -> nba.Reply:
        return nba.Conversation(backend=backend, cache=True, **options).say(recording)

    first = ask(QUESTION, backend)
    again = ask(QUESTION, backend)
    assert again.cached
    assert again.clip == first.clip
    assert again.spoken_by == first.spoken_by
    assert len(writer.requests) == 1
    assert not ask(GOOD_NEWS, backend).cached
    assert not ask(QUESTION, backend, voice="ash").cached
    with serve_voice() as other:
        assert not ask(QUESTION, nba.connect(backend, speak_with=other.url)).cached


def test_run_all_sends_nothing_and_says_what_was_heard(
    writer: Server, voice: VoiceServer, backend: Backend, tmp_path: Path
) -> None:
    nba.NbAudio.instance().cache_folder = str(tmp_path)

    def run_all() -> tuple[nba.Conversation, list[nba.Reply]]:
        talk = nba.Conversation(backend=backend, cache=True)
        return talk, [talk.say(QUESTION), talk.say("Why?"), talk.say(GOOD_NEWS)]

    first, _ = run_all()
    sent = len(writer.requests), len(voice.forms), len(voice.said)
    again, replies = run_all()
    assert [reply.cached for reply in replies] == [True, True, True]
    assert (len(writer.requests), len(voice.forms), len(voice.said)) == sent
    assert [turn.words for turn in again] == [turn.words for turn in first]
    assert again[0].transcript == voice.heard


def test_for_the_cache_each_recording_is_read_once(writer: Server, backend: Backend, tmp_path: Path) -> None:
    nba.NbAudio.instance().cache_folder = str(tmp_path)
    nba.NbAudio.instance().journal = "off"  # which would read it to write it down
    data = QUESTION.read_bytes()
    read: list[str] = []
    clip = nba.Clip(data)
    clip.park(lambda: read.append("question") or data)  # type: ignore[func-returns-value]
    said = [nba.Turn("user", "", (clip,), transcript="Is it a good dog?"), nba.Reply(text="Yes.")]
    talk = nba.Conversation(said, backend=backend, cache=True)
    for question in ("Why?", "And its puppies?", "And cats?"):
        assert not talk.say(question).cached
    assert read == ["question"]
    assert writer.requests[-1].body["messages"][0]["content"] == "Is it a good dog?"


def test_saved_and_loaded_it_still_says_who_took_part(backend: Backend, tmp_path: Path) -> None:
    talk = nba.Conversation(backend=backend)
    talk.say(QUESTION)
    loaded = nba.Conversation.load(talk.save(tmp_path / "talk.nbaudio"))

    assert loaded[1].by == talk[1].by  # type: ignore[attr-defined]
    assert loaded[0].transcript == talk[0].transcript
    assert loaded[1].captions == talk[1].captions


def test_the_journal_has_the_words_of_the_recording(journal_file: Path, voice: VoiceServer, backend: Backend) -> None:
    del journal_file
    talk = chat("dogs")
    talk._backend = backend
    talk.say(QUESTION)
    found = nba.history.search("retriever")

    assert [turn.role for turn in found] == ["user"]


def test_an_estimate_counts_no_sound_of_others(backend: Backend) -> None:
    size = nba.Conversation(backend=backend).next_request_size(QUESTION)

    assert (size.input_audio_tokens, size.answer_audio_tokens) == (0, 0)


def test_the_price_of_a_voice_that_others_take_is_not_known(backend: Backend) -> None:
    reply = nba.Conversation(backend=backend).say("Is it loyal?")

    assert reply.cost is None


# -- with no cloud ------------------------------------------------------------------------------------------


@pytest.mark.offline
def test_a_text_model_holds_a_spoken_conversation_on_this_machine(writer: Server) -> None:
    nba.connect(writer.url, "llama3.2", dialect="ollama")
    talk = nba.Conversation(voice="ash")
    reply = talk.say(QUESTION)
    again = talk.say("And are they gentle?")

    asked = writer.requests[0].body["messages"][0]["content"]
    assert _wer("Is a golden retriever a good family dog?", asked) < 0.2
    assert talk[0].transcript == asked
    assert (reply.heard_by, reply.spoken_by, again.heard_by) == ("the offline engine", "the offline engine", "")
    assert not reply.offline, "the offline engine neither thought nor is to blame"
    assert reply.clip is not None

    from nbaudio.engine.parts import engine

    heard = engine().listener.hear(reply.clip.resample(16_000).samples[:, 0])
    assert _wer(reply.text, heard) < 0.25
    # The second sentence sounds where its caption says, behind the pause of the first.
    start = round(reply.captions[-1].start_s * 24_000)
    quiet = reply.clip.samples[start - 4_800 : start - 1_200]
    assert np.abs(quiet).max() < 0.01


@pytest.mark.offline
def test_transcribing_goes_to_whoever_hears(writer: Server) -> None:
    nba.connect(writer.url, "llama3.2", dialect="ollama")
    talk = nba.Conversation([nba.Turn("user", clips=(nba.Clip(QUESTION),))])

    assert talk.transcribe() == 1
    assert _wer("Is a golden retriever a good family dog?", talk[0].transcript) < 0.2
    assert writer.requests == []


def _wer(said_words: str, heard: str) -> float:
    return jiwer.wer(_plain(said_words), _plain(heard))


def _plain(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter.isspace() else " " for letter in text.lower())
