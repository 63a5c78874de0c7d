"""A Python function as a tool: its schema from signature, type hints and docstring, and its arguments from JSON."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import docstring_parser
import msgspec

from nbaudio.errors import CellError

__all__ = ["Refused", "Tool"]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what the protocol allows


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

        Literal, Enum, Optional, list, dict, tuple, TypedDict, dataclasses and msgspec structs are understood, and
        pydantic models where pydantic is there. The docstring may be in the style of NumPy, Google or Sphinx.

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
        name = getattr(function, "__name__", "")
        if not callable(function) or not _NAME.fullmatch(name):
            raise CellError(f"{function!r} can't be a tool.", "Give a Python function that has a name.")
        said = docstring_parser.parse(inspect.getdoc(function) or "")
        struct = _struct(function, name, {one.arg_name: one.description or "" for one in said.params})
        (reference,), components = msgspec.json.schema_components([struct], schema_hook=_pydantic_schema)
        parameters = components.pop(reference["$ref"].rpartition("/")[2])
        parameters.pop("title", None)
        if components:
            parameters["$defs"] = components
        description = "\n\n".join(filter(None, [said.short_description, said.long_description]))
        schema = {"name": name, "description": description, "parameters": _local(parameters)}
        return cls(name, function, {"type": "function", "function": schema}, struct)

    def arguments(self, text: str) -> dict[str, Any]:
        """The arguments that a JSON text gives, as the types that the function takes.

        Raises
        ------
        Refused
            If they do not fit.
        """
        try:
            found = msgspec.json.decode(text or "{}", type=self.struct, dec_hook=_pydantic_value)
        except (msgspec.DecodeError, ValueError, TypeError) as error:
            raise Refused(f"The arguments of {self.name} don't fit: {error}") from error
        return {one: getattr(found, one) for one in self.struct.__struct_fields__}


def _struct(function: Callable[..., Any], name: str, said: Mapping[str, str]) -> Any:
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception as error:
        raise CellError(f"The type hints of {name} can't be read: {error}.", "Can they be resolved here?") from error
    fields: list[tuple[str, Any, Any]] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise CellError(
                f"A model can't give {parameter} to {name}: it gives arguments by name.",
                "Wrap it in a function whose parameters all have names.",
            )
        hint = hints.get(parameter.name, Any)
        if described := " ".join(said.get(parameter.name, "").split()):
            hint = typing.Annotated[hint, msgspec.Meta(description=described)]
        default = msgspec.NODEFAULT if parameter.default is parameter.empty else parameter.default
        if isinstance(default, (list, dict, set, bytearray)):
            default = msgspec.field(default_factory=lambda given=parameter.default: given)
        fields.append((parameter.name, hint, default))
    try:
        struct = msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)
        msgspec.json.Decoder(struct, dec_hook=_pydantic_value)
    except (TypeError, NotImplementedError) as error:
        raise CellError(f"{name} takes what JSON can't give: {error}.", "Give its parameters plainer types.") from error
    return struct


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


def _local(schema: Any) -> Any:
    """The schema with references that hold where it stands alone."""
    if isinstance(schema, dict):
        return {
            key: value.replace("#/components/schemas/", "#/$defs/") if key == "$ref" else _local(value)
            for key, value in schema.items()
        }
    return [_local(one) for one in schema] if isinstance(schema, list) else schema
