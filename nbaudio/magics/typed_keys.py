"""A warning where a key is typed in a cell: the notebook is saved, and shared, with it."""

from __future__ import annotations

from typing import Any

from nbaudio.servers.typed import keys_in, warn_of

__all__ = ["warn_of_typed_keys"]


def warn_of_typed_keys(info: Any) -> None:
    """Look at a cell that is about to run; IPython calls this for each, as ``pre_run_cell``."""
    for key in keys_in(info.raw_cell or ""):
        warn_of(key)
