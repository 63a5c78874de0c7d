"""The error answers of the API: one envelope, and how its messages are worded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response


class Refused(Exception):
    """A request that the API answers with an error.

    Parameters
    ----------
    message : str
        What the person reads.
    param, code : str, optional
        Where in the request, and the machine-readable reason; both may be null on the wire.
    status : int
        The HTTP status.
    media_type : str
        401s come as ``text/plain`` although the body is JSON; all else is ``application/json``.
    """

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int = 400,
        kind: str = "invalid_request_error",
        media_type: str = "application/json",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.media_type = media_type
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}

    def response(self) -> Response:
        """The answer, without the headers that every answer has."""
        # Set by name: Starlette would add a charset to text/plain, which the API doesn't send.
        headers = {"content-type": self.media_type}
        return Response(json.dumps(self.body), status_code=self.status, headers=headers)


def listed(values: Sequence[str]) -> str:
    """Quoted values as the API lists them: ``'a' and 'b'``, ``'a', 'b', and 'c'``."""
    quoted = [f"'{value}'" for value in values]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"


def shortened(value: Any) -> str:
    """A value as error messages echo it: of a longer one only both ends."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 6 else f"{text[:3]}...{text[-3:]}"


def missing(param: str) -> Refused:
    """A required field that isn't there."""
    return Refused(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def unknown(param: str) -> Refused:
    """A field that the API doesn't have."""
    return Refused(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")


def wrong_type(param: str, expected: str, value: Any) -> Refused:
    """A field with a value of another type."""
    message = f"Invalid type for '{param}': expected {expected}, but got {_noun(value)} instead."
    return Refused(message, param=param, code="invalid_type")


def not_among(param: str, value: Any, supported: Sequence[str]) -> Refused:
    """A value that isn't one of the few that there are."""
    message = f"Invalid value: '{shortened(value)}'. Supported values are: {listed(supported)}."
    return Refused(message, param=param, code="invalid_value")


def _noun(value: Any) -> str:
    names = {str: "a string", list: "an array", dict: "an object", int: "an integer", float: "a decimal"}
    return "null" if value is None else "a boolean" if isinstance(value, bool) else names[type(value)]
