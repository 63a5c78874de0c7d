"""The magics in a real kernel, as nbclient runs it: what a cell shows, returns, names, and how it fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kernel_cells import Kernel, running_kernel
from openai_server import ToolCall

QUESTION = Path(__file__).parents[2] / "notebooks" / "question.wav"
KEY = "sk-proj-loopback-not-a-real-key-0123"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "question.wav").write_bytes(QUESTION.read_bytes())
    (folder / "notes.txt").write_text("no sound")
    with running_kernel(folder) as running:
        yield running


def shown(outputs: list[Any]) -> dict[str, str]:
    """The data of the only output."""
    assert [output.output_type for output in outputs] == ["execute_result"], outputs
    data: dict[str, str] = outputs[0].data
    return data


def test_a_speaking_cell_shows_a_player_and_its_words(kernel: Kernel) -> None:
    data = shown(kernel.run("%%speak --voice coral\nIs a golden retriever a good family dog?"))
    assert data["text/plain"] == "Yes, they are loyal and gentle.\n[spoken, 1.0 s]"
    assert re.search(r'<audio controls [^>]*src="data:audio/mpeg;base64,', data["text/html"])
    assert "Yes, they are loyal and gentle." in data["text/html"]
    body = kernel.server.requests[-1].body
    assert body["messages"][-1] == {"role": "user", "content": "Is a golden retriever a good family dog?"}
    assert body["audio"]["voice"] == "coral"


FIVE_WAYS = {
    "text to text and audio": ("%%speak", "Is it loyal?", ["text"], True),
    "audio to text and audio": ("%%listen --aloud question.wav", "", ["input_audio"], True),
    "audio to text": ("%%listen question.wav", "", ["input_audio"], False),
    "text and audio to text and audio": ("%%listen --aloud question.wav", "Hm?", ["text", "input_audio"], True),
    "text and audio to text": ("%%listen question.wav", "Hm?", ["text", "input_audio"], False),
}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("way", FIVE_WAYS)
def test_the_five_ways_in_and_out(kernel: Kernel, way: str, stream: bool) -> None:
    magic, text, kinds, aloud = FIVE_WAYS[way]
    data = shown(kernel.run(f"{magic} --once {'--stream' if stream else '--no-stream'}\n{text}"))
    assert data["text/plain"].startswith("Yes, they are loyal and gentle.")
    assert ("<audio" in data["text/html"]) is aloud
    body = kernel.server.requests[-1].body
    content = body["messages"][-1]["content"]
    assert (["text"] if isinstance(content, str) else [part["type"] for part in content]) == kinds
    assert ("audio" in body["modalities"]) is aloud
    assert bool(body.get("stream")) is stream


def test_results_are_objects_with_names(kernel: Kernel) -> None:
    kernel.run("%%speak -o first\nHello")
    assert kernel.prints("print(type(_).__name__, _ is first, type(first.clip).__name__)") == "Reply True Clip\n"
    assert kernel.run("second = %speak Is it good?") == []
    assert kernel.prints("print(second.text)") == "Yes, they are loyal and gentle.\n"
    assert kernel.server.requests[-1].body["messages"][-1]["content"] == "Is it good?"


def test_a_listening_cell_sends_the_recording(kernel: Kernel) -> None:
    data = shown(kernel.run("%%listen --once question.wav\nWhat is the mood? One sentence."))
    assert "<audio" not in data["text/html"]
    body = kernel.server.requests[-1].body
    assert body["modalities"] == ["text"]
    assert [part["type"] for part in body["messages"][-1]["content"]] == ["text", "input_audio"]
    assert len(body["messages"]) == 1


@pytest.mark.parametrize("cell", ["%%listen question.wav --aloud --once\n", "%listen --once --aloud question.wav"])
def test_a_listening_cell_needs_no_words(kernel: Kernel, cell: str) -> None:
    assert "<audio" in shown(kernel.run(cell))["text/html"]
    assert [part["type"] for part in kernel.server.requests[-1].body["messages"][-1]["content"]] == ["input_audio"]


def test_clips_and_replies_of_the_notebook_can_be_listened_to(kernel: Kernel) -> None:
    kernel.run("import nbaudio as nba\nclip = nba.Clip('question.wav')[:1.0]")
    shown(kernel.run("%listen --once clip"))
    shown(kernel.run("%%speak -o spoken --once\nHello"))
    shown(kernel.run("%%listen --once spoken\nWhat was said?"))
    assert kernel.fails("%listen --once nba").startswith("CellError: nba is a module, no recording.")


def test_cells_are_one_conversation_unless_told_otherwise(kernel: Kernel) -> None:
    def sent() -> int:
        return len(kernel.server.requests[-1].body["messages"])

    kernel.run("%%speak --new\nOne")
    kernel.run("%%speak\nTwo")
    assert sent() == 3
    assert "id" in kernel.server.requests[-1].body["messages"][1]["audio"]
    kernel.run("%%speak --once\nAside")
    assert sent() == 1
    kernel.run("%%speak --chat cats\nMeow")
    assert sent() == 1
    kernel.run("%%speak\nThree")
    assert sent() == 5
    assert kernel.prints("print(len(nba.chat()), len(nba.chat('cats')))") == "6 2\n"


def test_names_in_braces(kernel: Kernel) -> None:
    kernel.run("city = 'Paris'\nd = {'k': 3}")
    text = '{city} {d[k]} {city.upper} {nowhere} {"a": 1} {x for x in y} {{city}}'
    kernel.run(f"%%speak --once\n{text}")
    said = kernel.server.requests[-1].body["messages"][-1]["content"]
    assert said.startswith("Paris 3 <built-in method upper")
    assert said.endswith('{nowhere} {"a": 1} {x for x in y} {{city}}')
    kernel.run(f"%%speak --once --raw\n{text}")
    assert kernel.server.requests[-1].body["messages"][-1]["content"] == text


def test_options_reach_the_request(kernel: Kernel) -> None:
    kernel.run('%%speak --once --no-stream --audio-format mp3 --max-completion-tokens 99 --instructions "Be kind."\nHi')
    body = kernel.server.requests[-1].body
    assert "stream" not in body
    assert body["audio"]["format"] == "mp3"
    assert body["max_completion_tokens"] == 99
    assert body["messages"][0] == {"role": "system", "content": "Be kind."}
    kernel.run("%config NbAudio.voice = 'sage'")
    kernel.run("%%speak --once\nHi")
    assert kernel.server.requests[-1].body["audio"]["voice"] == "sage"


def test_help_teaches(kernel: Kernel) -> None:
    for magic in ("speak", "listen"):
        text = kernel.prints(f"%{magic} --help")
        assert f"%%{magic} sends" in text
        assert "--voice NAME" in text
        assert "--max-completion-tokens N" in text
    assert "requests go to" in kernel.prints("%nbaudio")


def test_the_status_names_the_key_but_does_not_show_it(kernel: Kernel) -> None:
    text = kernel.prints("%nbaudio")
    assert "key             from OPENAI_API_KEY" in text
    assert KEY not in text
    assert KEY[-4:] not in text


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("%%speak\n", "CellError: The cell is empty: there is nothing to say. Write a question below %%speak."),
        ("%%speak\n  \n\t", "CellError: The cell is empty: there is nothing to say. Write a question below %%speak."),
        ("%speak", "CellError: The cell is empty: there is nothing to say. Write a question after %speak."),
        ("%%speak --vioce ash\nHi", "CellError: There is no option --vioce. Did you mean --voice?"),
        ("%%speak --voice\nHi", "CellError: --voice needs a value. Write --voice NAME."),
        ("%%speak --audio-format ape\nHi", "CellError: --audio-format can't be 'ape'. Write --audio-format wav|"),
        ("%%speak -o 2x\nHi", "CellError: '2x' can't be the name of a variable. Write -o reply."),
        ("%%speak coral\nHi", "CellError: %%speak does not know what to do with 'coral'."),
        ("%%listen\nWhat?", "CellError: No front end answered within 3 s: a recorder needs a notebook that somebody"),
        ("%listen qestion.wav", "ClipNotFound: There is no file 'qestion.wav'. Did you mean 'question.wav'?"),
        ("%listen notes.txt", "ClipError: These 8 bytes are no sound file that can be read. WAV, MP3, FLAC"),
        ("%%speak --voice bob\nHi", "UnknownVoice: 127.0.0.1:"),
        ("%%speak --model gpt-9\nHi", "UnknownModel: 127.0.0.1:"),
    ],
)
def test_every_mistake_is_one_line_that_says_what_to_do(kernel: Kernel, cell: str, line: str) -> None:
    assert kernel.fails(cell).startswith(line)


def test_what_came_of_a_broken_answer_is_shown_above_the_error(kernel: Kernel) -> None:
    kernel.server.fail_next("cut_stream")
    outputs = kernel.run("%%speak --once -o kept\nHello")
    assert [output.output_type for output in outputs] == ["display_data", "error"]
    assert "<audio" in outputs[0].data["text/html"]
    assert "broke off" in outputs[0].data["text/plain"]
    assert outputs[1].ename == "ReplyCut"
    assert kernel.prints("print(kept.partial)") == "True\n"


@pytest.mark.parametrize("piece", ["TextDelta", "AudioDelta"])
def test_an_interrupt_while_a_piece_is_being_shown_is_heard(kernel: Kernel, piece: str) -> None:
    # The interrupt comes in `WordsAnswer.add`, between two waits for the network.
    kernel.run(f"""
