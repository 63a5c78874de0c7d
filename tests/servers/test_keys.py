"""Where keys come from: who may read the file, what the keyring says, and that no key is ever repeated."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest

from nbaudio import errors
from nbaudio.errors import SetupError, mask
from nbaudio.servers.keys import Key, checked, is_place, key_from

KEY = "sk-or-v1-0123456789abcdefghij"


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "_secrets", set())
    monkeypatch.setattr(errors, "_pieces", set())


class Entries(keyring.backend.KeyringBackend):
    """A keyring of the test's own."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise keyring.errors.KeyringLocked(f"locked: {KEY}")
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


@pytest.fixture
def ring() -> Iterator[Entries]:
    usual, mine = keyring.get_keyring(), Entries()
    keyring.set_keyring(mine)
    yield mine
    keyring.set_keyring(usual)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "kitchen.key"
    path.touch(mode=0o600)
    path.write_text(f"{KEY}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "place"),
    [("env:NAME", True), ("file:~/key", True), ("keyring:kitchen", True), (KEY, False), ("environment:NAME", False),
     ("env", False), ("", False)],
)  # fmt: skip
def test_a_place_is_told_from_a_key(text: str, place: bool) -> None:
    assert is_place(text) is place


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")

    assert key_from("env:MY_KEY") == Key(KEY, "MY_KEY")
    assert key_from("env:NOT_SET") == Key()


def test_a_file_that_only_its_owner_can_read(file: Path) -> None:
    assert key_from(f"file:{file}") == Key(KEY, str(file))


def test_a_file_in_the_home_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(file.parent))
    monkeypatch.setenv("USERPROFILE", str(file.parent))

    assert key_from("file:~/kitchen.key").value == KEY


@pytest.mark.skipif(os.name != "posix", reason="rights of another kind")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o644, 0o777])
def test_a_file_that_others_can_read_is_refused_with_what_to_run(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(SetupError) as caught:
        key_from(f"file:{file}")

    assert caught.value.cause == f"Others can read the key in {file}."
    assert caught.value.next_step == f"Run: chmod 600 {file}"
    file.chmod(0o600)
    assert key_from(f"file:{file}").value == KEY, "what it says to run is all that it takes"


@pytest.mark.skipif(os.name != "posix", reason="rights of another kind")
def test_a_link_counts_as_the_file_that_it_leads_to(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.key"
    link.symlink_to(file)
    assert key_from(f"file:{link}").value == KEY
    file.chmod(0o644)
    with pytest.raises(SetupError, match="Others can read"):
        key_from(f"file:{link}")


@pytest.mark.skipif(os.name != "posix", reason="rights of another kind")
def test_somebody_elses_file_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: os.stat(file).st_uid + 1)
    with pytest.raises(SetupError, match="belongs to somebody else"):
        key_from(f"file:{file}")


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "is empty"), (" \n", "is empty"), ("x" * 20_000, "is too long to be a key"),
     ("first-line-of-a-key\nsecond", "holds what no key does"), ("\xff\xfe", "holds what no key does")],
)  # fmt: skip
def test_what_is_in_a_file_has_to_be_a_key(file: Path, text: str, words: str) -> None:
    file.write_text(text, encoding="latin-1")
    with pytest.raises(SetupError, match=words) as caught:
        key_from(f"file:{file}")

    assert "first-line" not in str(caught.value)


def test_a_file_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"can't be read: No such file .*chmod 600"):
        key_from(f"file:{tmp_path / 'none.key'}")


def test_the_keyring(ring: Entries) -> None:
    keyring.set_password("nbaudio", "kitchen", KEY)

    assert key_from("keyring:kitchen") == Key(KEY, "the keyring (nbaudio, kitchen)")


def test_a_keyring_without_the_entry_says_how_to_make_it(ring: Entries) -> None:
    with pytest.raises(SetupError) as caught:
        key_from("keyring:kitchen")

    assert caught.value.cause == "The system's keyring has no entry 'kitchen'."
    assert caught.value.next_step == "Make it in a terminal: keyring set nbaudio kitchen"


def test_a_keyring_that_is_locked(ring: Entries) -> None:
    ring.locked = True
    with pytest.raises(SetupError, match=r"can't be asked for 'kitchen': KeyringLocked") as caught:
        key_from("keyring:kitchen")

    assert KEY not in str(caught.value)


def test_a_machine_without_a_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring.backends.fail

    usual = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    try:
        with pytest.raises(SetupError, match="NoKeyringError"):
            key_from("keyring:kitchen")
    finally:
        keyring.set_keyring(usual)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SetupError, match=r"pip install 'nbaudio\[keyring\]'"):
        key_from("keyring:kitchen")


@pytest.mark.parametrize("place", ["env:", "file:", "keyring:", KEY, "vault:x"])
def test_what_is_no_place_is_not_repeated(place: str) -> None:
    with pytest.raises(SetupError, match="Write one of: env:NAME, file:PATH, keyring:NAME") as caught:
        key_from(place)

    assert KEY not in str(caught.value)


def test_a_key_is_hidden_from_then_on(file: Path) -> None:
    key = key_from(f"file:{file}")

    assert KEY not in repr(key)
    assert mask(f"wrong key: {KEY}") == "wrong key: [key]"
    assert checked("", "anywhere") == Key()
