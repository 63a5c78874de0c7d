"""An answer that is spoken while it is still being written: words in, sound out sentence by sentence."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import aclosing

import anyio

from nbaudio.completing.voices import SpeakingVoice
from nbaudio.engine.sentences import SentenceFeed
from nbaudio.errors import NbaudioError
from nbaudio.speakable import speakable
from nbaudio.wire.answers import AudioDelta

__all__ = ["SpokenAnswer"]

_PIECE_BYTES = 9_600  # 200 ms of PCM16: small enough to play at once, large enough for few messages


class SpokenAnswer:
    """Speaks an answer with a voice.

    Parameters
    ----------
    voice : SpeakingVoice
    put : callable
        Gets each piece of sound as it is there.
    """

    def __init__(self, voice: SpeakingVoice, put: Callable[[AudioDelta], None]) -> None:
        self._voice, self._put = voice, put
        self._feed = SentenceFeed()
        self._text = ""
        self._cut = 0  # up to here the text has become sentences
        self._odd = b""
        self._send, self._receive = anyio.create_memory_object_stream[tuple[str, int]](math.inf)
        self.pcm16 = bytearray()
        """What has been said so far, at 24,000 Hz."""
        self.marks: list[tuple[int, int]] = []
        """Of each sentence that was begun: characters of the text up to its end, and frames of sound before it."""
        self.trouble: NbaudioError | None = None
        """Why no more could be said, where that was so."""

    def take(self, text: str) -> None:
        """Take words that have been written; sentences that they complete are spoken soon."""
        self._text += text
        self._queue(self._feed.feed(text))

    def end(self) -> None:
        """There are no more words."""
        self._queue(self._feed.flush())
        self._send.close()

    async def run(self) -> None:
        """Speak until the end, or until something goes wrong: what was written is worth keeping without its sound."""
        try:
            async for sentence, end in self._receive:
                self.marks.append((end, len(self.pcm16) // 2))
                async with aclosing(self._voice.speak(sentence)) as pieces:
                    async for pcm16 in pieces:
                        self._sound(pcm16)
                self._odd = b""
        except NbaudioError as error:
            self.trouble = error

    def _queue(self, sentences: list[str]) -> None:
        for sentence in sentences:
            self._cut = self._text.index(sentence, self._cut) + len(sentence)
            if said := speakable(sentence):
                self._send.send_nowait((said, self._cut))

    def _sound(self, pcm16: bytes) -> None:
        data = self._odd + pcm16
        self._odd = data[len(data) - len(data) % 2 :]
        whole = data[: len(data) - len(data) % 2]
        for start in range(0, len(whole), _PIECE_BYTES):
            piece = whole[start : start + _PIECE_BYTES]
            self.pcm16 += piece
            self._put(AudioDelta(piece))
