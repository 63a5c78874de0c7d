"""Keys that stand in a cell, where they are saved with the notebook."""

from __future__ import annotations

import hashlib
import re
import warnings

from nbaudio.errors import NbaudioWarning, register_secret

__all__ = ["keys_in", "warn_of"]

# Keys that can be told by themselves: OpenAI's, OpenRouter's, Model Studio's and many others' begin so, and Google's.
_SHAPES = re.compile(r"(?<![\w-])(?:sk-[\w-]{16,}|AIza[\w-]{30,})")
# Others by the name of what they are given to: %env MISTRAL_API_KEY=..., os.environ["MISTRAL_API_KEY"] = "..."
_ASSIGNED = re.compile(
    r"^[ \t]*%(?:env|set_env)[ \t]+\w*(?:KEY|TOKEN)[ \t]*=?[ \t]*['\"]?(?P<line>[\w.-]{16,})['\"]?[ \t]*$"
    r"|\w*(?:KEY|TOKEN|api_key)['\"]?\]?[ \t]*[=,:][ \t]*['\"](?P<quoted>[\w.-]{16,})['\"]",
    re.MULTILINE,
)
_told: set[str] = set()


def keys_in(cell: str) -> list[str]:
    """What in the text of a cell looks like a key, each once.

    A placeholder without a digit, as ``sk-put-your-key-here``, does not.

    Examples
    --------
    >>> keys_in("%env MISTRAL_API_KEY=A1b2C3d4E5f6G7h8I9j0")
    ['A1b2C3d4E5f6G7h8I9j0']
    >>> keys_in("os.environ['OPENAI_API_KEY'] = getpass()")
    []
    """
    found = [match.group() for match in _SHAPES.finditer(cell)]
    found += [match["line"] or match["quoted"] for match in _ASSIGNED.finditer(cell)]
    return [key for key in dict.fromkeys(found) if re.search(r"\d", key)]


def warn_of(key: str, stacklevel: int = 2) -> None:
    """Hide a key from now on, and warn that it stands in a cell, the first time in this process."""
    register_secret(key)
    mark = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
    if mark in _told:
        return
    _told.add(mark)
    warnings.warn(
        "A key is typed in this cell: it is saved with the notebook, and whoever gets the notebook gets the key. It "
        "works, but keep it elsewhere: in the environment (key='env:NAME'), in a file that only you can read "
        "(key='file:PATH', chmod 600), or in the system's keyring (key='keyring:NAME'); docs/servers.md says how. "
        "Then delete it here.",
        NbaudioWarning,
        stacklevel=stacklevel + 1,
    )
