"""Every exception of nbaudio, and the masking of keys.

    NbaudioError                     what happened, and what to do next
    ├── BudgetExceeded               a request that would go beyond a budget; nothing was sent
    ├── CellError                    the cell can't be run as written: empty, unknown option, bad value
    ├── ClipError (ValueError)       a sound that can't be one: wrong shape, NaN, empty, not audio
    │   └── ClipNotFound (FileNotFoundError)
    ├── SavedFileError               a saved conversation that can't be written or read: damaged, hostile, too new
    ├── SetupError                   something to install, fetch or configure first
    │   ├── NoBackend                no key, no server and no offline engine
    │   └── WeightsError             the offline engine's weights are missing or not what they should be
    ├── RequestError                 a request that got no usable answer
    │   ├── ConnectionFailed         nobody there: refused, no route, broken off before an answer
    │   ├── TimedOut                 no answer in time
    │   ├── BadReply                 an answer that isn't the protocol's
    │   ├── ReplyCut                 the answer broke off; `partial` holds what came
    │   └── ServerRefused            the server answered with an error; `status`, `code`, `param`, `request_id`
    │       ├── BadRequest           400, 413, 422: the request itself
    │       │   ├── AudioIdNotFound  the server no longer knows an earlier answer's audio id
    │       │   └── UnknownVoice
    │       ├── AuthenticationFailed 401, 403
    │       ├── UnknownModel         404
    │       ├── RateLimited          429, after the retries
    │       ├── QuotaExceeded        429 that no retry mends
    │       └── ServerFailed         5xx, after the retries
    └── Interrupted (KeyboardInterrupt)  stopped by the person; `partial` holds what came

`NbaudioWarning` is for what goes wrong beside an answer, such as in a tool: that is warned of, and nothing stops.

Each is raised, not printed, so that Run All, nbclient and papermill stop; a notebook shows one line for it.
Text of an error may come from a server, and servers echo keys: `mask` runs over all of it.
"""

from __future__ import annotations

import re
from typing import Any

from nbaudio.legible import legible

__all__ = [
    "AudioIdNotFound",
    "AuthenticationFailed",
    "BadReply",
    "BadRequest",
    "BudgetExceeded",
    "CellError",
    "ClipError",
    "ClipNotFound",
    "ConnectionFailed",
    "Interrupted",
    "NbaudioError",
    "NbaudioWarning",
    "NoBackend",
    "QuotaExceeded",
    "RateLimited",
    "ReplyCut",
    "RequestError",
    "SavedFileError",
    "ServerFailed",
    "ServerRefused",
    "SetupError",
    "TimedOut",
    "UnknownModel",
    "UnknownVoice",
    "WeightsError",
    "mask",
    "register_secret",
    "shortened",
    "without_keys",
]

_MASK = "[key]"
_LONGEST = 5_000  # characters of a text that an error keeps
_SHORTEST_ECHO = 6  # characters of a key in a row that give it away; fewer would mask plain words
_SHORTEST_KEY = 20  # characters of one that opens something; servers without keys are given plain words, as "lm-studio"
# An error's text may be a server's, and long, and these must not go slow on it: lengths are bounded, and a word of any
# length is tried from where it begins, and not from each of its letters.
_KEY_SHAPES = re.compile(
    r"\b(?:sk|ek|pk|rk)-[\w*\-]{4,}"  # OpenAI's and its imitators', whole or starred out
    r"|(?<=[Bb]earer )[^\s'\",]{8,}"
    r"|(?<=://)[^\s/@'\"]{1,256}(?=@)"  # the user name and password of an address
    r"|(?<![\w\-])[\w\-]+\*{3,256}[\w\-*]*|(?<!\*)\*{3,256}[\w\-]+",  # any word that a server starred out itself
)
_ELIDED = re.compile(r"(?<![^\s'\"`.…*•=:])([^\s'\"`.…*•=:]{2,})(?:\.{2,8}|…|\*{1,256}|•{1,256})([^\s'\"`.…*•]{2,256})")
_secrets: set[str] = set()
_pieces: set[str] = set()


def register_secret(secret: str) -> None:
    """Have `mask` hide this text, and any `_SHORTEST_ECHO` characters in a row of it, from now on."""
    if len(secret) >= _SHORTEST_ECHO and secret not in _secrets:
        _secrets.add(secret)
        _pieces.update(secret[at : at + _SHORTEST_ECHO] for at in range(len(secret) - _SHORTEST_ECHO + 1))


def mask(text: str) -> str:
    """Text with every known or key-shaped secret replaced by ``[key]``, also where only a piece of it is shown.

    Examples
    --------
    >>> mask("Incorrect API key provided: sk-proj-abc***xyz.")
    'Incorrect API key provided: [key].'
    """
    text = _KEY_SHAPES.sub(_MASK, _ELIDED.sub(_mask_ends, text))
    kept: list[str] = []
    end = 0  # up to here the text is kept or hidden
    for at in range(len(text) - _SHORTEST_ECHO + 1 if _pieces else 0):
        if text[at : at + _SHORTEST_ECHO] in _pieces:
            if at > end or not kept:  # else it goes on where the last piece ended
                kept += [text[end:at], _MASK]
            end = at + _SHORTEST_ECHO
    return "".join([*kept, text[end:]])


