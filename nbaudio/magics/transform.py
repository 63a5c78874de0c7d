"""What IPython does to a cell before it is run, undone or added to for our magics.

``%speak Is it good?`` ends with a question mark, which IPython takes for a call of its help ("Object `good` not
found."). So such a line is made the call of the magic that it is meant to be.

``%%listen question.wav`` may stand alone in a cell. IPython refuses a cell magic without a body before the magic is
asked ("%%listen is a cell magic, but the cell body is empty", `InteractiveShell.run_cell_magic`), and its refusal is
printed instead of raised. A recording needs no words beside it, and an empty question deserves an error that stops
Run All: so an empty body becomes an empty line.

``%say Hello.`` alone in a cell is heard as it comes, as ``%%say`` is; one among other code gives its speech, and the
magic can't see which of them it is. So the one that is alone is marked.

``%%listen`` without a recording waits for one, and only a cell that awaits can wait for a page (`widgets.waiting`): so
its call is awaited, wherever Python lets one await.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator

__all__ = ["AWAITED", "SHOWN", "await_recordings", "fill_empty_body", "keep_question_marks", "show_lone_say"]

AWAITED = "--awaited "
"""Put before the line of a magic whose result is awaited: the magic can't see it otherwise."""

SHOWN = "--shown "
"""Put before the line of a ``%say`` that is all there is in its cell."""

# What a cell has that is no plain code. Quotes are counted here, for Python's own tokens end at the words of a magic,
# as those of "%say Isn't it?".
_NO_CODE = re.compile(
    r"""
    ^(?P<before>[^\S\n]*(?:[^\W\d]\w*[^\S\n]*=[^\S\n]*)?)
        %(?P<name>speak|listen|say)[ \t]+(?P<line>.*\?)[^\S\n]*(?:\n|\Z)
    | ^[^\S\n]*(?:[\w.,\[\]\ \t]+=[ \t]*)?(?:%%?\w|!(?!=)).*  # another magic, a command of the system
    | \#.*
    | (?P<quotes>"{3}|'{3})(?:\\[\s\S]|[^\\])*?(?:(?P=quotes)|\Z)
    | "(?:\\[\s\S]|[^"\\\n])*"?
    | '(?:\\[\s\S]|[^'\\\n])*'?
    """,
    re.VERBOSE | re.MULTILINE,
)

_SAY = re.compile(r"%say[ \t]+(\S.*?)\s*$")

_EMPTY = re.compile(r"^(get_ipython\(\)\.run_cell_magic\('(?:listen|speak|say|transcribe)', .*), ''\)\n?$", re.DOTALL)

_NO_AWAIT = (ast.FunctionDef, ast.Lambda, ast.ClassDef, ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp)


def keep_question_marks(lines: list[str]) -> list[str]:
    r"""The cell's lines, with a question that ends a ``%speak`` or ``%listen`` kept from IPython's help.

    Only where it is code: the body of a cell magic and the lines of a string stay what they are.

    Examples
    --------
    >>> keep_question_marks(["reply = %speak Is it good?\n"])
    ["reply = get_ipython().run_line_magic('speak', 'Is it good?')\n"]
    >>> keep_question_marks(["%%writefile lesson.md\n", "%speak Is it good?\n"])
    ['%%writefile lesson.md\n', '%speak Is it good?\n']
    """
    cell = "".join(lines)
    if cell.lstrip().startswith("%%"):  # a magic whose body is code has it transformed when it runs it
        return lines

    def call(found: re.Match[str]) -> str:
        if not found["name"]:
            return found[0]
        return f"{found['before']}get_ipython().run_line_magic({found['name']!r}, {found['line']!r})\n"

    return _NO_CODE.sub(call, cell).splitlines(keepends=True)


