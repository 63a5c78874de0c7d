"""The player can be seen, read and operated by everybody: axe-core, contrast, and pictures for a person to look at.

The pictures go to ``build/screenshots/player``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nodejs import install
from playwright.sync_api import Browser, expect

from nbaudio import Clip

from .browser import launch_with
from .widget_page import PlayerOnPage, WidgetPage

pytestmark = pytest.mark.page

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build" / "screenshots" / "player"
_JAVASCRIPT = ROOT / "tests" / "widgets" / "js"
_THEMES = ["light", "dark", "dark-high-contrast", ""]
_LEAST_CONTRAST = 3.0  # WCAG 2.2, success criterion 1.4.11, for what is no text
WORDS = (
    "Good news: the tests pass on every machine that we have. The recordings are short, and each of them can be heard "
    "at half the speed without a change of pitch.\n\nThe next step is small. Shall I write it down for you?"
)
PHRASES = [
    ["Good news:", 0.0, 0.8],
    ["the tests pass on every machine that we have.", 0.8, 2.1],
    ["The recordings are short,", 2.2, 3.0],
    ["and each of them can be heard at half the speed", 3.0, 4.0],
    ["without a change of pitch.", 4.0, 4.9],
]

# The worst contrast of the colours that the canvas and the controls are drawn with to the paper of the card.
_CONTRASTS = """() => {
    const dot = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
    const paper = getComputedStyle(document.querySelector('.nbaudio-card')).backgroundColor;
    const over = colour => {
        for (const style of [paper, colour]) { dot.fillStyle = style; dot.fillRect(0, 0, 1, 1); }
        return [...dot.getImageData(0, 0, 1, 1).data.slice(0, 3)];
    };
    const luminance = rgb => rgb.map(value => value / 255)
        .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
    const contrast = (one, other) => {
        const [light, dark] = [over(one), over(other)].map(luminance).sort((a, b) => b - a);
        return (light + 0.05) / (dark + 0.05);
    };
    const canvas = getComputedStyle(document.querySelector('.nbaudio-waveform canvas'));
    const play = getComputedStyle(document.querySelector('.nbaudio-play'));
    return {
        played: contrast(canvas.fill, paper), unplayed: contrast(canvas.stroke, paper),
        position: contrast(canvas.color, paper), 'play button': contrast(play.backgroundColor, paper),
        'sign on it': contrast(play.color, play.backgroundColor),
    };
}"""

Look = Callable[[WidgetPage, bytes], PlayerOnPage]
Opened = Callable[..., WidgetPage]


@pytest.fixture(scope="module")
def speech() -> bytes:
    return Clip(ROOT / "notebooks" / "good_news.mp3").resample(24_000).encode("pcm16")


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core, which judges what a page says to assistive technology."""
    install(_JAVASCRIPT)
    return (_JAVASCRIPT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def strict_browser(browser: Browser) -> Iterator[Browser]:
    """A browser that plays sound only after a click, as those of people do."""
    running, _ = launch_with(browser.browser_type)
    yield running
    running.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opened]:
    contexts = []

    def page(width: int = 680, using: Browser = browser, **options: Any) -> WidgetPage:
        contexts.append(using.new_context(viewport={"width": width, "height": 400}, device_scale_factor=2))
        return WidgetPage(contexts[-1].new_page(), **options)

    yield page
    for context in contexts:
        context.close()


def arriving(page: WidgetPage, speech: bytes) -> PlayerOnPage:
    player = page.add_player(title="Answer", state="arriving", play="queue")
    player.send_piece(speech[:144_000], WORDS[:80], phrases=PHRASES[:2])
    player.until("model.get('position_s') > 1")
    return player


def waiting_for_its_turn(page: WidgetPage, speech: bytes) -> PlayerOnPage:
    other = page.add_player(shown_in="#far", state="arriving", play="queue")
    other.send_piece(speech)
    other.until("model.get('playing')")
    player = page.add_player(title="Answer", state="arriving", play="queue")
    player.send_piece(speech[:96_000], WORDS[:57], phrases=PHRASES[:2])
    expect(player.view().get_by_role("status")).to_have_text("Waits for its turn.")
    return player


def empty(page: WidgetPage, speech: bytes) -> PlayerOnPage:
    return page.add_player(title="Answer", words=WORDS, phrases=PHRASES, duration_s=len(speech) / 48_000)


def whole(page: WidgetPage, speech: bytes, **traits: Any) -> PlayerOnPage:
    player = page.add_player(title="Answer", words=WORDS, phrases=PHRASES, duration_s=len(speech) / 48_000, **traits)
    player.until("model.sent.length")
    player.send_sound(speech)
    return player


def playing(page: WidgetPage, speech: bytes) -> PlayerOnPage:
    player = whole(page, speech)
    player.set(position_s=2.4, playing=True)
    player.until("model.get('position_s') > 2.5")
    return player


def paused(page: WidgetPage, speech: bytes) -> PlayerOnPage:
    player = whole(page, speech, speed=1.25, volume=0.3, notes=["Spoken by the offline voice “bright”."])
    player.set(position_s=3.4)
    return player


def broken(page: WidgetPage, speech: bytes) -> PlayerOnPage:
    notes = ["The connection was closed after 2.1 s."]
    player = page.add_player(
        title="Answer", state="broken", words=WORDS[:72], phrases=PHRASES[:2], duration_s=2.1, notes=notes, volume=0.0
    )
    player.until("model.sent.length")
    player.send_sound(speech[: int(2.1 * 48_000)])
    return player


def focused(page: WidgetPage, speech: bytes) -> PlayerOnPage:
    player = paused(page, speech)
    player.view().get_by_role("slider", name="Position").focus()
    page.page.keyboard.press("ArrowLeft")
    return player


