"""A tool call: what the model wants to be done, as it stands in an answer and goes back in the next request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["ToolCall"]


@dataclass(frozen=True)
class ToolCall:
    """One call that a model asks for.

    `id` is the server's name for the call, `name` the tool's, and `arguments` its arguments as JSON text, which a
    model wrote and which may be anything.
    """

    id: str = ""
    name: str = ""
    arguments: str = ""

    def to_wire(self) -> dict[str, Any]:
        """The call's JSON object in an assistant's message."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}

    def __str__(self) -> str:
        return f"{self.name}({self.arguments})"
