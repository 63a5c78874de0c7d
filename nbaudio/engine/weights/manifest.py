"""Which weights the offline engine uses: names, sizes, SHA-256s, licences, and where they can be had.

The facts are data, in ``manifest.json`` beside this module. `load_manifest` reads that file or another one of
the same form, and refuses one that could lead a fetch astray.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from nbaudio.errors import WeightsError

__all__ = ["Home", "Model", "Package", "WeightFile", "load_manifest", "megabytes", "safe_address"]

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][\w.\-]*")  # a file in its folder, never a path out of it


class _Readable(Protocol):  # a pathlib.Path, or what importlib.resources gives for a file in a package
    def read_text(self, encoding: str) -> str: ...


@dataclass(frozen=True)
class WeightFile:
    """One file of a model.

    Parameters
    ----------
    name : str
        Its name in the model's folder.
    sha256 : str
        What its bytes must hash to, 64 lower-case hexadecimal digits.
    size_bytes : int
        How long it is.
    """

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Home:
    """The model's own home on the web; `url` has ``{name}`` where a file's name goes."""

    url: str

    @property
    def host(self) -> str:
        """The host's name, as in ``huggingface.co``."""
        return urlsplit(self.url).hostname or self.url

    @property
    def label(self) -> str:
        """What to call this source in a sentence."""
        return self.host


@dataclass(frozen=True)
class Package:
    """A package on the user's own Python index whose wheel carries the identical bytes.

    Parameters
    ----------
    name, version : str
        The exact distribution.
    wheel_sha256 : str
        What the whole wheel must hash to.
    wheel_size_bytes : int
        How much there is to download.
    members : Mapping[str, str]
        A file's name to its place in the wheel.
    """

    name: str
    version: str
    wheel_sha256: str
    wheel_size_bytes: int
    members: Mapping[str, str]

    @property
    def label(self) -> str:
        """What to call this source in a sentence."""
        return f"the package {self.name} {self.version}"


@dataclass(frozen=True)
class Model:
    """A model of the offline engine.

    Parameters
    ----------
    name : str
        What it is called here, and its folder's name.
    title, purpose, licence, origin : str
        For people: its own name, what it does here, its SPDX licence, its authors' page.
    loads : {"folder", "file"}
        What a program is given to load it: the folder, or its one file.
    files : tuple of WeightFile
        All of its files.
    sources : tuple of Home or Package
        Where they can be had, in the order to try.
    """

    name: str
    title: str
    purpose: str
    licence: str
    origin: str
    loads: Literal["folder", "file"]
    files: tuple[WeightFile, ...]
    sources: tuple[Home | Package, ...]

    @property
    def size_bytes(self) -> int:
        """The size of all files together."""
        return sum(file.size_bytes for file in self.files)


def load_manifest(path: _Readable) -> Mapping[str, Model]:
    """The models that a manifest names.

    Parameters
    ----------
    path : pathlib.Path or importlib.resources.abc.Traversable
        A JSON file of the form of the ``manifest.json`` in this package.

    Raises
    ------
    WeightsError
        If it can't be read, or says something that a fetch must not follow: a name that leaves the folder, an
        address that is neither HTTPS nor this machine, a hash that is none.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        return MappingProxyType({name: _model(name, entry) for name, entry in content["models"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        said = f"{problem} is missing" if isinstance(problem, KeyError) else str(problem)
        cause = f"The manifest {path} can't be used: {said}."
        raise WeightsError(cause, "Install nbaudio again.") from problem


def safe_address(url: str) -> bool:
    """Whether weights may come from this address: HTTPS, or plain HTTP on this machine.

    Examples
    --------
    >>> safe_address("https://example.org/model.bin"), safe_address("http://example.org/model.bin")
    (True, False)
    """
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


def megabytes(size_bytes: int) -> str:
    """A size as people read it.

    Examples
    --------
    >>> megabytes(75_537_502), megabytes(2_317)
    ('75.5 MB', '2.3 kB')
    """
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e5 else f"{size_bytes / 1e3:.1f} kB"


def _model(name: str, entry: dict[str, Any]) -> Model:
    files = tuple(
        WeightFile(_plain(file["name"]), _digest(file["sha256"]), _size(file["size_bytes"])) for file in entry["files"]
    )
    loads = entry["loads"]
    if not files or loads not in ("folder", "file") or (loads == "file" and len(files) != 1):
        raise ValueError(f"{name} has no files, or loads from neither its folder nor its one file")
    sources = tuple(_source(source, files) for source in entry["sources"])
    texts = (entry["title"], entry["purpose"], entry["licence"], entry["origin"])
    return Model(_plain(name), *texts, loads=loads, files=files, sources=sources)


def _source(entry: dict[str, Any], files: tuple[WeightFile, ...]) -> Home | Package:
    if entry["kind"] == "home":
        url = entry["url"]
        if not safe_address(url) or "{name}" not in url:
            raise ValueError(f"{url} is not an HTTPS address with {{name}} in it")
        return Home(url)
    if entry["kind"] != "package":
        raise ValueError(f"{entry['kind']} is not a kind of source")
    members = MappingProxyType({file.name: str(entry["members"][file.name]) for file in files})
    return Package(
        _plain(entry["name"]),
        _plain(entry["version"]),
        _digest(entry["wheel_sha256"]),
        _size(entry["wheel_size_bytes"]),
        members,
    )


def _plain(name: str) -> str:
    if not _PLAIN_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a plain name")
    return name


def _digest(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"{sha256!r} is not a SHA-256")
    return sha256


def _size(size_bytes: int) -> int:
    if not isinstance(size_bytes, int) or size_bytes <= 0:
        raise ValueError(f"{size_bytes!r} is not a size in bytes")
    return size_bytes