def without_keys(text: str) -> str:
    """Text of a conversation with ``[key]`` in the place of each known key that stands in it whole.

    Unlike `mask` it leaves all else as it is: what looks like a key, or like a piece of one, may be what is talked of.
    """
    for secret in tuple(_secrets):
        if len(secret) >= _SHORTEST_KEY and secret in text:
            text = text.replace(secret, _MASK)
    return text


def _mask_ends(found: re.Match[str]) -> str:
    """``def...xyz``, where a known key begins with def and ends with xyz."""
    for secret in tuple(_secrets):
        if secret.startswith(found[1].lstrip("([{<")) and secret.endswith(found[2].rstrip(".,;:!?)]}>")):
            return _MASK
    return found[0]


def shortened(text: str) -> str:
    """What a person reads of a text, which may be a page of HTML that a server sent instead of an answer."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text) - _LONGEST} characters more)"


class NbaudioError(Exception):
    """What happened, and what to do next, as one readable line.

    Parameters
    ----------
    cause : str
        What happened, a sentence or two.
    next_step : str
        What the person can do about it; may be empty.

    Examples
    --------
    >>> print(NbaudioError("The cell is empty.", "Write the question below the magic."))
    The cell is empty. Write the question below the magic.
    """

    def __init__(self, cause: str, next_step: str = "") -> None:
        self.cause = legible(mask(shortened(cause)))
        self.next_step = legible(mask(shortened(next_step)))
        super().__init__(" ".join(part for part in (self.cause, self.next_step) if part))

    def _render_traceback_(self) -> list[str]:
        # IPython asks for this instead of a traceback: the error output keeps its name, and the run stops.
        return [f"{type(self).__name__}: {self}"]

    def __reduce__(self) -> tuple[Any, ...]:
        # An error of a worker process comes back pickled, and by default only with `args`.
        return _restored, (type(self), self.cause, self.next_step), vars(self)


def _restored(kind: type[NbaudioError], cause: str, next_step: str) -> NbaudioError:
    required = {"status": 0} if issubclass(kind, ServerRefused) else {}  # the real one follows with all attributes
    return kind(cause, next_step, **required)


class NbaudioWarning(UserWarning):
    """Something went wrong that the answer does without; it is shown, and nothing stops."""


class BudgetExceeded(NbaudioError):
    """A request was not sent, for it would go beyond a budget.

    `spent`, `estimate` of this request and `limit` are in the budget's unit: dollars, tokens or minutes of sound. They
    are None where no numbers are the reason.
    """

    spent: float | None = None
    estimate: float | None = None
    limit: float | None = None


class CellError(NbaudioError):
    """The cell can't be run as written."""


class ClipError(NbaudioError, ValueError):
    """A sound that can't be one."""


class ClipNotFound(ClipError, FileNotFoundError):
    """No such sound file."""


class SavedFileError(NbaudioError):
    """A saved conversation that can't be written, or a file that can't be read as one."""


class SetupError(NbaudioError):
    """Something has to be installed, fetched or configured first."""


class NoBackend(SetupError):
    """No key, no server and no offline engine."""


class WeightsError(SetupError):
    """The offline engine's weights are missing, or are not the bytes that they should be."""


class RequestError(NbaudioError):
    """A request that got no usable answer. `partial` holds what came of one, or None."""

    partial: Any = None


class ConnectionFailed(RequestError):
    """Nobody answered at that address."""


class TimedOut(RequestError):
    """No answer in time."""


class BadReply(RequestError):
    """The answer isn't what the protocol says."""


class ReplyCut(RequestError):
    """The answer broke off; `partial` is what came, and it plays."""


class ServerRefused(RequestError):
    """The server answered with an error.

    Parameters
    ----------
    cause, next_step : str
        As in `NbaudioError`.
    status : int
        The HTTP status; 200 where the error came inside a stream.
    code, param, request_id : str, optional
        The server's own words, for a report to it.
    """

    def __init__(
        self,
        cause: str,
        next_step: str = "",
        *,
        status: int,
        code: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(cause, next_step)
        self.status = status
        self.code = mask(shortened(code)) if code else code
        self.param = mask(shortened(param)) if param else param
        self.request_id = mask(shortened(request_id)) if request_id else request_id


class BadRequest(ServerRefused):
    """The server can't take the request as it is."""


class AudioIdNotFound(BadRequest):
    """The server no longer knows an earlier answer's audio id."""


class UnknownVoice(BadRequest):
    """The server has no such voice."""


class AuthenticationFailed(ServerRefused):
    """The server does not accept the key."""


class UnknownModel(ServerRefused):
    """The server has no such model, or the key may not use it."""


class RateLimited(ServerRefused):
    """Too many requests, also after waiting."""


class QuotaExceeded(ServerRefused):
    """The account has no credit left; waiting does not help."""


class ServerFailed(ServerRefused):
    """The server broke down, also when asked again."""


class Interrupted(NbaudioError, KeyboardInterrupt):
    """Stopped by the person; `partial` is what had come by then, or None."""

    partial: Any = None
