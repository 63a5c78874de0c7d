"""``%transcribe`` and ``%%transcribe`` in a real kernel: what is asked, shown, named, and refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from kernel_cells import Kernel, running_kernel
from openai_server.transcriptions import Said

QUESTION = Path(__file__).parents[2] / "notebooks" / "question.wav"
WORDS = [Said("Good", 0.1, 0.4), Said("day.", 0.45, 0.8), Said("Hello!", 1.8, 2.0, "B")]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "my talk.wav").write_bytes(QUESTION.read_bytes())
    times_s = np.arange(16_000 * 40) / 16_000
    beeps = np.sin(times_s * 2_000) * 0.3 * (times_s % 4 < 3)  # a sound of 3 s, a pause of 1 s
    soundfile.write(folder / "long.flac", beeps, 16_000)
    with running_kernel(folder) as running:
        running.server.heard = WORDS
        yield running


def form(kernel: Kernel) -> dict[str, Any]:
    """What was asked last, but for the file."""
    return {name: value for name, value in kernel.server.requests[-1].form.items() if name != "file"}


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ("", {"model": "gpt-transcribe", "response_format": "json"}),
        ("--language en", {"language": "en"}),
        ("--language en,de", {"languages[]": ["en", "de"]}),
        ("--prompt 'Dr. Siobhan'", {"prompt": "Dr. Siobhan"}),
        ("--keywords dog,puppy", {"keywords[]": ["dog", "puppy"]}),
        ("--temperature 0.2", {"temperature": "0.2"}),
        (
            "--timestamps word",
            {"model": "whisper-1", "response_format": "verbose_json", "timestamp_granularities[]": ["word", "segment"]},
        ),
        ("--model whisper-1 --timestamps segment", {"timestamp_granularities[]": ["segment"]}),
        ("--model whisper-1 --response-format vtt", {"response_format": "vtt"}),
        ("--diarize", {"response_format": "diarized_json", "chunking_strategy": "auto"}),
        ("--speakers Ada=ada", {"response_format": "diarized_json", "known_speaker_names[]": ["Ada"]}),
        ("--confidence --model gpt-4o-transcribe", {"include[]": ["logprobs"]}),
        ("--chunking auto", {"chunking_strategy": "auto"}),
        (
            "--chunking server_vad,threshold=0.4,silence_duration_ms=300",
            {
                "chunking_strategy[type]": "server_vad",
                "chunking_strategy[threshold]": "0.4",
                "chunking_strategy[silence_duration_ms]": "300",
            },
        ),
        ("--stream", {"stream": "true"}),
    ],
)
def test_every_field_can_be_asked_for(kernel: Kernel, options: str, asked: dict[str, Any]) -> None:
    kernel.run("ada = nba.Clip('my talk.wav')[:2.1]")
    (output,) = kernel.run(f"%transcribe 'my talk.wav' {options}")
    assert output.data["text/plain"].startswith(("Good day. Hello!", "A: Good day."))
    assert form(kernel).items() >= asked.items()
    assert kernel.server.requests[-1].form["file"][:2] == ("speech.wav", "audio/wav")


def test_what_stands_below_is_the_prompt_and_the_transcript_has_a_name(kernel: Kernel) -> None:
    kernel.run("name = 'Kathryn'")
    kernel.run("%%transcribe 'my talk.wav' -o notes --timestamps word\nA talk with {name}.")
    assert form(kernel)["prompt"] == "A talk with Kathryn."
    told = kernel.prints("print(type(notes).__name__, notes.words[0].start_s, notes is _, '<v' in notes.vtt)")
    assert told == "Transcript 0.1 True False\n"
    assert kernel.run("other = %transcribe 'my talk.wav'") == []
    assert kernel.prints("print(other)") == "Good day. Hello!\n"


def test_the_saved_output_plays_and_has_the_words_with_their_speakers(kernel: Kernel) -> None:
    (output,) = kernel.run("%%transcribe 'my talk.wav' --diarize\n")
    page = output.data["text/html"]
    assert "<audio controls" in page
    assert page.index("A") < page.index("Good day.") < page.index("Hello!")
    assert "tells no speakers apart" in page  # another model than the usual one was asked
    assert output.data["text/markdown"].count("Good day.") == 1


def test_a_translation_goes_elsewhere(kernel: Kernel) -> None:
    kernel.run("%transcribe 'my talk.wav' --translate")
    assert kernel.server.requests[-1].path == "/v1/audio/translations"


def test_a_long_recording_goes_in_pieces_with_a_bar(kernel: Kernel) -> None:
    kernel.run(
        "from dataclasses import replace\nfrom nbaudio.settings import settings\n"
        "from nbaudio.magics import transcribing\nusual = transcribing.transcribe\n"
        "here = settings().resolve()\nhere = replace(here, dialect=replace(here.dialect, transcription_max_s=15))\n"
        "transcribing.transcribe = lambda *a, **b: usual(*a, **{**b, 'backend': here})"
    )
    before = len(kernel.server.requests)
    outputs = kernel.run("%transcribe long.flac --timestamps word -o long")
    kernel.run("transcribing.transcribe = usual")
    assert len(kernel.server.requests) - before == 4
    bar = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "Writing down, 4 of 4 pieces: 100%" in bar
    times_s = kernel.prints("print([word.start_s for word in long.words if word.text == 'Good'], long.duration_s)")
    assert times_s == "[0.1, 11.6, 23.6, 31.6] 40.0\n"  # each piece begins in the middle of a pause


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "CellError: There is no recording named. Write %transcribe question.wav"),
        ("gone.wav", "ClipNotFound: There is no file 'gone.wav'"),
        ("'my talk.wav' --diarise", "CellError: There is no option --diarise. Did you mean --diarize?"),
        ("'my talk.wav' --timestamps letter", "CellError: --timestamps can't be 'letter'."),
        (
            "'my talk.wav' --timestamps word --response-format json",
            "CellError: An answer in the form json has no times",
        ),
        ("'my talk.wav' --diarize --response-format text", "CellError: An answer in the form text does not say who"),
        ("'my talk.wav' --chunking server_vad,often", "CellError: --chunking can't be 'server_vad,often'."),
        ("'my talk.wav' --chunking server_vad,threshold=x", "CellError: --chunking can't be 'server_vad,threshold=x'."),
        ("'my talk.wav' --confidence", "CellError: gpt-transcribe does not say how sure it is. OpenAI's gpt-4o-"),
        ("'my talk.wav' --model whisper-9", "UnknownModel: 127.0.0.1:"),
    ],
)
def test_every_mistake_is_one_line_that_says_what_to_do(kernel: Kernel, line: str, said: str) -> None:
    assert kernel.fails(f"%transcribe {line}").startswith(said)


def test_what_came_of_a_broken_transcript_is_shown_above_the_error(kernel: Kernel) -> None:
    kernel.server.fail_next("cut_stream")
    outputs = kernel.run("%transcribe 'my talk.wav' -o kept")
    assert outputs[-1].ename == "ReplyCut"
    assert "broke off" in outputs[-2].data["text/plain"]
    assert kernel.prints("print(kept.partial, 'Good day. Hello!'.startswith(kept.text))") == "True True\n"
