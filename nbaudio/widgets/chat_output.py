"""What a `VoiceChat` leaves in the notebook: the conversation as static output, in whose place the living chat stands.

The output is renewed as the conversation goes on, but not while the keyboard is in the chat, nor while somebody speaks:
to renew it, JupyterLab draws the cell's output again, which takes the keyboard away, and the button that is held.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from nbaudio.conversation.showing import talk_view
from nbaudio.display.conversation import conversation_html, conversation_markdown, conversation_plain
from nbaudio.display.html import tag
from nbaudio.display.player import live_class
from nbaudio.settings import settings
from nbaudio.widgets.front_end import cell_of, deleted_cells, front_end, is_served_by_jupyter, widget_view

if TYPE_CHECKING:
    from nbaudio.widgets.voice_chat import VoiceChat

__all__ = ["ChatOutput"]

_PAUSE_S = 2.0  # between two renewals: with their sounds they can be megabytes

_shown: dict[str, list[VoiceChat]] = {}


class ChatOutput:
    """The outputs of one chat.

    Parameters
    ----------
    widget : VoiceChat

    Attributes
    ----------
    keyboard_inside : bool
        Whether the person is in the chat.
    """

    def __init__(self, widget: VoiceChat) -> None:
        self._widget = widget
        self._display_id = ""
        self._due = False
        self._renewed_s = 0.0
        self.keyboard_inside = False

    def display(self) -> None:
        """Show it in the running cell. A chat that this cell showed before is closed: nobody sees it any more."""
        from IPython import get_ipython
        from IPython.display import display

        shell = get_ipython()
        if shell is not None and front_end(shell) == "live":
            for cell in (cell_of(shell), *deleted_cells(shell)):
                for other in _shown.pop(cell, []):
                    if other is not self._widget:
                        other.close()
            _shown[cell_of(shell)] = [self._widget]
        self._display_id = self._display_id or uuid.uuid4().hex
        display(self.bundle(), raw=True, display_id=self._display_id)  # type: ignore[no-untyped-call]

    def changed(self) -> None:
        """The conversation has gone on."""
        self._due = bool(self._display_id)

    def renew(self, now_s: float) -> float | None:
        """Renew what is saved, if that is due and disturbs nobody; in how many seconds it is to be looked at again."""
        if not self._due or self.keyboard_inside or self._widget.busy or self._widget.arriving:
            return None
        if self._widget.recorder.state in ("asking", "recording"):
            return _PAUSE_S
        wait_s = self._renewed_s + _PAUSE_S - now_s
        if wait_s > 0:
            return wait_s
        self._due = False
        if not is_served_by_jupyter():
            return None  # a front end that shows the widget itself in the output, and would begin it anew
        from IPython.display import update_display

        update_display(self.bundle(), raw=True, display_id=self._display_id)  # type: ignore[no-untyped-call]
        self._renewed_s = time.monotonic()
        return None

    def bundle(self) -> dict[str, Any]:
        """The conversation for whoever has no living page."""
        view = talk_view(list(self._widget.chat), "Voice chat", settings().embed_budget_kb * 1000)
        html = tag("div", conversation_html(view), class_=live_class(self._widget.key).strip())
        return {
            "text/plain": conversation_plain(view),
            "text/html": str(html),
            "text/markdown": conversation_markdown(view),
            **widget_view(self._widget.model_id),
        }

    def close(self) -> None:
        """Leave the outputs as they are."""
        self._due = False
        for cell, widgets in list(_shown.items()):
            if self._widget in widgets:
                del _shown[cell]
