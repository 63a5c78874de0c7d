"""Budgets: what they refuse, before anything is sent and with the numbers, and what they let through."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openai_server import Gate, OpenAIServer, ToolCall

import nbaudio as nba
from nbaudio import errors
from nbaudio.prices import Cost
from nbaudio.settings import settings
from nbaudio.spending import accounts as spending
from nbaudio.spending.accounts import Account
from nbaudio.spending.day_totals import day_totals
from nbaudio.spending.estimate import Toll

QUESTION = Path(__file__).parents[2] / "notebooks" / "question.wav"


@pytest.fixture(autouse=True)
def fresh_books(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A notebook and a day in which nothing has been asked yet."""
    notebook = Account()
    monkeypatch.setattr(spending, "notebook", notebook)
    monkeypatch.setattr("nbaudio.spending.ledger.notebook", notebook)
    monkeypatch.setenv("NBAUDIO_DAY_TOTALS", str(tmp_path / "day.sqlite3"))


def refused(chat: nba.Conversation, *parts: Any, **options: Any) -> errors.BudgetExceeded:
    with pytest.raises(errors.BudgetExceeded) as caught:
        chat.say(*(parts or ("Hello",)), **options)
    return caught.value


class TestWhatItSays:
    def test_the_numbers_and_what_to_do(self, server: OpenAIServer) -> None:
        chat = nba.Conversation(budget=0.0150)
        error = refused(chat)
        assert str(error) == (
            "This conversation has taken $0 of a budget of $0.0150, and this request with a usual answer would take "
            "about $0.0197 more; nothing was sent. Allow more, send less (chat.compact(), a shorter recording, "
            "--max-completion-tokens), or begin a new conversation."
        )
        assert (error.spent, error.limit) == (0.0, 0.015)
        assert error.estimate == pytest.approx(0.019705)
        assert server.requests == []
        assert len(chat) == 0

    def test_it_survives_pickling(self, server: OpenAIServer) -> None:
        error = pickle.loads(pickle.dumps(refused(nba.Conversation(budget=nba.Budget(tokens=3)))))
        assert isinstance(error, errors.BudgetExceeded)
        assert error.limit == 3

    def test_what_was_spent_is_in_it(self, server: OpenAIServer) -> None:
        chat = nba.Conversation()
        reply = chat.say("Hello")
        used = reply.usage.input_tokens + reply.usage.output_tokens
        error = refused(chat, budget=nba.Budget(tokens=used + 1))
        assert error.spent == used
        assert f"taken {used} tokens of a budget of {used + 1} tokens" in str(error)


class TestLimits:
    def test_money_is_spent_up_to_the_limit_and_not_beyond(self, server: OpenAIServer) -> None:
        chat = nba.Conversation(budget=nba.Budget(usd="0.03"))
        with contextlib.suppress(errors.BudgetExceeded):
            for _ in range(30):
                chat.say("Hello")
        assert 3 < len(server.requests) < 30
        assert Decimal("0.02") < chat.cost.usd <= Decimal("0.03")

    def test_tokens(self, server: OpenAIServer) -> None:
        chat = nba.Conversation(budget=nba.Budget(tokens=400))
        chat.say("Hello")
        refused(chat, "word " * 2000)
        assert len(server.requests) == 1

    def test_minutes_of_sound_in_and_out(self, server: OpenAIServer) -> None:
        minute = nba.Clip.from_pcm16(bytes(2 * 24_000 * 60))
        chat = nba.Conversation(budget=nba.Budget(minutes=1.5))
        chat.say("What is said?", minute)
        error = refused(chat, "And then?")
        assert error.spent == pytest.approx(61 / 60)
        assert error.estimate == pytest.approx(62 / 60)  # the minute goes out again, the answer too, and one comes
        assert "1.02 minutes of sound" in str(error)

    def test_what_just_fits_is_sent(self, server: OpenAIServer) -> None:
        size = nba.Conversation().next_request_size("Hello")
        tokens = size.input_text_tokens + size.answer_text_tokens + size.answer_audio_tokens
        refused(nba.Conversation(budget=nba.Budget(tokens=tokens - 1)))
        nba.Conversation(budget=nba.Budget(tokens=tokens)).say("Hello")


