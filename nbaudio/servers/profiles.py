"""The person's own file of servers: profiles by name, and dialects of their own.

    [servers.kitchen]
    url = "http://192.168.1.7:11434/v1"
    model = "llama3.2"

    [dialects.mine]
    like = "vllm-omni"
    hosts = ["omni.example.org"]

It is the person's, in their configuration folder: a project can name a profile in it, and nothing else.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, BinaryIO

from nbaudio.errors import SetupError
from nbaudio.servers.keys import PLACES, is_place
from nbaudio.wire.dialects import Dialect, dialect_for, dialect_of_row, known_dialects

__all__ = ["Profile", "Servers", "read_servers", "usual_file"]

_NO_KEY = f"Put it where only you can read it, and write here where that is: {PLACES}."


@dataclass(frozen=True)
class Profile:
    """One server: its address, and what is chosen with it. `key` is a place, see `nbaudio.servers.keys`."""

    name: str
    url: str = ""
    model: str = ""
    dialect: str = ""
    key: str = ""
    hear_with: str = ""
    speak_with: str = ""
    voice: str = ""
    transcription_model: str = ""
    speech_model: str = ""


@dataclass(frozen=True)
class Servers:
    """What the file says."""

    path: Path
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    dialects: tuple[Dialect, ...] = ()


def usual_file() -> Path:
    """Where the file is, unless ``NbAudio.servers_file`` says another place."""
    import platformdirs

    return Path(platformdirs.user_config_dir("nbaudio")) / "servers.toml"


_read: dict[Path, tuple[int, Servers]] = {}


def read_servers(path: Path) -> Servers:
    """The servers in a file; none where there is no file.

    Raises
    ------
    SetupError
        If it can't be read, is no such file, or others could write into it.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o022:
                raise SetupError(
                    f"Others can write into {path}, and so send your keys elsewhere.", f"Run: chmod go-w {path}"
                )
            if _read.get(path, (None,))[0] != status.st_mtime_ns:
                _read[path] = (status.st_mtime_ns, _servers(path, _parsed(path, file)))
    except (FileNotFoundError, NotADirectoryError):
        return Servers(path)
    except OSError as error:
        raise SetupError(f"Your servers in {path} can't be read: {error.strerror or error}.") from error
    return _read[path][1]


def _parsed(path: Path, file: BinaryIO) -> dict[str, Any]:
    if sys.version_info >= (3, 11):  # here, for where there is no file it is not needed, and takes a while
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.load(file)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SetupError(
            f"Your servers in {path} can't be read: {error}.", "docs/servers.md shows how they are written."
        ) from error


def _servers(path: Path, found: Mapping[str, Any]) -> Servers:
    if unknown := sorted(set(found) - {"servers", "dialects"}):
        raise SetupError(f"{path} has a table [{unknown[0]}], which says nothing.", "Write [servers.NAME].")
    dialects: list[Dialect] = []
    for name, row in _tables(path, found, "dialects"):
        like = row.pop("like", "")
        base = dialect_for("", str(like), more=dialects) if like else None
        if base is not None:  # its habits, and not its places
            base = replace(base, name=name, title="", url="", hosts=(), ports=(), paths=(), models=(), tried="")
        elif any(dialect.name == name for dialect in known_dialects()):
            base = dialect_for("", name)
        dialects.append(dialect_of_row({**row, "name": name}, base))
    profiles = {name: _profile(path, name, row) for name, row in _tables(path, found, "servers")}
    return Servers(path, profiles, tuple(dialects))


def _tables(path: Path, found: Mapping[str, Any], kind: str) -> list[tuple[str, dict[str, Any]]]:
    tables = found.get(kind, {})
    if not isinstance(tables, Mapping) or not all(isinstance(table, Mapping) for table in tables.values()):
        raise SetupError(f"{path} has a [{kind}] that holds no tables.", f"Write [{kind}.NAME].")
    return [(name, dict(table)) for name, table in tables.items()]


def _profile(path: Path, name: str, row: Mapping[str, Any]) -> Profile:
    where = f"[servers.{name}] in {path}"
    known = [one.name for one in fields(Profile) if one.name != "name"]
    for option, value in row.items():
        if option not in known:
            raise SetupError(f"{where} has {option!r}, which says nothing.", f"Known: {', '.join(known)}.")
        if not isinstance(value, str):
            raise SetupError(f"{where} has {option} = {value!r}, which is no text.", f'Write {option} = "...".')
    if row.get("key") and not is_place(row["key"]):
        raise SetupError(f"{where} holds a key.", _NO_KEY)  # which is not repeated
    if not row.get("url"):
        raise SetupError(f"{where} has no url.", 'Write url = "http://...", up to and with /v1.')
    return Profile(name, **row)
