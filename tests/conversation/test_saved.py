"""A saved conversation comes back as it was, and a file from anybody is a conversation or a clear error."""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import json
import os
import random
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openai_server import OpenAIServer
from rights import HAVE_RIGHTS, read_only_folder
from signals import voice

import nbaudio as nba
from nbaudio import Clip, Conversation, Reply, ToolCall, ToolResult, Turn, Usage
from nbaudio.conversation import saved
from nbaudio.errors import SavedFileError

FLOATS = Clip(voice() * 1.7, 24_000)  # above full scale: only floats hold it
MP3 = Clip(Clip(voice(duration_s=2), 24_000).encode("mp3"))
FLAC = Clip(Clip(voice(channels=2), 48_000).encode("flac"))
PCM = Clip.from_pcm16(Clip(voice(), 24_000).encode("pcm16"))
TURNS = [
    Turn("user", "Listen.", (FLOATS, FLAC), time=1_700_000_000.25, transcript="Good morning.", as_words=True),
    Reply(
        text="Let me look.",
        time=1_700_000_001.5,
        model="gpt-audio-1.5",
        voice="coral",
        backend="OpenAI",
        usage=Usage(24, 14, 23, 1, 5, 12, 2, cached_audio_tokens=1),
        finish_reason="tool_calls",
        tool_calls=(ToolCall("call_1", "weather", '{"city": "Oslo"}'), ToolCall("call_2", "time", "{")),
    ),
    ToolResult(text='{"degrees": 3}', name="weather", call_id="call_1", time=1_700_000_002.0),
    ToolResult(text="It is no JSON.", name="time", call_id="call_2", failed=True),
    Reply(
        text="It is cold. \ud83d \x00 \u202e",
        clips=(MP3,),
        audio_id="audio_1",
        expires_at=1_700_003_600,
        marks=((3, 0), (15, 24_000)),
        offline=True,
        cached=True,
        note="Something.",
    ),
    Turn("user", "", (PCM,)),
    Reply(text="No.", refusal="No."),
    Reply(text="It br", clips=(PCM,), partial=True, finish_reason="length"),
]


def all_of(turn: Turn) -> dict[str, Any]:
    """Every field, also those that are no part of equality; sounds as their bytes."""
    fields = {field.name: getattr(turn, field.name) for field in dataclasses.fields(turn)}
    return {**fields, "kind": type(turn), "clips": [clip.as_kept() for clip in turn.clips]}


class TestRoundTrip:
    def test_every_field_of_every_turn_comes_back(self, tmp_path: Path) -> None:
        chat = Conversation(TURNS, name="Oslo\n☃", voice="ash", instructions="Be brief.", temperature=0.5)

        found = Conversation.load(chat.save(tmp_path / "talk.nbaudio"))

        assert [all_of(turn) for turn in found] == [all_of(turn) for turn in TURNS]
        assert list(found) == TURNS
        assert found.name == "Oslo\n☃"
        assert found.options == {"voice": "ash", "instructions": "Be brief.", "temperature": 0.5}

    def test_a_float_clip_keeps_every_sample_and_an_mp3_every_byte(self, tmp_path: Path) -> None:
        (first, *_, last) = Conversation.load(Conversation(TURNS).save(tmp_path / "talk.nbaudio"))[:5]

        assert np.array_equal(first.clips[0].samples, FLOATS.samples)
        assert last.clips[0].encode("mp3") == MP3.encode("mp3")

    def test_what_is_loaded_is_saved_as_the_same_file(self, tmp_path: Path) -> None:
        one = Conversation(TURNS, name="x").save(tmp_path / "one.nbaudio")
        two = Conversation.load(one).save(tmp_path / "two.nbaudio")

        assert one.read_bytes() == two.read_bytes()

    def test_options_given_when_loading_come_first(self, tmp_path: Path) -> None:
        path = Conversation(voice="ash", model="m").save(tmp_path / "talk.nbaudio")

        assert Conversation.load(path, voice="coral", name="mine").options == {"voice": "coral", "model": "m"}

    def test_the_talk_goes_on(self, server: OpenAIServer, tmp_path: Path) -> None:
        chat = Conversation(instructions="Be brief.")
        first = chat.say("Listen.", FLAC)
        found = Conversation.load(chat.save(tmp_path / "talk.nbaudio"))

        assert found.say("And?").text
        told, question, answer, _ = server.requests[-1].body["messages"]
        assert told["content"] == "Be brief."
        assert question == server.requests[0].body["messages"][1]
        assert answer == {"role": "assistant", "audio": {"id": first.audio_id}}

    def test_no_key_and_no_tool_is_in_it(self, server: OpenAIServer, tmp_path: Path) -> None:
        def secret_tool(city: str) -> str:
            """Say nothing."""
            return city

        chat = Conversation(tools=[secret_tool], approve=lambda call: True, tool_choice="none")
        chat.say("Hello.")
        path = chat.save(tmp_path / "talk.nbaudio")

        with zipfile.ZipFile(path) as packed:
            everything = b"".join(packed.read(name) for name in packed.namelist()) + path.read_bytes()
        for hidden in (server.api_key, "secret_tool", "Bearer", "127.0.0.1:", "approve"):
            assert (hidden.encode() in everything) is (hidden == "127.0.0.1:")  # the backend's name, without a key
        assert Conversation.load(path).options == {}


