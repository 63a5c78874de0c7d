"""Recordings that are longer than a server takes: cut in pauses, sent side by side, joined, and gone on with."""

from __future__ import annotations

import io
import os
import re
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import beeps
import numpy as np
import pytest
import soundfile
from openai_server import Gate, OpenAIServer, Said, Scripted

import nbaudio as nba
from nbaudio import Segment, TextDelta, Transcript, errors
from nbaudio.settings import Backend, settings
from nbaudio.spending import accounts
from nbaudio.wire.transcription_models import TranscriptionModel, transcription_model

LONG_S = 50.0
LIMIT_S = 10.0


@pytest.fixture(autouse=True)
def ears(server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.heard = lambda form: beeps.heard(form["file"][2])
    monkeypatch.setenv("NBAUDIO_CACHE_FOLDER", str(tmp_path / "cache"))


@pytest.fixture
def small(server: OpenAIServer) -> Backend:
    """A server that takes no more than 10 s."""
    return limited(longest_s=LIMIT_S)


def limited(*, longest_s: float = 1800.0, most_bytes: int = 26_214_400, at_once: int = 4) -> Backend:
    backend = settings().resolve()
    dialect = replace(
        backend.dialect,
        transcription_max_s=longest_s,
        transcription_piece_s=longest_s,
        transcription_max_bytes=most_bytes,
        transcriptions_at_once=at_once,
    )
    return replace(backend, dialect=dialect)


@pytest.fixture
def talk(tmp_path: Path) -> tuple[Path, list[Said]]:
    samples, said = beeps.spoken(LONG_S)
    path = tmp_path / "talk.wav"
    soundfile.write(path, samples, beeps.RATE)
    return path, said


def kept_files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").rglob("*.heard"))


def sent(server: OpenAIServer) -> list[float]:
    """Seconds of sound in each request that was answered."""
    files = [request.form["file"][2] for request in server.requests if request.status == 200]
    return [soundfile.info(io.BytesIO(file)).duration for file in files]


def check(found: Transcript, said: list[Said]) -> None:
    """Every word is there once, in its place and at its time."""
    assert found.text == " ".join(one.word for one in said)
    assert [word.text for word in found.words] == [one.word for one in said]
    for word, one in zip(found.words, said, strict=True):
        assert word.start_s == pytest.approx(one.start_s, abs=0.03)
        assert word.end_s == pytest.approx(one.end_s, abs=0.03)


class TestCutting:
    @pytest.mark.parametrize("format", ["wav", "mp3", "flac", "ogg"])
    @pytest.mark.parametrize("sample_rate", [8_000, 44_100])
    def test_words_keep_their_times(
        self, server: OpenAIServer, small: Backend, tmp_path: Path, format: str, sample_rate: int
    ) -> None:
        samples, said = beeps.spoken(LONG_S, seed=sample_rate)
        clip = nba.Clip(samples, sample_rate=beeps.RATE).resample(sample_rate)
        path = clip.save(tmp_path / f"talk.{format}")
        check(nba.transcribe(path, timestamps="word", backend=small), said)
        assert len(server.requests) >= 5
        assert max(sent(server)) <= LIMIT_S + 0.1
        assert sum(sent(server)) == pytest.approx(clip.duration_s, abs=0.5)

    def test_a_clip_in_memory_in_stereo(self, server: OpenAIServer, small: Backend) -> None:
        samples, said = beeps.spoken(LONG_S)
        clip = nba.Clip(np.stack([samples, samples * 0.5], axis=1), sample_rate=beeps.RATE)
        check(nba.transcribe(clip, timestamps="word", backend=small), said)

    def test_what_is_too_large_is_made_smaller_before_it_is_cut(
        self, server: OpenAIServer, talk: tuple[Path, list[Said]]
    ) -> None:
        path, said = talk
        assert path.stat().st_size > 1_500_000
        check(nba.transcribe(path, timestamps="word", backend=limited(most_bytes=500_000)), said)
        (request,) = server.requests
        assert request.form["file"][0] == "speech.mp3"
        assert len(request.raw) <= 500_000

    def test_what_is_still_too_large_is_cut(self, server: OpenAIServer, talk: tuple[Path, list[Said]]) -> None:
        path, said = talk
        check(nba.transcribe(path, timestamps="word", backend=limited(most_bytes=100_000)), said)
        assert len(server.requests) > 2
        assert max(len(request.raw) for request in server.requests) <= 100_000

    def test_a_model_has_its_own_limit(
        self, server: OpenAIServer, talk: tuple[Path, list[Said]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def a_hundredth(name: str) -> TranscriptionModel:
            known = transcription_model(name)
            return replace(known, longest_s=known.longest_s / 100)

        monkeypatch.setattr("nbaudio.transcribing.wanted.transcription_model", a_hundredth)
        path, said = talk
        check(nba.transcribe(path, model="whisper-1", timestamps="word"), said)
        assert sent(server) == [pytest.approx(LONG_S, abs=1)]
        assert nba.transcribe(path, model="gpt-4o-transcribe").text == " ".join(one.word for one in said)
        assert len(server.requests) == 1 + 4
        assert max(sent(server)[1:]) <= 15.1  # of 1500 s

    def test_a_long_silence_is_not_sent(self, server: OpenAIServer, small: Backend) -> None:
        samples, said = beeps.spoken(15.0)
        clip = nba.Clip(np.concatenate([samples, np.zeros(30 * beeps.RATE, np.float32)]), sample_rate=beeps.RATE)
        check(nba.transcribe(clip, timestamps="word", backend=small), said)
        assert sum(sent(server)) < 30

    def test_speech_without_a_pause_is_cut_at_the_limit_all_the_same(
        self, server: OpenAIServer, small: Backend
    ) -> None:
        server.heard = "word"
        noise = np.random.default_rng(0).normal(0, 0.1, 25 * beeps.RATE).astype(np.float32)
        assert nba.transcribe(nba.Clip(noise, sample_rate=beeps.RATE), backend=small).text.startswith("word word word")
        assert max(sent(server)) <= LIMIT_S + 0.1
        assert len(server.requests) <= 4

    def test_of_speech_without_a_pause_no_word_is_torn(self, server: OpenAIServer, small: Backend) -> None:
        parts, said, at = [], [], 0
        for number in range(100):
            word = beeps.WORDS[number * 7 % len(beeps.WORDS)]
            beep = beeps.beep(word)
            said.append(Said(word, at / beeps.RATE, (at + len(beep)) / beeps.RATE))
            parts += [beep, np.zeros(int(0.06 * beeps.RATE), np.float32)]  # less than what counts as a pause
            at += len(beep) + len(parts[-1])
        clip = nba.Clip(np.concatenate(parts), sample_rate=beeps.RATE)
        check(nba.transcribe(clip, timestamps="word", backend=small), said)
        assert len(server.requests) >= 5
        assert max(sent(server)) <= LIMIT_S + 0.1

    def test_no_more_are_on_their_way_than_the_server_should_have(
        self, server: OpenAIServer, talk: tuple[Path, list[Said]]
    ) -> None:
        server.fail_next("hang", times=2)
        thread = threading.Thread(
            target=lambda: nba.transcribe(talk[0], backend=limited(longest_s=LIMIT_S, at_once=2), progress=False)
        )
        thread.start()
        server.wait_for_request(2)
        assert len(server.requests) == 2
        server.release()
        thread.join(30)
        assert len(server.requests) >= 5


class TestStreams:
    def test_words_come_in_order_though_pieces_do_not(
        self, server: OpenAIServer, small: Backend, talk: tuple[Path, list[Said]]
    ) -> None:
        path, said = talk
        server.fail_next("hang")  # the first piece comes last
        events = nba.transcribe(path, stream=True, backend=small, progress=False)
        threading.Thread(target=lambda: (server.wait_for_request(4), server.release())).start()
        came = list(events)
        text = "".join(event.text for event in came if isinstance(event, TextDelta))
        assert text == " ".join(one.word for one in said)
        assert came[-1].transcript.text == text  # type: ignore[union-attr]

    def test_segments_have_times_of_the_whole(
        self, server: OpenAIServer, small: Backend, talk: tuple[Path, list[Said]]
    ) -> None:
        path, said = talk
        came = list(nba.transcribe(path, stream=True, timestamps="segment", backend=small, progress=False))
        segments = [event for event in came if isinstance(event, Segment)]
        assert [one.start_s for one in segments] == sorted(one.start_s for one in segments)
        assert tuple(segments) == came[-1].transcript.segments  # type: ignore[union-attr]
        assert came[-1].transcript.times_from == "pauses"  # type: ignore[union-attr]
        starts = {one.start_s for one in said}
        close = [min(abs(one.start_s - start) for start in starts) < 0.15 for one in segments]
        assert sum(close) > 0.7 * len(close), "phrases begin where a word does"

    def test_a_bar_is_shown(
        self, small: Backend, talk: tuple[Path, list[Said]], capsys: pytest.CaptureFixture[str]
    ) -> None:
        nba.transcribe(talk[0], backend=small)
        shown = capsys.readouterr().err
        assert re.search(r"Writing down, (\d+) of \1 pieces: 100%", shown)
        nba.transcribe(talk[0], backend=small, progress=False)
        nba.transcribe(nba.Clip(beeps.spoken(5)[0], sample_rate=beeps.RATE))
        assert capsys.readouterr().err == ""


class TestGoingOn:
    def test_after_a_failure_only_the_rest_is_sent(
        self, server: OpenAIServer, talk: tuple[Path, list[Said]], tmp_path: Path
    ) -> None:
        path, said = talk
        one_by_one = limited(longest_s=LIMIT_S, at_once=1)
        heard, usual = [], server.heard

        def ears(form: dict[str, Any]) -> Any:
            heard.append(form["file"][2])
            if len(heard) == 3:
                server.fail_next("quota")
            return usual(form)  # type: ignore[operator]

        server.heard = ears
        with pytest.raises(errors.QuotaExceeded) as failed:
            nba.transcribe(path, timestamps="word", backend=one_by_one)
        assert re.search(r"3 of \d pieces are done and kept\. Run the same again", str(failed.value))
        partial = failed.value.partial
        assert partial.partial
        assert said[: len(partial.words)] == [] or partial.text == " ".join(
            one.word for one in said[: len(partial.words)]
        )
        assert "Not all of it" in partial.note
        assert len(kept_files(tmp_path)) == 3
        spent = accounts.notebook.spent.toll.sound_s
        check(nba.transcribe(path, timestamps="word", backend=one_by_one), said)
        assert len(set(heard)) == len(heard), "no piece is heard twice"
        assert sum(sent(server)) == pytest.approx(LONG_S, abs=1)
        assert accounts.notebook.spent.toll.sound_s - spent < 30
        assert list((tmp_path / "cache").rglob("*")) == [tmp_path / "cache" / "unfinished-transcripts"]

    def test_what_is_on_its_way_when_one_fails_is_kept(
        self, server: OpenAIServer, small: Backend, talk: tuple[Path, list[Said]], tmp_path: Path
    ) -> None:
        path, said = talk
        server.gate = server.hang_gate = Gate()
        server.fail_next("hang", times=3)
        server.fail_next("quota")

        def release() -> None:
            server.wait_for_request(4).answered.wait(10)
            server.hang_gate.open()

        threading.Thread(target=release).start()
        with pytest.raises(errors.QuotaExceeded):
            nba.transcribe(path, timestamps="word", backend=small)
        assert len(kept_files(tmp_path)) == 3
        count = len(server.requests)
        check(nba.transcribe(path, timestamps="word", backend=small), said)
        assert len(server.requests) - count == len(sent(server)) - 3

    def test_an_interrupt_keeps_the_pieces_that_are_done(
        self, server: OpenAIServer, talk: tuple[Path, list[Said]], tmp_path: Path
    ) -> None:
        path, _ = talk
        one_by_one = limited(longest_s=LIMIT_S, at_once=1)
        server.fail_next(Scripted(body={"text": "first"}))
        server.fail_next("hang")

        def interrupt() -> None:
            server.wait_for_request(2)
            signal.raise_signal(signal.SIGINT)

        threading.Thread(target=interrupt).start()
        with pytest.raises(errors.Interrupted, match=r"1 of \d pieces are written down, and kept") as stopped:
            nba.transcribe(path, backend=one_by_one)
        assert stopped.value.partial.text == "first"
        assert server.requests[1].broken_off.wait(10)
        found = nba.transcribe(path, backend=one_by_one)
        assert found.text.startswith("first ")
        assert not found.partial

    def test_other_options_are_another_job(
        self, server: OpenAIServer, talk: tuple[Path, list[Said]], tmp_path: Path
    ) -> None:
        one_by_one = limited(longest_s=LIMIT_S, at_once=1)
        for options in ({}, {"language": "en"}, {"prompt": "Numbers."}):
            server.fail_next(Scripted(body={"text": "first"}))
            server.fail_next("quota")
            with pytest.raises(errors.QuotaExceeded):
                nba.transcribe(talk[0], backend=one_by_one, **options)  # type: ignore[call-overload]
        assert len(kept_files(tmp_path)) == 3

    def test_pieces_without_times_are_not_gone_on_with_where_times_are_wanted(
        self, server: OpenAIServer, talk: tuple[Path, list[Said]]
    ) -> None:
        one_by_one = limited(longest_s=LIMIT_S, at_once=1)
        server.fail_next(Scripted(body={"text": "first"}))
        server.fail_next("quota")
        with pytest.raises(errors.QuotaExceeded):
            nba.transcribe(talk[0], backend=one_by_one)
        found = nba.transcribe(talk[0], timestamps="segment", backend=one_by_one)
        assert found.times_from == "pauses"
        assert found.segments[0].start_s < 1.0

    def test_a_damaged_piece_is_asked_for_again(
        self, server: OpenAIServer, talk: tuple[Path, list[Said]], tmp_path: Path
    ) -> None:
        one_by_one = limited(longest_s=LIMIT_S, at_once=1)
        server.fail_next(Scripted(body={"text": "first"}))
        server.fail_next("quota")
        with pytest.raises(errors.QuotaExceeded):
            nba.transcribe(talk[0], backend=one_by_one)
        (kept,) = kept_files(tmp_path)
        assert kept.stat().st_mode & 0o077 == 0
        assert kept.parent.stat().st_mode & 0o077 == 0
        kept.write_bytes(b'{"text": 3}')
        assert "first" not in nba.transcribe(talk[0], backend=one_by_one).text

    def test_where_nothing_can_be_kept_nothing_is_promised(
        self, server: OpenAIServer, talk: tuple[Path, list[Said]], tmp_path: Path
    ) -> None:
        (tmp_path / "cache").write_text("in the way")
        server.fail_next(Scripted(body={"text": "first"}))
        server.fail_next("quota")
        with pytest.raises(errors.QuotaExceeded) as failed:
            nba.transcribe(talk[0], backend=limited(longest_s=LIMIT_S, at_once=1))
        assert "kept" not in str(failed.value)
        assert failed.value.partial.text == "first"

    def test_what_nobody_came_back_for_goes_after_a_week(
        self, small: Backend, talk: tuple[Path, list[Said]], tmp_path: Path
    ) -> None:
        old = tmp_path / "cache" / "unfinished-transcripts" / "old"
        old.mkdir(parents=True)
        os.utime(old, (1, 1))
        nba.transcribe(talk[0], backend=small)
        assert not old.exists()

    def test_a_file_that_is_damaged_in_its_middle(
        self, server: OpenAIServer, tmp_path: Path, talk: tuple[Path, list[Said]]
    ) -> None:
        flac = bytearray(nba.Clip(talk[0]).encode("flac"))
        flac[len(flac) // 2 : len(flac) // 2 + 3000] = bytes(3000)
        path = tmp_path / "damaged.flac"
        path.write_bytes(flac)
        with pytest.raises(errors.ClipError, match="damaged"):
            nba.transcribe(path, backend=limited(longest_s=LIMIT_S))


class TestSpeakers:
    @pytest.fixture
    def meeting(self, server: OpenAIServer, tmp_path: Path) -> tuple[Path, list[Said]]:
        """Ada speaks low words and Bob high ones; a third joins late. They speak for some seconds each."""
        low, high, late = beeps.WORDS[:6], beeps.WORDS[6:12], beeps.WORDS[12:]
        parts, said, at = [], [], 0
        for turn in range(12):
            words = late if turn in (7, 11) else (low, high)[turn % 2]
            for number in range(8):
                beep = beeps.beep(words[number % len(words)])
                said.append(Said(words[number % len(words)], at / beeps.RATE, (at + len(beep)) / beeps.RATE))
                pause = np.zeros(int((0.15 if number < 7 else 0.9) * beeps.RATE), np.float32)
                parts += [beep, pause]
                at += len(beep) + len(pause)
        path = tmp_path / "meeting.wav"
        soundfile.write(path, np.concatenate(parts), beeps.RATE)

        def who(word: str) -> str:
            return "A" if word in low else "B" if word in high else "C"

        server.heard = lambda form: [one._replace(speaker=who(one.word)) for one in beeps.heard(form["file"][2])]
        return path, [one._replace(speaker=who(one.word)) for one in said]

    def test_those_of_the_first_piece_are_known_in_the_others(
        self, server: OpenAIServer, small: Backend, meeting: tuple[Path, list[Said]]
    ) -> None:
        path, said = meeting
        found = nba.transcribe(path, diarize=True, backend=small)
        assert found.text == " ".join(one.word for one in said)
        first, *others = server.requests
        assert "known_speaker_names[]" not in first.form
        assert all(request.form["known_speaker_names[]"] == ["speaker-A", "speaker-B"] for request in others)
        assert [name for name in found.speakers if "part" not in name] == ["A", "B"]
        late = [name for name in found.speakers if "part" in name]
        assert late
        assert all(re.fullmatch(r"A \(part \d+\)", name) for name in late), "who that is nobody knows"
        for segment in found.segments:
            spoken = {one.speaker for one in said if segment.start_s <= one.start_s < segment.end_s}
            assert spoken == {"C" if "part" in segment.speaker else segment.speaker}

    def test_going_on_after_a_failure(
        self, server: OpenAIServer, meeting: tuple[Path, list[Said]], tmp_path: Path
    ) -> None:
        path, _ = meeting
        one_by_one = limited(longest_s=LIMIT_S, at_once=1)
        whole = nba.transcribe(path, diarize=True, backend=one_by_one)
        heard, usual = [], server.heard

        def ears(form: dict[str, Any]) -> Any:
            heard.append(form["file"][2])
            if len(heard) == 3:
                server.fail_next("quota")
            return usual(form)  # type: ignore[operator]

        server.heard = ears
        with pytest.raises(errors.QuotaExceeded) as failed:
            nba.transcribe(path, diarize=True, backend=one_by_one)
        assert failed.value.partial.segments == whole.segments[: len(failed.value.partial.segments)]
        pieces = len(sent(server)) - len(heard)
        assert nba.transcribe(path, diarize=True, backend=one_by_one) == whole
        assert len(heard) == pieces, "each piece is heard once"

    def test_a_stream_has_the_same_names(
        self, server: OpenAIServer, small: Backend, meeting: tuple[Path, list[Said]]
    ) -> None:
        came = list(nba.transcribe(meeting[0], diarize=True, stream=True, backend=small, progress=False))
        segments = tuple(event for event in came if isinstance(event, Segment))
        assert segments == came[-1].transcript.segments  # type: ignore[union-attr]

    def test_those_that_the_person_knows_stay_known(
        self, server: OpenAIServer, small: Backend, meeting: tuple[Path, list[Said]]
    ) -> None:
        path, _ = meeting
        ada = nba.Clip(path)[0:4]
        server.heard, usual = (
            lambda form: [one._replace(speaker="Ada" if one.speaker == "A" else one.speaker) for one in usual(form)],
            server.heard,
        )
        found = nba.transcribe(path, diarize=True, speakers={"Ada": ada}, backend=small)
        assert found.speakers[:2] == ("Ada", "A")  # the one stranger of the first piece is its A
        assert server.requests[-1].form["known_speaker_names[]"] == ["Ada", "speaker-A"]


@pytest.mark.offline
class TestOffline:
    def test_a_long_recording_with_times(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        from nbaudio.engine.parts import engine

        monkeypatch.setenv("NBAUDIO_BACKEND", "offline")
        sentences = (  # enough of them: what repeats itself within 14 s these ears take for their own stammering
            "The museum opens early in the morning and closes late in the afternoon.",
            "We walked home along the river and talked about the summer.",
            "Nobody knew why the lights had gone out, but my brother found some candles in the kitchen.",
            "The train to the coast leaves at noon from the old station.",
        )
        sound = np.concatenate([engine().speaker.speak(sentence, "nova") for sentence in sentences])
        times = 3
        path = tmp_path / "talk.wav"
        soundfile.write(path, np.tile(sound, times), 24_000)
        found = nba.transcribe(path, timestamps="word", progress=False, backend=limited(longest_s=20.0))
        assert found.duration_s > 35
        assert found.text.lower().count("museum") == times
        starts = [word.start_s for word in found.words if word.text.lower().startswith("museum")]
        first, every_s = starts[0], len(sound) / 24_000
        assert first is not None
        assert starts == pytest.approx([first + turn * every_s for turn in range(times)], abs=0.25)
        assert found.duration_s == pytest.approx(times * every_s, abs=0.1)
