"""``%say`` and ``%%say`` in a real kernel, as nbclient runs it: what is shown, returned, named, and how it fails."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from kernel_cells import Kernel, running_kernel

HELLO = "Hello from a notebook."


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with running_kernel(tmp_path_factory.mktemp("notebook")) as running:
        yield running


@pytest.mark.parametrize("cell", [f"%%say --voice coral\n{HELLO}\n", f"%say --voice coral {HELLO}"])
@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_a_text_is_shown_with_its_player(kernel: Kernel, cell: str, stream: str) -> None:
    data = kernel.shown(cell.replace("coral", f"coral {stream}"))
    assert data["text/plain"] == f"{HELLO}\n[spoken, 1.2 s]"
    assert re.search(r'<audio controls [^>]*title="Speech, 1.2 s" src="data:audio/mpeg;base64,', data["text/html"])
    assert HELLO in data["text/html"]
    assert data["text/markdown"].startswith(HELLO)
    request = kernel.server.requests[-1]
    assert request.path == "/v1/audio/speech"
    assert request.body["voice"] == "coral"
    assert request.body["response_format"] == ("pcm" if stream == "--stream" else "wav")


def test_the_speech_is_an_object_with_a_name(kernel: Kernel) -> None:
    kernel.run(f"%%say -o said --speed 2 --instructions 'Be calm.'\n{HELLO}")
    assert kernel.prints("print(type(_).__name__, _ is said, said.said, isinstance(said, nba.Clip))") == (
        f"Speech True {HELLO} True\n"
    )
    body = kernel.server.requests[-1].body
    assert (body["speed"], body["instructions"]) == (2.0, "Be calm.")
    assert kernel.run("other = %say Is it good?") == []
    assert kernel.prints("print(other.text)") == "Is it good?\n"
    assert kernel.shown("x = 1\n%say And now?")["text/plain"].startswith("And now?")


def test_a_question_that_stands_alone_is_spoken_and_no_call_for_help(kernel: Kernel) -> None:
    assert kernel.shown("# a comment\n%say Is it good?\n\n")["text/plain"].startswith("Is it good?")
    assert kernel.server.requests[-1].body["input"] == "Is it good?"


def test_markdown_becomes_words_unless_told_otherwise(kernel: Kernel) -> None:
    text = "**Bold**, `code` and {name}"
    kernel.run("name = 'Graz'")
    kernel.run(f"%%say\n{text}")
    assert kernel.server.requests[-1].body["input"] == "Bold, code and Graz"
    kernel.run(f"%%say --as-is\n{text}")
    assert kernel.server.requests[-1].body["input"] == "**Bold**, `code` and Graz"
    kernel.run(f"%%say --raw\n{text}")
    assert kernel.server.requests[-1].body["input"] == "Bold, code and {name}"


def test_a_speech_is_sent_like_any_recording(kernel: Kernel) -> None:
    kernel.run(f"%say -o said {HELLO}")
    kernel.run("%%listen --once said\nWhat was said?")
    content = kernel.server.requests[-1].body["messages"][-1]["content"]
    assert [part["type"] for part in content] == ["text", "input_audio"]


def test_a_long_text_is_one_speech(kernel: Kernel) -> None:
    kernel.run("text = 'This is a sentence of a long text. ' * 300")
    data = kernel.shown("%%say --model tts-1\n{text}")
    assert "[spoken, 3.6 s]" in data["text/plain"]
    assert "$0.15" in data["text/html"]


def test_help_teaches(kernel: Kernel) -> None:
    text = kernel.prints("%say --help")
    assert "%%say has the cell's text spoken" in text
    for option in ("--voice NAME", "--model NAME", "--instructions TEXT", "--speed X", "--as-is", "--format NAME"):
        assert option in text
    for option in ("--stream", "--no-stream", "--play queue|auto|click", "-o, --output NAME", "--raw", "--help"):
        assert option in text


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("%%say\n", "CellError: The cell is empty: there is nothing to say. Write a text below %%say."),
        ("%say", "CellError: The cell is empty: there is nothing to say. Write a text after %say."),
        ("%%say coral\nHi", "CellError: %%say does not know what to do with 'coral'."),
        ("%%say --vioce ash\nHi", "CellError: There is no option --vioce. Did you mean --voice?"),
        ("%%say --speed fast\nHi", "CellError: --speed can't be 'fast'. Write --speed X."),
        ("%%say --speed 9\nHi", "CellError: --speed can't be '9'. Write --speed X."),
        ("%%say --format ape\nHi", "CellError: There is no format 'ape'. Choose one of pcm, wav, mp3, opus, flac."),
        ("%%say\n---", "CellError: There are no words in this text: there is nothing to say."),
        ("%%say --voice bob\nHi", "UnknownVoice: 127.0.0.1:"),
        ("%%say --model tts-9\nHi", "UnknownModel: 127.0.0.1:"),
    ],
)
def test_every_mistake_is_one_line_that_says_what_to_do(kernel: Kernel, cell: str, line: str) -> None:
    assert kernel.fails(cell).startswith(line)


def test_what_came_of_a_broken_speech_is_shown_above_the_error(kernel: Kernel) -> None:
    kernel.server.fail_next("cut_stream")
    shown, error = kernel.run(f"%%say -o kept\n{HELLO}")
    assert shown.output_type == "display_data"
    assert "<audio" in shown.data["text/html"]
    assert "broke off" in shown.data["text/plain"]
    assert error.ename == "ReplyCut"
    assert kernel.prints("print(kept.partial, kept.duration_s > 0)") == "True True\n"


@pytest.mark.parametrize("piece", ["TextDelta", "AudioDelta"])
def test_an_interrupt_keeps_what_came(kernel: Kernel, piece: str) -> None:
    kernel.run(f"""
