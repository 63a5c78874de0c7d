"""Keys that stand in a cell: which are seen, and that the one warning says what to do and not what the key is."""

from __future__ import annotations

import warnings

import pytest

from nbaudio import errors
from nbaudio.errors import NbaudioWarning, mask
from nbaudio.servers import typed
from nbaudio.servers.typed import keys_in, warn_of

KEY = "sk-proj-0123456789abcdefghij"


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed, "_told", set())
    monkeypatch.setattr(errors, "_secrets", set())
    monkeypatch.setattr(errors, "_pieces", set())


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        (f'nba.connect("openai", key="{KEY}")', [KEY]),
        (f"%env OPENAI_API_KEY={KEY}", [KEY]),
        (f"%set_env OPENAI_API_KEY {KEY}", [KEY]),
        (f"%config NbAudio.api_key_env = '{KEY}'", [KEY]),
        (f'os.environ["OPENAI_API_KEY"] = "{KEY}"', [KEY]),
        (f'client = OpenAI(api_key="{KEY}")\nother = OpenAI(api_key="{KEY}")', [KEY]),
        ("sk-or-v1-0123456789abcdef0123456789abcdef", ["sk-or-v1-0123456789abcdef0123456789abcdef"]),
        ('key = "AIzaSyA0123456789abcdefghijklmnopqrstuv"', ["AIzaSyA0123456789abcdefghijklmnopqrstuv"]),
        ("%env MISTRAL_API_KEY=A1b2C3d4E5f6G7h8I9j0", ["A1b2C3d4E5f6G7h8I9j0"]),
        ('%env HF_TOKEN="A1b2C3d4E5f6G7h8I9j0"', ["A1b2C3d4E5f6G7h8I9j0"]),
        ("os.environ['AZURE_OPENAI_API_KEY'] = '0123456789abcdef0123'", ["0123456789abcdef0123"]),
        ('Client(api_key = "0123456789abcdef0123")', ["0123456789abcdef0123"]),
        ('nba.connect("openai", key="env:OPENAI_API_KEY")', []),
        ('nba.connect("mine", key="file:~/.config/nbaudio/mine2.key")', []),
        ("os.environ['OPENAI_API_KEY'] = getpass()", []),
        ("os.environ['OPENAI_API_KEY'] = secrets_of_mine.get_the_first_key_1(2)", []),
        ('key="sk-put-your-own-key-here"', []),
        ("%env OPENAI_API_KEY", []),
        ("%%speak\nWhat is the risk-0123456789abcdefghij of a task-0123456789abcdefghij?", []),
        ("monkey = 'a-long-text-with-1-digit'", []),
        ("", []),
    ],
)
def test_what_looks_like_a_key(cell: str, found: list[str]) -> None:
    assert keys_in(cell) == found


def test_one_warning_names_the_better_ways_and_not_the_key() -> None:
    with pytest.warns(NbaudioWarning) as caught:
        warn_of(KEY)
    (warning,) = caught
    words = str(warning.message)

    assert KEY not in words
    for way in ("env:NAME", "file:PATH", "chmod 600", "keyring:NAME", "docs/servers.md"):
        assert way in words
    assert mask(f"key {KEY}") == "key [key]"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of(KEY)
    with pytest.warns(NbaudioWarning):
        warn_of(KEY + "-another")
