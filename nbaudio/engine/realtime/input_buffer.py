"""What the client has appended and what is no turn yet, with who listens in it for turns."""

from __future__ import annotations

import math

from nbaudio.engine.hear import SAMPLE_RATE as HEARING_RATE
from nbaudio.engine.realtime.quick_rate import QuickRate
from nbaudio.engine.realtime.sound_formats import Sound, SoundFormat
from nbaudio.engine.realtime.turn_detection import Change, TurnDetection, TurnDetector
from nbaudio.sound import codecs

__all__ = ["InputBuffer"]

_BEGINS_LATE_MS = 200  # speech is noticed some frames after its beginning


class InputBuffer:
    """The input audio buffer of a session.

    Times are milliseconds of all sound that was written to it since the session began.

    Parameters
    ----------
    form : SoundFormat
        Of the sound that is written to it.
    detection : TurnDetection or None
        None where the client says itself when a turn is over. Pauses are heard even so.
    """

    def __init__(self, form: SoundFormat, detection: TurnDetection | None) -> None:
        self.format = form
        self._detection = detection
        self._data = bytearray()
        self._half = b""  # bytes of a frame that is not complete
        self._begins_ms = 0.0  # of `_data`
        self._listen(0.0)

    def _listen(self, since_ms: float) -> None:
        """Begin to listen for turns anew."""
        self._since_ms = since_ms
        self._rate = QuickRate(self.format.sample_rate, HEARING_RATE)
        self._detector = TurnDetector()
        self.detect(self._detection)

    @property
    def speaking(self) -> bool:
        """Whether somebody speaks, or pauses."""
        return self._detector.speaking

    @property
    def begins_ms(self) -> float:
        """When the sound that is kept begins."""
        return self._begins_ms

    @property
    def written_ms(self) -> float:
        """How much was written in the session."""
        return self._begins_ms + self.duration_ms

    @property
    def duration_ms(self) -> float:
        """How much is kept."""
        return self.format.milliseconds_of(len(self._data))

    def forget_turn(self) -> None:
        """Listen as if nobody had spoken yet."""
        self._detector.turn_is_over()

    def detect(self, detection: TurnDetection | None) -> None:
        """Listen for the ends of turns in another way from now on."""
        self._detection = detection
        self._detector.threshold = detection.threshold if detection is not None else 0.5
        self._detector.silence_ms = detection.silence_ms if detection is not None else float("inf")

    def reform(self, new: SoundFormat) -> None:
        """Take another form from now on; what is kept in the one before is dropped."""
        written_ms = self.written_ms
        self.format, self._half = new, b""
        self._data.clear()
        self._begins_ms = written_ms
        self._listen(written_ms)

    def append(self, data: bytes) -> list[Change]:
        """Take more sound, in the form that is set; gives what is heard in it."""
        data = self._half + data
        whole = len(data) - len(data) % self.format.frame_bytes
        data, self._half = data[:whole], data[whole:]
        self._data += data
        heard = self._rate.take(codecs.pcm16_to_samples(self.format.to_pcm16(data))[:, 0])
        since_ms = round(self._since_ms)
        return [Change(change.kind, since_ms + change.at_ms) for change in self._detector.take(heard)]

    def keep_from(self, milliseconds: float) -> None:
        """Drop what lies before."""
        size = min(self.format.bytes_of(milliseconds - self._begins_ms), len(self._data))
        if size > 0:
            del self._data[:size]
            self._begins_ms += self.format.milliseconds_of(size)

    def keep_prefix(self, wanted_ms: float = math.inf) -> None:
        """While nobody speaks, drop what no turn can begin with, unless it is wanted from a time on."""
        if self._detection is not None and not self.speaking:
            prefix_ms = self.written_ms - self._detection.prefix_padding_ms - _BEGINS_LATE_MS
            self.keep_from(min(prefix_ms, wanted_ms))

    def between(self, start_ms: float, end_ms: float | None = None) -> Sound:
        """A part of what is kept."""
        size = len(self._data)
        first = max(self.format.bytes_of(start_ms - self._begins_ms), 0)
        last = size if end_ms is None else min(self.format.bytes_of(end_ms - self._begins_ms), size)
        return Sound(self.format, bytes(self._data[first:last]))

    def take(self, end_ms: float | None = None) -> Sound:
        """What is kept, up to a time; it is a turn now, and the rest stays."""
        sound = self.between(self._begins_ms, end_ms)
        self.keep_from(self._begins_ms + sound.duration_ms)
        return sound

    def drop_half(self) -> None:
        """Drop what is left of a frame: the sound ends here, and its other half does not come."""
        self._half = b""

    def clear(self) -> None:
        """Drop all."""
        self.keep_from(self.written_ms)
        self.drop_half()
        self._detector.turn_is_over()
