"""What a person wants to know of a recording, made into what a model is asked: which model, which form, which fields.

What a model can't give is said before anything is sent, or got in another way, and the transcript says which.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nbaudio.errors import CellError
from nbaudio.settings import Backend, NbAudio
from nbaudio.sound.clip import Clip
from nbaudio.wire.transcription_models import TranscriptionModel, transcription_model
from nbaudio.wire.transcriptions import ENDINGS, TranscriptionOptions

__all__ = ["KNOWN", "Wanted", "sample_of", "wanted"]

KNOWN = (
    "language", "prompt", "keywords", "temperature", "model", "timestamps", "diarize", "speakers", "confidence",
    "translate", "response_format", "chunking",
)  # fmt: skip
"""The options that say what is wanted, by the names that `nbaudio.transcribe` has for them."""

_MOST_SPEAKERS = 4
_SAMPLE_S = (2.0, 10.0)
_ASK_TWICE = "Ask twice, once for each."
_SURE = "OpenAI's gpt-4o-transcribe does of words, and models that time words do of segments: timestamps='segment'."


@dataclass(frozen=True)
class Wanted:
    """What is asked of the model of `options`.

    `able` is what is known of that model; `estimate` says that the times of sentences are to be estimated from the
    pauses; `note` is what the reader of the transcript should know of the choice.
    """

    options: TranscriptionOptions
    able: TranscriptionModel
    translate: bool = False
    diarize: bool = False
    estimate: bool = False
    note: str = ""

    def with_speakers(self, speakers: Sequence[tuple[str, str]]) -> Wanted:
        """The same, with these speakers known beside those that are already."""
        known = (*self.options.speakers, *speakers)[:_MOST_SPEAKERS]
        return replace(self, options=replace(self.options, speakers=known))


def wanted(
    backend: Backend,
    chosen: NbAudio,
    *,
    language: str | Sequence[str] | None = None,
    prompt: str = "",
    keywords: Sequence[str] = (),
    temperature: float | None = None,
    model: str | None = None,
    timestamps: str | None = None,
    diarize: bool = False,
    speakers: Mapping[str, Any] | None = None,
    confidence: bool = False,
    translate: bool = False,
    response_format: str | None = None,
    chunking: str | Mapping[str, Any] | None = None,
    stream: bool = False,
) -> Wanted:
    """What to ask; parameters as in `nbaudio.transcribe`.

    Raises
    ------
    CellError
        For what no such model can give, and for what contradicts itself; it says which model can.
    ClipError
        If a speaker's sample is no sound.
    """
    if timestamps not in (None, "word", "segment"):
        raise CellError(f"timestamps can't be {timestamps!r}.", "Say 'word' or 'segment', or leave it out.")
    diarize = diarize or bool(speakers)  # whoever names them wants to know which of them speaks
    if diarize and timestamps == "word":
        raise CellError("No model gives both the times of words and who speaks.", _ASK_TWICE)
    if translate and (diarize or timestamps == "word"):
        what = "who speaks" if diarize else "the times of words"
        raise CellError(f"A translation comes without {what}.", _ASK_TWICE)
    name, note = _model(backend, chosen, model, timestamps, diarize=diarize, translate=translate)
    able = transcription_model(name)
    languages = (language,) if isinstance(language, str) else tuple(language or ())
    _check(name, able, languages, prompt, keywords, diarize=diarize, translate=translate)
    estimate = timestamps == "segment" and not able.times_words and not diarize
    if timestamps == "word" and not able.times_words:
        raise CellError(
            f"{name} does not say when words sound.",
            f"{_other(backend.dialect.word_times_model)}timestamps='segment' estimates the times of sentences from the "
            "pauses; the offline engine times words: %config NbAudio.backend = 'offline'.",
        )
    fitting = _form(able, timestamps, diarize=diarize)
    form = response_format or fitting
    _check_form(form, fitting, timestamps if able.times_words else None, diarize=diarize)
    log_probabilities = confidence and form == "json" and able.log_probabilities and not translate
    if confidence and not log_probabilities and form != "verbose_json":
        raise CellError(f"{name} does not say how sure it is.", _SURE)
    granularities = {"word": ("word", "segment"), "segment": ("segment",)}.get(timestamps or "", ())
    return Wanted(
        TranscriptionOptions(
            name,
            form,
            languages=languages,
            prompt=prompt.strip(),
            keywords=tuple(keywords),
            temperature=temperature,
            granularities=granularities if form == "verbose_json" and not translate else (),
            log_probabilities=log_probabilities,
            chunking=chunking or ("auto" if diarize else None),
            speakers=_samples(speakers or {}),
            stream=stream and able.streams and form in ("json", "text", "diarized_json") and not translate,
        ),
        able,
        translate=translate,
        diarize=diarize,
        estimate=estimate,
        note=note,
    )


def _model(
    backend: Backend, chosen: NbAudio, model: str | None, timestamps: str | None, *, diarize: bool, translate: bool
) -> tuple[str, str]:
    """The model to ask, and what is to be said of the choice: where the person names none, one that can do it."""
    # The setting names a model of the server that the settings name, which the offline ears need not be.
    given = model or ("" if backend.offline else chosen.transcription_model)
    if given:
        return given, ""
    dialect = backend.dialect
    usual = dialect.transcription_model
    able = transcription_model(usual)
    instead, why = "", ""
    if translate and not able.translates:
        instead, why = dialect.translating_model, "does not translate"
    elif diarize and not able.tells_speakers_apart:
        instead, why = dialect.diarizing_model, "tells no speakers apart"
    elif timestamps == "word" and not able.times_words:
        instead, why = dialect.word_times_model, "does not say when words sound"
    return (instead, f"Written down by {instead}, for {usual} {why}.") if instead else (usual, "")


def _check(
    name: str,
    able: TranscriptionModel,
    languages: Sequence[str],
    prompt: str,
    keywords: Sequence[str],
    *,
    diarize: bool,
    translate: bool,
) -> None:
    if diarize and not able.tells_speakers_apart:
        raise CellError(
            f"{name} tells no speakers apart.", "OpenAI's gpt-4o-transcribe-diarize does: name it as model."
        )
    if translate and not able.translates:
        raise CellError(f"{name} does not translate.", "Name a model that does, as whisper-1.")
    if translate and languages:
        raise CellError("A translation finds out the language by itself.", "Leave out language.")
    if len(languages) > 1 and not able.many_languages:
        raise CellError(f"{name} takes one language.", "Name the one that is spoken most, or none.")
    if isinstance(keywords, str):
        raise CellError("keywords is a list of words.", f"Write keywords=[{keywords!r}].")
    if keywords and (translate or not able.keywords):
        raise CellError(f"{name} takes no keywords.", "Write them into prompt.")
    if prompt.strip() and not able.prompt:
        raise CellError(f"{name} takes no prompt.", "Leave it out.")


def _form(able: TranscriptionModel, timestamps: str | None, *, diarize: bool) -> str:
    if diarize:
        return "diarized_json"
    return "verbose_json" if timestamps and able.times_words else able.forms[0]


def _check_form(form: str, fitting: str, timestamps: str | None, *, diarize: bool) -> None:
    """Refuse a form that a person named, but that can't hold what else they asked for."""
    timed = {"word": (fitting,), "segment": (fitting, "srt", "vtt")}.get(timestamps or "", (form,))
    if diarize and form != fitting:
        raise CellError(f"An answer in the form {form} does not say who speaks.", "Leave out response_format.")
    if form not in timed:
        raise CellError(f"An answer in the form {form} has no times of {timestamps}s.", "Leave out response_format.")


def _other(model: str) -> str:
    return f"model={model!r} does. " if model else ""


def _samples(speakers: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    if len(speakers) > _MOST_SPEAKERS:
        raise CellError(f"{len(speakers)} speakers can't be known beforehand.", f"Name {_MOST_SPEAKERS} at most.")
    clips = ((name, sound if isinstance(sound, Clip) else Clip(sound)) for name, sound in speakers.items())
    return tuple((name, sample_of(clip, name)) for name, clip in clips)


def sample_of(clip: Clip, name: str) -> str:
    """A sample of a voice, as the data URL that goes into a form.

    Raises
    ------
    CellError
        If it is shorter or longer than a server takes.
    """
    shortest_s, longest_s = _SAMPLE_S
    if not shortest_s <= clip.duration_s <= longest_s:
        raise CellError(
            f"The sample of {name}'s voice is {clip.duration_s:.1f} s long.",
            f"Give {shortest_s:g} to {longest_s:g} s, such as clip[0:8].",
        )
    mono = clip.mono().resample(min(clip.sample_rate, 16_000))
    return f"data:{ENDINGS['mp3']};base64,{base64.b64encode(mono.encode('mp3', kbit_s=48)).decode('ascii')}"
