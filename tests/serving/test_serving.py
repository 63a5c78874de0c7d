"""The engine over a port: turns, limits, token, metrics, and clients that go; with parts that answer when told to."""

from __future__ import annotations

import base64
import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from nbaudio import Clip
from nbaudio.engine.asked import Refusal
from nbaudio.serving.bodies import BeingRead
from nbaudio.serving.keys import personal_token
from nbaudio.serving.limits import Limits

from .running import TOKEN, Running, running
from .stand_ins import WAIT_S, Broken, Brooding, GatedBrain, engine_of

pytestmark = pytest.mark.offline


@pytest.fixture
def brain() -> GatedBrain:
    return GatedBrain()


@pytest.fixture
def server(brain: GatedBrain) -> Iterator[Running]:
    with running(engine_of(brain), Limits(workers=1, queue=4, request_bytes=100_000)) as server:
        yield server


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(20) as pool:
        yield pool


def request(text: str, *, stream: bool = False) -> dict[str, Any]:
    audio = {"voice": "alloy", "format": "pcm16"}
    messages = [{"role": "user", "content": text}]
    return {
        "model": "offline",
        "modalities": ["text", "audio"],
        "audio": audio,
        "messages": messages,
        "stream": stream,
    }


def say(client: openai.OpenAI, text: str) -> str:
    return str(client.chat.completions.create(**request(text)).choices[0].message.audio.transcript)


def metrics(server: Running, key: str = "none") -> dict[tuple[str, ...], float]:
    """Every sample, by its name and the values of its labels."""
    text = server.get("/metrics", headers={"authorization": f"Bearer {key}"}).raise_for_status().text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


