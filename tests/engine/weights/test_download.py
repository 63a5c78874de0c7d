"""Fetching from a web server that is good, deaf, dead, lying or cut off; and being killed or doubled meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rights import HAVE_RIGHTS, read_only_folder

import nbaudio
from nbaudio.engine.weights import models
from nbaudio.engine.weights.download import HostFailed, SourceFailed, Web
from nbaudio.engine.weights.manifest import Model, WeightFile
from nbaudio.engine.weights.progress import Progress
from nbaudio.errors import WeightsError

_RANDOM = random.Random(20261122)
LARGE = _RANDOM.randbytes(700_000)
SMALL = _RANDOM.randbytes(3_000)
WRONG = _RANDOM.randbytes(len(LARGE))
CONTENT = {"large.bin": LARGE, "small.json": SMALL}
HELD_AT = 400_000
PATIENCE_S = 20


class Shelf(ThreadingHTTPServer):
    """A web server whose manners are the first part of the path."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Manners)
        self.asked: list[tuple[str, str | None]] = []
        self.cuts_left = 1
        self.holding = threading.Event()
        self.released = threading.Event()

    def url(self, manners: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{manners}/{{name}}"

    def ranges(self, name: str) -> list[str | None]:
        return [span for path, span in self.asked if path.endswith(name)]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what is tested here."""


class _Manners(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Shelf

    def do_GET(self) -> None:
        _, manners, name = self.path.split("/")
        span = self.headers["Range"]
        self.server.asked.append((self.path, span))
        self.close_connection = True
        getattr(self, f"_{manners}")(CONTENT.get(name), int(span[6:-1]) if span else 0, name)

    def _good(self, body: bytes | None, start: int, name: str) -> None:
        if body is None:
            self.send_error(404)
        elif start >= len(body):
            self.send_error(416)
        else:
            self._head(body, start)
            self.wfile.write(body[start:])

    def _half(self, body: bytes, start: int, name: str) -> None:
        self._good(None if name == "large.bin" else body, start, name)

    def _deaf(self, body: bytes, _: int, name: str) -> None:
        self._head(body, 0)
        self.wfile.write(body)

    def _cut(self, body: bytes, start: int, name: str) -> None:
        self._head(body, start)
        if self.server.cuts_left:
            self.server.cuts_left -= 1
            self.wfile.write(body[start : (start + len(body)) // 2])
        else:
            self.wfile.write(body[start:])

    def _hold(self, body: bytes, start: int, name: str) -> None:
        self._head(body, start)
        self.wfile.write(body[start:HELD_AT])
        self.server.holding.set()
        self.server.released.wait(PATIENCE_S)
        self.wfile.write(body[max(start, HELD_AT) :])

    def _silent(self, body: bytes, start: int, name: str) -> None:
        self.server.released.wait(PATIENCE_S)
        self._good(body, start, name)

    def _lies(self, body: bytes, start: int, name: str) -> None:
        self._good(WRONG[: len(body)], start, name)

    def _portal(self, body: bytes, start: int, name: str) -> None:
        self._head(b"<html>please log in</html>", 0)
        self.wfile.write(b"<html>please log in</html>")

    def _endless(self, body: bytes, start: int, name: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body + body)

    def _misfit(self, body: bytes, start: int, name: str) -> None:
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start + 1}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start - 1))
        self.end_headers()
        self.wfile.write(body[start + 1 :])

    def _down(self, body: bytes, start: int, name: str) -> None:
        self.send_error(503)

    def _moved(self, body: bytes, start: int, name: str) -> None:
        self._send_on(self.server.url("good").format(name=name))

    def _astray(self, body: bytes, start: int, name: str) -> None:
        self._send_on("http://weights.invalid/large.bin")

    def _send_on(self, address: str) -> None:
        self.send_response(302)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _head(self, body: bytes, start: int) -> None:
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    server = Shelf()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBAUDIO_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("NBAUDIO_WEIGHTS_SOURCES", raising=False)
    return tmp_path / "weights"


def weight(name: str) -> WeightFile:
    return WeightFile(name, hashlib.sha256(CONTENT[name]).hexdigest(), len(CONTENT[name]))


def write_manifest(folder: Path, urls: list[str], names: list[str]) -> Path:
    entry = {
        "title": "Toy weights",
        "purpose": "to test with",
        "licence": "CC0-1.0",
        "origin": "https://example.org",
        "loads": "folder",
        "files": [vars(weight(name)) for name in names],
        "sources": [{"kind": "home", "url": url} for url in urls],
    }
    path = folder / "manifest.json"
    path.write_text(json.dumps({"models": {"toy": entry}}), "utf-8")
    return path


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., Model]:
    def make(*urls: str, names: tuple[str, ...] = ("large.bin",)) -> Model:
        return models.load_manifest(write_manifest(tmp_path, list(urls), list(names)))["toy"]

    return make


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def fetch_in_child(manifest: Path) -> subprocess.Popen[str]:
    code = (
        "import sys, pathlib; from nbaudio.engine.weights import models;"
        "models.fetch([models.load_manifest(pathlib.Path(sys.argv[1]))['toy']])"
    )
    where = str(Path(nbaudio.__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, "-c", code, str(manifest)],
        env={**os.environ, "PYTHONPATH": where},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_fetches_every_file_once(shelf: Shelf, toy: Callable[..., Model], root: Path) -> None:
    model = toy(shelf.url("good"), names=("small.json", "large.bin"))
    assert models.fetch([model], progress=False) == {"toy": root / "toy"}
    assert (root / "toy/large.bin").read_bytes() == LARGE
    assert (root / "toy/small.json").read_bytes() == SMALL
    assert models.fetch([model], progress=False) == {"toy": root / "toy"}
    assert shelf.asked == [("/good/small.json", None), ("/good/large.bin", None)]
    assert not list(root.rglob("*.part"))


def test_a_missing_file_only_is_fetched_again(shelf: Shelf, toy: Callable[..., Model], root: Path) -> None:
    model = toy(shelf.url("good"), names=("small.json", "large.bin"))
    models.fetch([model], progress=False)
    (root / "toy/small.json").unlink()
    assert not models.ready(model)
    models.fetch([model], progress=False)
    assert [path for path, _ in shelf.asked[2:]] == ["/good/small.json"]


def test_goes_on_from_a_part(shelf: Shelf, toy: Callable[..., Model], root: Path) -> None:
    (root / "toy").mkdir(parents=True)
    (root / "toy/large.bin.part").write_bytes(LARGE[:1234])
    models.fetch([toy(shelf.url("good"))], progress=False)
    assert (root / "toy/large.bin").read_bytes() == LARGE
    assert shelf.ranges("large.bin") == ["bytes=1234-"]


def test_a_complete_part_needs_no_server(toy: Callable[..., Model], root: Path, shelf: Shelf) -> None:
    (root / "toy").mkdir(parents=True)
    (root / "toy/large.bin.part").write_bytes(LARGE)
    models.fetch([toy(shelf.url("good"))], progress=False)
    assert (root / "toy/large.bin").read_bytes() == LARGE
    assert shelf.asked == []


@pytest.mark.parametrize("manners", ["deaf", "moved", "cut"])
@pytest.mark.parametrize("part", [b"", LARGE[:1234], LARGE + b"too long"])
def test_completes_whatever_the_server_does_with_ranges(
    manners: str, part: bytes, shelf: Shelf, toy: Callable[..., Model], root: Path
) -> None:
    (root / "toy").mkdir(parents=True)
    (root / "toy/large.bin.part").write_bytes(part)
    models.fetch([toy(shelf.url(manners))], progress=False)
    assert (root / "toy/large.bin").read_bytes() == LARGE


def test_a_cut_connection_is_taken_up_where_it_ended(shelf: Shelf, toy: Callable[..., Model], root: Path) -> None:
    models.fetch([toy(shelf.url("cut"))], progress=False)
    assert shelf.ranges("large.bin") == [None, f"bytes={len(LARGE) // 2}-"]


def test_a_connection_that_is_always_cut_ends_in_an_error_and_keeps_the_part(
    shelf: Shelf, toy: Callable[..., Model], root: Path
) -> None:
    shelf.cuts_left = 99
    with pytest.raises(WeightsError, match=r"the connection ended after [\d,]+ of 700,000 bytes of large.bin"):
        models.fetch([toy(shelf.url("cut"))], progress=False)
    assert len(shelf.asked) == 4
    part = (root / "toy/large.bin.part").read_bytes()
    assert len(part) > len(LARGE) * 0.9
    assert LARGE.startswith(part)


def test_a_wrong_part_is_not_held_against_the_server(shelf: Shelf, toy: Callable[..., Model], root: Path) -> None:
    (root / "toy").mkdir(parents=True)
    (root / "toy/large.bin.part").write_bytes(WRONG[:5000])
    models.fetch([toy(shelf.url("good"))], progress=False)
    assert (root / "toy/large.bin").read_bytes() == LARGE
    assert shelf.ranges("large.bin") == ["bytes=5000-", None]


def test_an_answer_for_another_place_is_not_appended(shelf: Shelf, tmp_path: Path) -> None:
    part = tmp_path / "large.bin.part"
    part.write_bytes(LARGE[:100])
    with pytest.raises(SourceFailed, match=r"not the whole of large\.bin"):
        Web().download(shelf.url("misfit").format(name="large.bin"), weight("large.bin"), part, len_only)
    assert shelf.ranges("large.bin") == ["bytes=100-", None]
    assert not part.exists()


def len_only(now_bytes: int) -> None:
    assert 0 <= now_bytes <= len(LARGE)


def test_wrong_bytes_are_named_deleted_and_the_next_source_is_tried(
    shelf: Shelf, toy: Callable[..., Model], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models.fetch([toy(shelf.url("lies"), shelf.url("good"))])
    assert (root / "toy/large.bin").read_bytes() == LARGE
    told = capsys.readouterr().err
    found, expected = (hashlib.sha256(body).hexdigest() for body in (WRONG, LARGE))
    assert f"From 127.0.0.1: large.bin has SHA-256 {found}, expected {expected}, so it was deleted." in told
    assert "large.bin" in told
    assert not list(root.rglob("*.part"))


def test_wrong_bytes_are_told_even_when_asked_to_be_quiet(
    shelf: Shelf, toy: Callable[..., Model], caplog: pytest.LogCaptureFixture
) -> None:
    models.fetch([toy(shelf.url("lies"), shelf.url("good"))], progress=False)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "so it was deleted" in caplog.text


def test_when_every_source_fails_the_error_says_what_happened_at_each(
    shelf: Shelf, toy: Callable[..., Model], root: Path
) -> None:
    model = toy(shelf.url("lies"), shelf.url("portal"), shelf.url("down"))
    with pytest.raises(WeightsError) as caught:
        models.fetch([model], progress=False)
    said = str(caught.value)
    assert hashlib.sha256(WRONG).hexdigest() in said
    assert "it offers 26 bytes for large.bin, which has 700000" in said
    assert "it answered 503 Service Unavailable for /down/large.bin" in said
    assert "NBAUDIO_WEIGHTS" in caught.value.next_step
    assert [path.name for path in (root / "toy").iterdir()] == []


def test_no_more_is_kept_than_the_file_should_have(shelf: Shelf, tmp_path: Path) -> None:
    part = tmp_path / "large.bin.part"
    with pytest.raises(SourceFailed, match="more than the 700,000 bytes"):
        Web().download(shelf.url("endless").format(name="large.bin"), weight("large.bin"), part, len_only)
    assert part.stat().st_size == 0


def test_a_missing_file_does_not_condemn_the_host(shelf: Shelf, tmp_path: Path) -> None:
    web = Web()
    absent = WeightFile("absent.bin", "0" * 64, 10)
    with pytest.raises(SourceFailed, match="it answered 404") as caught:
        web.download(shelf.url("good").format(name="absent.bin"), absent, tmp_path / "absent.bin.part", len_only)
    assert not isinstance(caught.value, HostFailed)
    small = tmp_path / "small.json.part"
    assert not web.download(shelf.url("good").format(name="small.json"), weight("small.json"), small, len_only)
    assert small.read_bytes() == SMALL


def test_the_next_source_is_asked_only_for_what_is_missing(shelf: Shelf, toy: Callable[..., Model], root: Path) -> None:
    model = toy(shelf.url("half"), shelf.url("good"), names=("small.json", "large.bin"))
    models.fetch([model], progress=False)
    assert (root / "toy/large.bin").read_bytes() == LARGE
    assert [path for path, _ in shelf.asked] == ["/half/small.json", "/half/large.bin", "/good/large.bin"]


def test_a_file_that_changed_since_is_fetched_again(shelf: Shelf, toy: Callable[..., Model], root: Path) -> None:
    model = toy(shelf.url("good"))
    models.fetch([model], progress=False)
    before = (root / "toy/large.bin").stat()
    (root / "toy/large.bin").write_bytes(WRONG)
    os.utime(root / "toy/large.bin", ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000))
    models.fetch([model], progress=False)
    assert (root / "toy/large.bin").read_bytes() == LARGE


def test_a_host_that_fails_is_asked_once(shelf: Shelf, toy: Callable[..., Model]) -> None:
    with pytest.raises(WeightsError):
        models.fetch([toy(shelf.url("down"), names=("small.json", "large.bin"))], progress=False)
    assert len(shelf.asked) == 1


def test_a_host_that_says_nothing_is_given_up_soon_and_for_good(shelf: Shelf, tmp_path: Path) -> None:
    web = Web(answer_timeout_s=0.2)
    url = shelf.url("silent").format(name="large.bin")
    for _ in range(2):
        with pytest.raises(HostFailed, match=r"no answer within 0\.2 seconds"):
            web.download(url, weight("large.bin"), tmp_path / "large.bin.part", len_only)
    assert len(shelf.asked) == 1


def test_bytes_that_stand_still_are_given_up(shelf: Shelf, tmp_path: Path) -> None:
    part = tmp_path / "large.bin.part"
    web = Web(read_timeout_s=0.3)
    with pytest.raises(HostFailed, match="timed out"):
        web.download(shelf.url("hold").format(name="large.bin"), weight("large.bin"), part, len_only)
    assert part.read_bytes() == LARGE[:HELD_AT]


def test_nobody_there(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: refuses, and nobody else can take it
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/large.bin"
        with pytest.raises(HostFailed, match="it can't be reached"):
            Web().download(url, weight("large.bin"), tmp_path / "large.bin.part", len_only)


def test_a_redirect_without_https_is_not_followed(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="without HTTPS"):
        Web().download(
            shelf.url("astray").format(name="large.bin"), weight("large.bin"), tmp_path / "large.bin.part", len_only
        )


def test_the_bar_counts_all_bytes_of_a_model(
    shelf: Shelf, toy: Callable[..., Model], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tqdm")
    models.fetch([toy(shelf.url("good"), names=("small.json", "large.bin"))])
    told = capsys.readouterr().err
    assert "Fetching Toy weights (0.7 MB, licence CC0-1.0) from 127.0.0.1." in told
    assert "toy from 127.0.0.1: 100%" in told
    assert "703k/703k" in told
    assert "Toy weights: checked, and ready in " in told


def test_without_tqdm_the_size_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with Progress(shown=True).bar("toy", 2_000_000) as bar:
        bar.at(0)
        bar.wait()
        bar.at(10)
    assert capsys.readouterr().err == "toy: 2.0 MB to come\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk(shelf: Shelf, toy: Callable[..., Model], root: Path) -> None:
    (root / "toy").mkdir(parents=True)
    (root / "toy/large.bin.part").symlink_to("/dev/full")
    with pytest.raises(WeightsError, match="is full") as caught:
        models.fetch([toy(shelf.url("good"), shelf.url("good"))], progress=False)
    assert "Free some space" in caught.value.next_step
    assert len(shelf.asked) == 1  # another source would not help


def test_a_folder_that_cannot_be(shelf: Shelf, toy: Callable[..., Model], monkeypatch: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("NBAUDIO_WEIGHTS", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match="can't be used") as caught:
        models.fetch([toy(shelf.url("good"))], progress=False)
    assert "NBAUDIO_WEIGHTS" in caught.value.next_step
    assert shelf.asked == []


@pytest.mark.skipif(not HAVE_RIGHTS, reason="rights are other on this system")
def test_a_folder_that_cannot_be_written(shelf: Shelf, toy: Callable[..., Model], monkeypatch: Any) -> None:
    wanted = [toy(shelf.url("good"))]
    with read_only_folder() as folder:
        monkeypatch.setenv("NBAUDIO_WEIGHTS", str(folder))
        with pytest.raises(WeightsError, match="can't be written to"):
            models.fetch(wanted, progress=False)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal that can't be caught")
def test_a_killed_fetch_is_taken_up_by_the_next(shelf: Shelf, tmp_path: Path, root: Path) -> None:
    manifest = write_manifest(tmp_path, [shelf.url("hold")], ["large.bin"])
    part = root / "toy/large.bin.part"
    with fetch_in_child(manifest) as child:
        assert shelf.holding.wait(PATIENCE_S)
        wait_for(lambda: part.exists() and part.stat().st_size > HELD_AT // 2)
        child.kill()
    assert child.returncode == -signal.SIGKILL
    assert not (root / "toy/large.bin").exists()
    kept = part.stat().st_size
    shelf.released.set()
    model = models.load_manifest(manifest)["toy"]
    assert not models.ready(model)
    models.fetch([model], progress=False)
    assert (root / "toy/large.bin").read_bytes() == LARGE
    assert shelf.ranges("large.bin") == [None, f"bytes={kept}-"]


def test_two_processes_at_once(shelf: Shelf, tmp_path: Path, root: Path) -> None:
    manifest = write_manifest(tmp_path, [shelf.url("hold")], ["large.bin"])
    with fetch_in_child(manifest) as first:
        assert shelf.holding.wait(PATIENCE_S)
        with fetch_in_child(manifest) as second:
            assert second.stderr is not None
            assert "another process is fetching it" in second.stderr.readline()
            shelf.released.set()
            second.communicate()
        first.communicate()
    assert (first.returncode, second.returncode) == (0, 0)
    assert (root / "toy/large.bin").read_bytes() == LARGE
    assert shelf.ranges("large.bin") == [None]
