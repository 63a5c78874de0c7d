"""A Python function as a tool: its schema from signature, type hints and docstring, and its arguments from JSON."""

from __future__ import annotations

import functools
import inspect
import json
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import docstring_parser
import msgspec

from nbaudio.errors import CellError, mask

__all__ = ["Refused", "Tool"]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what the protocol allows
_LONGEST_DESCRIPTION = 1024  # characters, the protocol's limit
_LEFT_OUT = object()


class Refused(ValueError):
    """Arguments that do not fit; the text says why, to a model."""


@dataclass(frozen=True)
class Tool:
    """One function that a model may call."""

    name: str
    function: Callable[..., Any]
    schema: Mapping[str, Any] = field(repr=False)
    struct: Any = field(repr=False)
    """The msgspec type of its arguments."""

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Tool:
        """The tool that a function is: its name, what its docstring says, and its parameters by their type hints.

        Functions, methods, `functools.partial` and objects that can be called are taken; what a partial has fixed by
        name the model neither sees nor changes. Of types, Literal, Enum, Optional, list, dict, tuple, TypedDict,
        dataclasses and msgspec structs are understood, and pydantic models where pydantic is there. The docstring may
        be in the style of NumPy, Google or Sphinx.

        Raises
        ------
        CellError
            If it is no function, has parameters without names, or a type that JSON can't give.

        Examples
        --------
        >>> def weather(city: str, unit: typing.Literal["C", "F"] = "C") -> str:
        ...     '''The weather now.
        ...
        ...     Args:
        ...         city: Its name in English.
        ...     '''
        >>> Tool.of(weather).schema["function"]["parameters"]["properties"]["city"]
        {'description': 'Its name in English.', 'type': 'string'}
        """
        inner, fixed = _without_partials(function)
        written = _written(inner)
        name = getattr(inner, "__name__", type(inner).__name__)
        if written is None or not _NAME.fullmatch(name):
            raise CellError(f"{function!r} can't be a tool.", "Give a Python function that has a name.")
        said = _said(written.__doc__ or ("" if written is inner else type(inner).__doc__) or "")
        parameters = [one for one in _parameters(function, name) if one.name not in fixed]
        told = {one.strip(): found.description or "" for found in said.params for one in found.arg_name.split(",")}
        struct = _struct(written, name, parameters, told)
        schema = {"name": name, "description": _description(said), "parameters": _schema(struct, name, parameters)}
        return cls(name, function, {"type": "function", "function": schema}, struct)

    def arguments(self, text: str) -> dict[str, Any]:
        """The arguments that a JSON text gives, as the types that the function takes; others keep their defaults.

        Raises
        ------
        Refused
            If they do not fit.
        """
        try:
            found = msgspec.json.decode(text.strip() or "{}", type=self.struct, dec_hook=_pydantic_value)
        except (msgspec.DecodeError, ValueError, TypeError, RecursionError) as error:
            raise Refused(f"The arguments of {self.name} don't fit: {error}") from error
        given = ((one, getattr(found, one)) for one in self.struct.__struct_fields__)
        return {one: value for one, value in given if value is not _LEFT_OUT}


def _without_partials(function: Any) -> tuple[Any, set[str]]:
    """What is called in the end, and the names that are fixed on the way there."""
    fixed: set[str] = set()
    while isinstance(function, functools.partial):
        fixed |= set(function.keywords)
        function = function.func
    return function, fixed


def _written(inner: Any) -> Any:
    """The function that somebody wrote, with its docstring and hints; None where there is none."""
    if inspect.isroutine(inner):
        return inner
    return type(inner).__call__ if callable(inner) and not isinstance(inner, type) else None


def _said(doc: str) -> docstring_parser.Docstring:
    text = inspect.cleandoc(doc)
    try:
        return docstring_parser.parse(text)
    except docstring_parser.ParseError:  # of no style: all of it describes
        plain = docstring_parser.Docstring()
        plain.short_description = text
        return plain


def _description(said: docstring_parser.Docstring) -> str:
    gives = said.returns.description if said.returns else None
    parts = [said.short_description, said.long_description, f"Returns: {gives}" if gives else None]
    text = "\n\n".join(part for part in parts if part)
    return text if len(text) <= _LONGEST_DESCRIPTION else text[: _LONGEST_DESCRIPTION - 1] + "…"


