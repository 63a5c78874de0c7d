"""Every dialect against the stand-in for its servers: all ways in and out that it allows, streamed and not, and errors.

Each test has one case for each row of ``dialects.json``: a new row without a stand-in fails here.
"""

from __future__ import annotations

import ast
import base64
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dialect_servers import STAND_INS, Server, serve
from openai_server import Gate

import nbaudio as nba
from nbaudio import errors
from nbaudio.wire.dialects import Dialect, known_dialects

QUESTION = Path(__file__).parents[1] / "notebooks" / "question.wav"
GOOD_NEWS = Path(__file__).parents[1] / "notebooks" / "good_news.mp3"

WAYS = {
    "text to text and audio": (("Is it loyal?",), True),
    "audio to text and audio": ((QUESTION,), True),
    "audio to text": ((QUESTION,), False),
    "text and audio to text and audio": (("Answer this question.", QUESTION), True),
    "text and audio to text": (("What is the mood of the speaker?", GOOD_NEWS), False),
    "text to text": (("Is it loyal?",), False),
}
ROWS = {row.name: row for row in known_dialects() if not row.tried}  # the offline engine is tried itself
KEYED = [name for name in ROWS if name not in STAND_INS or STAND_INS[name].key]


@pytest.fixture
def server(row: Dialect) -> Iterator[Server]:
    with serve(row.name) as running:
        yield running


@pytest.fixture(params=ROWS)
def row(request: pytest.FixtureRequest) -> Dialect:
    return ROWS[request.param]


def connected(server: Server, monkeypatch: pytest.MonkeyPatch, **options: str) -> nba.Conversation:
    """A conversation with a stand-in, in which nobody hears and speaks for it."""
    stand_in = server.stand_in
    monkeypatch.setenv("STAND_IN_KEY", stand_in.key)
    key = {"key": "env:STAND_IN_KEY"} if stand_in.key else {}
    given = {"dialect": stand_in.dialect, "hear_with": "nobody", "speak_with": "nobody", **key, **options}
    return nba.Conversation(backend=nba.connect(server.url, **given))


def model_for(name: str, way: str) -> str:
    """A model that goes this way on these servers; empty where there is none."""
    if name not in STAND_INS:  # whose test fails then
        return ROWS[name].default_model
    parts, aloud = WAYS[way]
    hears = isinstance(parts[-1], Path)
    row, stand_in = ROWS[name], STAND_INS[name]
    for model in stand_in.models:
        can = (row.can_speak(model) or not aloud) and (row.can_hear(model) or not hears)
        if can and (aloud or hears or not stand_in.needs_sound):
            return model
    return ""


ALLOWED = [(name, way) for name in ROWS for way in WAYS if model_for(name, way)]
SPEAKING = [name for name in ROWS if model_for(name, "text to text and audio")]
HEARING = [name for name in ROWS if model_for(name, "audio to text")]


def test_every_stand_in_is_for_a_row() -> None:
    assert set(STAND_INS) == set(ROWS)


def test_servers_that_speak_and_hear() -> None:
    assert [name for name in ROWS if name not in SPEAKING] == [
        "localai", "vllm", "llama.cpp", "ollama", "mistral", "gemini",
    ]  # fmt: skip
    assert set(HEARING) == set(ROWS)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("name", "way"), ALLOWED)
