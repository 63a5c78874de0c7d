"""Turns in order: read, edited, taken back, and sent as words where they are old."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from signals import voice

from nbaudio import Clip, Conversation, Reply, Turn
from nbaudio.conversation.turnlist import TurnList
from nbaudio.errors import CellError
from nbaudio.turns import ToolResult
from nbaudio.wire.usage import Usage

CLIP = Clip(voice(), 24_000)
OTHER = Clip(voice()[::-1], 24_000)


def spoken(text: str, **known: object) -> Reply:
    return Reply(text=text, clips=(CLIP,), audio_id="audio_1", expires_at=9_999_999_999, marks=((2, 100),), **known)  # type: ignore[arg-type]


def talk() -> TurnList:
    return TurnList(
        [Turn("user", "One?"), spoken("One."), Turn("user", clips=(CLIP,)), spoken("Two."), Turn("user", "Three?")]
    )


def test_it_is_a_sequence() -> None:
    turns = talk()
    assert len(turns) == 5
    assert [turn.role for turn in turns] == ["user", "assistant", "user", "assistant", "user"]
    assert turns[-1].text == "Three?"
    assert [turn.text for turn in turns[1:4:2]] == ["One.", "Two."]
    assert turns[1] in turns
    assert turns.index(turns[2]) == 2
    assert next(reversed(turns)) is turns[4]


def test_the_turns_may_be_changed_while_they_are_gone_through() -> None:
    turns = talk()
    for turn in turns:
        turns.append(turn)
    assert len(turns) == 10


class TestTakingBack:
    def test_the_last_question_with_its_answer(self) -> None:
        turns = talk()
        del turns[-1]
        taken = turns.undo()
        assert [turn.text for turn in taken] == ["", "Two."]
        assert [turn.text for turn in turns] == ["One?", "One."]

    def test_several(self) -> None:
        turns = talk()
        assert len(turns.undo(3)) == 5
        assert len(turns) == 0

    @pytest.mark.parametrize("count", [0, -1, 4])
    def test_not_so_many(self, count: int) -> None:
        turns = talk()
        with pytest.raises(CellError, match="The conversation has 3"):
            turns.undo(count)
        assert len(turns) == 5


class TestEditing:
    def test_an_answer_with_other_words_has_no_sound_and_no_id(self) -> None:
        turns = talk()
        new = turns.edit(1, "Uno.")
        assert turns[1] is new
        assert isinstance(new, Reply)
        assert (new.text, new.clips, new.audio_id, new.expires_at, new.marks) == ("Uno.", (), "", 0, ())

    def test_an_answer_with_another_sound_has_no_id(self) -> None:
        new = talk().edit(1, "One.", OTHER)
        assert isinstance(new, Reply)
        assert (new.clip, new.audio_id) == (OTHER, "")

    def test_a_change_that_leaves_words_and_sound_leaves_the_id(self) -> None:
        new = talk().edit(1, note="checked")
        assert isinstance(new, Reply)
        assert (new.note, new.audio_id, new.clip) == ("checked", "audio_1", CLIP)

    def test_an_answer_that_is_said_to_be_anothers_has_no_id(self) -> None:
        for field in ("model", "backend"):
            new = talk().edit(1, **{field: "another"})
            assert (new.audio_id, new.expires_at, new.clip) == ("", 0, CLIP)

    def test_nor_has_one_that_was_put_in_its_place_with_other_words(self) -> None:
        turns = talk()
        turns[1] = replace(turns[1], text="Uno.")
        turns[3] = replace(turns[3], time=5.0)
        assert [(turns[at].audio_id, turns[at].clip) for at in (1, 3)] == [("", CLIP), ("audio_1", CLIP)]
        assert turns[1].marks == ()  # type: ignore[attr-defined]

    def test_a_question_with_another_sound_has_no_transcript(self) -> None:
        turns = talk()
        assert turns.edit(2, transcript="Two?").words == "Two?"
        assert turns.edit(2, "Listen.").transcript == ""
        assert turns.edit(2, OTHER, transcript="Another?").words == "Another?"

    def test_it_stays_the_same_turn(self) -> None:
        turns = talk()
        before = turns[0].id
        assert turns.edit(0, "Uno?").id == before

    @pytest.mark.parametrize(
        ("field", "value"), [("text", 5), ("clips", "a.wav"), ("clips", ("a.wav",)), ("time", "now"), ("as_words", 1)]
    )
    def test_what_can_not_be(self, field: str, value: object) -> None:
        turns = talk()
        with pytest.raises(CellError, match=f"can't be the '{field}'"):
            turns.edit(0, **{field: value})
        assert turns[0] == Turn("user", "One?")

    @pytest.mark.parametrize("field", ["id", "role", "txt"])
    def test_what_no_turn_has(self, field: str) -> None:
        turns = talk()
        with pytest.raises(CellError, match=f"no '{field}'"):
            turns.edit(0, **{field: "x"})
        assert turns[0].text == "One?"

    def test_nothing_to_say(self) -> None:
        turns = talk()
        with pytest.raises(CellError, match="nothing to say"):
            turns.edit(0, "  ")
        assert turns[0].text == "One?"

    def test_words_become_a_turn_of_the_user(self) -> None:
        turns = TurnList()
        turns.append("Hello.")
        turns.insert(0, Reply(text="Welcome."))
        turns[1] = "Hi."
        assert [(turn.role, turn.text) for turn in turns] == [("assistant", "Welcome."), ("user", "Hi.")]
        del turns[0]
        turns.clear()
        assert len(turns) == 0


class TestCompacting:
    def test_older_sounds_are_sent_as_words_and_stay(self) -> None:
        turns = talk()
        turns.edit(2, transcript="Two?")
        assert turns.compact(keep_audio=1) == 2
        assert [turn.as_words for turn in turns] == [False, True, True, False, False]
        assert all(turn.clips == (CLIP,) for turn in turns[1:4])
        assert turns.compact(keep_audio=1) == 0

    def test_a_sound_without_words_is_kept(self) -> None:
        turns = talk()
        assert turns.compact(keep_audio=0) == 2
        assert not turns[2].as_words

    def test_less_than_none(self) -> None:
        with pytest.raises(CellError, match="Give 0 or more"):
            talk().compact(-1)


class TestWhatStandsInIt:
    def test_every_turn_has_what_answers_have(self) -> None:
        turns = [
            Turn("user", "One?"),
            ToolResult(text="3", name="add"),
            Reply(text="One.", usage=Usage(input_tokens=7)),
        ]
        for turn in TurnList(turns):
            assert (turn.model, turn.voice, turn.backend, turn.audio_id, turn.expires_at) == ("", "", "", "", 0)
            assert (turn.tool_calls, turn.partial, turn.transcript, list(turn.captions)) == ((), False, "", [])
        assert [turn.usage.input_tokens for turn in turns] == [0, 0, 7]
        assert repr(turns[0]) == "Turn(role='user', text='One?', clips=(), time=0.0, transcript='', as_words=False)"

    def test_an_answer_that_was_made_as_a_turn_is_one(self, tmp_path: Path) -> None:
        chat = Conversation([Turn("user", "Hello."), Turn("assistant", "Welcome.", (CLIP,), time=5.0, id="a")])
        assert isinstance(chat[1], Reply)
        assert (chat[1].text, chat[1].clip, chat[1].time, chat[1].id) == ("Welcome.", CLIP, 5.0, "a")
        assert [message["role"] for message in chat.to_messages()] == ["user", "assistant"]
        assert list(Conversation.load(chat.save(tmp_path / "a.nbaudio"))) == list(chat)

    @pytest.mark.parametrize("value", [5, None, {"role": "user", "content": "One?"}, [Turn("user", "One?")]])
    def test_what_is_no_turn(self, value: object) -> None:
        turns = talk()
        with pytest.raises(CellError, match="is no turn"):
            turns[0] = value  # type: ignore[assignment]
        assert turns[0].text == "One?"

    @pytest.mark.parametrize(
        "turn",
        [Turn("system", "Be brief."), Turn("tool", "3"), Reply("user", "One?")],  # type: ignore[arg-type]
        ids=["system", "tool", "reply"],
    )
    def test_a_turn_of_no_kind(self, turn: Turn) -> None:
        with pytest.raises(CellError, match="can't stand in a conversation"):
            talk().append(turn)


def test_a_turn_that_is_put_in_twice_is_two_turns() -> None:
    said = Turn("user", "One?")
    turns = TurnList([said, said])
    turns.append(turns[0])
    turns[1] = turns[0]
    assert len({turn.id for turn in turns}) == len(turns) == 3
    assert {turn.text for turn in turns} == {"One?"}
    first = turns[0].id
    turns[0] = replace(turns[0], text="Anew.")
    assert turns[0].id == first, "it is still the same one"


def test_everybody_who_listens_hears_of_every_change() -> None:
    turns, heard = talk(), []
    stop = turns.on_change(lambda: heard.append(len(turns)))
    turns.undo()
    turns.edit(0, "Uno?")
    turns.append("Two?")
    turns.compact(0)
    del turns[0]
    turns.clear()
    assert heard == [4, 4, 5, 5, 4, 0]
    stop()
    stop()
    turns.append("Hello.")
    assert len(heard) == 6


def test_a_fork_goes_its_own_way() -> None:
    first = Conversation(talk(), voice="ash", instructions="Be brief.")
    second = first.fork(2)
    assert [turn.text for turn in second] == ["One?", "One."]
    assert second.options == first.options == {"voice": "ash", "instructions": "Be brief."}
    second.instructions = "Be long."
    second.clear()
    assert (first.instructions, len(first)) == ("Be brief.", 5)
    assert len(first.fork()) == 5
    assert first.fork().id != first.id