class TestWhoseMoney:
    def test_one_conversation_knows_nothing_of_another(self, server: OpenAIServer) -> None:
        nba.Conversation().say("Hello")
        nba.Conversation(budget=nba.Budget(tokens=360)).say("Hello")

    def test_the_notebook(self, server: OpenAIServer) -> None:
        settings().budget_tokens = 50
        first = nba.Conversation(max_completion_tokens=30)
        first.say("Hello")
        error = refused(nba.Conversation(max_completion_tokens=30))
        assert str(error).startswith("This notebook has taken 27 tokens")

    def test_the_notebook_is_remembered_beyond_the_kernel(
        self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings().budget_tokens = 50
        monkeypatch.setenv("JPY_SESSION_NAME", "/home/ada/dogs.ipynb")
        nba.Conversation(max_completion_tokens=30).say("Hello")
        monkeypatch.setattr("nbaudio.spending.ledger.notebook", Account())  # its kernel is restarted
        error = refused(nba.Conversation(max_completion_tokens=30))
        assert str(error).startswith("This notebook has taken 27 tokens")
        assert str(error).endswith("or go on in another notebook.")
        monkeypatch.setenv("JPY_SESSION_NAME", "/home/ada/cats.ipynb")
        assert nba.Conversation(max_completion_tokens=30).say("Hello").text

    def test_the_day_is_remembered_beyond_the_kernel(
        self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings().budget_usd, settings().budget_per = 0.047, "day"
        nba.Conversation().say("Hello")
        monkeypatch.setattr("nbaudio.spending.ledger.notebook", Account())  # a new kernel, which knows nothing
        day_totals().add(Toll(0, Cost(Decimal("0.045"))))  # and another, at the same time
        error = refused(nba.Conversation())
        assert error.spent == pytest.approx(0.045 + 0.0013, abs=0.0001)
        assert "All notebooks together have today taken $0.0463" in str(error)

    def test_the_settings_budget_holds_beside_the_conversations(self, server: OpenAIServer) -> None:
        settings().budget_tokens = 3
        refused(nba.Conversation(budget=nba.Budget(tokens=1_000_000)))

    def test_one_for_a_call_takes_the_place_of_the_conversations(self, server: OpenAIServer) -> None:
        chat = nba.Conversation(budget=nba.Budget(tokens=1))
        assert chat.say("Hello", budget=nba.Budget(tokens=1000)).text
        refused(chat)


class TestAtAnyTime:
    def test_questions_that_are_on_their_way_count(self, server: OpenAIServer) -> None:
        server.gate = Gate()
        tokens = 360  # enough for one of them, before it is known how short its answer is

        async def ask() -> list[Any]:
            chat = nba.Conversation(budget=nba.Budget(tokens=tokens))
            questions = [asyncio.create_task(chat.asay("Hello")) for _ in range(3)]
            await asyncio.wait(questions, return_when=asyncio.FIRST_COMPLETED)
            server.gate.open()  # type: ignore[union-attr]
            return await asyncio.gather(*questions, return_exceptions=True)

        came = asyncio.run(ask())
        assert sorted(type(result).__name__ for result in came) == ["BudgetExceeded", "BudgetExceeded", "Reply"]
        assert len(server.requests) == 1

    def test_in_the_middle_of_tool_calls(self, server: OpenAIServer) -> None:
        ran = []

        def report() -> str:
            """A long one."""
            ran.append(1)
            return "word " * 4000

        server.tool_call = ToolCall("report", {})
        chat = nba.Conversation(tools=[report], budget=nba.Budget(tokens=2000))
        refused(chat)
        assert ran == [1]
        assert [turn.role for turn in chat] == ["user", "assistant", "tool"]  # what was done stays done
        assert len(server.requests) == 1

    def test_streamed_and_awaited(self, server: OpenAIServer) -> None:
        chat = nba.Conversation(budget=nba.Budget(tokens=1))
        with pytest.raises(errors.BudgetExceeded):
            list(chat.stream("Hello"))

        async def awaited() -> None:
            with pytest.raises(errors.BudgetExceeded):
                await chat.asay("Hello")
            with pytest.raises(errors.BudgetExceeded):
                async for _ in chat.astream("Hello"):
                    pass

        asyncio.run(awaited())
        assert server.requests == []


class TestUnknownPrices:
    def test_a_budget_in_dollars_cannot_hold(self, server: OpenAIServer) -> None:
        error = refused(nba.Conversation(model="gpt-audio", budget=100), model="gpt-unheard-of")
        assert "The price of gpt-unheard-of is not known" in str(error)
        assert server.requests == []

    def test_one_in_tokens_does(self, server: OpenAIServer, tmp_path: Path) -> None:
        budget = nba.Budget(usd=0.02, tokens=100_000)
        with pytest.raises(errors.UnknownModel):  # it was sent
            nba.Conversation(budget=budget).say("Hello", model="gpt-unheard-of")


class TestWhereAnotherServerTakesPart:
    @pytest.mark.parametrize("part", ["speak_with", "hear_with"])
    def test_a_budget_in_dollars_fills(self, server: OpenAIServer, part: str) -> None:
        server.has_speech = True
        other = nba.connect(server.base_url, "gpt-audio-1.5", dialect="openai", key="env:OPENAI_API_KEY")
        backend = nba.connect(
            server.base_url, "gpt-audio-1.5", dialect="openai", key="env:OPENAI_API_KEY", **{part: other}
        )
        chat = nba.Conversation(backend=backend, budget=0.02)
        with contextlib.suppress(errors.BudgetExceeded):
            for _ in range(25):
                chat.say("Tell me.", QUESTION)
        assert len(chat) < 50
        spent = refused(chat, "Tell me.", QUESTION).spent
        assert spent is not None
        assert 0.01 < spent <= 0.02
        assert 0 < chat.cost.usd <= Decimal("0.02")  # its own tokens; what another took to speak nobody reports
        assert chat.cost.unknown == len(chat) // 2

    def test_who_speaks_at_an_unknown_price_is_refused(self, server: OpenAIServer, tmp_path: Path) -> None:
        server.has_speech = True
        other = nba.connect(server.base_url, dialect="speaches")
        backend = nba.connect(
            server.base_url, "gpt-audio-1.5", dialect="openai", key="env:OPENAI_API_KEY", speak_with=other
        )
        error = refused(nba.Conversation(backend=backend, budget=1))
        assert f"The price of {other.dialect.speech_model} on {other.name} is not known" in str(error)
        assert server.requests == []
        assert nba.Conversation(backend=backend, budget=1).say(QUESTION, aloud=False)

        mine = tmp_path / "prices.json"
        free = {"model": other.dialect.speech_model, "text_in": 0, "audio_out": 0}
        mine.write_text(json.dumps({"prices": [free]}))
        settings().prices = str(mine)
        assert nba.Conversation(backend=backend, budget=1).say(QUESTION)


@pytest.mark.parametrize(
    "limits",
    [{}, {"usd": -1}, {"usd": "much"}, {"tokens": float("nan")}, {"minutes": True}, {"usd": 1, "per": "week"}],
)
def test_what_is_no_budget(limits: dict[str, Any]) -> None:
    with pytest.raises(errors.CellError):
        nba.Budget(**limits)


def test_a_number_is_dollars_and_a_word_is_an_error(server: OpenAIServer) -> None:
    assert nba.Budget.of(0.5) == nba.Budget(usd=0.5)
    with pytest.raises(errors.CellError, match="budget of 'much' usd"):
        nba.Conversation(budget="much").say("Hello")
