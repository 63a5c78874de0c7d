"""Errors are one readable line, they stop a run, and no key survives in any of them."""

from __future__ import annotations

import inspect
import pickle
import string
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nbaudio import errors
from nbaudio.errors import NbaudioError, ServerRefused, mask, register_secret

KINDS = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, NbaudioError)
]  # fmt: skip
WORDS = string.ascii_letters + string.digits
KEYS = st.one_of(
    st.text(WORDS + "-_", min_size=20, max_size=180).map(lambda end: f"sk-proj-{end}"),
    st.text("0123456789abcdef", min_size=32, max_size=32),  # Azure
    st.uuids().map(str),
    st.text(WORDS + "+/", min_size=40, max_size=60).map(lambda text: text + "=="),
    st.lists(st.text(WORDS + "-_", min_size=20, max_size=80), min_size=3, max_size=3).map(".".join),  # a web token
    st.text(string.ascii_lowercase, min_size=16, max_size=40),
    st.text("!#$%&()*+,-./:;<=>?@[]^_{|}~" + WORDS, min_size=16, max_size=60),
)
ECHOES = {
    "whole": lambda key: key,
    "in quotes": lambda key: f"'{key}'",
    "in a header": lambda key: f"Authorization: Bearer {key}",
    "in an address": lambda key: f"https://host/v1?api-key={key}&x=1",
    "its beginning": lambda key: key[:10],
    "its end": lambda key: key[-8:],
    "its middle": lambda key: key[5:14],
    "beginning and end": lambda key: f"{key[:8]}...{key[-4:]}",
    "cut": lambda key: key[: len(key) // 2],
    "twice": lambda key: key + key,
}


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "_secrets", set())
    monkeypatch.setattr(errors, "_pieces", set())


def made(kind: type[NbaudioError], cause: str, next_step: str = "") -> NbaudioError:
    if issubclass(kind, ServerRefused):
        return kind(cause, next_step, status=400, code=cause, param=cause, request_id=cause)
    return kind(cause, next_step)


def everything_shown(error: NbaudioError) -> str:
    return "\n".join(
        [str(error), repr(error), repr(error.args), repr(vars(error)), *error._render_traceback_()]
        + [repr(getattr(error, name, None)) for name in ("errno", "strerror", "filename", "filename2")]
    )


def gives_away(text: str, key: str) -> str:
    """The longest piece of the key in a text, where that is 6 characters or more."""
    for size in range(len(key), 5, -1):
        for at in range(len(key) - size + 1):
            if key[at : at + size] in text:
                return key[at : at + size]
    return ""


@given(key=KEYS, echo=st.sampled_from(sorted(ECHOES)), kind=st.sampled_from(KINDS))
def test_no_key_survives_in_any_error(key: str, echo: str, kind: type[NbaudioError]) -> None:
    assume(not gives_away(everything_shown(made(kind, "")), key))  # "Failed" is in a key and in a class's name
    register_secret(key)

    error = made(kind, f"The server said: wrong {ECHOES[echo](key)} here.", f"Check {ECHOES[echo](key)}")

    assert gives_away(everything_shown(error), key) == ""
    assert gives_away(everything_shown(pickle.loads(pickle.dumps(error))), key) == ""
    assert "[key]" in str(error)


@given(
    key=st.text(WORDS, min_size=20, max_size=60),
    shown=st.integers(2, 5),
    between=st.sampled_from(["...", "..", "…", "***", "*" * 20, "••••"]),
    around=st.sampled_from(["{}", "'{}'", "({}).", "key={}", "`{}`,"]),
)
def test_a_key_with_its_middle_left_out_is_masked(key: str, shown: int, between: str, around: str) -> None:
    register_secret(key)
    echo = key[:shown] + between + key[-shown:]

    assert echo not in mask("Wrong: " + around.format(echo))
    assert "[key]" in mask("Wrong: " + around.format(echo))


@given(st.text(WORDS + "-_*", min_size=8, max_size=120), st.sampled_from(["sk-", "ek-", "pk-", "rk-"]))
def test_a_key_that_nobody_registered_is_known_by_its_shape(end: str, prefix: str) -> None:
    assert end not in mask(f"Incorrect API key provided: {prefix}{end}. You can find it")


