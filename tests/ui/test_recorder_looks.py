"""The recorder can be seen, read and operated by everybody: axe-core, contrast, and pictures for a person to look at.

The pictures go to ``build/screenshots/recorder``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, BrowserContext, expect
from signals import voice

from .looks import PICTURES, THEMES, assert_accessible, assert_nothing_is_cut_off
from .recorder_page import RecorderOnPage, browser_with
from .widget_page import tab

pytestmark = pytest.mark.page

_LEAST_CONTRAST = 3.0  # WCAG 2.2, success criterion 1.4.11, for what is no text
PROMPT = "What is the speaker's mood? Answer in one sentence."
DENIED = (
    "The browser was told not to let this page use the microphone. Allow it beside the page's address, then try again."
)
NO_SOUNDDEVICE = "The package sounddevice is not installed. Run: pip install 'nbaudio[mic]'"

# The worst contrast of what is drawn to what is behind it.
_CONTRASTS = """() => {
    const dot = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
    const style = name => getComputedStyle(document.querySelector(name));
    const paper = style('.nbaudio-recorder-card').backgroundColor;
    const over = colour => {
        for (const one of [paper, colour]) { dot.fillStyle = one; dot.fillRect(0, 0, 1, 1); }
        return [...dot.getImageData(0, 0, 1, 1).data.slice(0, 3)];
    };
    const luminance = rgb => rgb.map(value => value / 255)
        .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
    const contrast = (one, other) => {
        const [light, dark] = [over(one), over(other)].map(luminance).sort((a, b) => b - a);
        return (light + 0.05) / (dark + 0.05);
    };
    const main = style('.nbaudio-recorder-main');
    const [accent] = style('.nbaudio-recorder-bar').backgroundImage.match(/(rgba?|color)\\([^)]*\\)/);
    return {
        'large button': contrast(main.backgroundColor, paper), 'sign on it': contrast(main.color, main.backgroundColor),
        accent: contrast(accent, paper), peak: contrast(style('.nbaudio-recorder-peak').backgroundColor, paper),
        'edge of a button': contrast(style('.nbaudio-recorder-button').borderColor, paper),
    };
}"""

Look = Callable[..., RecorderOnPage]


@pytest.fixture(scope="module")
def pictured(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """A browser whose microphone hears something like a voice, which becomes too loud after 2.5 s."""
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    spoken = voice(duration_s=9)[:, 0]
    spoken[60_000:] *= 20
    soundfile.write(path, np.clip(spoken, -1, 1), 24_000)
    with browser_with(browser, path) as running:
        yield running.new_context(device_scale_factor=2)


@pytest.fixture
def opened(pictured: BrowserContext) -> Iterator[Look]:
    pages = []

    def recorder(media: dict[str, Any] | None = None, **options: Any) -> RecorderOnPage:
        pages.append(tab(pictured, 680, 300))
        pages[-1].emulate_media(**(media or {}))
        return RecorderOnPage(pages[-1], **options)

    yield recorder
    for page in pages:
        page.close()


def idle(opened: Look, **options: Any) -> RecorderOnPage:
    recorder = opened(prompt=PROMPT, **options)
    expect(recorder.view().get_by_label("Microphone")).to_be_visible()
    return recorder


def three_doors(opened: Look, **options: Any) -> RecorderOnPage:
    return opened(shut={}, silence_s=0, **options)


def asking(opened: Look, **options: Any) -> RecorderOnPage:
    never = "navigator.mediaDevices.getUserMedia = () => new Promise(() => {});"
    recorder = opened(before=never, **options)
    recorder.button("Record").click()
    recorder.page.wait_for_function("() => !document.getAnimations().some(one => one.playState === 'running')")
    return recorder


def recording(opened: Look, **options: Any) -> RecorderOnPage:
    recorder = opened(prompt=PROMPT, silence_s=0, **options)
    recorder.button("Record").click()
    recorder.until_seconds(1.2)
    return recorder


def too_loud(opened: Look, **options: Any) -> RecorderOnPage:
    recorder = opened(silence_s=0, **options)
    recorder.button("Record").click()
    expect(recorder.status).to_contain_text("Too loud", timeout=20_000)
    return recorder


def reviewing(opened: Look, **options: Any) -> RecorderOnPage:
    recorder = opened(review=True, max_s=1.6, **options)
    recorder.button("Record").click()
    recorder.until_state("review")
    recorder.view().get_by_role("slider", name="Position").fill("0.6")
    return recorder


def sending_a_file(opened: Look, **options: Any) -> RecorderOnPage:
    recorder = opened(**options)
    recorder.page.evaluate("""() => {
        const [recording] = nbaudio.recorders.values();
        OfflineAudioContext.prototype.decodeAudioData = async () => new AudioBuffer({length: 2e6, sampleRate: 24000});
        const wait = window.setTimeout;
        // From there on it stands still.
        window.setTimeout = (react, ms) => ms === 20 && recording.file.share > 0.4 ? 0 : wait(react, ms);
        void recording.choose(new File(["x"], "interview.mp3"));
    }""")
    expect(recorder.view().get_by_role("progressbar")).to_have_attribute("value", "0.480")
    return recorder


def file_without_sound(opened: Look, **options: Any) -> RecorderOnPage:
    recorder = opened(**options)
    files = recorder.view().locator("input[type=file]")
    files.set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"words"})
    expect(recorder.status).to_contain_text("holds no sound")
    return recorder


def denied(opened: Look, **options: Any) -> RecorderOnPage:
    before = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError'); };"
    recorder = opened(before=before, shut={"kernel": NO_SOUNDDEVICE}, **options)
    recorder.button("Record").click()
    expect(recorder.view()).to_contain_text(DENIED)
    return recorder


def not_secure(opened: Look, **options: Any) -> RecorderOnPage:
    return opened(address="http://recorder.example/", shut={}, prompt=PROMPT, **options)


def file_over_it(opened: Look, **options: Any) -> RecorderOnPage:
    recorder = opened(**options)
    files = recorder.page.evaluate_handle("""() => {
        const files = new DataTransfer();
        files.items.add(new File(["x"], "dropped.wav"));
        return files;
    }""")
    recorder.view().dispatch_event("dragover", {"dataTransfer": files})
    return recorder


def elsewhere(opened: Look, **options: Any) -> RecorderOnPage:
    return opened(state="recording", elapsed_s=4.0, **options)


def done(opened: Look, **options: Any) -> RecorderOnPage:
    return opened(state="done", duration_s=3.2, active=False, **options)


def done_and_again(opened: Look, **options: Any) -> RecorderOnPage:
    trouble = "The microphone went away; what came until then is kept."
    return opened(state="done", duration_s=3.2, trouble=trouble, **options)


def cancelled(opened: Look, **options: Any) -> RecorderOnPage:
    return opened(state="cancelled", active=False, **options)


def lost(opened: Look, **options: Any) -> RecorderOnPage:
    return opened(state="lost", duration_s=12.3, active=False, **options)


LOOKS: list[Look] = [
    *(idle, three_doors, asking, recording, too_loud, reviewing, sending_a_file, file_without_sound, denied),
    *(not_secure, file_over_it, elsewhere, done, done_and_again, cancelled, lost),
]
_IN_ALL_THEMES = [idle, recording, denied]
_NARROW = [idle, three_doors, recording, reviewing, denied]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.__name__)
def test_it_can_be_read_and_operated(opened: Look, look: Look) -> None:
    recorder = look(opened)
    recorder.hold()
    place, view, picture = recorder.place, recorder.view(), PICTURES / "recorder" / look.__name__
    for theme in THEMES if look in _IN_ALL_THEMES else THEMES[:2]:
        assert_accessible(place, view, theme, picture)
        if look in (idle, recording):
            contrasts = recorder.page.evaluate(_CONTRASTS)
            assert {what: ratio for what, ratio in contrasts.items() if ratio < _LEAST_CONTRAST} == {}, theme
    place.change_theme("light")
    for width in [360, 300] if look in _NARROW else []:
        assert_nothing_is_cut_off(place, view, ".nbaudio-recorder-card", width, picture)


def test_with_colours_forced_by_the_system_and_without_motion(opened: Look) -> None:
    recorder = recording(opened, theme="", media={"forced_colors": "active", "reduced_motion": "reduce"})
    recorder.place.drawn()
    recorder.place.picture(PICTURES / "recorder" / "recording-forced-colors.png", below=recorder.view())
    contrasts = recorder.page.evaluate(_CONTRASTS)
    assert {what: ratio for what, ratio in contrasts.items() if ratio < _LEAST_CONTRAST} == {}
    moving = "status => getComputedStyle(status, '::before').animationName"
    assert recorder.status.evaluate(moving) == "none"
