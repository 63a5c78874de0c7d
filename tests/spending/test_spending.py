"""What is counted of answers, for a conversation and for the notebook, and how the table reads."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from openai_server import Gate, OpenAIServer, ToolCall

import nbaudio as nba
from nbaudio import errors
from nbaudio.magics.commands import run
from nbaudio.settings import settings
from nbaudio.spending import accounts as spending
from nbaudio.spending.accounts import Account, Spending, Spent
from nbaudio.spending.estimate import Toll
from nbaudio.turns import Reply
from nbaudio.wire.usage import Usage

LONG = "Hello " * 199 + "Hello!"  # 1,200 bytes, 300 tokens


def interrupt_when(happens: Callable[[], object]) -> None:
    """Press Ctrl-C once something has happened."""

    def press() -> None:
        if happens():
            signal.raise_signal(signal.SIGINT)

    threading.Thread(target=press).start()


@pytest.fixture(autouse=True)
def fresh_books(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook in which nothing has been asked yet."""
    notebook = Account()
    monkeypatch.setattr(spending, "notebook", notebook)
    monkeypatch.setattr("nbaudio.spending.ledger.notebook", notebook)
    monkeypatch.setattr(spending, "_by_name", {})


class TestOfAConversation:
    def test_all_answers_add_up(self, server: OpenAIServer) -> None:
        chat = nba.Conversation()
        assert (chat.usage, chat.cost) == (Usage(), nba.Cost())
        first = chat.say("Hello", nba.Clip.from_pcm16(bytes(48_000)))
        second = chat.say("Why?")
        assert first.usage.input_audio_tokens == 10
        assert chat.usage == first.usage + second.usage
        assert first.cost is not None
        assert chat.cost == first.cost + second.cost
        assert (
            chat.cost.usd
            == (
                Decimal(chat.usage.input_text_tokens) * Decimal("2.5")
                + Decimal(chat.usage.input_audio_tokens) * 32
                + Decimal(chat.usage.output_text_tokens) * 10
                + Decimal(chat.usage.output_audio_tokens) * 64
            )
            / 1_000_000
        )

    def test_what_was_taken_back_or_asked_again_was_paid_for(self, server: OpenAIServer) -> None:
        chat = nba.Conversation()
        paid = chat.say("Hello").usage
        paid += chat.retry().usage
        chat.undo()
        assert len(chat) == 0
        assert chat.usage == paid
        assert chat.spent.answers == 2

    def test_every_request_of_a_tool_call_counts(self, server: OpenAIServer) -> None:
        def now() -> str:
            """The time."""
            return "noon"

        server.tool_call = ToolCall("now", {})
        chat = nba.Conversation(tools=[now])
        chat.say("What time is it?")
        replies = [turn for turn in chat if isinstance(turn, Reply)]
        assert len(replies) == len(server.requests) == 2
        assert chat.usage == replies[0].usage + replies[1].usage
        assert chat.spent.answers == 2

    def test_a_fork_and_a_loaded_one_begin_with_what_their_turns_cost(
        self, server: OpenAIServer, tmp_path: Path
    ) -> None:
        chat = nba.Conversation()
        chat.say("Hello")
        chat.save(tmp_path / "talk.nbaudio")
        assert chat.fork().cost == chat.cost
        assert nba.Conversation.load(tmp_path / "talk.nbaudio").cost == chat.cost
        assert nba.usage().total.answers == 1  # nothing was asked again

    def test_an_answer_that_broke_off_is_not_free(self, server: OpenAIServer) -> None:
        chat = nba.Conversation()
        server.fail_next("cut_stream")
        with pytest.raises(errors.RequestError):
            chat.say("Hello")
        assert chat.spent.unreported == 1
        assert str(chat.cost) == "unknown: 1 answer of unknown price"
        assert chat.spent.toll.tokens >= 10  # for budgets, what came is counted: half a second of sound at least
        assert chat.spent.toll.cost.usd > Decimal("0.0006")

    def test_a_request_without_an_answer_costs_nothing(self, server: OpenAIServer) -> None:
        chat = nba.Conversation()
        server.fail_next("quota")
        with pytest.raises(errors.QuotaExceeded):
            chat.say("Hello")
        assert chat.spent == Spent()

    def test_an_answer_that_was_stopped_counts(self, server: OpenAIServer) -> None:
        server.gate = Gate(2)
        chat = nba.Conversation()
        events = chat.stream("Hello")
        next(events)
        server.gate.wait_until_held()
        events.close()
        assert (chat.spent.answers, chat.spent.unreported) == (1, 1)
        assert nba.usage().total == chat.spent
        server.gate.open()

    @pytest.mark.parametrize("stream", [True, False])
    def test_a_request_that_was_stopped_before_an_answer_counts(self, server: OpenAIServer, stream: bool) -> None:
        server.fail_next("hang")
        chat = nba.Conversation(budget=nba.Budget(tokens=700))
        interrupt_when(lambda: server.wait_for_request(1))
        with pytest.raises(errors.Interrupted, match="before an answer came"):
            chat.say(LONG, stream=stream)
        assert (chat.spent.answers, chat.spent.unreported) == (1, 1)
        assert chat.spent.toll.tokens == 300
        assert chat.spent.toll.cost.usd == 300 * Decimal("2.5") / 1_000_000
        with pytest.raises(errors.BudgetExceeded):
            chat.say(LONG)

    def test_one_that_took_too_long_counts(self, server: OpenAIServer) -> None:
        server.fail_next("hang")
        settings().timeout_s, settings().retries = 0.2, 0
        chat = nba.Conversation()
        with pytest.raises(errors.TimedOut):
            chat.say(LONG)
        assert (chat.spent.answers, chat.spent.toll.tokens) == (1, 300)

    def test_one_that_was_stopped_after_a_refusal_costs_nothing(
        self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refused = threading.Event()

        def wait_s(*_: object) -> float:
            refused.set()
            return 60.0

        monkeypatch.setattr("nbaudio.backends.connection.wait_s", wait_s)
        server.fail_next("rate_limited")
        chat = nba.Conversation()
        interrupt_when(refused.wait)
        with pytest.raises(errors.Interrupted):
            chat.say(LONG)
        assert chat.spent == Spent()

    def test_one_that_reached_nobody_costs_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        settings().retries = 0
        chat = nba.Conversation()
        with pytest.raises(errors.ConnectionFailed):
            chat.say(LONG)
        assert chat.spent == Spent()


class TestOfTheNotebook:
    def test_all_conversations_and_single_questions(self, server: OpenAIServer) -> None:
        nba.Conversation(name="dogs").say("Hello")
        nba.Conversation(name="cats").say("Hello")
        nba.Conversation(name="cats").say("Hello")
        single = nba.Conversation().say("Hello", model="gpt-audio-mini")
        spent = nba.usage()
        assert {name: row.answers for name, row in spent.by_conversation.items()} == {"dogs": 1, "cats": 2, "": 1}
        assert spent.by_conversation[""].cost == single.cost
        assert spent.total == sum(spent.by_conversation.values(), Spent())
        assert spent.usage.output_audio_tokens == 4 * 20
        assert spent.cost.unknown == 0

    def test_answers_from_many_threads_are_all_counted(self, server: OpenAIServer) -> None:
        server.duration_s = 0.1
        chats = [nba.Conversation(name="same") for _ in range(4)]

        def ask(chat: nba.Conversation) -> None:
            for _ in range(5):
                chat.say("Hello")

        threads = [threading.Thread(target=ask, args=(chat,)) for chat in chats]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert nba.usage().total.answers == len(server.requests) == 20

    def test_awaited_ones_too(self, server: OpenAIServer) -> None:
        async def ask() -> None:
            chat = nba.Conversation(name="awaited")
            await chat.asay("Hello")
            async for _ in chat.astream("And now?"):
                continue

        asyncio.run(ask())
        assert nba.usage().by_conversation["awaited"].answers == 2


class TestTheTable:
    def test_rows_and_sum(self, server: OpenAIServer) -> None:
        nba.Conversation(name="dogs").say("Is it good?")
        nba.Conversation(name="<b>").say("Hello", model="gpt-audio")
        nba.Conversation().say("Hello")
        lines = [line.split() for line in repr(nba.usage()).splitlines()]
        assert lines[0][0] == "Conversation"
        assert lines[1] == ["dogs", "1", "0", "3", "0", "0", "6", "20", "$0.0013"]
        assert [line[0] for line in lines[2:]] == ["<b>", "(no", "In"]
        assert lines[-1] == ["In", "all", "3", "0", "5", "0", "0", "18", "60", "$0.0040"]
        html = nba.usage()._repr_mimebundle_()["text/html"]
        assert '<td style="text-align:left">dogs</td>' in html
        assert "<b>" not in html
        assert "$0.0040" in html

    def test_unknown_prices_are_said_and_are_not_zero(self) -> None:
        known = Spent.on(Reply(model="gpt-audio", usage=Usage(0, 10, output_text_tokens=10)))
        unknown = Spent.on(Reply(model="another", usage=Usage(0, 10, output_text_tokens=10)))
        table = repr(Spending(known + unknown, {"known": known, "unknown": unknown}))
        assert [line.split("  ")[-1].strip() for line in table.splitlines()[1:]] == [
            "$0.00010",
            "unknown",
            "at least $0.00010; 1 unknown",
        ]

    def test_the_magic_shows_it(self, server: OpenAIServer, capsys: pytest.CaptureFixture[str]) -> None:
        run("usage")
        assert capsys.readouterr().out == "Nothing has been asked yet.\n"
        nba.Conversation(name="dogs").say("Hello")
        run("usage")
        assert "dogs" in capsys.readouterr().out
        with pytest.raises(errors.CellError):
            run("usage yesterday")


def test_an_account_knows_what_is_on_its_way() -> None:
    account = Account()
    with account.expecting(Toll(5)), account.expecting(Toll(7, sound_s=1.0)):
        assert account.on_the_way == Toll(12, sound_s=1.0)
    assert account.on_the_way == Toll()


def test_a_broken_file_of_prices_is_told_before_anything_is_sent(server: OpenAIServer, tmp_path: Path) -> None:
    settings().prices = str(tmp_path / "none.json")
    with pytest.raises(errors.SetupError, match="prices"):
        nba.Conversation().say("Hello")
    assert server.requests == []


def test_one_that_goes_while_an_answer_comes_loses_no_answer(server: OpenAIServer, tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text('{"prices": []}')
    settings().prices = str(file)
    chat = nba.Conversation()
    server.gate = Gate(1)
    events = chat.stream("Hello")
    next(events)
    file.unlink()
    server.gate.open()
    assert isinstance(list(events)[-1], nba.Finished)
    assert chat.cost.unknown == 1
    assert chat.fork().cost.unknown == 1
