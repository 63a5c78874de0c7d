"""The engine of a process."""

from __future__ import annotations

from nbaudio.engine.parts import engine


def test_a_brain_has_one_engine_however_it_is_asked_for() -> None:
    assert engine() is engine("") is engine(brain="")
    assert engine("other.gguf") is not engine()