from nbaudio.magics.live import WordsAnswer
add = WordsAnswer.add
count = 0
def interrupted(self, event):
    global count
    add(self, event)
    count += 1
    if type(event).__name__ == {piece!r} and count > 4 - 4 * ({piece!r} == 'TextDelta'):
        raise KeyboardInterrupt
WordsAnswer.add = interrupted
""")
    outputs = kernel.run(f"%%say -o kept\n{HELLO}")
    kernel.run("WordsAnswer.add = add")
    error = outputs[-1]
    assert error.traceback == [f"Interrupted: {error.evalue}"]
    assert error.evalue.startswith("Stopped; what had been spoken is kept.")
    assert "<audio" in outputs[0].data["text/html"]
    assert kernel.prints("print(type(kept).__name__)") == "Speech\n"


@pytest.mark.parametrize("magic", ["%%say", "%%speak --once"])
def test_an_interrupt_when_all_has_come_leaves_it_its_name(kernel: Kernel, magic: str) -> None:
    kernel.run("""
from nbaudio.magics.live import WordsAnswer
finish = WordsAnswer.finish
def interrupted(self, reply, **how):
    raise KeyboardInterrupt
WordsAnswer.finish = interrupted
""")
    outputs = kernel.run(f"{magic} -o whole\n{HELLO}")
    kernel.run("WordsAnswer.finish = finish")
    assert outputs[-1].ename == "KeyboardInterrupt"
    assert kernel.prints("print(whole.partial, nba.Clip(whole.clip).duration_s > 0)") == "False True\n"


def test_the_key_is_in_no_output(kernel: Kernel) -> None:
    kernel.server.fail_next("bad_key")
    outputs = str(kernel.run(f"%%say\n{HELLO}")) + str(kernel.run(f"%%say -o said\n{HELLO}"))
    outputs += str(kernel.run("said, vars(said)"))
    assert kernel.server.api_key not in outputs


def test_spoken_texts_are_in_no_conversation_and_in_no_journal(kernel: Kernel) -> None:
    kernel.run("%%say\nThe unmistakable zebra.")
    assert kernel.prints("print([turn.text for chat in nba.chats().values() for turn in chat])").count("zebra") == 0
    (output,) = kernel.run("%nbaudio history zebra")
    assert output.data["text/plain"] == "Nothing found."
    (output,) = kernel.run("%nbaudio usage")
    assert "(spoken texts)" in output.data["text/plain"]
