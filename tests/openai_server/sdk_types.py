"""Judging bodies by the types of the installed ``openai`` package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter


def validated(expected: Any, found: object) -> Any:
    """`found` as a value of the SDK's type `expected`.

    Raises
    ------
    AssertionError
        If a model leaves a field of it unrecognised, or a TypedDict does not give it back unchanged.
    pydantic.ValidationError
        If it isn't of that type.
    """
    value = _adapter(expected).validate_python(found)
    if isinstance(value, BaseModel):
        unrecognised = list(_unrecognised(value, ""))
        assert not unrecognised, f"unrecognised by the SDK: {unrecognised}"
    else:
        assert _plain(value) == found
    return value


@cache
def _adapter(expected: Any) -> TypeAdapter[Any]:
    # Kept: an `Iterable` field is validated when it is read, with the adapter that read it.
    return TypeAdapter(expected)


def _unrecognised(value: object, place: str) -> Iterator[str]:
    if isinstance(value, BaseModel):
        for name in value.model_extra or ():
            yield f"{place}.{name}"
        for name in value.model_fields_set & type(value).model_fields.keys():
            yield from _unrecognised(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _unrecognised(item, f"{place}[{index}]")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if value is None or isinstance(value, (str, int, float)):
        return value
    return [_plain(item) for item in value]
