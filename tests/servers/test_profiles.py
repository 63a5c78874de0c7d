"""The person's own file of servers: what it may say, and who may have written it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nbaudio.errors import SetupError
from nbaudio.servers.profiles import Profile, Servers, read_servers, usual_file

GOOD = """
[servers.kitchen]
url = "http://192.168.1.7:11434/v1"
model = "llama3.2"
key = "keyring:kitchen"
speak_with = "offline"

[dialects.mine]
like = "vllm-omni"
hosts = ["omni.example.org"]
voice = "Chelsie"

[dialects.ollama]
hears = []
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "servers.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def test_profiles_and_dialects(tmp_path: Path) -> None:
    servers = read_servers(write(tmp_path, GOOD))

    assert servers.profiles == {
        "kitchen": Profile(
            "kitchen", "http://192.168.1.7:11434/v1", "llama3.2", key="keyring:kitchen", speak_with="offline"
        )
    }
    mine, ollama = servers.dialects
    assert (mine.name, mine.hosts, mine.sound_at, mine.voice) == ("mine", ("omni.example.org",), "content", "Chelsie")
    assert (mine.ports, mine.models, mine.url) == ((), (), ""), "its habits, and not its places"
    assert (ollama.ports, ollama.hears, ollama.renames) == ((11434,), (), {"max_completion_tokens": "max_tokens"})


def test_one_dialect_can_be_like_another_of_ones_own(tmp_path: Path) -> None:
    servers = read_servers(write(tmp_path, GOOD + '[dialects.third]\nlike = "mine"\nports = [9000]\n'))

    assert (servers.dialects[-1].voice, servers.dialects[-1].hosts) == ("Chelsie", ())


def test_no_file_is_no_servers(tmp_path: Path) -> None:
    assert read_servers(tmp_path / "servers.toml") == Servers(tmp_path / "servers.toml")
    assert read_servers(tmp_path / "no folder" / "servers.toml").profiles == {}


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    first = read_servers(path)
    assert read_servers(path) is first
    path.write_text("[servers.other]\nurl = 'http://localhost:1/v1'\n", encoding="utf-8")
    os.utime(path, ns=(1, 1))

    assert list(read_servers(path).profiles) == ["other"]


def test_the_usual_place_is_the_configuration_folder() -> None:
    import platformdirs

    assert usual_file() == Path(platformdirs.user_config_dir("nbaudio")) / "servers.toml"


@pytest.mark.skipif(os.name != "posix", reason="rights of another kind")
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_into_is_refused(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path, GOOD)
    path.chmod(mode)
    with pytest.raises(SetupError) as caught:
        read_servers(path)

    assert caught.value.cause == f"Others can write into {path}, and so send your keys elsewhere."
    assert caught.value.next_step == f"Run: chmod go-w {path}"
    path.chmod(0o644)
    assert list(read_servers(path).profiles) == ["kitchen"]


def test_a_key_in_it_is_refused_and_not_repeated(tmp_path: Path) -> None:
    path = write(tmp_path, '[servers.kitchen]\nurl = "http://h/v1"\nkey = "0123456789abcdef"\n')
    with pytest.raises(SetupError, match=r"\[servers.kitchen\] in .* holds a key.*env:NAME") as caught:
        read_servers(path)

    assert "0123456789abcdef" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not [ toml", "can't be read: "),
        ("\xff", "can't be read: "),
        ('[server.kitchen]\nurl = "http://h/v1"', "has a table [server], which says nothing. Write [servers.NAME]."),
        ("servers = 3", "has a [servers] that holds no tables"),
        ("[servers]\nkitchen = 3", "has a [servers] that holds no tables"),
        ('[servers.kitchen]\nmodel = "m"', "has no url"),
        ('[servers.kitchen]\nurl = "http://h/v1"\nmodle = "m"', "has 'modle', which says nothing. Known: url, model"),
        ('[servers.kitchen]\nurl = "http://h/v1"\nmodel = 3', "has model = 3, which is no text"),
        ('[dialects.mine]\nlike = "nothing"', "There is no dialect 'nothing'"),
        ("[dialects.mine]\nspeak = []", "has 'speak', which is no habit. Did you mean speaks?"),
    ],
)
def test_what_it_can_not_say(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "servers.toml"
    path.write_text(text, encoding="latin-1")
    path.chmod(0o600)
    with pytest.raises(SetupError) as caught:
        read_servers(path)

    assert words in str(caught.value)


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "servers.toml").mkdir()
    with pytest.raises(SetupError, match="can't be read: Is a directory"):
        read_servers(tmp_path / "servers.toml")
