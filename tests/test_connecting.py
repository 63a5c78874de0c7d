"""connect: which backend comes of which words, who wins afterwards, and that no key shows anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dialect_servers import serve
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import nbaudio as nba
from nbaudio import doctor, errors
from nbaudio.errors import SetupError
from nbaudio.servers.backend import Backend
from nbaudio.settings import NbAudio, settings

KEY = "sk-or-v1-0123456789abcdefghij"


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of servers, a working folder without a project, and no secrets of other tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(errors, "_secrets", set())
    monkeypatch.setattr(errors, "_pieces", set())
    file = tmp_path / "servers.toml"
    file.touch(mode=0o600)
    file.write_text(
        """
[servers.kitchen]
url = "http://192.168.1.7:8000/v1"
model = "meta-llama/Llama-3.2-1B-Instruct"
dialect = "vllm"
key = "env:KITCHEN_KEY"
voice = "ash"
hear_with = "offline"
speak_with = "kitchen-voice"

[servers.kitchen-voice]
url = "http://192.168.1.7:8001/v1"
speech_model = "kokoro"
transcription_model = "whisper-large"

[servers.twins]
url = "http://localhost:8000/v1"
speak_with = "twins"

[dialects.mine]
like = "openai"
hosts = ["omni.example.org"]
""",
        encoding="utf-8",
    )
    monkeypatch.setenv("NBAUDIO_SERVERS_FILE", str(file))
    monkeypatch.setenv("KITCHEN_KEY", "A1b2C3d4E5f6G7h8I9j0")
    NbAudio.clear_instance()
    return file


def project(folder: Path, table: str) -> Path:
    file = folder / "pyproject.toml"
    file.write_text(table, encoding="utf-8")
    return file


# -- which backend ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "url", "dialect", "model"),
    [
        ("http://localhost:11434/v1", "http://localhost:11434/v1", "ollama", "llama3.2"),
        ("http://localhost:11434", "http://localhost:11434/v1", "ollama", "llama3.2"),
        (" http://localhost:11434/v1/chat/completions ", "http://localhost:11434/v1", "ollama", "llama3.2"),
        ("ollama", "http://localhost:11434/v1", "ollama", "llama3.2"),
        ("https://openrouter.ai", "https://openrouter.ai/api/v1", "openrouter", "openai/gpt-audio-mini"),
        ("openai", "https://api.openai.com/v1", "openai", "gpt-audio-1.5"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1", "compatible", "gpt-audio-1.5"),
        ("https://omni.example.org/v1", "https://omni.example.org/v1", "mine", "gpt-audio-1.5"),
        ("kitchen", "http://192.168.1.7:8000/v1", "vllm", "meta-llama/Llama-3.2-1B-Instruct"),
        pytest.param("offline", "http://offline.nbaudio/v1", "offline", "offline", marks=pytest.mark.offline),
    ],
)
def test_names_and_addresses(where: str, url: str, dialect: str, model: str) -> None:
    backend = nba.connect(where)

    assert (backend.base_url, backend.dialect.name, backend.model) == (url, dialect, model)
    assert settings().resolve() is backend


def test_a_profile_says_all_that_it_says() -> None:
    backend = nba.connect("kitchen")

    assert (backend.key, backend.key_from) == ("A1b2C3d4E5f6G7h8I9j0", "KITCHEN_KEY")
    assert (backend.voice, backend.profile, backend.name) == ("ash", "kitchen", "192.168.1.7:8000")
    assert isinstance(backend.hear_with, Backend)
    assert backend.hear_with.offline
    assert isinstance(backend.speak_with, Backend)
    assert backend.speak_with.dialect.speech_model == "kokoro"
    assert backend.speak_with.dialect.transcription_model == "whisper-large"


def test_what_is_given_goes_before_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_KEY", KEY)
    backend = nba.connect("kitchen", "other", key="env:OTHER_KEY", dialect="compatible", speak_with="nobody")

    assert (backend.model, backend.key, backend.dialect.name) == ("other", KEY, "compatible")
    assert backend.speak_with == "nobody"


def test_a_profile_may_speak_for_itself() -> None:
    backend = nba.connect("twins")

    assert isinstance(backend.speak_with, Backend)
    assert backend.speak_with.base_url == backend.base_url
    assert backend.speak_with.speak_with == "nobody"


def test_a_backend_is_taken_back_and_can_be_changed() -> None:
    first = nba.connect("ollama")
    nba.connect("openai")
    assert nba.connect(first) is not None
    assert settings().resolve() == first
    second = nba.connect(first, "gemma3n", hear_with="nobody", speak_with="kitchen-voice")
    assert (second.model, second.hear_with) == ("gemma3n", "nobody")
    assert isinstance(second.speak_with, Backend)
    assert second.speak_with.profile == "kitchen-voice"


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("kitchn", r"There is no server 'kitchn', neither in .*servers.toml nor .*\. Did you mean kitchen\?"),
        ("zzzz", r"There are kitchen, kitchen-voice, twins, openai, .*offline; or give an address"),
        ("localhost:8000/v1", "The address is 'localhost:8000/v1', which is no address of a server"),
        ("https://me:hunter2secret@host/v1", "The address holds a user name or password"),
        ("https://host/v1?key=1", r"The address goes on after the path"),
    ],
)
@pytest.mark.offline
def test_what_is_no_server(where: str, words: str) -> None:
    before = settings().resolve()
    with pytest.raises(SetupError, match=words) as caught:
        nba.connect(where)

    assert "hunter2secret" not in str(caught.value)
    assert settings().resolve() == before


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(SetupError, match="There is no dialect 'vlm'"):
        nba.connect("http://localhost:8000/v1", dialect="vlm")


def test_the_offline_engine_has_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbaudio.connecting.offline_installed", lambda: False)
    with pytest.raises(errors.NoBackend, match="pip install"):
        nba.connect("offline")


# -- keys ---------------------------------------------------------------------------------------------------


def test_each_server_gets_the_key_of_its_own_variable_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-of-openai-0123456789")
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)

    assert nba.connect("openrouter").key == KEY
    assert nba.connect("openai").key == "sk-proj-of-openai-0123456789"
    for where in ("http://localhost:8000/v1", "mistral", "ollama", "https://omni.example.org/v1"):
        backend = nba.connect(where)
        assert backend.key == ("sk-proj-of-openai-0123456789" if backend.dialect.key_env == "OPENAI_API_KEY" else "")


def test_another_variable_for_openai_counts_here_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    settings().api_key_env = "MY_KEY"

    assert nba.connect("openai").key_from == "MY_KEY"


def test_a_key_that_is_not_where_it_should_be() -> None:
    with pytest.raises(SetupError, match=r"The key should be in env:NOT_SET, and is not\. Set NOT_SET"):
        nba.connect("openrouter", key="env:NOT_SET")


def test_a_key_itself_is_taken_and_shown_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    backend = nba.connect("openrouter", key=KEY)
    chat = nba.Conversation(backend=backend)

    assert backend.key == KEY
    assert backend.key_from == "the program"
    shown = [
        repr(backend),
        str(backend),
        doctor.status(),
        repr(chat),
        json.dumps(chat.options),
        repr(settings().trait_values()),
    ]
    assert KEY not in " ".join(shown)
    assert "key             from the program" in doctor.status()


@pytest.mark.offline
def test_it_is_shown_as_what_it_is() -> None:
    ollama = nba.connect("ollama", "llama3.2", hear_with="nobody", speak_with="offline")

    assert repr(ollama) == "<Backend llama3.2 on localhost:11434, as ollama, heard by nobody, spoken by offline engine>"
    assert repr(nba.connect("offline")) == "<Backend offline on offline engine, as offline>"


def test_the_key_goes_to_the_server_and_into_no_error() -> None:
    with serve("openrouter") as server:
        nba.connect(server.url, key=server.stand_in.key, dialect="openrouter")
        assert nba.Conversation().say("Hello").text == server.stand_in.words
        assert server.requests[0].headers["authorization"] == f"Bearer {server.stand_in.key}"
        nba.connect(server.url, key=KEY, dialect="openrouter")
        with pytest.raises(errors.AuthenticationFailed, match="Check the key in the program"):
            nba.Conversation().say("Hello")


def test_without_a_key_the_variable_of_this_server_is_named() -> None:
    with serve("openrouter") as server:
        nba.connect(server.url, dialect="openrouter")
        with pytest.raises(errors.AuthenticationFailed, match="Set the key in the environment: OPENROUTER_API_KEY"):
            nba.Conversation().say("Hello")
    with serve("vllm") as server:
        nba.connect(server.url, dialect="vllm", speak_with="nobody")
        with pytest.raises(errors.AuthenticationFailed, match=r"Give it a key: nba.connect\(\.\.\., key='env:NAME'\)"):
            nba.Conversation().say("Hello")


# -- who wins -----------------------------------------------------------------------------------------------


def test_a_connection_wins_over_all_that_was_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:8000/v1")
    for name, value in (("NBAUDIO_BACKEND", "offline"), ("NBAUDIO_MODEL", "m"), ("NBAUDIO_DIALECT", "openai")):
        monkeypatch.setenv(name, value)
    NbAudio.clear_instance()
    backend = nba.connect("ollama")

    assert settings().resolve() is backend
    assert backend.model == "llama3.2"


@pytest.mark.parametrize(
    ("name", "value", "dialect"),
    [
        ("backend", "offline", "offline"),
        ("base_url", "http://localhost:8000/v1", "compatible"),
        ("server", "kitchen", "vllm"),
    ],
)
@pytest.mark.offline
def test_what_is_set_afterwards_wins_over_the_connection(
    name: str, value: str, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"NBAUDIO_{name.upper()}", value)  # setting what is set already counts too
    NbAudio.clear_instance()
    nba.connect("ollama")
    assert settings().resolve().dialect.name == "ollama"
    setattr(settings(), name, value)

    assert settings().resolve().dialect.name == dialect


@pytest.mark.parametrize(
    "how", ["settings().backend = 'auto'", "shell.run_line_magic('config', 'NbAudio.backend = \"auto\"')"]
)
def test_the_usual_backend_is_set_again_to_leave_a_connection(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:8000/v1")
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    try:
        shell.run_line_magic("load_ext", "nbaudio")
        nba.connect("ollama")
        assert settings().resolve().name == "localhost:11434"
        exec(how, {"shell": shell, "settings": settings})
    finally:
        InteractiveShell.clear_instance()

    assert settings().resolve().name == "localhost:8000"


def test_a_model_that_is_set_afterwards_is_asked_for_there() -> None:
    nba.connect("ollama")
    settings().model = "gemma3n"
    assert (settings().resolve().base_url, settings().resolve().model) == ("http://localhost:11434/v1", "gemma3n")
    settings().model = ""
    assert settings().resolve().model == "llama3.2"


def test_a_conversation_stays_with_its_backend() -> None:
    with serve("compatible") as first, serve("compatible") as second:
        first.stand_in.words, second.stand_in.words = "The first.", "The second."
        talk = nba.Conversation(backend=nba.connect(first.url))
        nba.connect(second.url)

        assert talk.say("Who?").text == "The first."
        assert nba.Conversation().say("Who?").text == "The second."


def test_the_server_option_names_a_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBAUDIO_SERVER", "kitchen")
    backend = NbAudio().resolve()

    assert (backend.profile, backend.model) == ("kitchen", "meta-llama/Llama-3.2-1B-Instruct")
    assert NbAudio(model="other").resolve().model == "other"
    assert NbAudio(speak_with="nobody").resolve().speak_with == "nobody"


def test_the_later_of_a_name_and_an_address_counts() -> None:
    chosen = NbAudio(server="kitchen")
    chosen.base_url = "http://localhost:8000/v1"
    assert (chosen.server, chosen.resolve().name) == ("", "localhost:8000")
    chosen.server = "kitchen"
    assert (chosen.base_url, chosen.resolve().profile) == ("", "kitchen")


@pytest.mark.offline
def test_of_a_name_and_an_address_the_place_that_goes_before_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(tmp_path, '[tool.nbaudio]\nserver = "kitchen"')
    assert NbAudio().resolve().profile == "kitchen"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:8000/v1")
    assert NbAudio().resolve().name == "localhost:8000", "the environment goes before the project"
    monkeypatch.setenv("NBAUDIO_SERVER", "kitchen")
    assert NbAudio().resolve().profile == "kitchen", "and what is nbaudio's own before what is all programs'"
    address = {"base_url": "http://localhost:9000/v1"}
    assert NbAudio(config=Config({"NbAudio": address})).resolve().name == "localhost:9000"
    assert NbAudio(**address).resolve().name == "localhost:9000"
    monkeypatch.setenv("NBAUDIO_BACKEND", "offline")
    assert NbAudio().resolve().offline


# -- what a project may say ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["http://evil.example/v1", "openai", "unknown", "evil.example/v1"])
def test_a_project_names_profiles_of_the_persons_and_nothing_else(name: str, tmp_path: Path, mine: Path) -> None:
    project(tmp_path, f'[tool.nbaudio]\nserver = "{name}"')
    with pytest.raises(SetupError) as caught:
        NbAudio().resolve()

    assert str(caught.value) == (
        f"The project file names the server {name!r}, of which {mine} says nothing. Describe it there, as "
        "docs/servers.md shows: a project can't say where your requests go."
    )


def test_an_address_is_no_name() -> None:
    with pytest.raises(SetupError, match=r"which is no name\. Addresses go into NbAudio.base_url"):
        NbAudio(server="http://localhost:8000/v1").resolve()


@pytest.mark.offline
def test_a_broken_file_of_servers_is_told(mine: Path) -> None:
    mine.write_text("[servers.kitchen]\n", encoding="utf-8")
    with pytest.raises(SetupError, match=r"\[servers.kitchen\] in .* has no url"):
        NbAudio(base_url="http://localhost:8000/v1").resolve()
    assert NbAudio(backend="offline").resolve().offline, "which needs no server"


# -- what the doctor says -----------------------------------------------------------------------------------


def lines() -> dict[str, str]:
    """The doctor's lines by their names."""
    return {line[:16].strip(): line[16:] for line in doctor.status().splitlines() if line[:16].strip()}