from nbaudio.magics.live import WordsAnswer
add = WordsAnswer.add
def interrupted(self, event):
    add(self, event)
    if type(event).__name__ == {piece!r}:
        raise KeyboardInterrupt
WordsAnswer.add = interrupted
""")
    outputs = kernel.run("%%speak --once -o kept\nHello")
    kernel.run("WordsAnswer.add = add")
    assert [output.output_type for output in outputs] == ["display_data", "error"]
    assert "broke off" in outputs[0].data["text/plain"]
    assert outputs[1].traceback == [f"Interrupted: {outputs[1].evalue}"]
    assert outputs[1].evalue.startswith("Stopped; what had come of the answer is kept.")
    assert kernel.prints("print(kept.partial)") == "True\n"
    assert shown(kernel.run("%%speak --once\nHello"))


def test_the_key_is_in_no_output_and_no_repr(kernel: Kernel) -> None:
    kernel.server.fail_next("bad_key")
    outputs = str(kernel.run("%%speak --once\nHi"))
    outputs += str(kernel.run("nba.NbAudio.instance().resolve(), nba.NbAudio.instance(), nba.chat()"))
    outputs += str(kernel.run("%config NbAudio"))
    outputs += str(kernel.run("%nbaudio"))
    assert KEY not in outputs
    assert "sk-proj-" not in outputs


def test_the_key_is_in_no_saved_notebook(kernel: Kernel) -> None:
    kernel.server.fail_next("bad_key")
    kernel.run("%%speak --once\nHi")
    saved = kernel.saved()
    assert "AuthenticationFailed" in saved
    assert KEY not in saved
    assert "sk-proj-" not in saved


WEATHER = """
def get_weather(city: str) -> str:
    '''The weather now.'''
    print("looking at", city)
    return f"mild in {city}"