def show_lone_say(lines: list[str]) -> list[str]:
    r"""The cell's lines, with a ``%say`` that stands alone marked as one to be heard as it comes.

    Examples
    --------
    >>> show_lone_say(["%say Hello.\n"])
    ["get_ipython().run_line_magic('say', '--shown Hello.')\n"]
    >>> show_lone_say(["x = 1\n", "%say Hello.\n"])
    ['x = 1\n', '%say Hello.\n']
    """
    code = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    match = _SAY.match(code[0]) if len(code) == 1 else None
    return [f"get_ipython().run_line_magic('say', {SHOWN + match[1]!r})\n"] if match else lines


def fill_empty_body(lines: list[str]) -> list[str]:
    r"""The cell's transformed code, with an empty body of our magics as ``'\n'``.

    Examples
    --------
    >>> fill_empty_body(["get_ipython().run_cell_magic('listen', 'a.wav', '')\n"])
    ["get_ipython().run_cell_magic('listen', 'a.wav', '\\n')\n"]
    """
    return [_EMPTY.sub(r"\1, '\\n')\n", line) for line in lines]


def await_recordings(lines: list[str]) -> list[str]:
    r"""The cell's transformed code, with each ``%listen`` awaited that has to wait for a recording.

    Those inside a function, a class or another magic, such as ``%%capture``, are left as they are: there nothing can be
    awaited, and the magic says so.

    Examples
    --------
    >>> await_recordings(["reply = get_ipython().run_line_magic('listen', '--max 10')\n"])
    ["reply = (await get_ipython().run_line_magic('listen', '--awaited --max 10'))\n"]
    >>> await_recordings(["get_ipython().run_cell_magic('listen', 'question.wav', 'Why?\\n')\n"])
    ["get_ipython().run_cell_magic('listen', 'question.wav', 'Why?\\n')\n"]
    """
    source = "".join(lines)
    if "'listen'" not in source or _inside_a_magic():  # IPython writes it so; other cells are not parsed twice
        return lines
    try:
        tree = ast.parse(source)
    except SyntaxError:  # which Python itself tells better
        return lines
    code = source.encode()  # columns are counted in bytes
    starts = [0, *(end.end() for end in re.finditer(b"\r\n|\r|\n", code))]
    for call, magic, arguments in sorted(_calls(tree), key=lambda found: (-found[0].lineno, -found[0].col_offset)):
        assert call.end_lineno is not None  # ast.parse gives all places
        assert call.end_col_offset is not None
        awaited = f"(await get_ipython().{magic}({', '.join(map(repr, arguments))}))".encode()
        start = starts[call.lineno - 1] + call.col_offset
        end = starts[call.end_lineno - 1] + call.end_col_offset
        code = code[:start] + awaited + code[end:]
    return code.decode().splitlines(keepends=True)


def _calls(node: ast.AST) -> Iterator[tuple[ast.Call, str, list[str]]]:
    """The calls to await: each with the name of its method and its new arguments."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, _NO_AWAIT):
            yield from _calls(child)
        match child:
            case ast.Call(
                func=ast.Attribute(ast.Call(func=ast.Name("get_ipython"), args=[]), attr),
                args=[ast.Constant("listen"), *given],
                keywords=[],
            ):
                values = [argument.value for argument in given if isinstance(argument, ast.Constant)]
                count = {"run_line_magic": 1, "run_cell_magic": 2}.get(attr, -1)
                if len(given) == count and len(values) == count and _waits(str(values[0])):
                    yield child, attr, ["listen", AWAITED + str(values[0]), *map(str, values[1:])]


def _inside_a_magic() -> bool:
    """Whether this cell is the body of a magic, which runs or compiles it without a loop."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_name in ("run_cell_magic", "run_line_magic"):
            return True
    return False


def _waits(line: str) -> bool:
    from IPython import get_ipython

    from nbaudio.errors import CellError
    from nbaudio.magics.listening import parse_listen

    try:
        wanted = parse_listen(line)
    except CellError:  # the magic says what is wrong with it
        return False
    shell = get_ipython()
    return wanted.waits and getattr(shell, "autoawait", True)
