"""Which way a text is spoken: by the speech endpoint, else by a chat model that reads it, else by a Realtime model."""

from __future__ import annotations

from nbaudio import errors
from nbaudio.settings import Backend, NbAudio
from nbaudio.speaking.endpoint import Endpoint
from nbaudio.speaking.passage import Order, Way
from nbaudio.speaking.realtime import RealtimeVerbatim
from nbaudio.speaking.verbatim import Verbatim

__all__ = ["Choosing"]

_NOT_THERE = (404, 405, 501)
_ASKED_FOR = "it is the model that was asked for"
_missing: dict[tuple[str, str, str], str] = {}
"""Of each address, way and model that turned out not to be there, what is said of it."""


class Choosing:
    """The way that one text is spoken, and another where it turns out not to be there.

    Parameters
    ----------
    order : Order
    backend : Backend
    settings : NbAudio

    Attributes
    ----------
    way : Way
    """

    def __init__(self, order: Order, backend: Backend, settings: NbAudio) -> None:
        self._order, self._backend, self._settings = order, backend, settings
        self.way: Way = self._first()

    def another(self, error: errors.RequestError) -> bool:
        """Whether an error says that the way is not there, and there is another, which `way` is now.

        A model that was named and is not there is a mistake to be told; of the usual one it is retirement.
        """
        if not isinstance(error, errors.ServerRefused):
            return False
        gone = isinstance(error, errors.UnknownModel)
        if not gone and error.status not in _NOT_THERE:
            return False
        if isinstance(self.way, Endpoint):
            if gone and (self._order.model or self._settings.speech_model):
                return False
            what = "text to speech"
        elif isinstance(self.way, Verbatim):
            asked_for = self._order.model == self._backend.model
            if asked_for or not self._realtime or (gone and self._backend.model != self._backend.dialect.default_model):
                return False
            what = "chat"
        else:
            return False
        lacks = f"no {self.way.model} any more" if gone else f"no {what}"
        _missing[self._backend.base_url, self.way.name, self.way.model] = lacks
        self.way = self._first()
        return True

    def _first(self) -> Way:
        """The way that is to be tried, by what is known."""
        backend, dialect = self._backend, self._backend.dialect
        endpoint = Endpoint(self._order, backend, self._settings)
        if dialect.is_realtime(endpoint.model):
            return self._realtime_way(endpoint.model, _ASKED_FOR)
        if self._order.model == backend.model and not backend.offline:
            return Verbatim(self._order, backend, self._settings, _ASKED_FOR)
        lacks = self._lacks(endpoint) if endpoint.model else "no text to speech"
        if not lacks:
            return endpoint
        why = f"{backend.name} has {lacks}"
        chat = Verbatim(self._order, backend, self._settings, why)
        if not self._realtime:
            return chat
        if dialect.is_realtime(chat.model):
            return self._realtime_way(chat.model, why)
        if not dialect.can_speak(chat.model):
            return self._realtime_way(self._realtime, f"{why}, and {chat.model} does not speak")
        if lacks := self._lacks(chat):
            return self._realtime_way(self._realtime, f"{why}, and {lacks}")
        return chat

    @property
    def _realtime(self) -> str:
        """The Realtime model that speaks where nothing else does; empty where there is none."""
        model, dialect = self._backend.model, self._backend.dialect
        return model if dialect.is_realtime(model) else dialect.realtime_model

    def _realtime_way(self, model: str, why: str) -> Way:
        return RealtimeVerbatim(self._order, self._backend, self._settings, model, why)

    def _lacks(self, way: Way) -> str:
        return _missing.get((self._backend.base_url, way.name, way.model), "")