class NotedReading(BeingRead):
    """Says when the reading of a body begins, and when it is over."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.begun, self.ended = threading.Semaphore(0), threading.Semaphore(0)

    @contextmanager
    def one_of(self, client: str) -> Iterator[Refusal | None]:
        try:
            with super().one_of(client) as refusal:
                self.begun.release()
                yield refusal
        finally:
            self.ended.release()


class TestTurns:
    def test_clients_take_turns_and_not_requests(
        self, server: Running, brain: GatedBrain, pool: ThreadPoolExecutor
    ) -> None:
        answers: list[Future[str]] = []
        for text in ("a1", "a2", "a3", "b1", "c1"):
            answers.append(pool.submit(say, server.client(f"key-of-{text[0]}"), text))
            assert text != "a1" or brain.next_begun() == "a1"
            if text != "a1":
                server.wait_until_waiting()
        order = []
        for _ in range(4):
            brain.let()
            order.append(brain.next_begun())
        brain.let()

        assert order == ["a2", "b1", "c1", "a3"]
        assert [answer.result() for answer in answers] == [
            f"You said: {text}. That is all." for text in ("a1", "a2", "a3", "b1", "c1")
        ]

    def test_who_comes_when_all_wait_gets_429_and_when_to_come_back(
        self, server: Running, brain: GatedBrain, pool: ThreadPoolExecutor
    ) -> None:
        answers = [pool.submit(say, server.client("key-of-a"), "a")]
        brain.next_begun()
        for name in "bcde":
            answers.append(pool.submit(say, server.client(f"key-of-{name}"), name))
            server.wait_until_waiting()

        with pytest.raises(openai.RateLimitError, match="The server is busy") as refused:
            say(server.client("key-of-f"), "f")

        headers = refused.value.response.headers
        assert 1 <= int(headers["retry-after"]) <= 60
        assert 0 <= int(headers["retry-after"]) - int(headers["retry-after-ms"]) / 1000 < 1
        assert headers["x-request-id"].startswith("req_")
        assert (refused.value.code, refused.value.type) == ("rate_limit_exceeded", "requests")
        assert metrics(server)["nbaudio_queue_length",] == 4
        brain.let(5)
        for answer in answers:
            answer.result()

    def test_a_client_that_is_sent_away_comes_back_and_is_answered(
        self, brain: GatedBrain, pool: ThreadPoolExecutor
    ) -> None:
        with running(engine_of(brain), Limits(workers=1, queue=0)) as server:
            first = pool.submit(say, server.client("key-of-a"), "a")
            brain.next_begun()
            second = pool.submit(say, server.client("key-of-b", max_retries=2), "b")
            assert " 429 " in server.wait_for_log("POST")
            brain.let(2)
            assert (first.result(), second.result()) == ("You said: a. That is all.", "You said: b. That is all.")

    def test_the_models_and_what_is_not_there_wait_for_nobody(
        self, server: Running, brain: GatedBrain, pool: ThreadPoolExecutor
    ) -> None:
        answer = pool.submit(say, server.client(), "a")
        brain.next_begun()

        assert [model.id for model in server.client().models.list()] == ["offline"]
        with pytest.raises(openai.NotFoundError, match="Unknown request URL: POST /v1/embeddings") as refused:
            server.client().embeddings.create(model="x", input="y")
        assert refused.value.code == "unknown_url"
        brain.let()
        answer.result()

    def test_a_turn_that_does_not_come_in_time(self, brain: GatedBrain, pool: ThreadPoolExecutor) -> None:
        with running(engine_of(brain), Limits(workers=1, queue=4, timeout_s=0.3)) as server:
            first = pool.submit(say, server.client("key-of-a"), "a")
            brain.next_begun()
            with pytest.raises(openai.InternalServerError, match="did not come in time"):
                say(server.client("key-of-b"), "b")
            with pytest.raises(openai.InternalServerError, match=r"took longer than 0\.3 s"):
                first.result()
            brain.let()


class TestLimits:
    def test_an_answer_that_takes_too_long_is_not_asked_for_again(
        self, brain: GatedBrain, pool: ThreadPoolExecutor
    ) -> None:
        with running(engine_of(brain), Limits(workers=1, queue=0, timeout_s=0.3)) as server:
            with pytest.raises(openai.InternalServerError) as late:
                say(server.client(max_retries=2), "a")
            assert late.value.status_code == 504
            assert brain.begun.qsize() == 1
            assert metrics(server)["nbaudio_running",] == 1  # a thread can't be stopped: its place is not free yet
            with pytest.raises(openai.RateLimitError):
                say(server.client(), "b")
            brain.let()
            assert brain.closed.get(timeout=WAIT_S) == "a"

    def test_a_stream_that_takes_too_long_ends_with_an_error_inside(self) -> None:
        brain = Brooding()
        with running(engine_of(brain), Limits(workers=1, queue=0, timeout_s=0.5)) as server:
            brain.let(2)
            with pytest.raises(openai.APIError, match=r"took longer than 0\.5 s") as late:
                list(server.client().chat.completions.create(**request("a", stream=True)))
            assert not isinstance(late.value, openai.APIStatusError)
            brain.let(2)
            while brain.events.get(timeout=WAIT_S) == "written":
                pass
            server.wait_until_idle()
            assert metrics(server)["nbaudio_requests_total", "/v1/chat/completions", "504"] == 1

    @pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
    def test_a_request_that_is_too_large(self, server: Running, declared: bool) -> None:
        body = json.dumps(request("x" * 150_000)).encode()
        content = body if declared else iter([body[:70_000], body[70_000:]])
        response = httpx.post(f"{server.base_url}/v1/chat/completions", content=content, trust_env=False)

        assert response.status_code == 413
        assert response.json()["error"]["message"] == (
            f"Maximum content size limit (100000) exceeded ({len(body)} bytes read)"
        )

    def test_the_official_client_says_what_was_too_large(self, server: Running) -> None:
        with pytest.raises(openai.APIStatusError, match="Maximum content size limit") as refused:
            say(server.client(max_retries=2), "x" * 150_000)
        assert refused.value.status_code == 413

    def test_far_too_large_a_request_is_not_read(self, server: Running) -> None:
        read = 0

        def endless() -> Iterator[bytes]:
            nonlocal read
            while True:
                read += 100_000
                yield bytes(100_000)

        try:
            response = httpx.post(f"{server.base_url}/v1/chat/completions", content=endless(), trust_env=False)
            assert response.status_code == 413
        except httpx.TransportError:
            pass  # the connection broke off before the answer was read
        assert read < 20_000_000  # of which most are in the buffers between

    def test_a_recording_that_is_too_long(self, server: Running) -> None:
        hour = Clip.from_pcm16(bytes(2 * 24_000 * 61)).encode("flac")
        file = ("silence.flac", hour)

        with pytest.raises(openai.APIStatusError, match=r"longer than 60 s") as refused:
            server.client().audio.transcriptions.create(file=file, model="offline")
        assert refused.value.status_code == 413

    def test_a_body_that_does_not_come(self, brain: GatedBrain) -> None:
        with running(engine_of(brain), Limits(timeout_s=0.2)) as server, _connected(server) as connection:
            connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n{")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 408 ")

    def test_so_many_bodies_are_read_at_once_and_of_one_client_half(self, brain: GatedBrain) -> None:
        with running(engine_of(brain), Limits(workers=1, queue=1)) as server, ExitStack() as slow:
            reading = server.serving._being_read = NotedReading(2)
            slow.enter_context(_sending(server, "a"))
            assert reading.begun.acquire(timeout=WAIT_S)
            with pytest.raises(openai.RateLimitError, match="takes no more") as refused:
                say(server.client("a"), "x" * 2_000_000)  # is read to its end all the same, but not kept
            assert int(refused.value.response.headers["retry-after"]) > 0
            brain.let(2)
            assert say(server.client("b"), "b") == "You said: b. That is all."
            slow.enter_context(_sending(server, "b"))
            for _ in range(3):  # two that were read, and this one
                assert reading.begun.acquire(timeout=WAIT_S)
            with pytest.raises(openai.RateLimitError, match="takes no more"):
                say(server.client("c"), "c")
            slow.close()
            for _ in range(5):  # all but the last
                assert reading.ended.acquire(timeout=WAIT_S)
            assert say(server.client("c"), "c") == "You said: c. That is all."

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk here that is always full")
    @pytest.mark.parametrize("size", [10, 2_000_000])
    def test_a_disk_without_room_is_told_in_the_protocols_form(
        self, brain: GatedBrain, monkeypatch: pytest.MonkeyPatch, size: int
    ) -> None:
        monkeypatch.setattr(tempfile, "SpooledTemporaryFile", lambda _: Path("/dev/full").open("w+b"))  # noqa: SIM115
        with running(engine_of(brain)) as server:
            with pytest.raises(openai.InternalServerError, match="no room on its disk") as refused:
                say(server.client(), "x" * size)
            assert refused.value.status_code == 503
            assert int(refused.value.response.headers["retry-after"]) > 0
            assert any("No space left on device" in line for line in server.log.queue)


class TestGoneClients:
    def test_one_who_goes_while_waiting_takes_no_turn(
        self, server: Running, brain: GatedBrain, pool: ThreadPoolExecutor
    ) -> None:
        first = pool.submit(say, server.client("key-of-a"), "a")
        brain.next_begun()
        with _connected(server) as connection:
            _send(connection, request("gone"))
            server.wait_until_waiting()
        last = pool.submit(say, server.client("key-of-c"), "c")
        server.wait_until_waiting()
        brain.let()
        assert brain.next_begun() == "c"
        brain.let()
        first.result()
        last.result()
        assert metrics(server)["nbaudio_requests_total", "/v1/chat/completions", "499"] == 1

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_the_answer_of_one_who_goes_is_not_made_to_its_end(self, stream: bool) -> None:
        brain = Brooding()
        with running(engine_of(brain), Limits(workers=1, queue=4)) as server:
            with _connected(server) as connection:
                told = {"role": "system", "content": "Say a lot."}
                asked = request("gone", stream=stream)
                _send(connection, {**asked, "messages": [told, *asked["messages"]]})
                brain.next_begun()
            sentences = 0
            brain.let()
            while brain.events.get(timeout=WAIT_S) == "written":
                sentences += 1
                brain.let()
            assert sentences < 90  # of a hundred: as many as were written before the server heard of it
            server.wait_until_idle()

    def test_one_who_goes_before_the_end_of_the_request(self, server: Running) -> None:
        with _connected(server) as connection:
            connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n{")
        assert server.wait_for_log("POST").startswith("127.0.0.1 POST /v1/chat/completions 499 ")


class TestFailures:
    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_before_the_first_words_it_is_a_status(self, stream: bool) -> None:
        with (
            running(engine_of(Broken(0))) as server,
            pytest.raises(openai.InternalServerError, match="The offline engine failed: the brain is broken") as failed,
        ):
            server.client().chat.completions.create(**request("a", stream=stream))
        assert failed.value.status_code == 500
        assert set(failed.value.response.json()["error"]) == {"message", "type", "param", "code"}
        assert any("RuntimeError: the brain is broken" in line for line in server.log.queue)

    def test_after_them_it_is_in_the_stream(self) -> None:
        with running(engine_of(Broken(1))) as server:
            stream = server.client().chat.completions.create(**request("a", stream=True))
            assert next(stream).choices[0].delta.audio.id.startswith("audio_")
            with pytest.raises(openai.APIError, match="the brain is broken"):
                list(stream)


class TestWhoMayAsk:
    @pytest.fixture
    def guarded(self, brain: GatedBrain) -> Iterator[Running]:
        with running(engine_of(brain), Limits(workers=1, queue=4), TOKEN) as server:
            yield server

    @pytest.mark.parametrize("key", [TOKEN, personal_token(TOKEN, "alice")], ids=["the class's", "one's own"])
    def test_who_has_a_token(self, guarded: Running, brain: GatedBrain, key: str) -> None:
        brain.let()
        assert say(guarded.client(key), "a")

    @pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/v1/chat/completions", "/v1/nothing"])
    def test_who_has_none_learns_nothing(self, guarded: Running, path: str) -> None:
        response = guarded.get(path, headers={"authorization": "Bearer sk-wrong-0123456789"})

        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"
        assert "wrong" not in response.text
        assert guarded.get(path).status_code == 401

    def test_the_official_client_knows_what_it_means(self, guarded: Running) -> None:
        with pytest.raises(openai.AuthenticationError, match="Incorrect API key"):
            say(guarded.client("wrong"), "a")

    def test_whether_it_is_up_everybody_may_know(self, guarded: Running) -> None:
        assert guarded.get("/healthz").json() == {"status": "ok"}

    def test_no_token_is_in_a_log(self, guarded: Running, brain: GatedBrain) -> None:
        brain.let()
        say(guarded.client(personal_token(TOKEN, "alice")), "a")
        guarded.get(f"/v1/{TOKEN}", headers={"authorization": f"Bearer {TOKEN}"})
        guarded.get("/v1/models", headers={"authorization": "Bearer sk-wrong-0123456789"})

        said = [guarded.log.get(timeout=WAIT_S) for _ in range(3)]
        assert said[0].startswith("alice POST /v1/chat/completions 200 ")
        assert said[1].startswith("127.0.0.1 GET /v1/[key] 404 ")
        assert said[2].startswith("127.0.0.1 GET /v1/models 401 ")
        for secret in (TOKEN, personal_token(TOKEN, "alice").partition(".")[2], "sk-wrong"):
            assert secret not in "".join(said)

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("evil.example", 403),
            ("evil.example:80", 403),
            ("192.168.0.7", 403),
            ("localhost.evil.example", 403),
            ("[::2]:80", 403),
            ("localhost", 200),
            ("127.0.0.1:80", 200),
            ("[::1]:80", 200),
        ],
    )
    def test_without_a_token_a_web_page_can_not_ask_by_a_name_of_its_own(
        self, server: Running, host: str, status: int
    ) -> None:
        assert server.get("/v1/models", headers={"host": host}).status_code == status

    @pytest.mark.parametrize(
        ("origin", "status"),
        [
            ("https://evil.example", 403),
            ("null", 403),
            ("http://localhost.evil.example", 403),
            ("http://localhost:8888", 200),
            ("http://[::1]:8888", 200),
            (None, 200),
        ],
    )
    @pytest.mark.parametrize("path", ["/v1/realtime/client_secrets", "/v1/audio/speech"])
    def test_without_a_token_no_page_of_another_site_can_have_a_browser_ask(
        self, server: Running, path: str, origin: str | None, status: int
    ) -> None:
        headers = {"content-type": "text/plain"} | ({"origin": origin} if origin is not None else {})
        asked = {"model": "offline", "input": "Hello.", "voice": "alloy"} if path.endswith("speech") else {}
        content = json.dumps(asked).encode()
        answer = httpx.post(server.base_url + path, content=content, headers=headers, trust_env=False)
        assert answer.status_code == status

    def test_with_a_token_any_name_and_any_page_will_do(self, guarded: Running) -> None:
        headers = {"host": "class.example", "authorization": f"Bearer {TOKEN}", "origin": "https://class.example"}
        assert guarded.get("/v1/models", headers=headers).status_code == 200


class TestMetrics:
    def test_they_count_what_happened(self, server: Running, brain: GatedBrain, pool: ThreadPoolExecutor) -> None:
        brain.let()
        say(server.client(), "a")
        server.wait_until_idle()
        before = metrics(server)
        answer = pool.submit(say, server.client(), "b")
        brain.next_begun(), brain.next_begun()
        during = metrics(server)
        brain.let()
        answer.result()
        second = {"type": "input_audio", "input_audio": {"data": _wav(1.0), "format": "wav"}}
        with pytest.raises(openai.BadRequestError):
            server.client().chat.completions.create(model="offline", messages=[{"role": "user", "content": "c"}])
        brain.let()
        server.client().chat.completions.create(
            model="offline",
            messages=[{"role": "user", "content": [second]}],  # type: ignore[list-item,misc]
        )
        server.get("/v1/one"), server.get("/v1/another")
        server.wait_until_idle()
        after = metrics(server)

        chat = "/v1/chat/completions"
        assert before["nbaudio_requests_total", chat, "200"] == 1
        assert (during["nbaudio_running",], during["nbaudio_queue_length",]) == (1, 0)
        assert after["nbaudio_requests_total", chat, "200"] == 3
        assert after["nbaudio_requests_total", chat, "400"] == 1
        assert after["nbaudio_requests_total", "other", "404"] == 2
        assert after["nbaudio_request_seconds_count", chat] == 4
        assert after["nbaudio_queue_wait_seconds_count",] == 4
        assert after["nbaudio_audio_spoken_seconds_total",] == pytest.approx(0.4)  # two answers of two sentences
        assert after["nbaudio_audio_heard_seconds_total",] == pytest.approx(1.0)
        assert after["process_resident_memory_bytes",] > 10_000_000


def _wav(seconds: float) -> str:
    return base64.b64encode(Clip.from_pcm16(bytes(int(2 * 24_000 * seconds))).encode("wav")).decode()


@contextmanager
def _sending(server: Running, key: str) -> Iterator[None]:
    """A client that sends a body and does not come to its end."""
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n"
    with _connected(server) as connection:
        connection.sendall(f"{head}content-length: 10\r\n\r\n{{".encode())
        yield


def _connected(server: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(server.base_url.rpartition(":")[2])), timeout=WAIT_S)


def _send(connection: socket.socket, body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    connection.sendall(
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data
    )
