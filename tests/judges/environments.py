"""Environments of their own, for packages that would pin or pull along much of ours.

An environment is called after a dependency group of ``pyproject.toml``, and lies beside it as ``.venv-GROUP``. It is
made on first use, and again when the group has changed. ``python tests/judges/environments.py litellm`` makes it
beforehand.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from filelock import FileLock

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["program"]

ROOT = Path(__file__).parents[2]


def program(group: str, name: str = "python") -> str:
    """A program of the environment of this group."""
    folder = ROOT / f".venv-{group}"
    wanted: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"][group]
    note = folder / ".installed"
    with FileLock(ROOT / f".venv-{group}.lock"):  # of two test processes one makes it
        if not note.is_file() or note.read_text() != "\n".join(wanted):
            sys.stdout.write(f"Installing {', '.join(wanted)} in {folder.name} (once) ...\n")
            sys.stdout.flush()
            venv.create(folder, clear=True, with_pip=True)
            command = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install"]
            subprocess.run([*command, "--quiet", *wanted], check=True, stdout=subprocess.DEVNULL)
            note.write_text("\n".join(wanted))
    return str(folder / "bin" / name)


if __name__ == "__main__":
    for group in sys.argv[1:]:
        program(group)
