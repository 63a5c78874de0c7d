"""Who says that a turn is over: the settings of it, and the one who listens for it.

The listening is done by Silero's network (https://github.com/snakers4/silero-vad), whose weights ship in
faster-whisper. That package runs it over a whole sound; here it runs over what has come, frame by frame, and keeps its
state in between. The probabilities are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbaudio.engine.hear import SAMPLE_RATE
from nbaudio.engine.realtime.checked import among, boolean, number, record, required, whole

__all__ = ["FRAME_MS", "SERVER_VAD", "Change", "TurnDetection", "TurnDetector", "read_turn_detection"]

_FRAME, _BEFORE = 512, 64  # samples that the network takes: a frame, and the end of the one before
FRAME_MS = _FRAME * 1000 // SAMPLE_RATE
"""Milliseconds of a frame."""

_HYSTERESIS = 0.15  # speech ends below the threshold by so much, as in Silero's own code
_SURE_FRAMES = 2  # a click is louder than speech for one
_PAUSE_MS = 160
"""Milliseconds of silence after which what was said so far is worth hearing: a plosive is shorter."""
_MOST_FRAMES = 2000  # at a time, so that minutes of sound do not take hundreds of megabytes
_SHORTEST_IDLE_MS, _LONGEST_IDLE_MS = 5_000, 30_000
_SEMANTIC_SILENCE_MS = {"high": 300, "auto": 600, "medium": 600, "low": 1200}


@dataclass(frozen=True)
class TurnDetection:
    """How the end of a turn is heard; the fields are the protocol's."""

    type: Literal["server_vad", "semantic_vad"] = "server_vad"
    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    create_response: bool = True
    interrupt_response: bool = True
    idle_timeout_ms: int | None = None
    eagerness: str = "auto"

    @property
    def silence_ms(self) -> int:
        """Silence that ends a turn."""
        return self.silence_duration_ms if self.type == "server_vad" else _SEMANTIC_SILENCE_MS[self.eagerness]

    def as_event(self) -> dict[str, Any]:
        """As it stands in a session."""
        both = {"create_response": self.create_response, "interrupt_response": self.interrupt_response}
        if self.type == "semantic_vad":
            return {"type": self.type, "eagerness": self.eagerness, **both}
        return {
            "type": self.type,
            "threshold": self.threshold,
            "prefix_padding_ms": self.prefix_padding_ms,
            "silence_duration_ms": self.silence_duration_ms,
            "idle_timeout_ms": self.idle_timeout_ms,
            **both,
        }


SERVER_VAD = TurnDetection()
"""The usual way."""


def read_turn_detection(value: Any, param: str) -> TurnDetection | None:
    """What an event asks for; None where the client says itself when a turn is over.

    Raises
    ------
    Refusal
        If there is no such way, or a field of it can't be.
    """
    if value is None:
        return None
    known = [*TurnDetection.__dataclass_fields__]
    given = record(value, param, known)
    kind = among(required(given, "type", f"{param}.type"), f"{param}.type", ("server_vad", "semantic_vad"))
    both = ["type", "create_response", "interrupt_response"]
    of_server = ["threshold", "prefix_padding_ms", "silence_duration_ms", "idle_timeout_ms"]
    record(value, param, both + (of_server if kind == "server_vad" else ["eagerness"]))
    read: dict[str, Any] = {"type": kind}
    for name, found in given.items():
        place = f"{param}.{name}"
        if name in ("create_response", "interrupt_response"):
            read[name] = boolean(found, place)
        elif name == "threshold":
            read[name] = number(found, place, 0.0, 1.0)
        elif name == "eagerness":
            read[name] = among(found, place, _SEMANTIC_SILENCE_MS)
        elif name == "idle_timeout_ms":
            read[name] = None if found is None else whole(found, place, _SHORTEST_IDLE_MS, _LONGEST_IDLE_MS)
        elif name != "type":
            read[name] = whole(found, place, 0, 10_000)
    return TurnDetection(**read)


class Change(NamedTuple):
    """Something that was heard, and the millisecond in which it was.

    ``began``: somebody begins to speak. ``paused``: they have been silent for a moment. ``went_on``: they speak again.
    ``ended``: they have been silent for so long that their turn is over.
    """

    kind: Literal["began", "paused", "went_on", "ended"]
    at_ms: int


class TurnDetector:
    """Hears turns begin and end, in sound that comes in pieces.

    Parameters
    ----------
    threshold : float
        Probability of speech from which it is some, 0 to 1.
    silence_ms : float
        Silence that ends a turn; infinite where nothing does.
    """

    def __init__(self, threshold: float = 0.5, silence_ms: float = float("inf")) -> None:
        self.threshold, self.silence_ms = threshold, silence_ms
        self._session = _network()
        self._state = np.zeros((2, 1, 1, 128), np.float32)
        self._waiting = np.zeros(_BEFORE, np.float32)  # begins with the end of the frame before
        self._frames = 0
        self._sure = self._silent = 0  # frames in a row
        self.speaking = False
        """Whether somebody speaks, or pauses."""

    @property
    def heard_ms(self) -> int:
        """How much sound has been looked at."""
        return self._frames * FRAME_MS

    def take(self, samples: NDArray[np.float32]) -> list[Change]:
        """What is heard in more sound: float32, shape (frames,), full scale ±1.0, 16,000 Hz."""
        return [change for probability in self._probabilities(samples) for change in self._look(probability)]

    def turn_is_over(self) -> None:
        """Begin anew, as if nobody had spoken."""
        self.speaking = False
        self._sure = self._silent = 0

    def _probabilities(self, samples: NDArray[np.float32]) -> Iterator[float]:
        self._waiting = np.concatenate([self._waiting, samples])
        while count := min((len(self._waiting) - _BEFORE) // _FRAME, _MOST_FRAMES):
            frames = np.lib.stride_tricks.sliding_window_view(self._waiting, _BEFORE + _FRAME)[::_FRAME][:count]
            given = {"input": np.ascontiguousarray(frames), "h": self._state[0], "c": self._state[1]}
            speech, *state = self._session.run(None, given)
            self._state = np.stack(state)
            self._waiting = self._waiting[count * _FRAME :].copy()
            yield from speech.reshape(-1).tolist()

    def _look(self, probability: float) -> Iterator[Change]:
        at_ms = self.heard_ms
        self._frames += 1
        loud = probability >= self.threshold
        self._sure = self._sure + 1 if loud else 0
        if not self.speaking:
            if self._sure >= _SURE_FRAMES:
                self.speaking = True
                self._silent = 0
                yield Change("began", at_ms - (_SURE_FRAMES - 1) * FRAME_MS)
            return
        pause_ms = min(_PAUSE_MS, self.silence_ms)
        if loud:
            if self._silent * FRAME_MS >= pause_ms:
                yield Change("went_on", at_ms)
            self._silent = 0
        elif self._silent or probability < max(self.threshold - _HYSTERESIS, 0.01):
            silent_ms = self._silent * FRAME_MS
            self._silent += 1
            if silent_ms < pause_ms <= silent_ms + FRAME_MS:
                yield Change("paused", self.heard_ms)
            if silent_ms + FRAME_MS >= self.silence_ms:
                self.turn_is_over()
                yield Change("ended", self.heard_ms)


@cache
def _network() -> Any:
    import onnxruntime
    from faster_whisper.utils import get_assets_path

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    path = f"{get_assets_path()}/silero_vad_v6.onnx"
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
