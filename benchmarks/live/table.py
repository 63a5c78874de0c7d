"""The results, as they are printed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from .recording import Stopped
from .sound import AT_ONCE, PACES, REAL_TIME, SMALL
from .speaking import Spoken

__all__ = ["print_recordings", "print_sounds"]

_WIDTH = 18
_Cell = tuple[str, float | None]
"""What is printed, and the number in it that ratios are made of."""


def print_sounds(found: dict[str, list[Spoken]], seconds: float) -> None:
    """The speaking part: a column for each player."""
    names = list(found)
    print(f"\nSPEAKING {'':31}" + "".join(f"{name:>{_WIDTH}}" for name in names) + _ratio_heads(names))
    rows: list[tuple[str, Callable[[list[Spoken]], _Cell]]] = []
    for pace, label, late in _conditions():
        rows.append((f"first sound, {label}, ms", lambda all_, p=pace, n=late: _firsts(_of(all_, p, n))))
    rows.append(
        ("first sound of a page, ms", lambda all_: _numbers([one.first_s * 1e3 for one in all_ if one.is_first]))
    )
    rows.append(("  of it the sound device, ms", lambda all_: (f"{all_[-1].heard.output_ms:.0f}", None)))
    for pace, label, late in _conditions():
        rows.append((f"gaps in {seconds:g} s, {label}", lambda all_, p=pace, n=late: _gaps(_of(all_, p, n), seconds)))
    rows.append(
        ("pauses made longer, s in all", lambda all_: (f"{sum(sum(o.heard.longer_s) for o in all_):.2f}", None))
    )
    rows.append(("sound that never came, s in all", lambda all_: (f"{sum(o.heard.lost_s for o in all_):.2f}", None)))
    for pace, label in ((REAL_TIME, "real time"), (AT_ONCE, "all at once"), (SMALL, "20 ms pieces")):
        rows.append((f"messages in one second, {label}", lambda all_, p=pace: _messages(_of(all_, p, None))))
    for label, cell in rows:
        _row(label, names, [cell(found[name]) for name in names])
    print("first sound: median (least to most) of all sounds but the first of a page. gaps: how many, ms in all")
    for name in names:
        for one in found[name]:
            if one.says and one.run.duration_s == seconds:
                lead_s, underruns = one.says
                said = f"{underruns} times dry, lead {lead_s * 1e3:.0f} ms"
                print(f"{name}'s own account, {PACES[one.run.pace].name}: {said}")


def print_recordings(found: dict[str, list[Stopped]], long_s: float) -> None:
    """The recording part."""
    names = list(found)
    print(f"\nRECORDING {'':30}" + "".join(f"{name:>{_WIDTH}}" for name in names) + _ratio_heads(names))
    for label, prefilled in (("10 s", False), (f"{long_s:.0f} s", True)):
        some = [[1e3 * one.wait_s for one in found[name] if one.prefilled == prefilled] for name in names]
        _row(f"stop to first byte, {label}, ms", names, [_numbers(times[1:]) for times in some])
        _row("  the very first one, ms", names, [_numbers(times[:1]) for times in some])
    print(
        f"The {long_s:.0f} s were put in place within seconds and then stopped as ever: pieces as from the microphone"
    )
    print(
        "(nbaudio), a WebM file as from the browser's recorder (gradio). ipyaudio's pieces of 20 ms, each sent when the"
    )
    print("one before was acknowledged, can't be hurried: its wait grows with the length.")


def _conditions() -> list[tuple[int, str, int | None]]:
    """Each pace, what it is called, and which one of several sounds is meant; None: all."""
    found: list[tuple[int, str, int | None]] = []
    for pace, what in enumerate(PACES):
        if what.jitter_s:
            found += [(pace, what.name, 0), (pace, f"{what.name} once more", 1)]
        elif pace != SMALL:
            found.append((pace, what.name, None))
    return found


def _of(sounds: Sequence[Spoken], pace: int, number: int | None) -> list[Spoken]:
    some = [one for one in sounds if one.run.pace == pace]
    return some if number is None else some[number : number + 1]


def _firsts(sounds: Sequence[Spoken]) -> _Cell:
    kept = [one for one in sounds if not one.is_first] or sounds
    return _numbers([1e3 * one.first_s for one in kept])


def _gaps(sounds: Sequence[Spoken], seconds: float) -> _Cell:
    gaps = [gap for one in sounds if one.run.duration_s == seconds for gap in one.heard.gaps_s]
    return (f"{len(gaps)}, {sum(gaps) * 1e3:.0f} ms", float(len(gaps))) if gaps else ("0", 0.0)


def _messages(sounds: Sequence[Spoken]) -> _Cell:
    most = max(one.heard.messages for one in sounds if not one.is_first)
    return str(most), float(most)


def _numbers(numbers: Sequence[float]) -> _Cell:
    if not numbers:
        return "-", None
    middle = statistics.median(numbers)
    spread = f" ({min(numbers):.0f}-{max(numbers):.0f})" if len(numbers) > 1 else ""
    return f"{middle:.0f}{spread}", middle


def _ratio_heads(names: Sequence[str]) -> str:
    return "".join(f"{name + ' / ' + names[0]:>{_WIDTH + 2}}" for name in names[1:])


def _row(label: str, names: Sequence[str], cells: Sequence[_Cell]) -> None:
    first = cells[0][1]
    ratios = [f"{other / first:.2f}" if first and other is not None else "-" for _, other in cells[1:]]
    shown = "".join(f"{text:>{_WIDTH}}" for text, _ in cells)
    print(f"{label:<40}{shown}" + "".join(f"{ratio:>{_WIDTH + 2}}" for ratio in ratios))