def _parameters(function: Any, name: str) -> list[inspect.Parameter]:
    try:
        found = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError) as error:  # some built-in functions have none
        raise CellError(f"{name} does not say what it takes.", "Wrap it in a function of your own.") from error
    for parameter in found:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise CellError(
                f"A model can't give {parameter} to {name}: it gives arguments by name.",
                "Wrap it in a function whose parameters all have names.",
            )
    return found


def _struct(written: Any, name: str, parameters: list[inspect.Parameter], told: Mapping[str, str]) -> Any:
    try:
        hints = typing.get_type_hints(written, include_extras=True)
    except Exception as error:
        raise CellError(f"The type hints of {name} can't be read: {error}.", "Can they be resolved here?") from error
    fields: list[tuple[str, Any, Any]] = []
    for parameter in parameters:
        hint, default = hints.get(parameter.name, Any), parameter.default
        if default is None:  # `size: int = None`, as it is often written, means that null is taken too
            hint = typing.Optional[hint]  # noqa: UP045 - not every hint has an `|`
        if described := " ".join(told.get(parameter.name, "").split()):
            hint = typing.Annotated[hint, msgspec.Meta(description=described)]
        # What a model leaves out is left out of the call too, so that the function's own default holds.
        missing = msgspec.NODEFAULT if default is parameter.empty else msgspec.field(default_factory=lambda: _LEFT_OUT)
        fields.append((parameter.name, hint, missing))
    try:
        struct = msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)
        msgspec.json.Decoder(struct, dec_hook=_pydantic_value)
    except (TypeError, NotImplementedError) as error:
        raise _not_json(name, error) from error
    return struct


def _schema(struct: Any, name: str, parameters: list[inspect.Parameter]) -> dict[str, Any]:
    try:
        (reference,), components = msgspec.json.schema_components([struct], schema_hook=_pydantic_schema)
    except (TypeError, NotImplementedError) as error:
        raise _not_json(name, error) from error
    types: dict[str, Any] = {}
    components = {key: _local(value, types, name) for key, value in components.items()}
    schema: dict[str, Any] = components.pop(reference["$ref"].rpartition("/")[2])
    schema.pop("title", None)
    for key, value in components.items():
        _define(types, key, value, name)
    if types:
        schema["$defs"] = types
    for parameter in parameters:
        if parameter.default is not parameter.empty and (told := _told(parameter.default)):
            schema["properties"][parameter.name]["default"] = json.loads(told)
    return schema


def _not_json(name: str, error: Exception) -> CellError:
    return CellError(f"{name} takes what JSON can't give: {error}.", "Give its parameters plainer types.")


def _told(default: Any) -> str:
    """A default as JSON, if it can stand in the schema: that goes to a server, so there is no key in it."""
    try:
        text = json.dumps(msgspec.to_builtins(default), allow_nan=False)
    except (TypeError, ValueError):
        return ""
    return text if mask(text) == text else ""


def _is_pydantic(kind: Any) -> bool:
    return isinstance(kind, type) and hasattr(kind, "model_json_schema") and hasattr(kind, "model_validate")


def _pydantic_schema(kind: Any) -> dict[str, Any]:
    if _is_pydantic(kind):
        return dict(kind.model_json_schema())
    raise NotImplementedError(f"{kind!r} has no JSON schema")


def _pydantic_value(kind: Any, value: Any) -> Any:
    if _is_pydantic(kind):
        return kind.model_validate(value)
    raise NotImplementedError(f"{kind!r} can't be made of JSON")


def _local(schema: Any, types: dict[str, Any], name: str) -> Any:
    """The schema with references that hold where it stands alone; types that it brings itself go into `types`."""
    if isinstance(schema, list):
        return [_local(one, types, name) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {}
    for key, value in schema.items():
        if key == "$defs":
            for one, kind in value.items():
                _define(types, one, _local(kind, types, name), name)
        elif key == "$ref":
            found[key] = value.replace("#/components/schemas/", "#/$defs/")
        else:
            found[key] = _local(value, types, name)
    return found


def _define(types: dict[str, Any], key: str, kind: Any, name: str) -> None:
    if types.setdefault(key, kind) != kind:
        raise CellError(f"{name} takes two types that are both called {key}.", "Give one of them another name.")
