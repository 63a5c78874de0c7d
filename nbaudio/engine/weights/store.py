"""The folder that weights are kept in: where it is, what is in it, one fetch at a time, never half a file.

A file gets its name only when all of its bytes are there and hash to what the manifest says; until then it is
``<name>.part``. ``checked.json`` beside the files remembers what each hashed to: the next look is quick.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nbaudio.engine.weights.manifest import WeightFile
from nbaudio.errors import WeightsError

__all__ = [
    "WrongBytes",
    "disk_errors",
    "known_sha256",
    "locked",
    "part_path",
    "record",
    "remove_all",
    "settle",
    "sha256_of",
    "size_of",
    "weights_root",
    "work_folder",
]

_RECORD = "checked.json"
_WORK = "package-"  # folders in which a package is unpacked begin with this
_BLOCK_BYTES = 1 << 20
_LOCK_POLL_S = 0.1
_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


class WrongBytes(Exception):
    """A file is complete, and is not the file; `found` is the SHA-256 that it has."""

    def __init__(self, found: str) -> None:
        super().__init__(found)
        self.found = found


def weights_root() -> Path:
    """The folder that holds one folder for each model: ``NBAUDIO_WEIGHTS``, or one in the user's cache."""
    chosen = os.environ.get("NBAUDIO_WEIGHTS")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("nbaudio")) / "weights"


def part_path(folder: Path, file: WeightFile) -> Path:
    """Where the bytes of a file gather until it is complete."""
    return folder / f"{file.name}.part"


def size_of(path: Path) -> int | None:
    """The size of a file in bytes, or None if there is no such file."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def settle(folder: Path, file: WeightFile) -> None:
    """Give a complete ``.part`` its name, if it is the file; else delete it.

    Raises
    ------
    WrongBytes
        If it hashes to something else.
    WeightsError
        If the disk does not let it.
    """
    part = part_path(folder, file)
    with disk_errors(folder):
        found = sha256_of(part)
        if found != file.sha256:
            part.unlink()
            raise WrongBytes(found)
        os.replace(part, folder / file.name)
    record(folder, {file.name: found})


def known_sha256(folder: Path, file: WeightFile) -> str | None:
    """What the file hashed to when last looked at; None if that was never, or it has changed since."""
    try:
        entry = _read_record(folder)[file.name]
        now = (folder / file.name).stat()
        unchanged = entry["size_bytes"] == now.st_size and entry["mtime_ns"] == now.st_mtime_ns
        return str(entry["sha256"]) if unchanged else None
    except (OSError, KeyError, TypeError):
        return None


def record(folder: Path, hashes: dict[str, str]) -> None:
    """Remember what files hashed to. In a folder that can't be written this does nothing."""
    # Nothing depends on it but time: a file with no record is hashed again when next fetched.
    with suppress(OSError):
        entries = _read_record(folder)
        for name, sha256 in hashes.items():
            now = (folder / name).stat()
            entries[name] = {"sha256": sha256, "size_bytes": now.st_size, "mtime_ns": now.st_mtime_ns}
        handle, draft = tempfile.mkstemp(prefix=f"{_RECORD}.", suffix=".part", dir=folder)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(entries, stream, indent=1)
        os.replace(draft, folder / _RECORD)


def _read_record(folder: Path) -> dict[str, dict[str, str | int]]:
    try:
        entries = json.loads((folder / _RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}


def work_folder(folder: Path) -> Path:
    """A new empty folder inside this one, to unpack in. Those of fetches that were killed are removed."""
    import shutil

    for left_over in folder.glob(f"{_WORK}*"):
        shutil.rmtree(left_over, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=_WORK, dir=folder))


def remove_all(folder: Path, files: tuple[WeightFile, ...]) -> int:
    """Remove a model's files, whole and in part, and the folder if nothing else is in it.

    Returns
    -------
    int
        How many bytes were freed.
    """
    import shutil

    freed = 0
    named = [folder / file.name for file in files] + [part_path(folder, file) for file in files]
    with disk_errors(folder):
        for path in [*named, *folder.glob(f"{_RECORD}*")]:
            freed += size_of(path) or 0
            path.unlink(missing_ok=True)
        for work in folder.glob(f"{_WORK}*"):
            freed += sum(size_of(path) or 0 for path in work.rglob("*") if path.is_file())
            shutil.rmtree(work)
    with suppress(OSError):  # someone's own files are in it, or it was never there
        folder.rmdir()
    return freed


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses inside the block into a `WeightsError` that says what to do."""
    try:
        yield
    except OSError as problem:
        place = "Set NBAUDIO_WEIGHTS to a folder that you can write to, and fetch again."
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            cause = f"The disk with {folder} is full."
            place = (
                "Free some space, or set NBAUDIO_WEIGHTS to a folder on another disk, and fetch again. "
                "What has come so far is kept."
            )
        elif problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            cause = f"The folder {folder} can't be written to ({problem.strerror})."
        else:
            cause = f"The folder {folder} can't be used ({problem.strerror or problem})."
        raise WeightsError(cause, place) from problem


@contextmanager
def locked(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold a lock file for the block, so that two fetches don't write the same parts.

    The operating system holds the lock: it ends with the process, however that ends. `on_wait` is called once
    if another process has it.
    """
    with disk_errors(path.parent):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        waiting = False
        while not _try_lock(handle, path):
            if not waiting:
                waiting = True
                on_wait()
            time.sleep(_LOCK_POLL_S)  # polled, so that an interrupt gets through on every system
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int, path: Path) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        if problem.errno in _HELD:
            return False
        raise WeightsError(
            f"The folder {path.parent} can't be locked ({problem.strerror}).",
            "Set NBAUDIO_WEIGHTS to a folder on a local disk, and fetch again.",
        ) from problem
    return True
