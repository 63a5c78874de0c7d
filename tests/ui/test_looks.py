"""What an answer says can be read in the light and in the dark theme."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from .notebook_page import NotebookPage
from .server import JupyterServer

_LEAST_CONTRAST = 4.5  # WCAG 2.2, success criterion 1.4.3, for text of normal size

# For every element that holds text itself: its colour laid over the first backgrounds that cover it.
# Relative luminance and contrast as WCAG 2.2 defines them.
_CONTRASTS = """() => {
    const parse = text => {
        const numbers = text.match(/^rgba?\\(([^)]*)\\)$/)[1].split(/[ ,/]+/).map(Number);
        return {rgb: numbers.slice(0, 3), alpha: numbers[3] ?? 1};
    };
    const over = (top, alpha, below) => top.map((value, i) => value * alpha + below[i] * (1 - alpha));
    const ancestors = element => element ? [element, ...ancestors(element.parentElement)] : [];
    const background = element => ancestors(element).reverse()
        .map(one => parse(getComputedStyle(one).backgroundColor))
        .reduce((below, {rgb, alpha}) => over(rgb, alpha, below), [255, 255, 255]);
    const luminance = rgb => rgb.map(value => value / 255)
        .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
    const found = [];
    for (const element of document.querySelectorAll('.jp-OutputArea-output figure *')) {
        const own = [...element.childNodes].filter(node => node.nodeType === Node.TEXT_NODE);
        const text = own.map(node => node.data).join('').trim();
        if (!text) continue;
        const behind = background(element);
        const {rgb, alpha} = parse(getComputedStyle(element).color);
        const faded = ancestors(element).reduce((product, one) => product * getComputedStyle(one).opacity, alpha);
        const [light, dark] = [over(rgb, faded, behind), behind].map(luminance).sort((a, b) => b - a);
        found.push([text, (light + 0.05) / (dark + 0.05)]);
    }
    return found;
}"""


@pytest.fixture
def answered(server: JupyterServer, lab: Callable[..., NotebookPage]) -> NotebookPage:
    """A short answer of the offline voice, in JupyterLab."""
    server.write_notebook("short.ipynb", "%load_ext nbaudio", "%%speak --once\nHello!")
    notebook = lab("short.ipynb")
    assert notebook.run_all(), notebook.errors()
    return notebook


def test_words_notes_and_details_are_readable_in_both_themes(answered: NotebookPage) -> None:
    [words] = answered.code_cells()[1].shown("text/plain")
    for theme in ("JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"):
        answered.change_theme(theme)
        contrasts = _contrasts(answered.page)
        assert words.splitlines()[0] in contrasts
        assert any("Offline voice" in text for text in contrasts)
        assert "Details" in contrasts
        assert "Model" in contrasts
        assert {text: ratio for text, ratio in contrasts.items() if ratio < _LEAST_CONTRAST} == {}, theme


def _contrasts(page: Page) -> dict[str, float]:
    return dict(page.evaluate(_CONTRASTS))
