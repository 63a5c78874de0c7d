"""What a server counts, for Prometheus (https://prometheus.io/docs/concepts/metric_types/)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nbaudio.engine.parts import Engine
from nbaudio.serving.fair_queue import FairQueue
from nbaudio.serving.sessions import Sessions

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# An answer of the offline engine takes a second, and may wait for a minute.
_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)


class Metrics:
    """The counts of one server, in a registry of its own.

    Parameters
    ----------
    engine : Engine
        Counts the seconds of sound itself.
    queue : FairQueue
        Counts who waits and who has a turn.
    sessions : Sessions
        Counts those that are open.
    """

    def __init__(self, engine: Engine, queue: FairQueue, sessions: Sessions) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "nbaudio_requests",
            "Requests answered, by route and HTTP status; 499 where the client went before the end, "
            "101 for Realtime sessions.",
            ["route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "nbaudio_request_seconds",
            "From a request to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._waited = Histogram(
            "nbaudio_queue_wait_seconds",
            "How long a request waited for its turn.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._registry.register(_Read(engine, queue, sessions))
        ProcessCollector(registry=self._registry)

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count a request that is over."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def waited(self, seconds: float) -> None:
        """Count a wait that is over."""
        self._waited.observe(seconds)

    def text(self) -> bytes:
        """All counts, in Prometheus' text format."""
        return generate_latest(self._registry)


class _Read(Collector):
    """What others count, read when it is asked for."""

    def __init__(self, engine: Engine, queue: FairQueue, sessions: Sessions) -> None:
        gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "nbaudio_queue_length": ("Requests that wait for their turn.", lambda: queue.waiting),
            "nbaudio_running": ("Requests that are worked on.", lambda: queue.running),
            "nbaudio_realtime_sessions": ("Realtime sessions that are open.", lambda: sessions.open),
        }
        counters: dict[str, tuple[str, Callable[[], float]]] = {
            "nbaudio_audio_heard_seconds": ("Seconds of sound listened to.", lambda: engine.heard_s),
            "nbaudio_audio_spoken_seconds": ("Seconds of sound spoken.", lambda: engine.spoken_s),
        }
        self._gauges, self._counters = gauges, counters

    def collect(self) -> Iterator[Metric]:
        for name, (text, value) in self._gauges.items():
            yield GaugeMetricFamily(name, text, value=value())
        for name, (text, value) in self._counters.items():
            yield CounterMetricFamily(name, text, value=value())
