"""What can be said of a widget's looks without looking: axe-core's rules, contrast, and whether all of it is there."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from nodejs import install
from playwright.sync_api import Locator, Page

from .widget_page import WidgetPage

__all__ = ["PICTURES", "THEMES", "assert_accessible", "assert_nothing_is_cut_off", "axe_findings"]

_ROOT = Path(__file__).parents[2]
_JAVASCRIPT = _ROOT / "tests" / "widgets" / "js"
PICTURES = _ROOT / "build" / "screenshots"
THEMES = ("light", "dark", "dark-high-contrast", "")

_WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_SMALLEST = 24  # CSS pixels; WCAG 2.2, success criterion 2.5.8


@cache
def _axe() -> str:
    """axe-core, which judges what a page says to assistive technology."""
    install(_JAVASCRIPT)
    return (_JAVASCRIPT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def axe_findings(page: Page | WidgetPage, selector: str, *more_rules: str) -> list[tuple[str, str]]:
    """The rules that a part of the page breaks, or of which axe-core can't say; each with the element."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(f"() => {{ {_axe()} }}")
    options = {"runOnly": [*_WCAG, *more_rules]}
    found = page.evaluate("([selector, options]) => axe.run(selector, options)", [selector, options])
    assert "color-contrast" in {rule["id"] for rule in found["passes"]}, "there is nothing to read"
    kinds = ("violations", "incomplete")
    return [(rule["id"], node["html"]) for kind in kinds for rule in found[kind] for node in rule["nodes"]]


def assert_accessible(place: WidgetPage, view: Locator, theme: str, picture: Path) -> None:
    """Change to a theme, take a picture and ask axe-core; the name of the theme is added to the picture's."""
    place.change_theme(theme)
    place.drawn()
    place.picture(picture.with_name(f"{picture.name}-{theme or 'plain'}.png"), below=view)
    assert axe_findings(place, "#first", "best-practice") == [], theme or "plain"


def assert_nothing_is_cut_off(place: WidgetPage, view: Locator, frame: str, width: int, picture: Path) -> None:
    """Make the page narrow and take a picture: every control is large enough, and inside of the part named `frame`."""
    height = place.evaluate("() => innerHeight")
    place.page.set_viewport_size({"width": width, "height": height})
    place.drawn()
    place.picture(picture.with_name(f"{picture.name}-{width}.png"), below=view)
    assert place.evaluate("() => document.documentElement.scrollWidth") <= width
    around, controls = view.evaluate(
        """(view, frame) => {
            const box = one => {
                const {x, width, height} = one.getBoundingClientRect();
                return {name: one.outerHTML, x, width, height};
            };
            const all = [...view.querySelectorAll('button, select, input, textarea')];
            const card = view.matches(frame) ? view : view.querySelector(frame);
            const seen = all.filter(one => one.checkVisibility({visibilityProperty: true}));
            return [box(card), seen.map(one => box(one.closest('label') ?? one))];  // a label can be pressed too
        }""",
        frame,
    )
    assert controls
    for box in controls:
        assert around["x"] <= box["x"], box
        assert box["x"] + box["width"] <= around["x"] + around["width"], box
        assert min(box["width"], box["height"]) >= _SMALLEST, box