"""


def calls_weather(kernel: Kernel, answer: str = "It is mild.") -> None:
    kernel.server.script = [[ToolCall("get_weather", {"city": "Paris"})], answer]


def test_tools_are_named_on_the_line_and_shown_above_the_answer(kernel: Kernel) -> None:
    kernel.run(WEATHER)
    calls_weather(kernel)
    outputs = kernel.run("%%speak --once --tools get_weather\nWeather?")
    # What a tool prints goes when the answer takes the place of what was shown meanwhile.
    assert [output.output_type for output in outputs] == ["display_data", "execute_result"]
    tools, answer = outputs
    assert tools.data["text/plain"].splitlines() == [
        '[calls get_weather({"city":"Paris"})]',
        "[get_weather gave: mild in Paris]",
    ]
    assert "<code>mild in Paris</code>" in tools.data["text/html"]
    assert answer.data["text/plain"].startswith("It is mild.")
    sent = kernel.server.requests[-2].body["tools"]
    assert [tool["function"]["description"] for tool in sent] == ["The weather now."]


def test_tools_of_a_cell_that_calls_none_leave_no_trace(kernel: Kernel) -> None:
    kernel.run(WEATHER)
    shown(kernel.run("%%speak --once --tools get_weather\nHello"))


def test_a_tool_is_shown_while_it_runs(kernel: Kernel) -> None:
    kernel.run("""
shown_meanwhile = []
from nbaudio.magics.above import Above
result = Above.result
def spying(self, event):
    result(self, event)
    shown_meanwhile.append(self._bundle()["text/plain"])