@pytest.mark.parametrize(
    ("said", "masked"),
    [
        ("Incorrect API key provided: sk-proj-****0000.", "Incorrect API key provided: [key]."),
        ("Wrong key abcd****wxyz", "Wrong key [key]"),
        ("Wrong key ****wxyz", "Wrong key [key]"),
        ("sent Authorization: Bearer eyJhbGciOi.abc", "sent Authorization: Bearer [key]"),
        ("sent authorization: bearer eyJhbGciOi.abc", "sent authorization: bearer [key]"),
        ("proxy http://me:secret@proxy:3128 refused", "proxy http://[key]@proxy:3128 refused"),
    ],
)
def test_shapes_of_keys(said: str, masked: str) -> None:
    assert mask(said) == masked


@pytest.mark.parametrize(
    "plain",
    [
        "The cell is empty. Write the question below the magic.",
        "risk-based, task-force, desk-top",
        "Use a Bearer token.",
        "Wait ... and then...go on",
        "2 ** 3 and a**b and *emphasis*",
        "audio_6a0f00000000819000000000000000a1 not found",
        "'def...zzy' is no voice",
    ],
)
def test_plain_words_stay(plain: str) -> None:
    register_secret("q7Zk02LmPw93Xr51TbNd")

    assert mask(plain) == plain


def test_a_longer_key_that_begins_like_another_is_masked_whole() -> None:
    register_secret("abcdef123456")
    register_secret("abcdef123456-and-more-7890")

    assert mask("wrong: abcdef123456-and-more-7890!") == "wrong: [key]!"


def test_what_is_too_short_for_a_key_is_not_registered() -> None:
    register_secret("")
    register_secret("EMPTY")

    assert mask("EMPTY cells say nothing") == "EMPTY cells say nothing"


@pytest.mark.parametrize("text", ["*", "a", "a...", "://", "a*", "sk-", "Bearer ", "a•", "@:/"])
def test_masking_a_long_text_takes_no_time(text: str) -> None:
    register_secret("q7Zk02LmPw93Xr51TbNd")
    begun = time.perf_counter()

    mask(text * (20_000 // len(text)))

    assert time.perf_counter() - begun < 5  # quadratic took 30 s


@pytest.mark.parametrize("text", ["a", "a-", "a…", "a..b"])
def test_masking_takes_no_longer_for_long_words(text: str) -> None:
    register_secret("q7Zk02LmPw93Xr51TbNd")
    begun = time.process_time()

    mask(text * (1_000_000 // len(text)) + "…")

    assert time.process_time() - begun < 4  # 256 tries for each letter took 9 s


# -- what an error is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_its_cause_and_its_next_step_in_one_line(kind: type[NbaudioError]) -> None:
    error = made(kind, "It is broken.", "Mend it.")

    assert str(error) == "It is broken. Mend it."
    assert (error.cause, error.next_step) == ("It is broken.", "Mend it.")
    assert error.args == ("It is broken. Mend it.",)
    assert error._render_traceback_() == [f"{kind.__name__}: It is broken. Mend it."]
    assert str(made(kind, "It is broken.")) == "It is broken."


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_comes_back_from_a_worker_process_whole(kind: type[NbaudioError]) -> None:
    error = made(kind, "It is broken.", "Mend it.")
    if kind.__name__ in ("ReplyCut", "Interrupted"):
        error.partial = "what came"  # type: ignore[attr-defined]

    back = pickle.loads(pickle.dumps(error))

    assert type(back) is kind
    assert vars(back) == vars(error)
    assert str(back) == str(error)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_public_documented_and_drawn_in_the_tree(kind: type[NbaudioError]) -> None:
    assert kind.__name__ in errors.__all__
    assert kind.__doc__
    assert errors.__doc__ is not None
    assert kind.__name__ in errors.__doc__


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        (errors.ClipError, ValueError),
        (errors.ClipNotFound, FileNotFoundError),
        (errors.Interrupted, KeyboardInterrupt),
        (errors.AudioIdNotFound, errors.BadRequest),
        (errors.UnknownVoice, errors.BadRequest),
        (errors.ServerRefused, errors.RequestError),
        (errors.NoBackend, errors.SetupError),
    ],
)
def test_an_error_can_be_caught_as_what_it_is(kind: type[BaseException], base: type[BaseException]) -> None:
    assert issubclass(kind, base)


def test_what_the_server_said_is_kept_for_a_report() -> None:
    error = errors.BadRequest("No.", status=400, code="invalid_value", param="audio.voice", request_id="req_1")

    assert (error.status, error.code, error.param, error.request_id) == (400, "invalid_value", "audio.voice", "req_1")
    assert errors.BadRequest("No.", status=400).code is None
    assert errors.ReplyCut("Cut.").partial is None
