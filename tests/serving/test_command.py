"""``python -m nbaudio serve`` as a process: what it says and refuses, and how it ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from nbaudio.__main__ import main
from nbaudio.serving.keys import personal_token

from .brain_server import BrainServer
from .running import TOKEN, Command

pytestmark = pytest.mark.offline


def test_its_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--help"])

    help = capsys.readouterr().out
    assert ended.value.code == 0
    for words in (
        "OPENAI_BASE_URL=http://127.0.0.1:8000/v1",
        "NBAUDIO_SERVE_TOKEN",
        "--token-for alice",
        "/healthz",
        "/metrics",
        "docs/serving.md",
    ):
        assert words in help
    for option in ("host", "port", "token", "workers", "queue", "timeout", "max-request-mb", "max-audio-s", "brain"):
        assert f"--{option} " in help


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--host", "0.0.0.0"], "0.0.0.0 can be reached from other machines, and there is no token"),
        (["--host", "class.example"], "class.example can be reached from other machines"),
        (["--host", "0.0.0.0", "--token", "short"], "The token has 5 characters, and needs 16."),
        (["--token-for", "alice"], "There is no token to make one from. Set NBAUDIO_SERVE_TOKEN"),
        (["--token", TOKEN, "--token-for", "a b"], "'a b' can't be a name."),
        (["--host", "192.0.2.1", "--token", TOKEN], "192.0.2.1:8000 can't be listened on"),
        (["--port", "70000"], "There is no port 70000. Choose one up to 65535"),
        (["--port", "0", "--brain", "/no/such.gguf"], "The brain '/no/such.gguf' is not there."),
    ],
)
def test_what_it_refuses_it_gives_a_reason_for(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *options]) == 1

    said = capsys.readouterr()
    assert says in said.err
    assert TOKEN not in said.err + said.out


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [("--workers", "0", "0 is less than 1"), ("--port", "-1", "-1 is less than 0"), ("--queue", "x", "invalid number")],
)
def test_numbers_that_can_not_be(option: str, value: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", f"{option}={value}"])
    assert says in capsys.readouterr().err


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert main(["serve", "--port", str(other.getsockname()[1])]) == 1
    assert re.search(
        r"SetupError: 127\.0\.0\.1:\d+ can't be listened on: Address already in use\. Choose another with --port",
        capsys.readouterr().err,
    )


def test_a_token_for_one_person(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBAUDIO_SERVE_TOKEN", TOKEN)
    assert main(["serve", "--token-for", "alice"]) == 0
    assert capsys.readouterr().out == f"{personal_token(TOKEN, 'alice')}\n"


def test_without_its_packages_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None; sys.modules['prometheus_client'] = None\n"
        "import importlib.util as util; found = util.find_spec\n"
        "util.find_spec = lambda name: None if name in ('uvicorn', 'prometheus_client') else found(name)\n"
        "from nbaudio.__main__ import main; sys.exit(main(['serve']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 1
    assert done.stderr == (
        "SetupError: To serve, uvicorn, prometheus_client are missing. Install it: pip install 'nbaudio[serve]'\n"
    )


def ask(base_url: str, question: str, key: str = TOKEN, **options: Any) -> str:
    with openai.OpenAI(base_url=f"{base_url}/v1", api_key=key, max_retries=0) as client:
        answer = client.chat.completions.create(
            model="offline",
            messages=[{"role": "user", "content": question}],
            modalities=["text", "audio"],
            audio={"voice": "alloy", "format": "wav"},
            **options,
        )
    return str(answer.choices[0].message.audio.transcript)


def test_it_says_where_it_is_and_how_to_reach_it_and_ends_at_a_signal() -> None:
    with Command("--workers", "2", NBAUDIO_SERVE_TOKEN=TOKEN) as command:
        said = "".join(command.said)
        assert re.match(r"The weights are ready: ears, brain and voice are loaded \(\d+\.\d s\)\.\n", said)
        assert f"Serving at {command.base_url}/v1: 2 answers at once, 64 more may wait. Ctrl-C stops.\n" in said
        assert ask(command.base_url, "Is a dog a good pet?")
        assert ask(command.base_url, "Is a cat a good pet?", key=personal_token(TOKEN, "alice"))
        with pytest.raises(openai.AuthenticationError):
            ask(command.base_url, "Is a cow a good pet?", key="wrong-key-wrong-key")
        command.signal(signal.SIGINT)
        assert command.wait() == 0
    assert command.said[-1] == "Stopped.\n"
    log = command.log()
    assert re.search(r"alice POST /v1/chat/completions 200 \d", log)
    assert re.search(r"127\.0\.0\.1 POST /v1/chat/completions 401 \d", log)
    said = "".join(command.said) + log
    for secret in (TOKEN, personal_token(TOKEN, "alice").partition(".")[2], "wrong-key"):
        assert secret not in said


def test_running_answers_come_to_their_end_and_new_ones_are_told_to_come_back() -> None:
    with (
        BrainServer() as brain,
        Command("--workers", "1", "--brain", brain.brain, "--token", TOKEN) as command,
        ThreadPoolExecutor(2) as pool,
        httpx.Client(base_url=command.base_url, trust_env=False) as early,
    ):
        assert early.get("/healthz").json() == {"status": "ok"}
        running = pool.submit(ask, command.base_url, "Is it good?")
        assert brain.next_asked() == "Is it good?"
        command.signal(signal.SIGTERM)
        while early.get("/healthz").status_code == 200:  # asked over and over: a signal is heard within 0.1 s
            pass

        assert early.get("/healthz").json() == {"status": "stopping"}
        with pytest.raises(openai.InternalServerError, match="The server is stopping") as refused:
            ask(command.base_url, "Is it bad?")
        assert refused.value.status_code == 503
        assert refused.value.response.headers["retry-after"] == "5"
        brain.open()
        assert running.result() == "You said: Is it good?. That is all."
        assert command.wait() == 0
        assert brain.asked.empty()


def test_an_answer_that_does_not_end_in_time_is_cut() -> None:
    with (
        BrainServer() as brain,
        Command("--brain", brain.brain, "--token", TOKEN, "--stop-s", "0.2") as command,
        ThreadPoolExecutor(2) as pool,
    ):
        running = pool.submit(ask, command.base_url, "Is it good?")
        brain.next_asked()
        command.signal(signal.SIGTERM)
        with pytest.raises(openai.InternalServerError, match="The server stopped before the answer's end"):
            running.result()
        assert command.wait() == 0


def test_a_second_signal_ends_it_at_once() -> None:
    with (
        BrainServer() as brain,
        Command("--brain", brain.brain, "--token", TOKEN) as command,
        ThreadPoolExecutor(2) as pool,
    ):
        running = pool.submit(ask, command.base_url, "Is it good?")
        brain.next_asked()
        command.signal(signal.SIGINT)
        with httpx.Client(base_url=command.base_url, trust_env=False) as client:
            while client.get("/healthz").status_code == 200:
                pass
        command.signal(signal.SIGINT)
        with pytest.raises(openai.APIError):
            running.result()
        assert command.wait() == 0


def test_a_brain_that_fails_is_told_and_its_key_is_not() -> None:
    key = "the-key-of-the-brain-0123456789"
    with Command("--brain", "http://127.0.0.1:9/v1#any", "--token", TOKEN, NBAUDIO_BRAIN_KEY=key) as command:
        with pytest.raises(openai.InternalServerError, match=r"The offline engine failed: The brain at .* does not"):
            ask(command.base_url, "Is it good?")
        command.signal(signal.SIGTERM)
        assert command.wait() == 0
    assert "RuntimeError: The brain at http://127.0.0.1:9/v1 does not answer" in command.log()
    assert key not in command.log()
