"""What is shown in another form the next time, and only then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["ShownOnce"]


class ShownOnce:
    """Something with a bundle of its own, which a cell may replace once."""

    def show_once_with(self, bundle: Mapping[str, Any] | None = None, *, live: str = "") -> None:
        """Change what is shown the next time, and only then.

        Parameters
        ----------
        bundle : mapping, optional
            MIME types and what to show instead of its own.
        live : str
            The key of the player that it was heard with, which takes the place of the static one in a living page.
        """
        self.__dict__["_once"] = (dict(bundle or {}), live)  # no field: it is no part of what was said

    def _taken_once(self) -> tuple[dict[str, Any], str]:
        """What is to be shown instead, and the key of the player."""
        taken: tuple[dict[str, Any], str] = self.__dict__.pop("_once", ({}, ""))
        return taken
