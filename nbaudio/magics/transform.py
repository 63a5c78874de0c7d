"""Two things that IPython does to a cell before a magic is asked, undone for ours.

``%speak Is it good?`` ends with a question mark, which IPython takes for a call of its help ("Object `good` not
found."). So such a line is made the call of the magic that it is meant to be.

``%%listen question.wav`` may stand alone in a cell. IPython refuses a cell magic without a body before the magic is
asked ("%%listen is a cell magic, but the cell body is empty", `InteractiveShell.run_cell_magic`), and its refusal is
printed instead of raised. A recording needs no words beside it, and an empty question deserves an error that stops
Run All: so an empty body becomes an empty line.
"""

from __future__ import annotations

import re

__all__ = ["fill_empty_body", "keep_question_marks"]

_QUESTION = re.compile(r"^(\s*(?:[^\W\d]\w*\s*=\s*)?)%(speak|listen)[ \t]+(.*\?)\s*$")

_EMPTY = re.compile(r"^(get_ipython\(\)\.run_cell_magic\('(?:listen|speak)', .*), ''\)\n?$", re.DOTALL)


def keep_question_marks(lines: list[str]) -> list[str]:
    r"""The cell's lines, with a question that ends a ``%speak`` or ``%listen`` kept from IPython's help.

    Examples
    --------
    >>> keep_question_marks(["reply = %speak Is it good?\n"])
    ["reply = get_ipython().run_line_magic('speak', 'Is it good?')\n"]
    """

    def call(match: re.Match[str]) -> str:
        return f"{match[1]}get_ipython().run_line_magic({match[2]!r}, {match[3]!r})\n"

    return [_QUESTION.sub(call, line) for line in lines]


def fill_empty_body(lines: list[str]) -> list[str]:
    r"""The cell's transformed code, with an empty body of our magics as ``'\n'``.

    Examples
    --------
    >>> fill_empty_body(["get_ipython().run_cell_magic('listen', 'a.wav', '')\n"])
    ["get_ipython().run_cell_magic('listen', 'a.wav', '\\n')\n"]
    """
    return [_EMPTY.sub(r"\1, '\\n')\n", line) for line in lines]
