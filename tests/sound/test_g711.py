"""Telephone sound, against the decoders of ITU-T G.711 as formulas."""

from __future__ import annotations

import numpy as np
import pytest

from nbaudio.sound.g711 import Law, from_g711, to_g711

EVERY_BYTE = bytes(range(256))


def mu_law(byte: int) -> int:
    """One byte of µ-law as a 16-bit sample: sign, three bits of exponent, four of mantissa, all inverted."""
    byte = ~byte & 0xFF
    size = (((byte & 0x0F) << 3) + 0x84 << (byte >> 4 & 0x07)) - 0x84
    return -size if byte & 0x80 else size


def a_law(byte: int) -> int:
    """One byte of A-law: every other bit inverted, and no step at zero."""
    byte ^= 0x55
    exponent, mantissa = byte >> 4 & 0x07, (byte & 0x0F) << 4
    size = mantissa + 8 if exponent == 0 else mantissa + 0x108 << (exponent - 1)
    return size if byte & 0x80 else -size


@pytest.mark.parametrize(("law", "decoded"), [("pcmu", mu_law), ("pcma", a_law)])
def test_every_byte_is_what_the_recommendation_says(law: Law, decoded: object) -> None:
    assert np.frombuffer(from_g711(EVERY_BYTE, law), "<i2").tolist() == [decoded(b) for b in EVERY_BYTE]  # type: ignore[operator]


@pytest.mark.parametrize("law", ["pcmu", "pcma"])
def test_what_was_telephone_sound_stays_as_it_is(law: Law) -> None:
    pcm16 = from_g711(EVERY_BYTE, law)
    assert from_g711(to_g711(pcm16, law), law) == pcm16
    assert from_g711(b"", law) == to_g711(b"", law) == b""


@pytest.mark.parametrize("law", ["pcmu", "pcma"])
def test_a_tone_keeps_its_shape(law: Law) -> None:
    tone = (8000 * np.sin(np.arange(8000) / 5)).astype("<i2")
    heard = np.frombuffer(from_g711(to_g711(tone.tobytes(), law), law), "<i2")
    noise = heard.astype(float) - tone
    assert 10 * np.log10(np.mean(tone.astype(float) ** 2) / np.mean(noise**2)) > 35  # dB, as G.711 is known to have
