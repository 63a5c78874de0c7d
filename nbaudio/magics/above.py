"""What stands above an answer, and stays there: what was heard, and the tools that were called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from IPython.display import DisplayHandle, clear_output, display

from nbaudio.display.html import AS_WRITTEN, escape_markdown, tag
from nbaudio.display.player import FIGURE, NOTE
from nbaudio.display.tool import calls_html, calls_markdown, calls_plain
from nbaudio.legible import legible
from nbaudio.turns import ToolResult
from nbaudio.widgets.front_end import front_end
from nbaudio.wire.tool_calls import ToolCall

__all__ = ["Above"]

_BETWEEN = {"text/plain": "\n", "text/html": "", "text/markdown": "\n\n"}
Bundle = dict[str, str]


class Above:
    """Lines above an answer, shown as they come.

    A page gets one output for all of them, which takes its place before the answer's own begins. A terminal, where
    words are printed as they come, gets the tools one after the other, and what was said when the answer is over.

    Parameters
    ----------
    shell : InteractiveShell
    """

    def __init__(self, shell: Any) -> None:
        self._one_by_one = front_end(shell) == "terminal"
        self._handle = DisplayHandle()
        self._lines: list[Bundle] = []
        self._shown = False
        self._later: list[Bundle] = []
        self.mid_line = False
        """Whether words of the answer stand in the terminal's last line."""

    @classmethod
    def for_options(cls, shell: Any, options: Mapping[str, Any]) -> Above | None:
        """In the place where the next output would be; None for a cell without tools whose question is not heard."""
        if not (options.get("tools") or options.get("transcribe")):
            return None
        above = cls(shell)
        if not above._one_by_one:
            above._shown = True
            above._handle.display({"text/plain": "", "text/html": ""}, raw=True)
        return above

    def heard(self, words: str) -> None:
        """Add what the person has said."""
        self._line(f"You said: {words or '(nothing that is speech)'}")

    def warning(self, text: str) -> None:
        """Add what went wrong; a warning of Python's own would go when the cell's output is cleared."""
        self._line(f"Warning: {text}")

    def call(self, call: ToolCall) -> None:
        """Add what the model asks for."""
        lines = [str(call)]
        self._add(
            {
                "text/plain": calls_plain(lines),
                "text/html": tag("figure", calls_html(lines), class_=AS_WRITTEN, style=FIGURE),
                "text/markdown": calls_markdown(lines),
            }
        )

    def result(self, result: ToolResult) -> None:
        """Add what a tool gave."""
        self._add(result._repr_mimebundle_())

    def stay(self, *, cleared: bool) -> None:
        """Be there when the answer is shown: once more where the cell's output was cleared, not at all if empty."""
        for line in self._later:
            display(line, raw=True)
        self._later.clear()
        if not self._shown:
            return
        if not self._lines and not cleared:
            clear_output(wait=True)
        elif self._lines and cleared:
            self._handle = DisplayHandle()
            self._handle.display(self._bundle(), raw=True)

    def _line(self, text: str) -> None:
        text = legible(text)
        line = tag("p", tag("small", text), style=NOTE)
        bundle: Bundle = {
            "text/plain": f"[{text}]",
            "text/html": tag("figure", line, class_=AS_WRITTEN, style=FIGURE),
            "text/markdown": escape_markdown(text),
        }
        if self._one_by_one:
            self._later.append(bundle)
        else:
            self._add(bundle)

    def _add(self, line: Bundle) -> None:
        self._lines.append(line)
        if self._one_by_one:
            if self.mid_line:
                print()  # noqa: T201 - the words so far end here
                self.mid_line = False
            display(line, raw=True)
        else:
            self._handle.update(self._bundle(), raw=True)

    def _bundle(self) -> Bundle:
        return {mime: between.join(line[mime] for line in self._lines) for mime, between in _BETWEEN.items()}
