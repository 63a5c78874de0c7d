"""The options of a conversation and of one answer, and the request's options that come of them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nbaudio import errors
from nbaudio.keyless import keyless_text
from nbaudio.settings import Backend, NbAudio
from nbaudio.spending.answer_cache import AnswerCache, answer_cache
from nbaudio.spending.budget import Budget
from nbaudio.tools.toolbox import Toolbox
from nbaudio.wire.requests import Options

__all__ = ["Given"]

_SHAPING = ("model", "voice", "instructions", "stream", "audio_format", "max_completion_tokens", "temperature")
_TOOLS = ("tools", "tool_choice", "parallel_tool_calls", "max_tool_rounds", "approve")
_MONEY = ("budget", "cache")
_ROUNDS = 8
_USUAL_VOICE = NbAudio.voice.default_value


class Given(dict[str, Any]):
    """Options that somebody gave, by name; what is None is as if it were not given.

    Examples
    --------
    >>> Given.of({"voice": "ash", "model": None}).over({"voice": "coral", "stream": False})
    {'voice': 'coral', 'stream': False}
    """

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Given:
        """The options that there are, with instructions that hold no key.

        Raises
        ------
        CellError
            If there is one that nobody knows, with the nearest known one.
        """
        known = (*_SHAPING, *_TOOLS, *_MONEY)
        for name in options:
            if name not in known:
                near = difflib.get_close_matches(name, [*known, "aloud"], n=1)
                hint = f"Did you mean {near[0]}?" if near else f"Known ones: {', '.join(known)}."
                raise errors.CellError(f"There is no option {name!r}.", hint)
        given = cls({name: value for name, value in options.items() if value is not None})
        if isinstance(told := given.get("instructions"), str):
            given["instructions"] = keyless_text(told, "the instructions")
        return given

    def over(self, options: Mapping[str, Any]) -> Given:
        """These, with others that come before them."""
        return Given({**self, **Given.of(options)})

    def toolbox(self) -> Toolbox:
        """The tools that may be called, and by whose leave."""
        functions: Sequence[Callable[..., Any]] = self.get("tools", ())
        return Toolbox(functions, approve=self.get("approve"))

    @property
    def max_tool_rounds(self) -> int:
        """How often results of tools go back to the model for one question."""
        rounds = self.get("max_tool_rounds", _ROUNDS)
        if not isinstance(rounds, int) or rounds < 1:
            raise errors.CellError(f"max_tool_rounds can't be {rounds!r}.", "Give 1 or more.")
        return rounds

    def budgets(self, chosen: NbAudio) -> list[Budget]:
        """All budgets that hold: the one that was given, and that of the settings."""
        given = [Budget.of(self["budget"])] if "budget" in self else []
        of_settings = Budget.of_settings(chosen)
        return [*given, of_settings] if of_settings is not None else given

    def cache(self, chosen: NbAudio) -> AnswerCache | None:
        """Where answers are kept; None where they are not."""
        return answer_cache() if self.get("cache", chosen.cache) else None

    def request(self, backend: Backend, chosen: NbAudio, toolbox: Toolbox, *, aloud: bool) -> Options:
        """The request's options: these, else the settings."""
        toolbox.check_choice(self.get("tool_choice", ""))
        temperature = self.get("temperature", chosen.temperature)
        return Options(
            model=self.get("model") or backend.model,
            voice=self.get("voice") or ("" if chosen.voice == _USUAL_VOICE else chosen.voice),  # then the server's own
            aloud=aloud,
            stream=self.get("stream", chosen.stream),
            audio_format=self.get("audio_format", chosen.audio_format),
            instructions=self.get("instructions", chosen.instructions),
            max_completion_tokens=self.get("max_completion_tokens", chosen.max_completion_tokens),
            temperature=temperature if temperature is not None and temperature >= 0 else None,
            tools=toolbox.schemas,
            tool_choice=self.get("tool_choice", ""),
            parallel_tool_calls=self.get("parallel_tool_calls"),
        )
