"""Tests of folders that may not be written to, which root may write to all the same."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["HAVE_RIGHTS", "read_only_folder", "without_rights"]

HAVE_RIGHTS = hasattr(os, "seteuid")
"""Whether this system has rights of this kind: Windows has others."""
_NOBODY = 65534


@contextmanager
def without_rights() -> Iterator[None]:
    """Be nobody for a while, where one is root; else whoever one is has no more rights than others."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def read_only_folder() -> Iterator[Path]:
    """A folder in which nobody can make a file; pytest's own folders let nobody but their owner in."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    try:
        with without_rights():
            yield folder
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
