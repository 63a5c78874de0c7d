"""Who may import whom, and what `import nbaudio` costs: nothing.

A room is a module or a folder of ``nbaudio``. It imports from lower levels, and within its level only from rooms to its
left.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "nbaudio"
MODULES = sorted(PACKAGE.rglob("*.py"))

LEVELS = (
    ("legible", "errors"),
    ("captions", "wire", "interpolate", "speakable", "sentences", "tools", "display"),
    ("servers", "settings", "connecting", "prices", "sound", "comparing"),
    ("engine",),
    ("backends", "serving"),
    (
        *("turns", "keyless", "records", "events", "outgoing", "exchange", "journal", "spending"),
        *("transcribing", "speaking", "completing", "conversation", "realtime", "history", "doctor", "demo"),
    ),
    ("widgets",),
    ("magics", "__init__", "__main__"),
)  # fmt: skip
OUTSIDE = {
    "captions": {"numpy"},
    "sound": {"numpy", "soundfile", "soxr"},
    "wire": {"msgspec"},  # JSON and base64 in a fraction of the standard library's time
    "tools": {"docstring_parser", "msgspec"},
    "records": {"msgspec"},
    "spending": {"platformdirs"},
    "speaking": {"anyio", "numpy", "tqdm"},
    "journal": {"platformdirs"},
    "transcribing": {"anyio", "msgspec", "numpy", "platformdirs", "tqdm"},
    "conversation": {"msgspec", "numpy", "pandas"},
    "comparing": {"jiwer"},
    "servers": {"keyring", "platformdirs", "tomllib", "tomli"},
    "completing": {"anyio"},
    "settings": {"traitlets", "tomllib", "tomli"},  # tomllib is in the standard library from 3.11
    "engine": {
        "numpy", "soxr", "onnxruntime", "faster_whisper", "hibari", "xllamacpp", "starlette", "anyio", "tqdm",
        "py3langid", "platformdirs", "filelock",
    },
    "backends": {"httpx", "httpcore", "anyio", "websockets"},  # httpcore is httpx's own, loaded before somebody waits
    "realtime": {"anyio"},
    "serving": {"uvicorn", "prometheus_client", "starlette", "anyio", "ray"},
    "demo": {"nbclient", "nbconvert", "nbformat", "tqdm"},
    "widgets": {"anywidget", "traitlets", "numpy", "sounddevice", "IPython", "platformdirs"},
    "magics": {"IPython", "traitlets"},
}  # fmt: skip
PLACE = {room: (level, place) for level, rooms in enumerate(LEVELS) for place, room in enumerate(rooms)}
HEAVY = {
    "IPython", "ipywidgets", "anywidget", "httpx", "anyio", "numpy", "soundfile", "soxr", "traitlets", "tqdm",
    "keyring",
    "faster_whisper", "ctranslate2", "onnxruntime", "hibari", "xllamacpp", "starlette", "py3langid", "platformdirs",
    "jiwer", "nbclient", "nbconvert", "nbformat", "openai", "pandas", "uvicorn", "prometheus_client", "ray",
    "websockets",
}  # fmt: skip


def room_of(module: Path) -> str:
    """The room that a file belongs to."""
    parts = module.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports(module: Path) -> Iterator[tuple[int, str]]:
    """Every import of a file, wherever it stands, as a line number and the dotted name of what is imported."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                # after `import nbaudio` alone, what is taken from it counts
                uses = attributes_of(alias.asname or alias.name, tree) if alias.name == "nbaudio" else {""}
                for use in uses:
                    yield node.lineno, f"{alias.name}.{use}".rstrip(".")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} imports relatively"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def attributes_of(name: str, tree: ast.AST) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    }


def name_of(module: Path) -> str:
    return str(module.relative_to(PACKAGE))


