"""Who may ask, and who is who."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbaudio import errors
from nbaudio.serving.keys import Keys, personal_token

from .running import TOKEN

pytestmark = pytest.mark.offline


def test_the_token_of_the_server_is_told_apart_by_address() -> None:
    keys = Keys(TOKEN)

    assert keys.client(f"Bearer {TOKEN}", "10.0.0.1") == "10.0.0.1"
    assert keys.client(f"bearer {TOKEN}", "10.0.0.2") == "10.0.0.2"


def test_a_persons_token_is_their_name() -> None:
    assert Keys(TOKEN).client(f"Bearer {personal_token(TOKEN, 'alice.b@x')}", "10.0.0.1") == "alice.b@x"


def test_a_hub_makes_it_with_the_standard_library() -> None:
    signature = hmac.new(TOKEN.encode(), b"alice", hashlib.sha256).hexdigest()[:32]

    assert personal_token(TOKEN, "alice") == f"alice.{signature}"


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN.upper()}",
        "Bearer alice",
        "Bearer alice.",
        f"Bearer alice.{TOKEN}",
        f"Bearer bob.{personal_token(TOKEN, 'alice').partition('.')[2]}",
        f"Bearer {personal_token('xQ3nV8kW5zT1mJ6rP0dH', 'alice')}",
        f"Bearer {personal_token(TOKEN, 'alice')[:-1]}",
        "Bearer \xff\xfe.\xff",
    ],
)
def test_nothing_else_may_ask(authorization: str) -> None:
    assert Keys(TOKEN).client(authorization, "127.0.0.1") is None


@given(authorization=st.text(st.characters(max_codepoint=255), max_size=80))
def test_no_header_is_too_odd(authorization: str) -> None:
    assert Keys(TOKEN).client(authorization, "10.0.0.1") is None
    assert Keys().client(authorization, "10.0.0.1")


def test_without_a_token_keys_tell_clients_apart_and_are_not_kept() -> None:
    keys = Keys()
    one, other = keys.client("Bearer sk-my-real-key", "127.0.0.1"), keys.client("Bearer sk-another", "127.0.0.1")

    assert one != other
    assert "my-real-key" not in str(one)
    assert keys.client("", "127.0.0.1") == "127.0.0.1"


def test_a_short_token_could_be_found_out() -> None:
    with pytest.raises(errors.SetupError, match=r"has 6 characters, and needs 16\. Make one"):
        Keys("secret")


@pytest.mark.parametrize("name", ["", "a b", "ä", "a\n", "a/b", "x" * 65])
def test_not_everything_is_a_name(name: str) -> None:
    with pytest.raises(errors.CellError, match="can't be a name"):
        personal_token(TOKEN, name)


def test_neither_token_shows_in_an_error() -> None:
    Keys(TOKEN)

    assert TOKEN not in str(errors.NbaudioError(f"It sent {TOKEN}."))
