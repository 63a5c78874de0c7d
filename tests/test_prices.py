"""Prices: which one is taken, what tokens cost by it, and sums that say what they don't know."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbaudio.errors import SetupError
from nbaudio.prices import Cost, Price, cost, dollars, price_of
from nbaudio.settings import settings
from nbaudio.turns import Reply
from nbaudio.wire.usage import Usage

# A million of each kind costs what the list says.
MILLION = Usage(
    input_tokens=2_000_000,
    output_tokens=2_000_000,
    input_text_tokens=1_000_000,
    input_audio_tokens=1_000_000,
    output_text_tokens=1_000_000,
    output_audio_tokens=1_000_000,
)
ROWS = json.loads(files("nbaudio").joinpath("prices.json").read_text(encoding="utf-8"))["prices"]


def own_file(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "prices.json"
    path.write_text(json.dumps({"prices": rows}), encoding="utf-8")
    return path


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["model"] + row.get("server", ""))
def test_every_price_has_a_date_and_a_source(row: dict[str, Any]) -> None:
    year, month = row["date"].split("-")
    assert int(year) >= 2026
    assert 1 <= int(month) <= 12
    assert row["source"].startswith("https://")
    assert {"characters", "minute_in"} & set(row) or {"text_in", "text_out", "audio_in", "audio_out"} <= set(row)


@pytest.mark.parametrize(
    ("model", "usd"), [("gpt-audio-1.5", "108.5"), ("gpt-audio-mini", "33"), ("gpt-4o-audio-preview", "132.5")]
)
def test_a_million_tokens_of_each_kind(model: str, usd: str) -> None:
    assert cost(MILLION, model) == Cost(Decimal(usd))


def test_a_dated_snapshot_has_the_price_of_its_model_and_nothing_else_does() -> None:
    assert cost(MILLION, "gpt-audio-1.5-2026-02-01") == cost(MILLION, "gpt-audio-1.5")
    for other in ("gpt-audio-1.5-turbo", "gpt-audio-1", "my-gpt-audio", "gpt-audio-1.5-2026", "GPT-AUDIO", ""):
        assert cost(MILLION, other) is None


def test_a_server_that_has_prices_of_its_own_has_no_others() -> None:
    assert cost(MILLION, "gpt-audio", server="OpenAI") == Cost(Decimal("108.5"))
    assert cost(MILLION, "gpt-audio", server="me.openai.azure.com") == Cost(Decimal("132.5"))
    assert cost(MILLION, "gpt-audio-mini", server="me.openai.azure.com") is None


def test_cached_tokens_cost_less_only_where_there_is_a_price_for_them() -> None:
    usage = Usage(1000, 0, input_text_tokens=600, input_audio_tokens=400, cached_tokens=700)
    row = Price("m", Decimal(10), Decimal(0), Decimal(100), Decimal(0))
    assert row.of(usage) == Cost(Decimal("0.046"))
    half = Price("m", Decimal(10), Decimal(0), Decimal(100), Decimal(0), cached_in=Decimal(1))
    assert half.of(usage) == Cost(Decimal("0.0307"))  # 700 cached, then 300 of the sound


def test_cached_sound_costs_what_it_does_where_the_server_says_how_much_there_is() -> None:
    into = {
        "text_tokens": 1500,
        "audio_tokens": 1500,
        "cached_tokens": 1500,
        "cached_tokens_details": {"text_tokens": 500, "audio_tokens": 1000},
    }
    usage = Usage.of_realtime({"input_tokens": 3000, "input_token_details": into})
    assert cost(usage, "gpt-realtime-2.1") == Cost(Decimal("0.0206"))
    row = Price("m", Decimal(10), Decimal(0), Decimal(100), Decimal(0))
    assert row.of(usage) == Cost(Decimal("0.165"))  # cached tokens cost what others do
    half = Price("m", Decimal(10), Decimal(0), Decimal(100), Decimal(0), cached_in=Decimal(1))
    impossible = Usage(1000, 0, input_text_tokens=600, input_audio_tokens=400, cached_tokens=7, cached_audio_tokens=9)
    assert half.of(impossible) == Cost(Decimal("0.045307"))


def test_a_text_that_is_spoken_costs_by_its_characters_or_by_its_tokens() -> None:
    assert cost(Usage(characters=1_000_000), "tts-1") == Cost(Decimal(15))
    assert cost(Usage(characters=2_000), "tts-1-hd") == Cost(Decimal("0.06"))
    assert cost(Usage(input_tokens=5, output_tokens=5), "tts-1") is None  # nobody has counted
    spoken = Usage.of_speech({"input_tokens": 1_000_000, "output_tokens": 1_000_000})
    assert cost(spoken, "gpt-4o-mini-tts-2025-12-15") == Cost(Decimal("12.6"))
    assert cost(Usage(characters=1_000), "gpt-4o-mini-tts") is None


class TestWhatIsNotKnown:
    def test_nothing_reported_costs_not_nothing(self) -> None:
        assert cost(Usage(), "gpt-audio-1.5") is None
        assert Reply(text="x", model="gpt-audio-1.5").cost is None

    def test_tokens_of_an_unknown_kind(self) -> None:
        assert cost(Usage(10, 20), "gpt-audio-1.5") is None  # words or sound: the price differs by a factor of ten
        text_only = Price("m", Decimal(1), Decimal(2))
        assert text_only.of(Usage(1_000_000, 1_000_000)) == Cost(Decimal(3))
        assert text_only.of(Usage(10, 0, input_audio_tokens=10)) is None

    def test_what_a_server_leaves_over_is_text(self) -> None:
        usage = Usage(0, 310, output_audio_tokens=300)
        assert cost(usage, "gpt-audio-1.5") == Cost(Decimal("0.0193"))

    def test_the_offline_engine_and_the_cache_cost_nothing(self) -> None:
        assert Reply(text="x", offline=True, usage=Usage(1, 1)).cost == Cost()
        assert Reply(text="x", model="gpt-audio-1.5", cached=True).cost == Cost()


class TestOwnPrices:
    def test_they_go_before_the_known_ones(self, tmp_path: Path) -> None:
        path = own_file(tmp_path, {"model": "gpt-audio", "text_in": 1, "text_out": 1, "audio_in": 1, "audio_out": 1.5})
        assert cost(MILLION, "gpt-audio", path) == Cost(Decimal("4.5"))
        assert cost(MILLION, "gpt-audio-mini", path) == Cost(Decimal(33))
        settings().prices = str(path)
        assert cost(MILLION, "gpt-audio") == Cost(Decimal("4.5"))
        assert Reply(model="gpt-audio", usage=MILLION).cost == Cost(Decimal("4.5"))

    def test_a_file_that_changes_is_read_again(self, tmp_path: Path) -> None:
        for text_in in (1, 2):
            path = own_file(tmp_path, {"model": "m", "text_in": text_in})
            os.utime(path, ns=(text_in, text_in))
            assert cost(Usage(1_000_000, input_text_tokens=1_000_000), "m", path) == Cost(Decimal(text_in))

    def test_prices_themselves(self) -> None:
        mine = Price("m", text_in=Decimal(7))
        assert price_of("m", [mine]) is mine
        assert price_of("m-2026-01-02", [mine]) is mine

    @pytest.mark.parametrize(
        "text",
        [
            "{",
            "[]",
            "{}",
            '{"prices": {}}',
            '{"prices": [1]}',
            '{"prices": [{"text_in": 1}]}',
            '{"prices": [{"model": "m", "text_in": "1"}]}',
            '{"prices": [{"model": "m", "text_in": -1}]}',
            '{"prices": [{"model": "m", "text_in": true}]}',
            '{"prices": [{"model": "m", "text_in": NaN}]}',
            '{"prices": [{"model": "m", "text": 1}]}',
            "[" * 100_000,
        ],
    )
    def test_a_file_that_is_none(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "mine.json"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(SetupError, match=r"mine\.json can't be read"):
            cost(MILLION, "m", path)

    def test_a_file_that_is_not_there_keeps_no_answer_from_being_shown(self, tmp_path: Path) -> None:
        settings().prices = str(tmp_path / "none.json")
        reply = Reply(text="Yes.", model="gpt-audio-1.5", usage=MILLION)
        with pytest.raises(SetupError, match="No such file"):
            _ = reply.cost
        assert "Yes." in reply._repr_mimebundle_()["text/html"]


class TestSums:
    @given(st.lists(st.none() | st.decimals("0", "100", places=6), max_size=20))
    def test_what_is_unknown_is_counted_and_not_zero(self, amounts: list[Decimal | None]) -> None:
        total = Cost()
        for usd in amounts:
            total += None if usd is None else Cost(usd)
        assert total == Cost(sum((usd for usd in amounts if usd is not None), Decimal(0)), amounts.count(None))

    def test_how_they_read(self) -> None:
        assert str(Cost()) == "$0"
        assert str(Cost(Decimal("0.0123"), 2)) == "at least $0.0123, 2 answers of unknown price"
        assert str(Cost() + None) == "unknown: 1 answer of unknown price"
        assert dollars(Decimal("1234.5")) == "$1,234.50"

    def test_other_things_do_not_add(self) -> None:
        with pytest.raises(TypeError):
            Cost() + 1  # type: ignore[operator]