def test_every_way_that_a_server_allows(name: str, way: str, stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    row, model = ROWS[name], model_for(name, way)
    parts, aloud = WAYS[way]
    with serve(name) as server:
        reply = connected(server, monkeypatch, model=model).say(*parts, aloud=aloud, stream=stream)

    assert reply.text == server.stand_in.words
    assert (reply.partial, reply.note, reply.finish_reason) == (False, "", "stop")
    assert len(server.requests) == 1, "it was asked as it wants to be, the first time"
    assert reply.usage.output_tokens == (9 if server.stand_in.counts_in_streams or not stream else 0)
    assert (reply.clip is not None) is aloud
    if reply.clip is not None:
        expected = server.stand_in.sound[:, 0]
        heard = reply.clip.mono().resample(24_000).samples[:, 0]
        assert len(heard) == pytest.approx(len(expected), abs=30)
        size = min(len(heard), len(expected))
        # Resampled on the way, it is the same sound but for its very ends.
        np.testing.assert_allclose(heard[200 : size - 200], expected[200 : size - 200], atol=0.01)
    sent = server.requests[0].body
    assert sent["model"] == model
    assert [field for field in row.leaves_out if field in sent] == []


@pytest.mark.parametrize("name", SPEAKING)
def test_the_sound_of_a_stream_is_heard_before_its_end(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(name) as server:
        events = list(connected(server, monkeypatch).stream("Is it loyal?"))

    kinds = [type(event).__name__ for event in events]
    assert kinds.count("AudioDelta") > 1
    reply = events[-1].reply  # type: ignore[union-attr]
    pcm16 = b"".join(event.pcm16 for event in events if isinstance(event, nba.AudioDelta))
    assert reply.clip == nba.Clip.from_pcm16(pcm16)
    assert {event.sample_rate for event in events if isinstance(event, nba.AudioDelta)} == {24_000}
    assert "".join(event.text for event in events if isinstance(event, nba.TextDelta)) == reply.text


def test_earlier_answers_go_back_as_this_server_understands_them(
    row: Dialect, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    aloud = row.can_speak(row.default_model)
    talk = connected(server, monkeypatch)
    talk.say("Is it loyal?", aloud=aloud)
    talk.say("And gentle?", aloud=aloud)

    earlier = server.requests[1].body["messages"][1]
    assert len(server.requests) == 2
    assert earlier["role"] == "assistant"
    if row.keeps_audio_ids and aloud:
        assert earlier["audio"] == {"id": "audio_1"}
    else:
        assert earlier["content"] == server.stand_in.words
        assert "audio" not in earlier


@pytest.mark.parametrize("name", HEARING)
def test_a_recording_in_an_earlier_turn_goes_in_the_same_form(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_for(name, "audio to text")
    with serve(name) as server:
        talk = connected(server, monkeypatch, model=model)
        talk.say(GOOD_NEWS, aloud=False)
        talk.say(QUESTION, "Once more?", aloud=False)

    first, second = (request.body["messages"][0] for request in server.requests)
    assert first == second
    assert base64.b64encode(GOOD_NEWS.read_bytes()).decode() in json.dumps(first)


@pytest.mark.parametrize("name", KEYED)
def test_a_wrong_key_is_told_in_the_servers_words_and_never_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = "sk-wrong-0123456789-qrstuv-wxyz"
    monkeypatch.setenv("WRONG_KEY", wrong)
    with serve(name) as server:
        talk = connected(server, monkeypatch, key="env:WRONG_KEY")
        with pytest.raises(errors.ServerRefused) as caught:
            talk.say("Is it loyal?", aloud=ROWS[name].can_speak(ROWS[name].default_model))

    assert caught.value.status in (400, 401)
    assert isinstance(caught.value, errors.AuthenticationFailed) or "API key" in str(caught.value)
    assert "it gave no reason" not in str(caught.value)
    assert wrong not in str(caught.value)
    assert wrong[-4:] not in str(caught.value)
    assert "WRONG_KEY" in str(caught.value) or caught.value.status == 400


def test_a_model_that_is_not_there(row: Dialect, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = connected(server, monkeypatch, model="no-such-model")
    with pytest.raises(errors.ServerRefused) as caught:
        talk.say("Is it loyal?", aloud=row.can_speak(row.default_model))

    assert caught.value.status in (400, 404)
    assert "it gave no reason" not in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", [name for name, made in STAND_INS.items() if made.has_stream_errors])
def test_an_error_within_a_stream_is_raised_and_what_came_is_kept(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = ROWS[name]
    with serve(name) as server:
        server.stand_in.error_in_stream = True
        talk = connected(server, monkeypatch)
        with pytest.raises(errors.ServerFailed) as caught:
            talk.say("Is it loyal?", aloud=row.can_speak(row.default_model))

    assert caught.value.partial.text == "Yes,"
    assert talk[-1] == caught.value.partial
    assert talk[-1].partial


def test_leaving_a_stream_ends_it(row: Dialect, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.stand_in.gate = gate = Gate(2)
    talk = connected(server, monkeypatch)
    aloud = row.can_speak(row.default_model)
    events = talk.stream("Is it loyal?", aloud=aloud)
    next(events)
    gate.wait_until_held()
    events.close()
    server.wait_until_broken_off()  # while it stands at the gate: what passes now could all be sent to nobody

    assert talk[-1].partial
    assert talk[-1].text.startswith("Yes,")


def test_no_code_asks_whether_a_dialect_has_some_name() -> None:
    package = Path(nba.__file__).parent
    for module in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                named = any(ast.unparse(side).endswith("dialect.name") for side in sides)
                assert not (named and any(isinstance(side, ast.Constant) for side in sides)), f"{module}:{node.lineno}"


# -- what is special to one ---------------------------------------------------------------------------------


def test_music_comes_as_the_file_that_it_is_and_sounds_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve("openrouter") as server:
        talk = connected(server, monkeypatch, model="google/lyria-3-clip-preview")
        events = list(talk.stream("A calm piano."))
        reply = events[-1].reply  # type: ignore[union-attr]

        assert reply.text == ""
        assert reply.clip is not None
        assert reply.clip.as_kept()[1] == "mp3"
        assert reply.clip.duration_s == pytest.approx(server.stand_in.duration_s, abs=0.06)
        played = b"".join(event.pcm16 for event in events if isinstance(event, nba.AudioDelta))
        assert len(played) / 48_000 == pytest.approx(reply.clip.duration_s, abs=0.001)
        assert reply.finish_reason == "stop"


def test_the_providers_own_words_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "servers.toml"
    file.touch(mode=0o600)
    file.write_text('[dialects.wavs]\nlike = "openrouter"\nstream_format = "wav"\n', encoding="utf-8")
    nba.NbAudio.instance().servers_file = str(file)
    model = ROWS["openrouter"].default_model
    with serve("openrouter") as server:
        talk = connected(server, monkeypatch, dialect="compatible", model=model)  # which does not know of streams only
        with pytest.raises(errors.BadRequest, match="Audio output requires stream: true"):
            talk.say("Hello", stream=False)
        talk = connected(server, monkeypatch, dialect="wavs")
        with pytest.raises(errors.BadRequest, match=r"Provider returned error \('audio.format' does not support"):
            talk.say("Hello")


def test_a_field_that_is_refused_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, words in (
        ("mistral", r"\(422\): modalities: Extra inputs are not permitted"),
        ("gemini", r'\(400\): Invalid JSON payload received. Unknown name "modalities"'),
    ):
        with serve(name) as server:
            talk = connected(server, monkeypatch, dialect="openai", model=ROWS[name].default_model)
            with pytest.raises(errors.BadRequest, match=words):
                talk.say("Hello", aloud=False)


def test_a_value_of_the_wrong_kind_is_told_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve("sglang-omni") as server:
        talk = connected(server, monkeypatch)
        with pytest.raises(errors.BadRequest, match=r"\(422\): temperature: Input should be a valid number"):
            talk.say("Hello", temperature=1)


def test_old_paths_of_azure_get_their_version(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve("azure-deployments") as server:
        connected(server, monkeypatch).say("Hello")

    assert server.requests[0].path == "/openai/deployments/gpt-audio-1.5/chat/completions"
    assert server.requests[0].query == {"api-version": "2025-01-01-preview"}
    assert "authorization" not in server.requests[0].headers


def test_a_voice_is_the_servers_own_unless_one_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve("qwen-omni") as server:
        talk = connected(server, monkeypatch)
        talk.say("Hello")
        talk.say("Hello", voice="Cherry")
        nba.NbAudio.instance().voice = "Ethan"
        talk.say("Hello")

    assert [request.body["audio"]["voice"] for request in server.requests] == ["Tina", "Cherry", "Ethan"]
