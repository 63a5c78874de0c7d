"""Where a key comes from: the environment, a file that nobody else can read, the system's keyring.

Such a place is written as a text: ``env:OPENROUTER_API_KEY``, ``file:~/.config/nbaudio/kitchen.key``,
``keyring:kitchen`` (the entry ``kitchen`` of the service ``nbaudio``, which ``keyring set nbaudio kitchen`` makes). The
text may stand anywhere; the key itself is in no setting, no repr and no saved file.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from nbaudio.errors import SetupError, register_secret

__all__ = ["PLACES", "Key", "checked", "is_place", "key_from"]

PLACES = "env:NAME, file:PATH, keyring:NAME"
"""How a place of a key is written."""

_SERVICE = "nbaudio"
_LONGEST_FILE = 16_384  # bytes; a key has some hundred


@dataclass(frozen=True)
class Key:
    """A key, and the place that it came from in words; both are empty where there is none."""

    value: str = field(default="", repr=False)
    origin: str = ""


def is_place(text: str) -> bool:
    """Whether a text names a place of a key, and is none itself.

    Examples
    --------
    >>> is_place("env:MISTRAL_API_KEY"), is_place("keyring:kitchen"), is_place("sk-proj-abc")
    (True, True, False)
    """
    return text.partition(":")[0] in ("env", "file", "keyring") and ":" in text


def key_from(place: str) -> Key:
    """The key in a place; an environment variable that is not set holds none.

    Raises
    ------
    SetupError
        If the file can be read by others, or there is no such file or entry, or what is there can be no key.
    """
    kind, _, where = place.partition(":")
    if kind == "env" and where:
        return checked(os.environ.get(where, ""), where)
    if kind == "file" and where:
        return _from_file(Path(where).expanduser())
    if kind == "keyring" and where:
        return _from_keyring(where)
    raise SetupError("This is no place of a key.", f"Write one of: {PLACES}.")  # not repeated: it may be the key


def checked(value: str, origin: str) -> Key:
    """A key without the white space around it, known to `nbaudio.errors.mask` from now on.

    Raises
    ------
    SetupError
        If it can be none.
    """
    value = value.strip()
    if not value:
        return Key()
    register_secret(value)
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise SetupError(
            f"{origin} holds what no key does: spaces, line ends or letters beyond ASCII.",
            "Copy the key again, and nothing else.",
        )
    return Key(value, origin)


def _from_file(path: Path) -> Key:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())  # of the file that is read, whatever its name comes to mean meanwhile
            if os.name == "posix":
                _check_owner(path, status)
            data = file.read(_LONGEST_FILE + 1)
    except OSError as error:
        raise SetupError(
            f"The key in {path} can't be read: {error.strerror or error}.",
            f"Make it: touch {path}; chmod 600 {path}; and write the key into it.",
        ) from error
    if len(data) > _LONGEST_FILE:
        raise SetupError(f"{path} is too long to be a key.", "It should hold the key and nothing else.")
    key = checked(data.decode("utf-8", "replace"), str(path))
    if not key.value:
        raise SetupError(f"{path} is empty.", "Write the key into it, and nothing else.")
    return key


def _check_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.getuid():
        raise SetupError(f"{path} belongs to somebody else.", "Keep your key in a file of your own.")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise SetupError(f"Others can read the key in {path}.", f"Run: chmod 600 {path}")


def _from_keyring(entry: str) -> Key:
    try:
        import keyring
        import keyring.errors
    except ImportError as error:
        raise SetupError(
            "The key is in the system's keyring, which needs a package.", "pip install 'nbaudio[keyring]'"
        ) from error
    try:
        found = keyring.get_password(_SERVICE, entry)
    except keyring.errors.KeyringError as error:  # locked, or none on this machine
        raise SetupError(
            f"The system's keyring can't be asked for {entry!r}: {type(error).__name__}.",
            f"Unlock it, or keep the key elsewhere: {PLACES}.",
        ) from error
    key = checked(found or "", f"the keyring ({_SERVICE}, {entry})")
    if not key.value:
        raise SetupError(
            f"The system's keyring has no entry {entry!r}.", f"Make it in a terminal: keyring set {_SERVICE} {entry}"
        )
    return key
