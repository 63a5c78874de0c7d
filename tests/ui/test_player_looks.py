"""The player can be seen, read and operated by everybody: axe-core, contrast, and pictures for a person to look at.

The pictures go to ``build/screenshots/player``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from nbaudio import Clip

from .browser import launch_with
from .looks import PICTURES, THEMES, assert_accessible, assert_nothing_is_cut_off
from .widget_page import PlayerOnPage, WidgetPage, tab

pytestmark = pytest.mark.page

ROOT = Path(__file__).parents[2]
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
def spoken() -> bytes:
    return Clip(ROOT / "notebooks" / "good_news.mp3").resample(24_000).encode("pcm16")


@pytest.fixture(scope="module")
def pictured(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(device_scale_factor=2) as context:
        yield context


@pytest.fixture
def strict(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that plays sound only after a click, as those of people do."""
    with launch_with(browser.browser_type)[0] as running:
        yield running.new_context(device_scale_factor=2)


@pytest.fixture
def opened(pictured: BrowserContext) -> Iterator[Opened]:
    pages = []

    def page(window: BrowserContext = pictured, **options: Any) -> WidgetPage:
        pages.append(tab(window, 680, 400))
        return WidgetPage(pages[-1], **options)

    yield page
    for one in pages:
        one.close()


def arriving(page: WidgetPage, spoken: bytes) -> PlayerOnPage:
    player = page.add_player(title="Answer", state="arriving", play="queue")
    player.send_piece(spoken[:144_000], WORDS[:80], phrases=PHRASES[:2])
    player.until("model.get('position_s') > 1")
    return player


def waiting_for_its_turn(page: WidgetPage, spoken: bytes) -> PlayerOnPage:
    other = page.add_player(shown_in="#far", state="arriving", play="queue")
    other.send_piece(spoken)
    other.until("model.get('playing')")
    player = page.add_player(title="Answer", state="arriving", play="queue")
    player.send_piece(spoken[:96_000], WORDS[:57], phrases=PHRASES[:2])
    expect(player.view().get_by_role("status")).to_have_text("Waits for its turn.")
    return player


def empty(page: WidgetPage, spoken: bytes) -> PlayerOnPage:
    return page.add_player(title="Answer", words=WORDS, phrases=PHRASES, duration_s=len(spoken) / 48_000)


def whole(page: WidgetPage, spoken: bytes, **traits: Any) -> PlayerOnPage:
    player = page.add_player(title="Answer", words=WORDS, phrases=PHRASES, duration_s=len(spoken) / 48_000, **traits)
    player.until("model.sent.length")
    player.send_sound(spoken)
    return player


def playing(page: WidgetPage, spoken: bytes) -> PlayerOnPage:
    player = whole(page, spoken)
    player.set(position_s=2.4, playing=True)
    player.until("model.get('position_s') > 2.5")
    return player


def paused(page: WidgetPage, spoken: bytes) -> PlayerOnPage:
    player = whole(page, spoken, speed=1.25, volume=0.3, notes=["Spoken by the offline voice “bright”."])
    player.set(position_s=3.4)
    return player


def broken(page: WidgetPage, spoken: bytes) -> PlayerOnPage:
    notes = ["The connection was closed after 2.1 s."]
    player = page.add_player(
        title="Answer", state="broken", words=WORDS[:72], phrases=PHRASES[:2], duration_s=2.1, notes=notes, volume=0.0
    )
    player.until("model.sent.length")
    player.send_sound(spoken[: int(2.1 * 48_000)])
    return player


def focused(page: WidgetPage, spoken: bytes) -> PlayerOnPage:
    player = paused(page, spoken)
    player.view().get_by_role("slider", name="Position").focus()
    page.page.keyboard.press("ArrowLeft")
    return player


def on_a_phrase(page: WidgetPage, spoken: bytes) -> PlayerOnPage:
    player = paused(page, spoken)
    player.view().locator("[data-phrase]").nth(1).focus()
    page.page.keyboard.press("ArrowRight")
    return player


