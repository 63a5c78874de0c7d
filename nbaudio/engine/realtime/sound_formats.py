"""The forms in which sound comes and goes in a Realtime session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from nbaudio.engine.asked import Refusal
from nbaudio.engine.realtime.checked import among, record, required
from nbaudio.engine.speak import SAMPLE_RATE
from nbaudio.sound import codecs, g711

__all__ = ["PCM", "Sound", "SoundFormat", "read_format"]


@dataclass(frozen=True)
class SoundFormat:
    """One form: its name in the protocol, Hz, and bytes of a frame (all are mono)."""

    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma"]
    sample_rate: int
    frame_bytes: int

    @property
    def _law(self) -> g711.Law:
        return "pcmu" if self.type == "audio/pcmu" else "pcma"

    def to_pcm16(self, data: bytes) -> bytes:
        """PCM16 at the same rate."""
        return data if self.type == "audio/pcm" else g711.from_g711(data, self._law)

    def of_pcm16(self, pcm16: bytes) -> bytes:
        """The other way round."""
        return pcm16 if self.type == "audio/pcm" else g711.to_g711(pcm16, self._law)

    def of_voice(self, pcm16: bytes) -> bytes:
        """What the engine's voice said, which is PCM16 at 24,000 Hz, in this form."""
        if self.sample_rate == SAMPLE_RATE or not pcm16:
            return self.of_pcm16(pcm16)
        samples = codecs.resample(codecs.pcm16_to_samples(pcm16), SAMPLE_RATE, self.sample_rate)
        return self.of_pcm16(codecs.samples_to_pcm16(samples))

    def bytes_of(self, milliseconds: float) -> int:
        """How many bytes so much sound has."""
        return int(milliseconds * self.sample_rate / 1000) * self.frame_bytes

    def milliseconds_of(self, size: int) -> float:
        """How long so many bytes sound."""
        return size // self.frame_bytes * 1000 / self.sample_rate

    def as_event(self) -> dict[str, Any]:
        """As it stands in a session."""
        return {"type": self.type} | ({"rate": self.sample_rate} if self.type == "audio/pcm" else {})


PCM = SoundFormat("audio/pcm", SAMPLE_RATE, 2)
"""The usual one."""

_FORMATS: dict[str, SoundFormat] = {
    one.type: one
    for one in (
        PCM,
        SoundFormat("audio/pcmu", g711.SAMPLE_RATE, 1),
        SoundFormat("audio/pcma", g711.SAMPLE_RATE, 1),
    )
}


@dataclass(frozen=True)
class Sound:
    """A sound in its form."""

    format: SoundFormat
    data: bytes

    @property
    def duration_ms(self) -> float:
        """How long it is."""
        return self.format.milliseconds_of(len(self.data))


def read_format(value: Any, param: str) -> SoundFormat:
    """The form that an event names.

    Raises
    ------
    Refusal
        If there is no such form.
    """
    fields = record(value, param, ("type", "rate"))
    found = _FORMATS[among(required(fields, "type", f"{param}.type"), f"{param}.type", _FORMATS)]
    if fields.get("rate") not in (None, found.sample_rate):
        raise Refusal(
            f"Invalid value: '{param}.rate' is {found.sample_rate} for {found.type}.",
            param=f"{param}.rate",
            code="invalid_value",
        )
    return found
