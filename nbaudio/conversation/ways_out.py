"""The ways out of a conversation: saved files, messages, tables, exports, and what a notebook shows of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nbaudio.conversation import exporting, messages, saved, showing, table
from nbaudio.conversation.turnlist import TurnList
from nbaudio.display.conversation import conversation_html, conversation_markdown, conversation_plain
from nbaudio.settings import settings

__all__ = ["WaysOut"]


class WaysOut(TurnList):
    """Turns that can be saved, exported and shown."""

    name: str = ""
    instructions: str = ""

    @property
    def options(self) -> dict[str, Any]:
        """The options that were given, by name."""
        return {}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write all of it to one file whose name ends in ``.nbaudio``; returns its path. See ``docs/saved-files.md``.

        Turns with all that is known of them, their sounds as they are, the name, and the options that are plain values
        are in it; tools, keys and addresses are not. The file appears when it is whole, in the place of one that stood
        there.

        Raises
        ------
        SavedFileError
            If the name ends otherwise, or the file can't be written.
        """
        return saved.save(path, self, name=self.name, options=self.options)

    def to_messages(self, *, audio_ids: bool = False) -> list[dict[str, Any]]:
        """The ``messages`` of a request to OpenAI's chat completions, as plain dicts.

        Recordings go as base64; spoken answers as their words. Calls of tools go with their results, or not at all.

        Parameters
        ----------
        audio_ids : bool
            Refer to spoken answers by their audio ids where these have not expired, instead of giving their words. Only
            the server that gave an id understands it.
        """
        return messages.to_messages(self, self.instructions, audio_ids=audio_ids)

    def to_dataframe(self) -> Any:
        """A ``pandas.DataFrame`` with one row a turn.

        Its columns: role, text, transcript, duration_s (of the sound), model, voice, backend, time (UTC), the tokens
        that the server counted (input_tokens, output_tokens, and the parts of them that are text, audio and cached),
        partial, tool (the name of the one that answers, or of those that are asked for) and id. What is not known is
        missing.

        Raises
        ------
        SetupError
            If pandas is not installed.
        """
        return table.to_dataframe(self)

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write it for people and programs without nbaudio; the name's ending says the form. Returns the path.

        - ``.md``: Markdown, the words.
        - ``.html``: one page with players, which needs no network and nothing beside it.
        - ``.wav``, ``.mp3``: the whole talk in one sound, with a chapter for each turn that sounds.
        - ``.vtt``: the words of the turns that sound, with speakers, at their times in that sound.

        Raises
        ------
        SavedFileError
            If the ending is another, the file can't be written, or it is to be heard and nothing sounds.
        """
        return exporting.export(path, self, self.name or "Conversation")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        view = showing.talk_view(self, repr(self), settings().embed_budget_kb * 1000)
        return {
            "text/plain": conversation_plain(view),
            "text/html": conversation_html(view),
            "text/markdown": conversation_markdown(view),
        }