def test_the_doctor_says_which_server_and_what_it_can_do(mine: Path) -> None:
    nba.connect("kitchen")
    found = lines()

    assert found["requests go to"] == f"192.168.1.7:8000: http://192.168.1.7:8000/v1 (kitchen in {mine})"
    assert found["dialect"] == "vllm, for vLLM; tried with a stand-in, not with the real server"
    assert found["hears"] == "by the offline engine"
    assert found["speaks"] == "by 192.168.1.7:8001"
    assert found["key"] == "from KITCHEN_KEY"
    assert found["model"] == "meta-llama/Llama-3.2-1B-Instruct"
    assert "A1b2C3d4E5f6G7h8I9j0" not in doctor.status()


def test_the_doctor_knows_whose_voice_it_is() -> None:
    nba.connect("qwen-omni")
    assert (lines()["voice"], lines()["speaks"]) == ("Tina", "by itself")
    nba.connect("ollama")
    assert lines()["voice"] == "alloy"
    settings().voice = "ash"
    assert lines()["voice"] == "ash"


def test_the_doctor_tells_a_missing_key_and_a_missing_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbaudio.completing.parties.offline_installed", lambda: False)
    nba.connect("mistral")

    assert lines()["speaks"].startswith("no: voxtral-small-latest on api.mistral.ai does not speak")
    assert doctor.problems()[0] == "There is no key: set MISTRAL_API_KEY"
    assert "pip install 'nbaudio[offline]', or name a server" in doctor.problems()[1]
    nba.connect("http://localhost:8000/v1")
    assert doctor.problems() == []
