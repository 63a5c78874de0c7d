"""One file over HTTPS, resumed where it broke off, and never longer than it should be.

Who sends a file isn't trusted: the size is checked here as bytes come, and the SHA-256 before the file gets
its name (`nbaudio.engine.weights.store.settle`). The client is the standard library's, with the environment's proxies.
"""

from __future__ import annotations

import http.client
import os
import queue
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from nbaudio import __version__
from nbaudio.engine.weights.manifest import WeightFile, safe_address
from nbaudio.engine.weights.store import disk_errors, size_of

__all__ = ["HostFailed", "SourceFailed", "Web", "WrongFile"]

_BLOCK_BYTES = 1 << 18
_RESUMES = 3  # in one run, and only while each brings bytes
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class SourceFailed(Exception):
    """A source did not give a file, and why, in plain words; `next_step` may say what would help.

    It never leaves the engine: what people see is a `WeightsError` with the reasons of all sources.
    """

    def __init__(self, reason: str, next_step: str = "") -> None:
        super().__init__(reason)
        self.next_step = next_step


class HostFailed(SourceFailed):
    """Not worth asking this host again in this run."""


class WrongFile(SourceFailed):
    """Bytes came, and are not the file."""

    def __init__(self, name: str, found: str, expected: str) -> None:
        super().__init__(f"{name} has SHA-256 {found}, expected {expected}, so it was deleted")


class _CutOff(Exception):
    """The connection ended before the file did."""


class _StaleRange(Exception):
    """The server does not go on from where we are; what is there has to be fetched from the start."""


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        downgraded = req.full_url.startswith("https:") and not newurl.startswith("https:")
        if downgraded or not safe_address(newurl):
            fp.close()
            raise SourceFailed(f"it sends on to an address without HTTPS ({newurl})")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


