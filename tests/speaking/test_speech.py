"""Speech: a clip in every way, with words, captions, cost and a face of its own."""

from __future__ import annotations

import copy
import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hostile import read, transcripts
from signals import voice

import nbaudio as nba
from nbaudio.captions.phrases import Phrase
from nbaudio.prices import Cost
from nbaudio.sound.spool import park
from nbaudio.speaking.speech import Speech
from nbaudio.wire.speech import WordTime
from nbaudio.wire.usage import Usage

SOUND = nba.Clip(voice(duration_s=3.0), 24_000)
WORDS = (
    WordTime("Yes.", 0.1, 0.4), WordTime("It", 0.8, 0.9), WordTime("is", 0.95, 1.1), WordTime("so", 1.2, 1.4),
    WordTime("(really),", 1.6, 2.0), WordTime("I", 2.2, 2.3), WordTime("think.", 2.3, 2.8),
)  # fmt: skip
SAID = "Yes. 🙂 It is so (really), I think."


def speech(**facts: Any) -> Speech:
    known: dict[str, Any] = {"text": f"**{SAID}**", "said": SAID, "way": "speech endpoint", "model": "tts-1"}
    return Speech(SOUND, **{**known, "voice": "ash", "backend": "OpenAI", "usages": (Usage(characters=100),), **facts})


class TestAClip:
    def test_it_is_one_and_sounds_like_it(self) -> None:
        made = speech()
        assert isinstance(made, nba.Clip)
        assert made == SOUND
        assert hash(made) == hash(SOUND)
        assert made.clip is made
        assert nba.Clip(made) == SOUND
        assert type(nba.Clip(made)) is nba.Clip

    def test_what_is_made_of_it_is_a_plain_clip(self) -> None:
        made = speech()
        for other in (made[:1.0], made + made, SOUND + made, made.resample(8000), nba.Speech.join([made, made])):
            assert type(other) is nba.Clip
        assert made.mono() is made

    def test_it_goes_where_clips_go(self, tmp_path: Path) -> None:
        made = speech()
        assert nba.Clip(made.save(tmp_path / "said.flac")).duration_s == made.duration_s
        turn = nba.Turn("user", clips=(made,))
        assert turn.clip is made
        chat = nba.Conversation([turn])
        chat.save(tmp_path / "talk.nbaudio")
        assert nba.Conversation.load(tmp_path / "talk.nbaudio")[0].clip == made

    def test_copies_keep_all_that_is_known(self) -> None:
        made = speech(words=WORDS, note="A note.", partial=True, time=5.0)
        for other in (pickle.loads(pickle.dumps(made)), copy.copy(made), copy.deepcopy(made)):
            assert type(other) is Speech
            assert other == made
            assert other.captions == made.captions
            assert other.words == made.words
            assert (other.text, other.said, other.note, other.partial) == (made.text, made.said, "A note.", True)
            assert (other.cost, other.usage, other.time) == (made.cost, made.usage, 5.0)

    def test_parked_it_still_has_its_words(self) -> None:
        made = speech(words=WORDS)
        park(made)
        assert made.parked
        assert made == SOUND
        assert made.captions[0].text == "Yes."

    def test_it_says_what_it_is(self) -> None:
        assert repr(speech()) == f"Speech({SAID!r}, 3.0 s)"
        assert repr(speech(said="word " * 50, partial=True)).endswith("...', 3.0 s, partial)")


