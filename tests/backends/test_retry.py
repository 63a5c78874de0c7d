"""How long to wait before asking again: the official SDK's rules."""

from __future__ import annotations

import email.utils
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbaudio.backends.retry import wait_s


@pytest.mark.parametrize("attempt", range(8))
def test_without_a_word_from_the_server_the_wait_doubles_up_to_8_s(attempt: int) -> None:
    longest = min(0.5 * 2**attempt, 8.0)

    waits = {wait_s(attempt, {}) for _ in range(200)}

    assert all(wait is not None and 0.75 * longest <= wait <= longest for wait in waits)
    assert len(waits) > 100  # by chance, so that a class does not come back all at once


def test_any_number_of_attempts_has_a_wait() -> None:
    wait = wait_s(100_000, {})

    assert wait is not None
    assert wait <= 8


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "120"}, 0.12),
        ({"retry-after-ms": "120", "retry-after": "7"}, 0.12),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "120"}, 120),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3),
    ],
)
def test_the_servers_own_wait_is_kept_to(headers: dict[str, str], seconds: float) -> None:
    assert wait_s(3, headers) == seconds


@pytest.mark.parametrize("headers", [{"retry-after": "121"}, {"retry-after-ms": "120001"}, {"retry-after": "inf"}])
def test_a_wait_that_nobody_has_is_none(headers: dict[str, str]) -> None:
    assert wait_s(0, headers) is None


def test_a_date_is_the_time_until_then() -> None:
    wait = wait_s(0, {"retry-after": email.utils.formatdate(time.time() + 30, usegmt=True)})

    assert wait == pytest.approx(30, abs=2)
    assert wait_s(0, {"retry-after": email.utils.formatdate(time.time() + 3600, usegmt=True)}) is None


@pytest.mark.parametrize(
    "value", ["", "soon", "-5", "0", "nan", "Wed, 99 Foo 9999 99:99:99 GMT", "Fri, 01 Jan 1999 00:00:00 GMT", "1e400e"]
)
def test_what_is_no_wait_is_left_to_the_rule(value: str) -> None:
    wait = wait_s(0, {"retry-after": value})

    assert wait is not None
    assert 0.375 <= wait <= 0.5


DATE_LIKE = st.from_regex(
    r"\w{3}, \d{1,12} \w{3} \d{1,12} \d{1,3}:\d{1,3}(:\d{1,3})? ([+-]\d{1,6}|GMT|Z)?", fullmatch=True
)


@given(st.text() | DATE_LIKE, st.text() | st.floats().map(str))
def test_any_header_gives_a_wait_or_none(retry_after: str, retry_after_ms: str) -> None:
    wait = wait_s(0, {"retry-after": retry_after, "retry-after-ms": retry_after_ms})

    assert wait is None or 0 < wait <= 120
