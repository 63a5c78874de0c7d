"""Modules of the browser's side as one text: what it holds, and that leaving comments out changes no code."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from nodejs import install, node

from nbaudio.widgets import modules
from nbaudio.widgets.modules import bare_text, module_text, style_text

STATIC = Path(modules.__file__).parent / "static"
JAVASCRIPT = Path(__file__).parent / "js"
PRINTED = """
import ts from "typescript";
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const printer = ts.createPrinter({ removeComments: true });
const print = (text) => printer.printFile(ts.createSourceFile("x.js", text, ts.ScriptTarget.ESNext));
console.log(JSON.stringify(JSON.parse(Buffer.concat(chunks)).map(print)));
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules of the test's own."""
    monkeypatch.setattr(modules, "_FOLDER", tmp_path)
    module_text.cache_clear()
    yield tmp_path
    module_text.cache_clear()


def unpacked(text: str) -> list[str]:
    found = re.search(r'atob\("([^"]+)"\)', text)
    assert found
    packed: list[str] = json.loads(zlib.decompress(base64.b64decode(found[1])))
    return packed


def evaluated(text: str, expression: str) -> object:
    """What an expression of `module` gives in Node, which has the browser's blobs but imports no address of one."""
    # Node's own loader knows data: addresses; the rest of the text is as it is in a browser.
    shim = "URL.createObjectURL = (blob) => blob.address;\n" + (
        "globalThis.Blob = class extends Blob { constructor(parts, options) { super(parts, options);"
        " if (options) this.address = 'data:text/javascript,' + encodeURIComponent(parts[0]); } };\n"
    )
    script = f"{shim}{text}\nconsole.log(JSON.stringify({expression}));"
    done = subprocess.run([*node(), "--input-type=module"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_imports_exports_and_addresses_lead_to_the_modules(folder: Path) -> None:
    (folder / "entry.js").write_text(
        'import { one } from "./one.js";\n'
        "import {\n  two,\n} from './two.js';\n"
        'export { one as again } from "./one.js";\n'
        'const worklet = new URL("./two.js", import.meta.url);\n'
        "export const sum = one + two;\n"
        "export function address() { return worklet.href; }\n"
        "export default { sum };\n"
    )
    (folder / "one.js").write_text('import { two } from "./two.js";\nexport const one = two - 1;\n')
    (folder / "two.js").write_text("globalThis.evaluated = (globalThis.evaluated ?? 0) + 1;\nexport const two = 2;\n")

    text = module_text("entry.js")

    assert len(unpacked(text)) == 3
    assert evaluated(text, "[sum, module.default.sum, address().slice(0, 5), evaluated]") == [3, 3, "data:", 1]


def test_a_module_is_one_for_all_widgets_of_a_page(folder: Path) -> None:
    (folder / "shared.js").write_text("export const state = { count: 0 };\n")
    for name in ("first", "second"):
        (folder / f"{name}.js").write_text('export { state } from "./shared.js";\n')

    first, second = unpacked(module_text("first.js")), unpacked(module_text("second.js"))

    assert first[0] == second[0]
    assert first[1] != second[1]


def test_modules_that_import_each_other_are_named(folder: Path) -> None:
    (folder / "a.js").write_text('import "./b.js";\n')
    (folder / "b.js").write_text('import "./a.js";\n')

    with pytest.raises(RecursionError, match=r"a\.js imports b\.js imports a\.js"):
        module_text("a.js")


def test_comments_go_and_lines_keep_their_numbers(folder: Path) -> None:
    (folder / "a.js").write_text(
        "// one\n/** two\n * three */\nconst a = 1; // stays\n"
        "  /** @type {number} */ const b = 2;\n  /* c */\nconst c = `//`;\n"
    )

    assert bare_text("a.js").split("\n") == [
        *("", "", "", "const a = 1; // stays", "  /** @type {number} */ const b = 2;", "", "const c = `//`;", "")
    ]


def test_leaving_comments_out_changes_no_code_of_ours() -> None:
    install(JAVASCRIPT)
    names = sorted(path.name for path in STATIC.glob("*.js"))
    texts = [text for name in names for text in ((STATIC / name).read_text(encoding="utf-8"), bare_text(name))]

    done = subprocess.run(
        [*node(), "--input-type=module", "--eval", PRINTED],
        cwd=JAVASCRIPT,
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )

    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    for name, with_comments, without in zip(names, printed[::2], printed[1::2], strict=True):
        assert with_comments == without, name


@pytest.mark.parametrize("name", ["player.js", "recorder.js"])
def test_what_goes_out_with_each_widget_is_small(name: str) -> None:
    assert len(module_text(name)) < 40_000


def test_no_import_is_left_over() -> None:
    for name in ("player.js", "recorder.js"):
        for module in unpacked(module_text(name)):
            assert not re.search(r'(from|import|URL\()\s*["\']\./', module)


def test_styles_are_as_they_are() -> None:
    assert style_text("player.css") == (STATIC / "player.css").read_text(encoding="utf-8")
