"""Conversations by name, which the cells of a notebook and its Python code share."""

from __future__ import annotations

from nbaudio.conversation.talk import Conversation

__all__ = ["adopt", "chat", "chats"]

_chats: dict[str, Conversation] = {}


def chat(name: str = "notebook", *, new: bool = False) -> Conversation:
    """The conversation of this name, made when it is first asked for; the cells of a notebook share ``"notebook"``.

    Parameters
    ----------
    name : str
    new : bool
        Begin it afresh.

    Examples
    --------
    >>> chat("dogs") is chat("dogs")
    True
    """
    if new or name not in _chats:
        _chats[name] = Conversation(name=name)
    return _chats[name]


def adopt(talk: Conversation) -> None:
    """Have a conversation be the one of its name from now on; one without a name is left alone."""
    if talk.name:
        _chats[talk.name] = talk


def chats() -> dict[str, Conversation]:
    """All conversations that have a name, in the order in which they were begun."""
    return dict(_chats)