class TestItsWords:
    def test_phrases_of_timed_words(self) -> None:
        captions = speech(words=WORDS).captions
        assert captions == nba.Captions([Phrase("Yes.", 0.1, 0.8), Phrase("🙂 It is so (really), I think.", 0.8, 2.8)])
        assert [phrase.text for phrase in speech(words=WORDS).words] == [word.word for word in WORDS]

    def test_words_that_are_not_in_the_text_do_not_disturb(self) -> None:
        odd = (WordTime("What?", 0.0, 0.1), *WORDS)
        assert speech(words=odd).captions == speech(words=WORDS).captions

    def test_without_times_they_are_estimated(self) -> None:
        captions = speech().captions
        assert " ".join(phrase.text for phrase in captions) == SAID
        assert captions[-1].end_s <= SOUND.duration_s
        assert len(speech().words) == 0

    def test_of_a_long_text_each_passage_begins_where_it_does(self) -> None:
        first, second = "One passage here.", " And another one."
        marks = ((len(first), 0), (len(first + second), 40_000), (len(first + second), SOUND.frames))
        captions = speech(said=first + second, marks=marks).captions
        assert captions[1].start_s == pytest.approx(40_000 / 24_000, abs=0.001)

    def test_of_a_text_that_broke_off_only_what_is_heard_has_a_caption(self) -> None:
        long = "This is one sentence of many. " * 30
        captions = speech(said=long, partial=True).captions
        assert 0 < len(captions) < 15
        assert captions[-1].end_s <= SOUND.duration_s

    def test_no_words_no_captions(self) -> None:
        assert len(Speech(SOUND).captions) == 0


class TestWhatItTook:
    def test_characters(self) -> None:
        assert speech().cost == Cost(Decimal("0.0015"))

    def test_passages_add_up_and_what_is_unknown_is_said(self) -> None:
        known = Usage(1000, 1000, input_text_tokens=1000, output_audio_tokens=1000)
        made = speech(model="gpt-4o-mini-tts", usages=(known, known))
        assert made.usage.output_audio_tokens == 2000
        assert made.cost == Cost(Decimal("0.0252"))
        assert str(speech(model="gpt-4o-mini-tts", usages=(known, Usage())).cost) == (
            "at least $0.0126, 1 answer of unknown price"
        )
        assert speech(model="gpt-4o-mini-tts", usages=(Usage(), Usage())).cost is None

    def test_offline_it_costs_nothing(self) -> None:
        assert speech(offline=True, model="offline").cost == Cost()


class TestOnThePage:
    def test_words_sound_and_details(self) -> None:
        bundle = speech(note="A note.")._repr_mimebundle_()
        assert set(bundle) == {"text/plain", "text/html", "text/markdown"}
        assert bundle["text/plain"] == f"{SAID}\n[spoken, 3.0 s; A note]"
        for shown in ("<audio", "Speech, 3.0 s", "Spoken by", "speech endpoint", "tts-1", "ash", "$0.0015", "A note."):
            assert shown in bundle["text/html"]

    def test_it_can_be_shown_otherwise_once(self) -> None:
        made = speech()
        made.show_once_with({"text/plain": "x"}, live="abc")
        assert "nbaudio-live-abc" in made._repr_mimebundle_()["text/html"]
        assert made._repr_mimebundle_()["text/plain"] != "x"

    def test_a_player_has_its_words_and_notes(self) -> None:
        player = nba.Player(speech(words=WORDS, note="A note.", partial=True))
        assert (player.title, player.words, player.state) == ("Speech", SAID, "broken")
        assert player.notes == ["A note."]
        assert player.phrases[0] == ["Yes.", 0.1, 0.8]
        assert "<audio" in player._repr_mimebundle_()[0]["text/html"]
        player.close()

    @pytest.mark.parametrize("text", [text for text in transcripts(120) if len(text) < 5000])
    def test_no_text_does_anything_there(self, text: str) -> None:
        words = tuple(WordTime(word, 0.01 * at, 0.01 * at + 0.01) for at, word in enumerate(text.split()))
        for made in (speech(said=text, note=text, voice=text, words=words), speech(said=text, partial=True)):
            bundle = made._repr_mimebundle_()
            assert "<script" not in bundle["text/html"].replace("&lt;script", "")
            assert read(text) in read(bundle["text/plain"])
            bundle["text/html"].encode()
            assert nba.Captions.from_vtt(made.captions.vtt) is not None
            repr(made).encode("utf-8", "backslashreplace")