def on_a_phrase(page: WidgetPage, speech: bytes) -> PlayerOnPage:
    player = paused(page, speech)
    player.view().locator("[data-phrase]").nth(1).focus()
    page.page.keyboard.press("ArrowRight")
    return player


def waiting_for_a_click(page: WidgetPage, speech: bytes) -> PlayerOnPage:
    player = page.add_player(title="Answer", state="arriving", play="queue")
    player.send_piece(speech[:144_000], WORDS[:80], phrases=PHRASES[:2])
    player.until("model.get('trouble')")
    return player


LOOKS: list[Look] = [empty, arriving, waiting_for_its_turn, whole, playing, paused, broken, focused, on_a_phrase]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.__name__)
def test_axe_finds_nothing(opened: Opened, axe: str, speech: bytes, look: Look) -> None:
    page = opened()
    player = look(page, speech)
    for theme in _THEMES:
        _assert_accessible(page, player, axe, look.__name__, theme)


def test_a_page_that_wants_a_click_says_so_and_offers_it(
    opened: Opened, strict_browser: Browser, axe: str, speech: bytes
) -> None:
    page = opened(using=strict_browser)
    player = waiting_for_a_click(page, speech)
    assert player.get("trouble") == "This page plays sound only after a click: press play."
    assert player.get("playing") is False
    for theme in _THEMES:
        _assert_accessible(page, player, axe, "waiting_for_a_click", theme)

    # The press alone unlocks the sound; the click that follows it must not pause it again.
    player.view().get_by_role("button", name="Play").click(delay=300)
    player.until("model.get('position_s') > 0.2 && model.get('trouble') === ''")
    expect(player.view().get_by_role("button", name="Pause")).to_be_visible()


def test_a_page_that_is_not_https_says_when_it_plays(opened: Opened, axe: str, speech: bytes) -> None:
    page = opened(address="http://player.test/")
    player = waiting_for_a_click(page, speech)
    assert player.get("trouble") == "This page is not https, so sound plays when the answer is complete."
    for theme in _THEMES:
        _assert_accessible(page, player, axe, "not_https", theme)

    player.send_piece(speech[144_000:])
    player.finish(len(speech) / 48_000)
    player.until("model.get('position_s') > 0.2 && model.get('trouble') === ''")


@pytest.mark.parametrize("theme", _THEMES)
def test_what_is_drawn_stands_out(opened: Opened, speech: bytes, theme: str) -> None:
    page = opened(theme=theme)
    whole(page, speech)
    contrasts = page.evaluate(_CONTRASTS)
    assert {what: ratio for what, ratio in contrasts.items() if ratio < _LEAST_CONTRAST} == {}


def test_the_waveform_follows_a_change_of_theme(opened: Opened, speech: bytes) -> None:
    page = opened(theme="light")
    player = paused(page, speech)
    canvas = player.view().locator("canvas")
    columns = "(canvas, colour) => columnsOf(canvas, colour)"
    page.drawn()
    assert canvas.evaluate(columns, "var(--jp-brand-color1)") > 0.3
    page.change_theme("dark")
    page.until("columnsOf(document.querySelector('canvas'), 'var(--jp-brand-color1)') > 0.3")
    assert canvas.evaluate(columns, "#1976d2") == 0  # the light theme's


@pytest.mark.parametrize("width", [360, 300])
def test_where_it_is_narrow_nothing_is_cut_off(opened: Opened, speech: bytes, width: int) -> None:
    for look in (arriving, paused, broken):
        page = opened(width=width)
        player = look(page, speech)
        page.drawn()
        page.picture(PICTURES / f"{look.__name__}-{width}.png", below=player.view())
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        card = player.view().locator(".nbaudio-card").bounding_box()
        assert card is not None
        for control in player.view().locator("button:visible, select:visible, input:visible").all():
            box = control.bounding_box()
            assert box is not None
            assert card["x"] <= box["x"], control
            assert box["x"] + box["width"] <= card["x"] + card["width"], control
            assert min(box["width"], box["height"]) >= 24  # WCAG 2.2, success criterion 2.5.8


def test_in_a_row_of_widgets_it_keeps_a_width(opened: Opened, speech: bytes) -> None:
    page = opened()
    page.evaluate("() => { document.getElementById('first').style.display = 'flex'; }")
    player = whole(page, speech)
    box = player.view().bounding_box()
    assert box is not None
    assert box["width"] >= 230


def test_with_colours_forced_by_the_system(opened: Opened, speech: bytes) -> None:
    page = opened(theme="")
    page.page.emulate_media(forced_colors="active", reduced_motion="reduce")
    player = playing(page, speech)
    page.drawn()
    page.picture(PICTURES / "playing-forced-colors.png", below=player.view())
    contrasts = page.evaluate(_CONTRASTS)
    assert {what: ratio for what, ratio in contrasts.items() if ratio < _LEAST_CONTRAST} == {}
    play = player.view().locator(".nbaudio-play")
    assert play.evaluate("one => getComputedStyle(one).transitionDuration") == "0s"


def _assert_accessible(page: WidgetPage, player: PlayerOnPage, axe: str, look: str, theme: str) -> None:
    page.change_theme(theme)
    page.drawn()
    page.picture(PICTURES / f"{look}-{theme or 'plain'}.png", below=player.view())
    page.evaluate(f"() => {{ {axe} }}")
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    found = page.evaluate("options => axe.run('#first', options)", options)
    assert "color-contrast" in {rule["id"] for rule in found["passes"]}
    # What axe could not decide would have to be decided here, so there is nothing of the kind.
    for kind in ("violations", "incomplete"):
        assert [(rule["id"], node["html"]) for rule in found[kind] for node in rule["nodes"]] == [], theme