class TestTheFile:
    def test_each_sound_is_in_it_once_under_its_hash(self, tmp_path: Path) -> None:
        path = Conversation([Turn("user", "", (MP3, PCM)), Reply(clips=(MP3,))]).save(tmp_path / "talk.nbaudio")

        with zipfile.ZipFile(path) as packed:
            assert sorted(packed.namelist()) == sorted(
                ["conversation.json"]
                + [
                    f"sounds/{hashlib.sha256(data).hexdigest()}.{ending}"
                    for data, ending in (MP3.as_kept(), PCM.as_kept())
                ]
            )
            ways = {Path(entry.filename).suffix: entry.compress_type for entry in packed.infolist()}
        assert ways == {".json": zipfile.ZIP_DEFLATED, ".wav": zipfile.ZIP_DEFLATED, ".mp3": zipfile.ZIP_STORED}

    def test_the_json_is_what_the_documentation_says(self, tmp_path: Path) -> None:
        path = Conversation([Turn("user", "Hello.", time=1.5, id="a")], name="n").save(tmp_path / "talk.nbaudio")

        with zipfile.ZipFile(path) as packed:
            assert json.loads(packed.read("conversation.json")) == {
                "format": "nbaudio conversation",
                "version": 1,
                "name": "n",
                "options": {},
                "turns": [{"role": "user", "id": "a", "text": "Hello.", "time": 1.5}],
            }

    def test_a_file_of_the_first_version_is_read(self) -> None:
        # Made by the first version; it must be read for ever.
        found = Conversation.load(Path(__file__).parent / "version1.nbaudio")

        assert [turn.role for turn in found] == ["user", "assistant", "tool", "assistant"]
        assert found[0].clip == Clip.from_pcm16(bytes(range(200)) * 24)
        assert found[1].tool_calls == (ToolCall("call_1", "weather", '{"city": "Oslo"}'),)  # type: ignore[attr-defined]
        assert (found.name, found.options) == ("first", {"voice": "ash"})

    def test_an_ending_that_is_another_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SavedFileError, match=r"the ending '\.zip'\. End the name in \.nbaudio"):
            Conversation().save(tmp_path / "talk.zip")

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(SavedFileError, match="can't be written"):
            Conversation().save(tmp_path / "no" / "talk.nbaudio")

    def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = Conversation([Turn("user", "Hello.")]).save(tmp_path / "talk.nbaudio")
        before = path.read_bytes()
        monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))

        with pytest.raises(SavedFileError, match="No space left on device"):
            Conversation(TURNS).save(path)

        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == ["talk.nbaudio"]

    @pytest.mark.parametrize(
        ("turn", "options", "said"),
        [
            (Turn("user", "x", time=float("nan")), {}, "Turn 1 has a time that can't be"),
            (Turn("user", "x", time=-1.0), {}, "Turn 1 has a time that can't be"),
            (Reply(text="x", usage=Usage(2**60)), {}, "Turn 1 has numbers that can't be"),
            (Turn("user", "x"), {"temperature": "hot"}, "An option can't be saved"),
            (Turn("user", "x"), {"model": object()}, "An option can't be saved"),
        ],
    )
    def test_what_could_not_be_loaded_is_not_saved(
        self, turn: Turn, options: dict[str, Any], said: str, tmp_path: Path
    ) -> None:
        with pytest.raises(SavedFileError, match=said):
            Conversation([turn], **options).save(tmp_path / "talk.nbaudio")
        assert os.listdir(tmp_path) == []

    def test_sounds_that_could_not_be_loaded_are_not_saved(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(saved, "_SOUND_BYTES", 1000)

        with pytest.raises(SavedFileError, match="A sound of 1 s is too large"):
            Conversation([Turn("user", "", (PCM,))]).save(tmp_path / "talk.nbaudio")
        assert os.listdir(tmp_path) == []


class TestMemory:
    def test_a_thousand_sounds_load_in_flat_memory(self, tmp_path: Path) -> None:
        def sounds() -> Iterable[Turn]:
            for number in range(1000):
                noise = np.random.default_rng(number).integers(-9000, 9000, 12_000).astype("<i2")
                yield Turn("user", str(number), (Clip.from_pcm16(noise.tobytes()),))

        path = saved.save(tmp_path / "talk.nbaudio", sounds())
        assert path.stat().st_size > 20e6
        gc.collect()
        tracemalloc.start()
        try:
            found = Conversation.load(path)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert len(found) == 1000
        assert all(turn.clips[0].parked for turn in found)
        assert peak < 10e6, f"{peak / 1e6:.1f} MB at most"


# -- hostile and damaged files ----------------------------------------------------------------------------------

GOOD = {"format": "nbaudio conversation", "version": 1, "name": "", "options": {}, "turns": []}
WAV = PCM.as_kept()[0]
SOUND = f"sounds/{hashlib.sha256(WAV).hexdigest()}.wav"


def packed(tmp_path: Path, *members: tuple[str | zipfile.ZipInfo, bytes | str], **head: Any) -> Path:
    """A file with a good head, but for some fields, and with other members."""
    path = tmp_path / "talk.nbaudio"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("conversation.json", json.dumps({**GOOD, **head}))
        for name, data in members:
            file.writestr(name, data)
    return path


def with_text(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "talk.nbaudio"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("conversation.json", text)
    return path


def link() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(SOUND)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def encrypted(tmp_path: Path) -> Path:
    path = packed(tmp_path)
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + place] |= 1
    path.write_bytes(data)
    return path


def false_size(tmp_path: Path) -> Path:
    """A bomb that says it is small."""
    path = packed(tmp_path, (SOUND, bytes(10_000_000)), turns=[{"role": "user", "sounds": [SOUND]}])
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 24, 100)
    path.write_bytes(data)
    return path


