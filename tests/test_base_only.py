"""With the base dependencies only: what works, and the one line that says what to install."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

_BLOCK = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""
ENGINE = {"faster_whisper", "hibari", "xllamacpp", "starlette", "tqdm", "py3langid", "onnxruntime", "av", "ctranslate2"}


def run(code: str, absent: set[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Python code in a process where some packages can't be imported."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI", "NBAUDIO"))}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", _BLOCK.format(names=absent) + code],
        capture_output=True,
        text=True,
        env={**clean, **environment},
        timeout=120,
        check=False,
    )


def test_without_engine_and_key_the_first_question_says_what_to_install() -> None:
    done = run("import nbaudio as nba\nnba.Conversation().say('Hello')", ENGINE)
    assert done.stderr.splitlines()[-1] == (
        "nbaudio.errors.NoBackend: There is no OPENAI_API_KEY, no OPENAI_BASE_URL and no offline engine. "
        "Set a key, or install the engine: pip install 'nbaudio[offline]'"
    )


def test_the_doctor_says_it_too() -> None:
    done = run("from nbaudio.__main__ import main\nraise SystemExit(main(['doctor']))", ENGINE)
    assert done.returncode == 1
    assert "offline engine  not installed: pip install 'nbaudio[offline]'" in done.stdout
    assert "to do" in done.stdout


def test_a_notebook_is_not_needed_to_use_it_from_python(tmp_path: Path) -> None:
    code = f"""
import json, nbaudio as nba, numpy as np
clip = nba.Clip(np.sin(np.arange(24000) / 9) / 2, 24000)
clip.save({str(tmp_path / "tone.mp3")!r})
bundle = clip._repr_mimebundle_()
print(json.dumps([len(nba.Conversation()), sorted(bundle), nba.Clip({str(tmp_path / "tone.mp3")!r}).duration_s]))
"""
    done = run(code, ENGINE | {"IPython", "ipywidgets", "ipykernel", "anywidget"})
    assert done.returncode == 0, done.stderr
    turns, kinds, duration_s = json.loads(done.stdout)
    assert turns == 0
    assert kinds == ["text/html", "text/markdown", "text/plain"]
    assert 1 <= duration_s < 1.1