class Web:
    """The web for one run of fetches: it remembers which hosts don't answer, and asks them once only.

    Parameters
    ----------
    answer_timeout_s : float
        How long a host may take until its answer begins, name look-up, connection and redirects included.
    read_timeout_s : float
        How long the bytes may stand still.
    """

    def __init__(self, *, answer_timeout_s: float = 5.0, read_timeout_s: float = 30.0) -> None:
        self._answer_timeout_s = answer_timeout_s
        self._read_timeout_s = read_timeout_s
        self._failed: dict[str, str] = {}
        self._opener = urllib.request.build_opener(_SafeRedirects)

    def download(self, url: str, file: WeightFile, part: Path, on_bytes: Callable[[int], None]) -> bool:
        """Fill `part` with the bytes at an address, going on from what it holds.

        Parameters
        ----------
        url : str
            HTTPS, or HTTP on this machine.
        file : WeightFile
            Its size is the most that is read.
        part : pathlib.Path
            Where the bytes go. It stays when the connection breaks off or the process is killed.
        on_bytes : Callable
            Called with the number of bytes that `part` holds.

        Returns
        -------
        bool
            Whether bytes that were in `part` before were kept. They may be to blame for a wrong hash.

        Raises
        ------
        SourceFailed
            If it can't be had from there; `HostFailed` if nothing can.
        WeightsError
            If the disk can't take it.
        """
        host = urlsplit(url).netloc
        if host in self._failed:
            raise HostFailed(self._failed[host])
        try:
            return self._download(url, file, part, on_bytes)
        except HostFailed as problem:
            self._failed[host] = str(problem)
            raise

    def _download(self, url: str, file: WeightFile, part: Path, on_bytes: Callable[[int], None]) -> bool:
        resumed = False
        resumes_left = _RESUMES
        while True:
            start = self._usable(part, file)
            if start == file.size_bytes:
                on_bytes(start)
                return True
            try:
                resumed = self._append(url, file, part, start, on_bytes)
            except _StaleRange:
                if not start:
                    raise SourceFailed(f"its answer is not the whole of {file.name}") from None
                with disk_errors(part.parent):
                    part.unlink(missing_ok=True)
            except _CutOff as problem:
                if (size_of(part) or 0) <= start or not resumes_left:
                    raise HostFailed(str(problem)) from problem
                resumes_left -= 1
            else:
                return resumed

    @staticmethod
    def _usable(part: Path, file: WeightFile) -> int:
        size = size_of(part) or 0
        if size > file.size_bytes:
            with disk_errors(part.parent):
                part.unlink()
            return 0
        return size

    def _append(self, url: str, file: WeightFile, part: Path, start: int, on_bytes: Callable[[int], None]) -> bool:
        headers = {"User-Agent": f"nbaudio/{__version__}"}
        if start:
            headers["Range"] = f"bytes={start}-"
        # The address was checked when the manifest was read, and each redirect is.
        request = urllib.request.Request(url, headers=headers)  # noqa: S310
        with self._answer(request) as answer:
            start = _agreed_start(answer, start, file)
            done = start
            with disk_errors(part.parent), part.open("ab" if start else "wb") as stream:
                on_bytes(done)
                for block in _blocks(answer):
                    done += len(block)
                    if done > file.size_bytes:
                        stream.truncate(0)
                        raise SourceFailed(f"it sends more than the {file.size_bytes:,} bytes of {file.name}")
                    stream.write(block)
                    on_bytes(done)
                stream.flush()
                os.fsync(stream.fileno())
        if done < file.size_bytes:
            raise _CutOff(f"the connection ended after {done:,} of {file.size_bytes:,} bytes of {file.name}")
        return start > 0

    def _answer(self, request: urllib.request.Request) -> Any:
        # In a thread, because no timeout of a socket bounds the look-up of a name, or the number of addresses
        # that are tried one after the other: a firewall that drops packets would cost minutes.
        box: queue.SimpleQueue[Any] = queue.SimpleQueue()
        given_up = threading.Event()

        def ask() -> None:
            try:
                outcome = self._opener.open(request, timeout=self._read_timeout_s)
            except Exception as problem:  # whatever it is, the asking thread judges it
                outcome = problem
            box.put(outcome)
            if given_up.is_set() and not isinstance(outcome, Exception):
                outcome.close()  # too late: nobody takes it out of the box

        threading.Thread(target=ask, name="nbaudio-weights", daemon=True).start()
        try:
            outcome = box.get(timeout=self._answer_timeout_s)
        except BaseException as problem:  # nothing came in time, or the person interrupts
            given_up.set()
            if isinstance(problem, queue.Empty):
                raise HostFailed(f"no answer within {self._answer_timeout_s:g} seconds") from None
            raise
        if isinstance(outcome, Exception):
            raise _plain_words(outcome, request) from outcome
        return outcome


def _agreed_start(answer: Any, start: int, file: WeightFile) -> int:
    """Where the answer's bytes begin in the file; what can't be the file is refused before it is read."""
    length = answer.headers.get("Content-Length")
    if answer.status == http.client.PARTIAL_CONTENT:
        span = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if span is None or tuple(map(int, span.groups())) != (start, file.size_bytes - 1, file.size_bytes):
            raise _StaleRange
        return start
    if length is not None and length != str(file.size_bytes):
        raise SourceFailed(f"it offers {length} bytes for {file.name}, which has {file.size_bytes}")
    return 0


def _blocks(answer: Any) -> Iterator[bytes]:
    try:
        while block := answer.read1(_BLOCK_BYTES):  # what is there now: a slow line is seen to move
            yield block
    except (OSError, http.client.HTTPException) as problem:
        raise _CutOff(f"the connection broke off ({problem})") from problem


def _plain_words(problem: Exception, request: urllib.request.Request) -> Exception:
    if isinstance(problem, SourceFailed):
        return problem
    if isinstance(problem, urllib.error.HTTPError):
        problem.close()
        if problem.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and request.has_header("Range"):
            return _StaleRange()
        said = f"it answered {problem.code} {problem.reason} for {urlsplit(request.full_url).path}"
        # A file that is missing or refused says nothing about the others; a breakdown or an overload does.
        overloaded = problem.code == http.client.TOO_MANY_REQUESTS
        broken = overloaded or problem.code >= http.client.INTERNAL_SERVER_ERROR
        return HostFailed(said) if broken else SourceFailed(said)
    reason = getattr(problem, "reason", problem)
    return HostFailed(f"it can't be reached ({getattr(reason, 'strerror', None) or reason})")