def user(**fields: Any) -> list[dict[str, Any]]:
    return [{"role": "user", **fields}]


def reply(**fields: Any) -> list[dict[str, Any]]:
    return [{"role": "assistant", **fields}]


BAD: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "no zip": ("no whole zip", lambda t: (t / "a.nbaudio").write_bytes(b"PK no") and t / "a.nbaudio"),
    "empty": ("no whole zip", lambda t: (t / "a.nbaudio").touch() or t / "a.nbaudio"),
    "cut short": ("no whole zip", lambda t: [p := packed(t), p.write_bytes(p.read_bytes()[:-30])] and p),
    "not there": ("There is no file", lambda t: t / "none.nbaudio"),
    "a folder": ("can't be read", lambda t: t),
    "an absolute path": ("holds '/etc/passwd'", lambda t: packed(t, ("/etc/passwd", "x"))),
    "a path outside": ("holds '../x.wav'", lambda t: packed(t, ("../x.wav", "x"))),
    "a path outside in the sounds": ("not one of its files", lambda t: packed(t, ("sounds/../../x.wav", "x"))),
    "a path of Windows": ("not one of its files", lambda t: packed(t, ("sounds\\..\\x.wav", "x"))),
    "code": ("holds 'code.pkl'", lambda t: packed(t, ("code.pkl", "x"))),
    "a link": ("a link", lambda t: packed(t, (link(), "/etc/passwd"))),
    "encrypted": ("not read", encrypted),
    "no text": (
        "no conversation.json",
        lambda t: [zipfile.ZipFile(t / "a.nbaudio", "w").close()] and t / "a.nbaudio",
    ),
    "a size that is not true": ("no whole zip", false_size),
    "a bomb of text": ("too large", lambda t: with_text(t, " " * (65 << 20))),
    "no JSON": ("can't be read", lambda t: with_text(t, "{")),
    "no text at all": ("can't be read", lambda t: with_text(t, b"\xff\xfe\xfd")),
    "deep JSON": ("can't be read", lambda t: with_text(t, "[" * 200_000)),
    "deep turns": ("can't be read", lambda t: with_text(t, json.dumps(GOOD)[:-2] + '{"a":' * 200_000)),
    "a list": ("can't be read", lambda t: with_text(t, "[]")),
    "NaN": ("NaN is no number", lambda t: with_text(t, json.dumps(GOOD).replace("1", "NaN"))),
    "a long number": ("can't be read", lambda t: with_text(t, json.dumps(GOOD).replace("1", "9" * 5000))),
    "another format": ("does not say", lambda t: packed(t, format="zip")),
    "version 0": ("does not say", lambda t: packed(t, version=0)),
    "a newer version": ("A newer nbaudio saved this.*pip install -U nbaudio", lambda t: packed(t, version=2, turns=3)),
    "a name that is none": (r"`str`, got `int` - at `\$\.name`", lambda t: packed(t, name=1)),
    "an option that is none": (r"\$\.options\.voice", lambda t: packed(t, options={"voice": ["ash"]})),
    "turns that are none": (r"\$\.turns", lambda t: packed(t, turns={"a": 1})),
    "a turn that is none": ("turn 2 is none", lambda t: packed(t, turns=[*user(text="x"), 3])),
    "a role that is none": ("turn 1 is none", lambda t: packed(t, turns=[{"role": "root"}])),
    "a text that is none": ("turn 1 is none", lambda t: packed(t, turns=user(text=None))),
    "calls that are none": ("turn 1 is none", lambda t: packed(t, turns=reply(tool_calls=[{"id": {}}]))),
    "a time before all": ("time that can't be", lambda t: packed(t, turns=user(time=-1))),
    "a time after all": ("time that can't be", lambda t: packed(t, turns=user(time=1e300))),
    "an endless id": ("numbers that can't be", lambda t: packed(t, turns=reply(expires_at=2**60))),
    "tokens beyond count": ("numbers that can't be", lambda t: packed(t, turns=reply(usage={"input_tokens": 2**70}))),
    "marks backwards": ("numbers that can't be", lambda t: packed(t, turns=reply(marks=[[3, 9], [2, 10]]))),
    "marks before all": ("numbers that can't be", lambda t: packed(t, turns=reply(marks=[[1, -5]]))),
    "a sound that is missing": ("is missing", lambda t: packed(t, turns=user(sounds=[SOUND]))),
    "a sound elsewhere": ("is missing", lambda t: packed(t, turns=user(sounds=["/etc/passwd"]))),
    "the text as a sound": ("is missing", lambda t: packed(t, turns=user(sounds=["conversation.json"]))),
    "another sound": (
        "not the one that was saved",
        lambda t: packed(t, (SOUND, MP3.as_kept()[0]), turns=user(sounds=[SOUND])),
    ),
    "no sound": (
        "is no sound",
        lambda t: packed(
            t,
            (name := f"sounds/{hashlib.sha256(b'<html>').hexdigest()}.wav", b"<html>"),
            turns=user(sounds=[name]),
        ),
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_a_clear_error(kind: str, tmp_path: Path) -> None:
    said, make = BAD[kind]
    path = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(SavedFileError, match=said) as caught:
        Conversation.load(path)

    assert len(str(caught.value)) < 500
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice(tmp_path: Path) -> None:
    with pytest.raises(SavedFileError, match="not one of its files"):
        Conversation.load(packed(tmp_path, (SOUND, WAV), (SOUND, WAV), turns=user(sounds=[SOUND])))


def test_a_bomb_of_many_members_is_found_before_one_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved, "_ALL_BYTES", 1_000_000)
    names = [f"sounds/{number:064x}.wav" for number in range(40)]
    path = packed(tmp_path, *((name, bytes(100_000)) for name in names), turns=user(sounds=names))

    with pytest.raises(SavedFileError, match="unpacked it would be too large"):
        Conversation.load(path)


def test_a_damaged_byte_anywhere_is_found_or_does_no_harm(tmp_path: Path) -> None:
    good = Conversation(TURNS[:4]).save(tmp_path / "good.nbaudio")
    whole, chosen = good.read_bytes(), random.Random(1)
    path = tmp_path / "bad.nbaudio"
    refused = 0
    for _ in range(150):
        data = bytearray(whole)
        data[chosen.randrange(len(data))] ^= 1 << chosen.randrange(8)
        path.write_bytes(data)
        try:
            assert [turn.words for turn in Conversation.load(path)] == [turn.words for turn in TURNS[:4]]
        except SavedFileError:
            refused += 1
    assert refused > 100


def test_a_file_packed_anew_by_hand_is_read(tmp_path: Path) -> None:
    path = packed(tmp_path, ("sounds/", ""), (SOUND, WAV), turns=user(sounds=[SOUND], later="a field of tomorrow"))

    assert Conversation.load(path)[0].clip == PCM


@pytest.mark.skipif(not HAVE_RIGHTS, reason="rights are other on this system")
def test_a_folder_that_nobody_may_write() -> None:
    with read_only_folder() as folder, pytest.raises(SavedFileError, match="Permission denied"):
        nba.Conversation().save(folder / "talk.nbaudio")
