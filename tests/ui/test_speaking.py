"""`%%speak` in JupyterLab: sound begins while the answer comes, goes on when the cell is over, and is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from .notebook_page import NotebookPage
from .server import JupyterServer
from .window import JupyterWindow

STORY = '%%speak --once --instructions "Tell very long stories."\nTell me a story about a dog.'
DOG = "%%speak --once\nIs a golden retriever a good family dog?"
HELLO = "%%speak --once --voice onyx\nHello!"

Open = Callable[..., NotebookPage]


@pytest.fixture(scope="module")
def page(server: JupyterServer, window: JupyterWindow) -> Iterator[NotebookPage]:
    """A notebook whose engine is awake."""
    server.write_notebook("speaking.ipynb", "%load_ext nbaudio\n%speak --once Hello!")
    notebook = window.open("speaking.ipynb")
    assert notebook.run_all(), notebook.errors()
    yield notebook
    window.clear()


def test_sound_and_words_begin_while_the_answer_comes(page: NotebookPage) -> None:
    page.begin_only(STORY)

    page.until("sounds.some(one => one.playing && one.position_s > 0.3)")  # not the one before it, which is paused
    assert not page.page.evaluate("() => over")
    [card] = page.cards(1)
    assert len(card.text.split()) > 4
    page.page.get_by_role("button", name="Stop").wait_for()

    page.interrupt()


def test_a_finished_answer_keeps_its_player_and_sounds_on_while_the_next_one_waits(page: NotebookPage) -> None:
    page.begin_only(HELLO, HELLO.replace("onyx", "coral"))
    page.until("sounds[0]?.playing")
    # Every step back or leap of the position, as a cut or a second start would make it; and whether both are heard.
    page.page.evaluate("""() => {
        window.leaps = [];
        window.both = 0;
        const [first] = nbaudio.players.values();
        let last = first.position_s, then = performance.now();
        window.watch = setInterval(() => {
            const now = performance.now(), position_s = first.position_s, second = [...nbaudio.players.values()][1];
            const passed_s = (now - then) / 1000;
            if (position_s < last || position_s > last + passed_s + 0.15) leaps.push([last, position_s, passed_s]);
            [last, then] = [position_s, now];
            both += Boolean(first.playing && second?.playing);
        }, 10);
    }""")

    page.until("sounds.length === 2 && sounds[1].waiting === 'turn' && sounds[0].playing")
    assert page.end(), page.errors()
    assert page.sounds()[0]["playing"], "the cell is over, and its sound is not"
    outputs = [cell.outputs for cell in page.code_cells()]
    for [output], card in zip(outputs, page.cards(2), strict=True):
        assert output["output_type"] == "execute_result"
        assert set(output["data"]) == {"text/html", "text/markdown", "text/plain"}
        assert output["data"]["text/plain"].splitlines()[0] in card.text

    page.until("sounds[1].playing")
    first, second = page.sounds()
    assert not first["playing"]
    assert first["position_s"] > 1
    assert second["position_s"] < 1
    page.page.evaluate("() => [...nbaudio.players.values()][1].seek(2)")
    page.until("!sounds[1].playing && sounds[1].position_s > 2")
    assert page.page.evaluate("() => { clearInterval(watch); return [leaps, both]; }") == [[], 0]
    assert [one["underruns"] for one in page.sounds()] == [0, 0]
    page.until("contexts.length === 0", limit_ms=20_000)


def test_with_play_click_nothing_sounds_before_it_is_asked_for(page: NotebookPage) -> None:
    page.begin_only(HELLO.replace("%%speak", "%%speak --play click"))
    assert page.end(), page.errors()
    page.cards(1)
    assert [(one["playing"], one["position_s"]) for one in page.sounds()] == [(False, 0)]

    page.page.get_by_role("button", name="Play").click()

    page.until("sounds[0].position_s > 0.3")


def test_the_stop_button_ends_the_answer_at_once_and_keeps_what_came(page: NotebookPage) -> None:
    page.begin_only(STORY)
    page.until("sounds.some(one => one.playing && one.position_s > 0.5)")

    silent_ms, over_ms = page.page.evaluate("""async () => {
        const begun = performance.now();
        [...document.querySelectorAll('.nbaudio-player button')].find(one => one.innerText.includes('Stop')).click();
        const sound = [...nbaudio.players.values()].at(-1);
        while (sound.playing) await new Promise(next => setTimeout(next, 5));
        const silent = performance.now() - begun;
        await run;
        return [silent, performance.now() - begun];
    }""")

    assert silent_ms < 500
    assert over_ms < 2000  # the cell's error and its output are drawn, too
    assert "what had come of the answer is kept" in page.errors()[0]
    [card] = page.cards(1)
    assert "broke off" in card.text


def test_a_cell_that_is_run_again_has_one_player(page: NotebookPage) -> None:
    page.begin_only(DOG)
    page.until("sounds[0]?.playing")
    assert page.end()

    assert page.run_cell(0)

    page.until("sounds.length === 1 && sounds[0].playing")
    page.cards(1)


def test_what_has_been_cleared_away_does_not_sound(page: NotebookPage) -> None:
    page.begin_only(DOG)
    page.until("sounds[0]?.playing")
    assert page.end()

    page.page.evaluate("async () => { await jupyterapp.commands.execute('notebook:clear-all-cell-outputs'); }")

    page.until("sounds.every(one => !one.playing)")
    [sound] = page.sounds()
    assert sound["buffered_s"] > 3, "it was over anyway"


PLAYER = """
import numpy as np
from ipywidgets import FloatSlider, link
import nbaudio as nba
player = nba.Player(nba.Clip(0.3 * np.sin(np.arange(24_000 * 20) / 9), sample_rate=24_000))
slider = FloatSlider(max=20)
unlink = link((player, "position_s"), (slider, "value"))
heard = []
player.observe(lambda change: heard.append(change.new), "playing")
player
"""


def test_a_player_of_its_own_goes_both_ways(page: NotebookPage) -> None:
    page.begin_only(PLAYER)
    assert page.end(), page.errors()
    page.cards(1)
    assert page.execute("player.position_s = 12; player.playing = True") == ""
    page.until("sounds.at(-1).playing && sounds.at(-1).position_s > 12.5")
    assert page.execute("player.playing = False") == ""
    page.until("!sounds.at(-1).playing")
    assert page.execute("(heard, slider.value > 12, player.playing)") == "([True, False], True, False)"
    assert page.execute("player.close()") == ""
