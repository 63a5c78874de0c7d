"""The sound engine of the widgets alone, in a page without Jupyter: what reaches the loudspeaker, sample by sample."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from signals import voice

from nbaudio.sound.clip import Clip
from nbaudio.widgets.modules import module_text

from .browser import launch_with

pytestmark = pytest.mark.page

DRIVER = Path(__file__).with_name("sound_page.js").read_text(encoding="utf-8")
LOAD = """async ([driver, engine]) => {
    const load = text => import(URL.createObjectURL(new Blob([text], {type: "text/javascript"})));
    await load(driver);
    globalThis.Sound = (await load(engine)).Sound;
}"""
SECURE = "http://localhost/"

Open = Callable[..., Page]


@pytest.fixture
def opened(tabs: BrowserContext) -> Iterator[Open]:
    """Opens a page with the engine and with what `sound_page.js` has."""
    pages: list[Page] = []

    def open_page(address: str = SECURE) -> Page:
        page = tabs.new_page()
        pages.append(page)
        page.route("**/*", lambda route: route.fulfill(body="<button>click</button>", content_type="text/html"))
        page.goto(address)
        page.evaluate(LOAD, [DRIVER, module_text("sound.js")])
        return page

    yield open_page
    for page in pages:
        page.close()


@pytest.fixture
def page(opened: Open) -> Page:
    return opened()


def test_pieces_that_come_ahead_of_time_sound_as_they_are(page: Page) -> None:
    told = page.evaluate(
        """async () => {
            const sound = Sound.of("a", {sampleRate: 24000}), source = noise(1.5 * 24000);
            await feed(sound, source, {every_ms: 40});
            await until(sound, () => !sound.playing);
            const [output] = await heard();
            return {runs: runs(output, source), sounds: trimmed(output).length, underruns: sound.underruns,
                    position_s: sound.position_s, duration_s: sound.duration_s, whole: sound.whole};
        }"""
    )

    assert [(run["from"], run["length"]) for run in told.pop("runs")] == [(0, 36_000)]
    assert told == {"sounds": 36_000, "underruns": 0, "position_s": 1.5, "duration_s": 1.5, "whole": True}


def test_pieces_in_real_time_begin_with_the_first_and_never_run_dry(page: Page) -> None:
    told = page.evaluate(
        """async () => {
            const tries = [];
            // A machine that is busy with other things is late itself: its tries don't count.
            while (tries.length < 15 && !tries.some(each => each.latest_ms < 25)) {
                const key = `sound ${tries.length}`;
                const sound = Sound.of(key, {sampleRate: 24000, source: key}), source = noise(2 * 24000);
                await running();
                const latest_ms = await feed(sound, source);
                await until(sound, () => !sound.playing);
                const [output] = await heard();
                tries.push({latest_ms, underruns: sound.underruns, exact: runs(output, source).length === 1,
                            sounds: trimmed(output).length, first_ms: sound.first_sound_ms - sound.first_piece_ms});
                sound.release();
            }
            return tries;
        }"""
    )

    last = told[-1]
    assert last["latest_ms"] < 25, "this machine is too busy for a test of time"
    assert last["underruns"] == 0
    assert last["exact"]
    assert last["sounds"] == 48_000
    assert 0 < last["first_ms"] < 100


def test_stereo_at_another_rate(page: Page) -> None:
    told = page.evaluate(
        """async () => {
            const sound = Sound.of("a", {sampleRate: 48000, play: "click"}), source = noise(2 * 48000);
            await sound.load(source.buffer, "audio/pcm;rate=48000;channels=2");
            await sound.play();
            await until(sound, () => !sound.playing);
            const channels = await heard();
            const sides = [0, 1].map(side => source.filter((_, index) => index % 2 === side));
            return {exact: channels.map((output, side) => runs(output, sides[side]).map(run => run.length)),
                    rates: [...nbaudio.contexts].map(context => context.sampleRate), duration_s: sound.duration_s};
        }"""
    )

    assert told == {"exact": [[48_000], [48_000]], "rates": [48_000], "duration_s": 1}


def test_a_late_piece_is_an_underrun_and_the_next_answer_of_that_source_waits_longer(page: Page) -> None:
    told = page.evaluate(
        """async () => {
            const found = [];
            for (const [key, source, held_ms] of [["a", "slow", 250], ["b", "slow", 0], ["c", "other", 0]]) {
                const sound = Sound.of(key, {sampleRate: 24000, source});
                const samples = noise(24000);
                await feed(sound, samples, {late: index => index > 4 ? held_ms : 0});
                await until(sound, () => !sound.playing);
                const [output] = await heard();
                found.push({underruns: sound.underruns, lead_s: sound.lead_s,
                            heard: runs(output, samples).reduce((sum, run) => sum + run.length, 0),
                            first_ms: sound.first_sound_ms - sound.first_piece_ms});
            }
            return found;
        }"""
    )

    slow, again, other = told
    assert slow["underruns"] >= 1
    assert slow["lead_s"] > 0.25
    assert 24_000 - 150 * slow["underruns"] < slow["heard"] < 24_000, "all but a fade of 5 ms is heard"
    assert again["first_ms"] > 200
    assert other["first_ms"] < 200


def test_the_next_page_knows_who_was_late(opened: Open) -> None:
    heard = """async ([key, source, held_ms]) => {
        const sound = Sound.of(key, {sampleRate: 24000, source}), samples = noise(24000);
        await feed(sound, samples, {late: index => index > 4 ? held_ms : 0});
        await until(sound, () => !sound.playing);
        return [sound.underruns, sound.first_sound_ms - sound.first_piece_ms];
    }"""
    late = opened()
    # Later than below: where a busy machine begins to sound late by itself, that is a lead as well.
    underruns, _ = late.evaluate(heard, ["a", "late on the page before", 340])
    assert underruns >= 1
    late.close()

    again, other = opened(), opened()
    underruns, first_ms = again.evaluate(heard, ["a", "late on the page before", 250])
    assert underruns == 0
    assert first_ms > 200
    assert other.evaluate(heard, ["a", "another source", 0])[1] < 200


def test_a_page_speaks_one_answer_after_the_other(page: Page) -> None:
    told = page.evaluate(
        """async () => {
            const order = [], sources = [noise(12000, 1), noise(12000, 2)];
            const [one, two] = ["one", "two"].map(key => {
                const sound = Sound.of(key, {sampleRate: 24000});
                sound.addEventListener("ended", () => order.push(key));
                return sound;
            });
            const fed = [feed(one, sources[0], {every_ms: 30}), feed(two, sources[1], {every_ms: 10})];
            await until(two, () => two.waiting === "turn");
            const playing = [one.playing, two.playing];
            await Promise.all(fed);
            await until(two, () => order.length === 2);
            const [output] = await heard();
            const places = sources.map(source => runs(output, source));
            return {order, playing, places: places.map(found => found.map(run => [run.at, run.length]))};
        }"""
    )

    assert told["order"] == ["one", "two"]
    assert told["playing"] == [True, False]
    ((first, first_length),), ((second, second_length),) = told["places"]
    assert (first_length, second_length) == (12_000, 12_000)
    assert second >= first + 12_000, "they do not sound at once"


def test_who_is_asked_for_or_begins_at_once_pauses_what_sounds(page: Page) -> None:
    told = page.evaluate(
        """async () => {
            const state = () => ["a", "b", "c"].map(key => [Sound.find(key)?.playing, Sound.find(key)?.waiting]);
            const a = Sound.of("a", {sampleRate: 24000});
            await feed(a, noise(10 * 24000), {every_ms: 0});
            const b = Sound.of("b", {sampleRate: 24000});
            await feed(b, noise(10 * 24000), {every_ms: 0});
            await until(a, () => a.position_s > 0.1);
            const states = [state()];
            const c = Sound.of("c", {sampleRate: 24000, play: "auto"});
            await feed(c, noise(10 * 24000), {every_ms: 0});
            await until(c, () => c.waiting === "");
            states.push(state());
            await a.play();
            await until(a, () => a.waiting === "");
            states.push(state());
            a.pause();                      // by a person: the next in the queue goes on
            await until(b, () => b.waiting === "");
            states.push(state());
            const end = Sound.hush();
            states.push(state());
            end();
            return {states, position_s: a.position_s};
        }"""
    )

    sounds, silent, waits = [True, ""], [False, ""], [False, "turn"]
    a_sounds, c_began, a_again, b_next, hushed = told["states"]
    assert a_sounds[:2] == [sounds, waits]
    assert c_began == [silent, waits, sounds]
    assert a_again == [sounds, waits, silent]
    assert b_next == [silent, sounds, silent]
    assert hushed == [silent, silent, silent]
    assert told["position_s"] > 0.1, "it went on where it was paused"


def test_pause_keeps_its_place_and_is_silent(page: Page) -> None:
    told = page.evaluate(
        """async () => {
            const sound = Sound.of("a", {sampleRate: 24000}), source = noise(2 * 24000);
            await feed(sound, source, {every_ms: 0});
            await until(sound, () => sound.position_s > 0.3);
            sound.pause();
            const state = [sound.playing, sound.waiting];
            await settled(100);
            const paused_s = sound.position_s, before = await heard();
            await settled(200);
            const silent = (await heard())[0].every(sample => sample === 0), still_s = sound.position_s;
            await sound.play();
            await until(sound, () => !sound.playing);
            const [output] = await heard();
            return {state, paused_s, still_s, silent, ended_s: sound.position_s,
                    from: runs(before[0], source).concat(runs(output, source))};
        }"""
    )

    assert told["state"] == [False, ""]
    assert 0.3 <= told["paused_s"] < 2
    assert told["still_s"] == told["paused_s"]
    assert told["silent"]
    assert told["ended_s"] == 2
    before, after = told["from"]
    assert before["from"] == 0
    assert 0 <= after["from"] - before["length"] <= 242, "two fades of 5 ms, and nothing is left out between them"
    assert after["from"] + after["length"] == 48_000


def test_seek_and_hear_again(page: Page) -> None:
    told = page.evaluate(
        """async () => {
            const sound = Sound.of("a", {sampleRate: 24000, play: "click"}), source = noise(3 * 24000);
            await sound.load(source.buffer, "audio/pcm;rate=24000");
            sound.seek(2.75);
            const sought_s = sound.position_s;
            await sound.play();
            await until(sound, () => !sound.playing);
            const [tail] = await heard();
            await sound.play();             // from its end: once more from the start
            await until(sound, () => sound.position_s > 0.1);
            sound.seek(2.9);
            const moved_s = sound.position_s;
            await until(sound, () => !sound.playing);
            const [again] = await heard();
            sound.seek(5);
            return {sought_s, moved_s, clamped_s: sound.position_s, tail: runs(tail, source),
                    again: runs(again, source)};
        }"""
    )

    assert told["sought_s"] == 2.75
    assert told["moved_s"] == 2.9
    (tail,) = told["tail"]
    assert 66_000 <= tail["from"] <= 66_121
    assert tail["from"] + tail["length"] == 72_000
    assert told["again"][0]["from"] == 0
    assert 69_600 <= told["again"][-1]["from"] <= 69_721
    assert told["clamped_s"] == 3


@pytest.mark.parametrize("speed", [0.5, 1.5, 2])
def test_speed_changes_the_time_and_not_the_pitch(page: Page, speed: float) -> None:
    seconds = 2 * speed
    told = page.evaluate(
        """async ([speed, seconds]) => {
            const sound = Sound.of("a", {sampleRate: 24000});
            sound.speed = speed;
            sound.volume = 0.5;
            await feed(sound, sine(seconds * 24000, 220), {every_ms: 0});
            await until(sound, () => sound.position_s > 0.5);
            const positions = [[performance.now(), sound.position_s]];
            await settled(300);
            positions.push([performance.now(), sound.position_s]);
            await until(sound, () => !sound.playing);
            const output = trimmed((await heard())[0]);
            const [[from_ms, from_s], [to_ms, to_s]] = positions;
            return {hertz: pitch(output, 24000), lasts_s: output.length / 24000, loudest: Math.max(...output),
                    pace: 1000 * (to_s - from_s) / (to_ms - from_ms)};
        }""",
        [speed, seconds],
    )

    assert told["hertz"] == pytest.approx(220, rel=0.01)
    assert told["lasts_s"] == pytest.approx(2, abs=0.04)
    assert told["pace"] == pytest.approx(speed, rel=0.15)
    assert told["loudest"] == pytest.approx(0.5 * 12_000 / 32_768, rel=0.02)


def test_pieces_twice_and_out_of_order_and_one_that_never_comes(page: Page) -> None:
    told = page.evaluate(
        """async () => {
            const source = noise(12000);
            const give = (sound, ...order) => order.forEach(index =>
                sound.append(source.slice(2400 * index, 2400 * (index + 1)), index, 2400 * index));
            const whole = Sound.of("whole", {sampleRate: 24000});
            give(whole, 0, 0, 2, 1, 1, 4, 3);
            whole.finish(12000);
            await until(whole, () => !whole.playing);
            const [output] = await heard();
            const hole = Sound.of("hole", {sampleRate: 24000});
            give(hole, 0, 1, 3, 4);
            hole.finish(12000);
            await until(hole, () => hole.position_s > 0.19);
            const {lacking, whole: isWhole, duration_s, playing} = hole;
            await hole.load(source.buffer, "audio/pcm;rate=24000", 12000);
            await until(hole, () => !hole.playing);
            return {runs: runs(output, source).map(run => run.length), before: {lacking, isWhole, duration_s, playing},
                    lacking: hole.lacking, ended_s: hole.position_s};
        }"""
    )

    assert told == {
        "runs": [12_000],
        "before": {"lacking": True, "isWhole": False, "duration_s": 0.2, "playing": True},
        "lacking": False,
        "ended_s": 0.5,
    }


def test_stop_keeps_what_still_comes(page: Page) -> None:
    told = page.evaluate(
        """async () => {
            const sound = Sound.of("a", {sampleRate: 24000}), source = noise(24000);
            const fed = feed(sound, source, {every_ms: 50});
            await until(sound, () => sound.position_s > 0.05);
            sound.pause();
            await fed;
            await settled(50);
            const [output] = await heard();
            return {playing: sound.playing, duration_s: sound.duration_s, whole: sound.whole,
                    heard: trimmed(output).length};
        }"""
    )

    assert told["heard"] < 12_000
    assert told | {"heard": 0} == {"playing": False, "duration_s": 1, "whole": True, "heard": 0}


def test_files_are_decoded_and_what_is_no_sound_is_said_in_plain_words(page: Page, tmp_path: Path) -> None:
    clip = Clip(voice(duration_s=1), 24_000)
    told = page.evaluate(
        """async ([wav, mp3]) => {
            const bytes = letters => Uint8Array.from(atob(letters), letter => letter.charCodeAt(0)).buffer;
            const [one, two, bad] = ["one", "two", "bad"].map(key => Sound.of(key, {sampleRate: 24000, play: "click"}));
            await one.load(bytes(wav), "audio/wav");
            await two.load(new DataView(bytes(mp3)), "audio/mpeg", 24000);
            const trouble = await bad.load(new ArrayBuffer(100), "audio/mpeg").catch(error => error.message);
            const file = new Uint8Array(await one.wav().arrayBuffer());
            return {lengths: [one.duration_s, two.duration_s, bad.duration_s], trouble, empty: bad.empty,
                    file: [...file], peaks: [...one.peaks(4, 0, 2)]};
        }""",
        [base64_of(clip.encode("wav")), base64_of(clip.encode("mp3"))],
    )

    assert told["lengths"][0] == 1
    assert told["lengths"][1] == pytest.approx(1, abs=0.001)
    assert told["lengths"][2] == 0
    assert told["empty"]
    assert told["trouble"].startswith("This browser can't decode")
    again = Clip(bytes(told["file"]))
    assert again.sample_rate == 24_000
    np.testing.assert_allclose(again.samples, clip.samples, atol=1 / 32_768)
    half = clip.samples[:12_000]
    assert told["peaks"][:2] == pytest.approx([half.min(), half.max()], abs=0.001)
    assert told["peaks"][4:] == [0, 0, 0, 0]


def test_release_leaves_nothing_open(page: Page) -> None:
    told = page.evaluate(
        """async () => {
            const open = () => [nbaudio.contexts.size, nbaudio.players.size];
            const sounds = ["a", "b"].map(key => Sound.of(key, {sampleRate: 24000}));
            await Promise.all(sounds.map(sound => feed(sound, noise(24000), {every_ms: 0})));
            await until(sounds[0], () => sounds[0].position_s > 0.1);
            const [context] = nbaudio.contexts, before = open();
            const closed = new Promise(resolve => context.addEventListener("statechange", resolve));
            sounds[0].release();
            await until(sounds[1], () => sounds[1].position_s > 0.1);   // the next one's turn
            const between = open();
            sounds[1].release();
            await closed;
            return {before, between, after: open(), state: context.state, found: Sound.find("a") ?? null};
        }"""
    )

    assert told == {"before": [1, 2], "between": [1, 1], "after": [0, 0], "state": "closed", "found": None}


def test_a_context_that_nobody_uses_is_closed_after_some_seconds(page: Page) -> None:
    state = page.evaluate(
        """async () => {
            const sound = Sound.of("a", {sampleRate: 24000});
            await feed(sound, noise(4800), {every_ms: 0});
            const [context] = nbaudio.contexts;
            await until(sound, () => !sound.playing);
            await new Promise(resolve => context.addEventListener("statechange", resolve));
            return [context.state, nbaudio.contexts.size, nbaudio.players.size];
        }"""
    )

    assert state == ["closed", 0, 1]


def test_a_device_that_misses_its_short_buffers_gets_longer_ones(page: Page) -> None:
    short_s, longer_s, still_s = page.evaluate(
        """() => {
            const latencies = [];
            for (const underrunDuration of [0.2, 0, 0]) {
                const sound = Sound.of("a", {sampleRate: 24000}), [context] = nbaudio.contexts;
                latencies.push(context.baseLatency);
                Object.defineProperty(context, "playbackStats", {value: {underrunDuration, totalDuration: 10}});
                sound.release();
            }
            return latencies;
        }"""
    )

    assert 0 < short_s < longer_s == still_s


@pytest.mark.parametrize("worklets", ["none", "refused"])
def test_without_a_sound_thread_the_whole_is_played_by_an_element(opened: Open, worklets: str) -> None:
    # Neither https nor localhost; or a front end whose rules let no worklet in.
    page = opened("http://other.test/" if worklets == "none" else SECURE)
    told = page.evaluate(
        """async refused => {
            if (refused) Worklet.prototype.addModule = async () => { throw new DOMException("refused", "AbortError"); };
            const sound = Sound.of("a", {sampleRate: 24000}), source = noise(24000);
            sound.append(source.slice(0, 12000), 0, 0);
            await until(sound, () => sound.waiting !== "sound");
            const before = [isSecureContext, sound.waiting, sound.playing];
            sound.append(source.slice(12000), 1, 12000);
            sound.finish(24000);
            await until(sound, () => sound.playing && sound.position_s > 0.1);
            sound.pause();
            const paused_s = sound.position_s;
            sound.seek(0.5);
            sound.speed = 2;
            await sound.play();
            await until(sound, () => sound.playing && sound.position_s > 0.6);
            await until(sound, () => !sound.playing);
            return {before, paused: paused_s > 0.1 && paused_s < 1, ended_s: sound.position_s};
        }""",
        worklets == "refused",
    )

    assert told["before"] == ([False, "insecure", False] if worklets == "none" else [True, "whole", False])
    assert told["paused"]
    assert told["ended_s"] == 1


def test_a_page_that_wants_a_click_first_says_so_and_goes_on_with_it(browser: Browser) -> None:
    # Playwright's own evaluate counts as a gesture, so the page does all by itself until the click.
    script = """
        const load = text => import(URL.createObjectURL(new Blob([text], {type: "text/javascript"})));
        globalThis.story = (async () => {
            const [driver, engine] = JSON.parse(document.getElementById("modules").textContent);
            await load(driver);
            const {Sound} = await load(engine);
            const sound = Sound.of("a", {sampleRate: 24000}), source = noise(12000);
            await feed(sound, source, {every_ms: 0});
            await until(sound, () => sound.waiting === "click");
            await settled(100);
            const before = [sound.playing, sound.position_s];
            console.log("it waits for a click");
            await until(sound, () => sound.position_s === 0.5 && !sound.waiting);
            const [output] = await heard();
            return {before, heard: runs(output, source).map(run => run.length)};
        })();"""
    modules = json.dumps([DRIVER, module_text("sound.js")]).replace("<", "\\u003c")
    html = f'<button>click</button><script type="x" id="modules">{modules}</script><script>{script}</script>'
    strict, _ = launch_with(browser.browser_type)
    with strict:
        page = strict.new_page()
        page.route("**/*", lambda route: route.fulfill(body=html, content_type="text/html"))
        with page.expect_console_message(lambda said: said.text == "it waits for a click"):
            page.goto(SECURE)
        page.click("button")
        told = page.evaluate("() => story")

    assert told == {"before": [False, 0], "heard": [12_000]}


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