def waiting_for_a_click(page: WidgetPage, spoken: bytes) -> PlayerOnPage:
    player = page.add_player(title="Answer", state="arriving", play="queue")
    player.send_piece(spoken[:144_000], WORDS[:80], phrases=PHRASES[:2])
    player.until("model.get('trouble')")
    return player


LOOKS: list[Look] = [empty, arriving, waiting_for_its_turn, whole, playing, paused, broken, focused, on_a_phrase]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.__name__)
def test_it_can_be_read_and_operated(opened: Opened, spoken: bytes, look: Look) -> None:
    page = opened()
    player = look(page, spoken)
    picture = PICTURES / "player" / look.__name__
    for theme in THEMES:
        assert_accessible(page, player.view(), theme, picture)
        if look is whole:
            contrasts = page.evaluate(_CONTRASTS)
            assert {what: ratio for what, ratio in contrasts.items() if ratio < _LEAST_CONTRAST} == {}, theme
    page.change_theme("light")
    for width in [360, 300] if look in (arriving, paused, broken) else []:
        assert_nothing_is_cut_off(page, player.view(), ".nbaudio-card", width, picture)


def test_a_page_that_wants_a_click_says_so_and_offers_it(opened: Opened, strict: BrowserContext, spoken: bytes) -> None:
    page = opened(strict)
    player = waiting_for_a_click(page, spoken)
    assert player.get("trouble") == "This page plays sound only after a click: press play."
    assert player.get("playing") is False
    for theme in THEMES:
        assert_accessible(page, player.view(), theme, PICTURES / "player" / "waiting_for_a_click")

    # The press alone unlocks the sound; the click that follows it must not pause it again.
    player.view().get_by_role("button", name="Play").click(delay=300)
    player.until("model.get('position_s') > 0.2 && model.get('trouble') === ''")
    expect(player.view().get_by_role("button", name="Pause")).to_be_visible()


def test_a_page_that_is_not_https_says_when_it_plays(opened: Opened, spoken: bytes) -> None:
    page = opened(address="http://player.test/")
    player = waiting_for_a_click(page, spoken)
    assert player.get("trouble") == "This page is not https, so sound plays when the answer is complete."
    for theme in THEMES:
        assert_accessible(page, player.view(), theme, PICTURES / "player" / "not_https")

    player.send_piece(spoken[144_000:])
    player.finish(len(spoken) / 48_000)
    player.until("model.get('position_s') > 0.2 && model.get('trouble') === ''")


def test_the_waveform_follows_a_change_of_theme(opened: Opened, spoken: bytes) -> None:
    page = opened(theme="light")
    player = paused(page, spoken)
    canvas = player.view().locator("canvas")
    columns = "(canvas, colour) => columnsOf(canvas, colour)"
    page.drawn()
    assert canvas.evaluate(columns, "var(--jp-brand-color1)") > 0.3
    page.change_theme("dark")
    page.until("columnsOf(document.querySelector('canvas'), 'var(--jp-brand-color1)') > 0.3")
    assert canvas.evaluate(columns, "#1976d2") == 0  # the light theme's


def test_in_a_row_of_widgets_it_keeps_a_width(opened: Opened, spoken: bytes) -> None:
    page = opened()
    page.evaluate("() => { document.getElementById('first').style.display = 'flex'; }")
    player = whole(page, spoken)
    box = player.view().bounding_box()
    assert box is not None
    assert box["width"] >= 230


def test_with_colours_forced_by_the_system(opened: Opened, spoken: bytes) -> None:
    page = opened(theme="")
    page.page.emulate_media(forced_colors="active", reduced_motion="reduce")
    player = playing(page, spoken)
    page.drawn()
    page.picture(PICTURES / "player" / "playing-forced-colors.png", below=player.view())
    contrasts = page.evaluate(_CONTRASTS)
    assert {what: ratio for what, ratio in contrasts.items() if ratio < _LEAST_CONTRAST} == {}
    play = player.view().locator(".nbaudio-play")
    assert play.evaluate("one => getComputedStyle(one).transitionDuration") == "0s"