Above.result = spying
""")
    kernel.run(WEATHER)
    calls_weather(kernel)
    kernel.run("%%speak --once --tools get_weather\nWeather?")
    kernel.run("Above.result = result")
    assert "get_weather gave: mild in Paris" in kernel.prints("print(shown_meanwhile)")


def test_tools_of_the_talk_of_a_line(kernel: Kernel) -> None:
    kernel.run(WEATHER + "\nclass Station:\n    def get_weather(self, city: str): return 'cold'\nstation = Station()")
    calls_weather(kernel, "Cold.")
    assert kernel.run("reply = %speak --chat weather --tools station.get_weather Weather?") == []
    kernel.run("import nbaudio as nba")
    assert kernel.prints("print(reply.text, nba.chat('weather')[2].text)") == "Cold. cold\n"


@pytest.mark.parametrize(
    ("tools", "line"),
    [
        ("get_wether", "CellError: There is no function 'get_wether' in the notebook. Did you mean get_weather?"),
        ("zzzz", "CellError: There is no function 'zzzz' in the notebook. Name functions of the notebook: --tools"),
        ("KEY_NUMBER", "CellError: KEY_NUMBER is a int, no function."),
        ("print", "CellError: There is no function 'print' in the notebook."),
    ],
)
def test_tools_that_are_not_there(kernel: Kernel, tools: str, line: str) -> None:
    kernel.run(WEATHER + "KEY_NUMBER = 3")
    before = len(kernel.server.requests)
    assert kernel.fails(f"%%speak --once --tools {tools}\nHi").startswith(line)
    assert len(kernel.server.requests) == before


def test_a_tool_that_fails_warns_and_the_answer_comes(kernel: Kernel) -> None:
    kernel.run("def get_weather(city: str):\n    raise ValueError('no line')")
    calls_weather(kernel, "I could not look.")
    outputs = kernel.run("reply = %speak --once --tools get_weather Weather?")
    (warned,) = outputs
    assert "NbaudioWarning: The tool get_weather failed, and the model is told: ValueError: no line" in warned.text
    assert kernel.prints("print(reply.text)") == "I could not look.\n"


def test_what_was_said_is_written_down_above_the_answer(kernel: Kernel) -> None:
    kernel.server.heard = "Is it <b>good</b>?"
    outputs = kernel.run("%%listen --chat heard --transcribe question.wav\n")
    said, answer = outputs
    assert said.output_type == "display_data"
    assert said.data["text/plain"] == "[You said: Is it <b>good</b>?]"
    assert "You said: Is it &lt;b&gt;good" in said.data["text/html"]
    assert answer.output_type == "execute_result"
    kernel.run("import nbaudio as nba")
    assert kernel.prints("print(nba.chat('heard')[0].transcript)") == "Is it <b>good</b>?\n"
    assert kernel.run("%listen --once --transcribe --aloud question.wav")[0].output_type == "execute_result"


def test_a_transcript_that_fails_loses_no_answer(kernel: Kernel) -> None:
    kernel.run("%config NbAudio.transcription_model = 'gpt-9'")
    outputs = kernel.run("%%listen --once --transcribe question.wav\n")
    kernel.run("%config NbAudio.transcription_model = ''")
    assert outputs[-1].output_type == "execute_result"
    assert outputs[-1].data["text/plain"].startswith("Yes, they are loyal and gentle.")
    assert [output.output_type for output in outputs] == ["display_data", "execute_result"]
    warning = outputs[0].data["text/plain"]
    assert warning.startswith("[Warning: What you said could not be written down: ")
    assert "NbAudio.transcription_model" in warning


def test_a_transcript_that_fails_without_a_place_to_say_so_is_a_warning(kernel: Kernel) -> None:
    kernel.run("%config NbAudio.transcription_model = 'gpt-9'")
    (warned,) = kernel.run("reply = %listen --once --transcribe question.wav")
    kernel.run("%config NbAudio.transcription_model = ''")
    assert "NbaudioWarning: What you said could not be written down: " in warned.text
    assert kernel.prints("print(reply.text)") == "Yes, they are loyal and gentle.\n"


def test_an_answer_that_fails_shows_its_own_error_alone(kernel: Kernel) -> None:
    kernel.server.fail_next("quota")
    before = len(kernel.server.requests)
    assert kernel.fails("%%listen --once --transcribe question.wav\n").startswith("QuotaExceeded")
    assert len(kernel.server.requests) == before + 1