def test_every_room_has_a_place() -> None:
    assert {room_of(module) for module in MODULES} <= set(PLACE)


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_rooms_import_downwards_and_to_the_left(module: Path) -> None:
    room = room_of(module)
    for line, imported in imports(module):
        package, _, rest = imported.partition(".")
        if package != "nbaudio" or rest == "__version__":  # which is there before any room is
            continue
        other = rest.partition(".")[0]
        assert other in PLACE, f"{module}:{line}: {imported} is no room; import it from where it lives"
        assert other == room or PLACE[other] < PLACE[room], f"{module}:{line}: {room} may not import {imported}"


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_outside_packages_stay_in_their_rooms(module: Path) -> None:
    allowed = OUTSIDE.get(room_of(module), set()) | {"nbaudio"}
    for line, imported in imports(module):
        package = imported.partition(".")[0]
        assert package in sys.stdlib_module_names | allowed, f"{module}:{line}: {package} does not belong here"


def test_httpx_is_known_in_one_room_only() -> None:
    assert {room_of(module) for module in MODULES for _, name in imports(module) if name.startswith("httpx")} == {
        "backends"
    }


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_has_one_idea_and_at_most_400_lines(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 400
    assert module.stem not in ("utils", "util", "helpers", "helper", "misc", "common", "manager", "tools_")


@pytest.mark.parametrize("module", [module for module in MODULES if module.name != "__main__.py"], ids=name_of)
def test_a_module_says_what_it_is_and_what_of_it_is_public(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))

    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            if any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list):
                continue  # the one that has a body is the one that is documented
            assert ast.get_docstring(node), f"{module}:{node.lineno}: {node.name} has no docstring"


# -- what an import costs -----------------------------------------------------------------------------------


def run(code: str) -> str:
    """What a fresh process prints."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "NBAUDIO_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
        env=clean,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_nbaudio_imports_nothing_heavy() -> None:
    loaded = json.loads(run("import sys, nbaudio, json; dir(nbaudio); print(json.dumps(sorted(sys.modules)))"))

    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()
    assert {name for name in loaded if name.startswith("nbaudio")} == {"nbaudio"}


def test_errors_and_values_need_neither_ipython_nor_the_network() -> None:
    loaded = json.loads(
        run(
            "import sys, nbaudio, json\n"
            "nbaudio.Clip, nbaudio.Turn, nbaudio.errors\n"
            "print(json.dumps(sorted(sys.modules)))"
        )
    )

    assert {name.partition(".")[0] for name in loaded} & {"IPython", "httpx", "faster_whisper", "xllamacpp"} == set()


BLOCKED = """
import sys

ABSENT = {absent!r}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ImportError(f"{{name}} is not installed")

sys.meta_path.insert(0, Absent())
"""
ABSENT = {
    "IPython", "ipywidgets", "anywidget", "faster_whisper", "ctranslate2", "onnxruntime", "hibari", "xllamacpp",
    "starlette", "tqdm", "py3langid", "nbclient", "nbconvert", "nbformat",
}  # fmt: skip


def test_without_ipython_and_the_engine_clips_and_conversations_work() -> None:
    said = run(
        BLOCKED.format(absent=ABSENT)
        + """
import nbaudio as nba

clip = nba.Clip([0.0, 0.5, -0.5, 0.0] * 1000, sample_rate=8000)
print(clip, clip[0.1:0.2].duration_s, len(clip.encode("mp3")) > 0, "<audio" in clip._repr_mimebundle_()["text/html"])
chat = nba.Conversation(voice="ash")
print(chat, chat is not nba.chat(), nba.chat() is nba.chat())
try:
    chat.say("Hello")
except nba.errors.NoBackend as error:
    print(error.next_step)
print(sorted(set(sys.modules) & ABSENT))
"""
    )

    assert said.splitlines() == [
        "Clip(0.50 s, 8000 Hz, mono, -9.0 dBFS) 0.1 True True",
        "Conversation(0 turns) True True",
        "Set a key, or install the engine: pip install 'nbaudio[offline]'",
        "[]",
    ]
