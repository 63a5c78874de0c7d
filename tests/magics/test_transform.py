"""What is done to a cell before it runs, and to which of its lines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from nbaudio.magics.transform import keep_question_marks

CALL = "get_ipython().run_line_magic('speak', 'Is it good?')\n"
ASKS = "%speak Is it good?\n"


def kept(cell: str) -> str:
    return "".join(keep_question_marks(cell.splitlines(keepends=True)))


@pytest.mark.parametrize(
    ("cell", "becomes"),
    [
        (ASKS, CALL),
        (ASKS.rstrip(), CALL),
        (f"reply = {ASKS}", f"reply = {CALL}"),
        (f"if True:\n    {ASKS}\n\n{ASKS}", f"if True:\n    {CALL}\n\n{CALL}"),
        (ASKS.replace("\n", " \r\n"), CALL),
        (f"%say Isn't it?\n{ASKS}", f"get_ipython().run_line_magic('say', \"Isn't it?\")\n{CALL}"),
        (f"%say Three: '''\n# and '''\n{ASKS}", f"%say Three: '''\n# and '''\n{CALL}"),
        (f"!echo '''\nfound = !echo '''\n{ASKS}", f"!echo '''\nfound = !echo '''\n{CALL}"),
        (f'text = """no\nquestion"""\n{ASKS}', f'text = """no\nquestion"""\n{CALL}'),
        (f"text = r'\\'''' and \"'''\"\n{ASKS}", f"text = r'\\'''' and \"'''\"\n{CALL}"),
    ],
)
def test_a_question_is_kept_from_help(cell: str, becomes: str) -> None:
    assert kept(cell) == becomes


@pytest.mark.parametrize(
    "cell",
    [
        f"%%writefile lesson.md\n# Ask\n{ASKS}",
        f"%%speak\nWhat does this line do:\n{ASKS}",
        f"\n  \n%%html\n{ASKS}",
        f'text = """\n{ASKS}"""\n',
        f"text = f'''It's \\'''\n{ASKS}'''\n",
        f"text = 'one \\\n{ASKS}'\n",
        f"print('''a''', \"\"\"\n{ASKS}\"\"\")\n",
        f'"""\n{ASKS}',
    ],
)
def test_what_is_no_code_is_left_alone(cell: str) -> None:
    assert kept(cell) == cell


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "nbaudio")
    yield shell
    InteractiveShell.clear_instance()


def test_ipython_sees_text_as_it_was_typed(shell: InteractiveShell) -> None:
    text = f"# Ask\n{ASKS}"
    assert shell.transform_cell(f"%%writefile lesson.md\n{text}") == (
        f"get_ipython().run_cell_magic('writefile', 'lesson.md', {text!r})\n"
    )
    assert shell.transform_cell(f'text = """\n{ASKS}"""\n') == f'text = """\n{ASKS}"""\n'
    assert shell.transform_cell(f"    {ASKS}") == CALL
