"""What is sent after the turns have been edited, asking again, and where the sounds of a long talk lie."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import tracemalloc

import numpy as np
import pytest
from openai_server import OpenAIServer
from signals import voice

import nbaudio as nba
from nbaudio import errors
from nbaudio.settings import settings
from nbaudio.sound.clip import Clip

CLIP = Clip(voice(), 24_000)


def sent(server: OpenAIServer) -> list[dict[str, object]]:
    found: list[dict[str, object]] = server.requests[-1].body["messages"]
    return found


class TestWhatIsSent:
    def test_words_in_place_of_an_edited_answer(self, server: OpenAIServer) -> None:
        chat = nba.Conversation()
        chat.say("Is it a good dog?")
        chat.edit(1, "No, it is a cat.")
        chat.say("Why?")
        assert sent(server)[1] == {"role": "assistant", "content": "No, it is a cat."}

    def test_words_in_place_of_compacted_sounds(self, server: OpenAIServer) -> None:
        chat = nba.Conversation()
        first = chat.say("Listen.", CLIP)
        chat.edit(0, transcript="Good morning.")
        assert chat.compact(keep_audio=0) == 2
        chat.say("Go on.")
        assert sent(server)[:2] == [
            {"role": "user", "content": "Listen.\n\nGood morning."},
            {"role": "assistant", "content": first.text},
        ]

    def test_instructions_that_change_on_the_way(self, server: OpenAIServer) -> None:
        chat = nba.Conversation(instructions="Be brief.")
        chat.say("Hello.")
        chat.instructions = "Be long."
        chat.say("Hello.")
        assert sent(server)[0] == {"role": "system", "content": "Be long."}
        chat.instructions = None
        assert chat.instructions == settings().instructions
        chat.instructions = ""
        chat.say("Hello.")
        assert sent(server)[0]["role"] == "user"

    def test_a_turn_that_was_put_in(self, server: OpenAIServer) -> None:
        chat = nba.Conversation()
        chat.append("My name is Ada.")
        chat.append(nba.Reply(text="Hello, Ada."))
        chat.say("Who am I?")
        assert [message["content"] for message in sent(server)] == ["My name is Ada.", "Hello, Ada.", "Who am I?"]


class TestAskingAgain:
    def test_the_new_answer_takes_the_place_of_the_old(self, server: OpenAIServer) -> None:
        chat = nba.Conversation(voice="ash")
        chat.say("One?")
        old = chat.say("Two?", aloud=True)
        server.words = "Another answer."
        new = chat.retry(voice="coral")
        assert [turn.text for turn in chat] == ["One?", chat[1].text, "Two?", "Another answer."]
        assert (new.voice, old.voice) == ("coral", "ash")
        assert [message["role"] for message in sent(server)] == ["user", "assistant", "user"]
        assert new.clips

    def test_an_answer_in_words_is_asked_for_in_words_again(self, server: OpenAIServer) -> None:
        chat = nba.Conversation()
        chat.say(CLIP, aloud=False)
        assert not chat.retry().clips
        assert server.requests[-1].body["modalities"] == ["text"]

    @pytest.mark.parametrize("fault", ["quota", "cut_stream"])
    def test_the_old_answer_stays_until_there_is_a_new_one(self, server: OpenAIServer, fault: str) -> None:
        chat = nba.Conversation()
        chat.say("One?")
        before = list(chat)
        server.fail_next(fault)
        with pytest.raises(errors.RequestError):
            chat.retry()
        assert list(chat) == before

    def test_awaited(self, server: OpenAIServer) -> None:
        chat = nba.Conversation()

        async def talk() -> nba.Reply:
            await chat.asay("One?")
            server.words = "Another answer."
            return await chat.aretry()

        assert asyncio.run(talk()).text == chat[-1].text == "Another answer."

    def test_where_nothing_was_asked(self, server: OpenAIServer) -> None:
        with pytest.raises(errors.CellError, match="no question to ask again"):
            nba.Conversation().retry()


class TestALongTalk:
    def test_older_sounds_lie_on_disk_and_are_the_same(self, server: OpenAIServer) -> None:
        server.duration_s = 0.2
        chat = nba.Conversation()
        floats = Clip(np.linspace(-0.3, 0.3, 4800), 48_000)
        first = chat.say("Listen.", floats)
        kept, pcm = dataclasses.replace(chat[0]), first.clip.encode("pcm16") if first.clip else b""
        for _ in range(4):
            chat.say("Go on.")
        assert floats.parked
        assert first.clip is not None
        assert first.clip.parked
        assert first.clip.encode("pcm16") == pcm
        assert np.array_equal(floats.samples[:, 0], np.linspace(-0.3, 0.3, 4800).astype(np.float32))
        assert chat[0] == kept
        assert not any(clip.parked for clip in chat[-1].clips)

    def test_memory_does_not_grow_with_the_sounds(self, server: OpenAIServer) -> None:
        server.duration_s = 2.0
        chat = nba.Conversation()
        sound = 2 * 2 * 24_000

        def held() -> int:
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            for _ in range(6):
                chat.say("Go on.")
            server.requests.clear()
            before = held()
            for _ in range(20):
                chat.say("Go on.")
            server.requests.clear()
            assert held() - before < 10 * sound
        finally:
            tracemalloc.stop()

    def test_nor_with_sounds_that_were_put_in_by_hand(self) -> None:
        def turn(number: int) -> nba.Turn:
            return nba.Turn("user", clips=(Clip.from_pcm16(bytes([number]) * 4800),))

        def parked(chat: nba.Conversation) -> list[int]:
            return [at for at, turn in enumerate(chat) if turn.clips[0].parked]

        chat = nba.Conversation(map(turn, range(6)))
        assert parked(chat) == [0, 1]
        chat.append(turn(6))
        chat.insert(0, turn(7))
        chat[2] = turn(8)
        chat.edit(3, Clip.from_pcm16(bytes([9]) * 4800))
        assert parked(chat) == [0, 1, 2, 3]
        assert [one.clip.encode("pcm16")[0] for one in chat] == [7, 0, 8, 9, 3, 4, 5, 6]

    def test_a_sound_that_goes_out_with_each_request_is_made_ready_once(
        self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        chat = nba.Conversation()
        chat.say("Listen.", Clip(voice(), 24_000).resample(48_000))
        for _ in range(4):
            chat.say("Go on.")
        before = sent(server)[0]
        monkeypatch.setattr("nbaudio.sound.codecs.encode", None)
        monkeypatch.setattr("nbaudio.sound.codecs.resample", None)
        chat.say("Go on.")
        assert sent(server)[0] == before
