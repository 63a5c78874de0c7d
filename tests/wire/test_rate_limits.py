"""When a server takes requests again: what its headers say, and what they can't mean."""

from __future__ import annotations

import email.utils
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbaudio.wire.rate_limits import retry_after_s, until_reset_s, wait_in_words


def limits(requests: tuple[str, str] = ("", ""), tokens: tuple[str, str] = ("", ""), **more: str) -> dict[str, str]:
    """Headers with what remains of each limit, and when it is reset."""
    named = {"requests": requests, "tokens": tokens}
    headers = {f"x-ratelimit-remaining-{name}": remaining for name, (remaining, _) in named.items()}
    return headers | {f"x-ratelimit-reset-{name}": reset for name, (_, reset) in named.items()} | more


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [("120ms", 0.12), ("1s", 1), ("6m0s", 360), ("1h2m3.5s", 3723.5), ("1d", 86_400), ("8.64s", 8.64)],
)
def test_durations(reset: str, seconds: float) -> None:
    assert until_reset_s(limits(tokens=("0", reset))) == pytest.approx(seconds)


@pytest.mark.parametrize("reset", ["", "soon", "6", "-1s", "s", "1s!", "1 s", "1..2s", "9" * 300 + "d", "99999999d"])
def test_what_is_no_duration_says_nothing(reset: str) -> None:
    assert until_reset_s(limits(tokens=("0", reset))) is None


def test_only_limits_that_are_used_up_stand_in_the_way() -> None:
    assert until_reset_s(limits(requests=("59", "2h0m0s"), tokens=("0", "3s"))) == 3
    assert until_reset_s(limits(requests=("1", "1s"), tokens=("29000", "2s"))) is None


def test_the_longest_of_all() -> None:
    assert until_reset_s(limits(requests=("0", "1s"), tokens=("0", "6m0s"))) == 360
    headers = limits(requests=("0", "1s")) | {"retry-after": "20"}
    assert until_reset_s(headers) == 20


def test_a_date_is_the_time_until_then() -> None:
    date = email.utils.formatdate(time.time() + 600, usegmt=True)
    assert until_reset_s({"retry-after": date}) == pytest.approx(600, abs=2)


@pytest.mark.parametrize("value", ["inf", "nan", "1e300", "-1e300"])
def test_no_wait_without_end(value: str) -> None:
    assert retry_after_s({"retry-after": value}) is not None
    assert until_reset_s({"retry-after": value}) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "a minute"), (-5, "a minute"), (0, "a minute"), (60, "a minute"), (61, "2 minutes"), (360, "6 minutes"),
        (5940, "99 minutes"), (5941, "2 hours"), (86_400, "24 hours"),
    ],
)  # fmt: skip
def test_in_words(seconds: float | None, words: str) -> None:
    assert wait_in_words(seconds) == words


@given(st.dictionaries(st.sampled_from(sorted(limits() | {"retry-after": "", "retry-after-ms": ""})), st.text()))
def test_any_headers_can_be_told(headers: dict[str, str]) -> None:
    assert len(wait_in_words(until_reset_s(headers))) < 30
