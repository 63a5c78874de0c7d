"""The options of a magic: read from the line's beginning, and the text behind them left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbaudio.errors import CellError
from nbaudio.magics.options import Option, Parsed, parse, setting_options, take_word, usage_text

KNOWN = [
    *setting_options(),
    Option("output", "Name the reply.", takes="NAME", letter="o"),
    Option("raw", "Leave braces."),
]


@pytest.mark.parametrize(
    ("line", "values", "rest"),
    [
        ("", {}, ""),
        ("Is it good?", {}, "Is it good?"),
        ("--voice coral Is it good?", {"voice": "coral"}, "Is it good?"),
        ("--voice=coral Is it good?", {"voice": "coral"}, "Is it good?"),
        ('--instructions "Be brief." Why?', {"instructions": "Be brief."}, "Why?"),
        ("--instructions 'Say \"hi\"' Why?", {"instructions": 'Say "hi"'}, "Why?"),
        ('--instructions "" Why?', {"instructions": ""}, "Why?"),
        ('--instructions="Be brief." Why?', {"instructions": "Be brief."}, "Why?"),
        ("--instructions=\"~ and 'quotes'\" x", {"instructions": "~ and 'quotes'"}, "x"),
        ("-o reply --raw What's that?", {"output": "reply", "raw": True}, "What's that?"),
        ("--stream x", {"stream": True}, "x"),
        ("--no-stream x", {"stream": False}, "x"),
        ("--no-stream --stream x", {"stream": True}, "x"),
        ("--max-completion-tokens 99 x", {"max_completion_tokens": 99}, "x"),
        ("--temperature 0.5 x", {"temperature": 0.5}, "x"),
        ("--temperature -1 x", {"temperature": -1.0}, "x"),
        ("--audio-format mp3 x", {"audio_format": "mp3"}, "x"),
        ("  --raw   x  ", {"raw": True}, "x"),
        ("-- --voice is an option", {}, "--voice is an option"),
        ("--raw -- -o", {"raw": True}, "-o"),
        ("--", {}, ""),
        ("-5 degrees", {}, "-5 degrees"),
        ("- a list", {}, "- a list"),
        ("x --voice coral", {}, "x --voice coral"),
        ("--raw {a} 'b \"c", {"raw": True}, "{a} 'b \"c"),
    ],
)
def test_a_line(line: str, values: dict[str, object], rest: str) -> None:
    parsed = parse(line, KNOWN)

    assert parsed.values == values
    assert parsed.rest == rest


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--voise coral x", "There is no option --voise. Did you mean --voice?"),
        (
            "--max_completion_tokens 5 x",
            "There is no option --max_completion_tokens. Did you mean --max-completion-tokens?",
        ),
        ("-x", "There is no option -x. Did you mean -o?"),
        ("--voice", "--voice needs a value. Write --voice NAME."),
        ("--voice --raw x", "--voice needs a value. Write --voice NAME."),
        ("--voice= --raw x", "--voice needs a value. Write --voice NAME."),
        ("--raw=yes x", "--raw takes no value. Write --raw alone."),
        ("--no-stream=1 x", "--no-stream takes no value. Write --no-stream alone."),
        ("--max-completion-tokens many x", "--max-completion-tokens can't be 'many'. Write --max-completion-tokens N."),
        ("--max-completion-tokens 0 x", "--max-completion-tokens can't be '0'. Write --max-completion-tokens N."),
        ("--temperature warm x", "--temperature can't be 'warm'. Write --temperature X."),
        ("--audio-format aac x", "--audio-format can't be 'aac'. Write --audio-format wav|mp3|flac|opus|pcm16."),
        ('--instructions "Be brief x', 'The quotes after --instructions don\'t close. Write --instructions "...".'),
        ("--voice 'coral x", "The quotes after --voice don't close. Write --voice '...'."),
    ],
)
def test_a_line_that_cannot_be_says_why_and_what_to_write(line: str, said: str) -> None:
    with pytest.raises(CellError) as caught:
        parse(line, KNOWN)

    assert str(caught.value) == said


def test_far_from_any_option_the_known_ones_are_listed() -> None:
    with pytest.raises(CellError, match=r"Known ones: --voice, --model, .*, --raw\. A text may begin after --\."):
        parse("--zzzzzz x", KNOWN)


@given(st.text().filter(lambda text: not text.strip().startswith("-")))
def test_any_text_that_begins_with_no_dash_stays_as_it_is_typed(text: str) -> None:
    assert parse(text, KNOWN) == Parsed({}, text.strip())
    assert parse("--raw " + text, KNOWN) == Parsed({"raw": True}, text.strip())


@given(st.text())
def test_any_text_can_follow_two_dashes(text: str) -> None:
    assert parse("-- " + text, KNOWN) == Parsed({}, text.strip())


@given(st.text(alphabet="-=\"' abo", max_size=30))
def test_no_line_raises_anything_but_a_cell_error(line: str) -> None:
    try:
        parse(line, KNOWN)
    except CellError as error:
        message = str(error)
    else:
        return
    assert message.count("\n") == 0


def test_options_may_follow_something_else() -> None:
    parsed = parse("--raw question.wav --voice ash why?", KNOWN)
    word, rest = take_word(parsed.rest)

    assert word == "question.wav"
    assert parse(rest, KNOWN, parsed) is parsed
    assert parsed == Parsed({"raw": True, "voice": "ash"}, "why?")


@pytest.mark.parametrize(
    ("text", "word", "rest"),
    [
        ("a b c", "a", "b c"),
        ("'my file.wav' b", "my file.wav", "b"),
        ('"it\'s.wav"', "it's.wav", ""),
        ("it's good", "it's", "good"),
        ("'tis good", "'tis", "good"),
        ("'a'b c", "'a'b", "c"),
        ("", "", ""),
    ],
)
def test_the_first_word(text: str, word: str, rest: str) -> None:
    assert take_word(text) == (word, rest)


def test_every_setting_that_shapes_a_request_is_an_option_with_its_help() -> None:
    options = {option.name: option for option in setting_options()}

    assert set(options) == {
        "voice", "model", "instructions", "play", "stream", "no_stream", "audio_format", "max_completion_tokens",
        "temperature", "cache", "no_cache",
    }  # fmt: skip
    assert all(option.help for option in options.values())
    assert options["max_completion_tokens"].flag == "--max-completion-tokens"


def test_help_lists_every_option_once() -> None:
    text = usage_text("%%speak", "Ask the model.", KNOWN)

    assert text.startswith("Ask the model.\n\nOptions of %%speak:\n")
    assert text.count("  -o, --output NAME ") == 1
    for option, line in zip(KNOWN, text.splitlines()[3:], strict=True):
        assert f"{option.flag} {option.takes}".strip() in line
        assert line.endswith(option.help)
