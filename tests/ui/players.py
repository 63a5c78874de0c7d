"""Every player of a page, each heard for a moment."""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.sync_api import Page

__all__ = ["Player", "play_all"]

# Each wait is for an event of the element itself; the limit turns a player that never loads into a finding.
_PLAY_ALL = """async limit_ms => {
    const until = (audio, names) => new Promise(resolve => {
        const timer = setTimeout(() => resolve('nothing in ' + limit_ms + ' ms'), limit_ms);
        for (const name of names)
            audio.addEventListener(name, () => { clearTimeout(timer); resolve(name); }, {once: true});
    });
    const heard = [];
    for (const audio of document.querySelectorAll('audio')) {
        if (!audio.checkVisibility()) continue;  // a living player stands in its place
        if (audio.readyState < HTMLMediaElement.HAVE_METADATA && !audio.error)
            await until(audio, ['loadedmetadata', 'error']);
        let trouble = audio.error ? audio.error.message || 'code ' + audio.error.code : '';
        if (!trouble && audio.readyState >= HTMLMediaElement.HAVE_METADATA) {
            const moved = until(audio, ['timeupdate', 'ended', 'error']);
            await audio.play().catch(error => { trouble = String(error); });
            await moved;
            while (!trouble && !audio.ended && audio.currentTime === 0)
                if (await until(audio, ['timeupdate', 'ended', 'error']) !== 'timeupdate') break;
        }
        audio.pause();
        heard.push({
            title: audio.title, source: audio.getAttribute('src'), ready_state: audio.readyState, trouble,
            duration_s: Number.isFinite(audio.duration) ? audio.duration : null, played_s: audio.currentTime,
            beside: audio.closest("figure").textContent,
        });
    }
    return heard;
}"""
_LIMIT_MS = 10_000
_HAVE_METADATA = 1  # readyState: the length is known


@dataclass(frozen=True)
class Player:
    """One ``<audio>``: `beside` is the text that stands with it, `played_s` how far it got."""

    title: str
    source: str
    ready_state: int
    trouble: str
    duration_s: float | None
    played_s: float
    beside: str

    def faults(self) -> list[str]:
        """What a listener would complain of."""
        length = re.search(r"(\d+\.\d+) s", self.title)
        wrong = {
            f"it does not load: {self.trouble or 'nothing happens'}": bool(self.trouble)
            or self.ready_state < _HAVE_METADATA,
            "it has no title that tells its length": length is None,
            f"it lasts {self.duration_s} s": length is not None
            and (self.duration_s is None or abs(self.duration_s - float(length[1])) > 0.1 * float(length[1])),
            "it does not play": self.played_s <= 0,
            "no words stand beside it": not self.beside.strip(),
        }
        return [f"{self.title!r}: {fault}" for fault, is_so in wrong.items() if is_so]


def play_all(page: Page) -> list[Player]:
    """Load and start every ``<audio>`` of the page that can be seen, one after the other."""
    return [Player(**found) for found in page.evaluate(_PLAY_ALL, _LIMIT_MS)]
