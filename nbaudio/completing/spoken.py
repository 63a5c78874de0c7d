"""An answer that is spoken while it is still being written: words in, sound out sentence by sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from nbaudio.completing.voices import SpeakingVoice
from nbaudio.errors import NbaudioError
from nbaudio.sentences import SentenceFeed
from nbaudio.speakable import speakable
from nbaudio.wire.answers import AudioDelta

__all__ = ["SpokenAnswer"]

_FENCE = "```"  # around code in Markdown
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
        self._in_code = False
        self._odd = b""
        self._sentences: asyncio.Queue[tuple[str, int] | None] = asyncio.Queue()  # None: there are no more
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
        self._sentences.put_nowait(None)

    async def run(self) -> None:
        """Speak until the end, or until something goes wrong: what was written is worth keeping without its sound."""
        try:
            await self._voice.prepare()
            while (found := await self._sentences.get()) is not None:
                sentence, end = found
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
            if said := self._said(sentence):
                self._sentences.put_nowait((said, self._cut))

    def _said(self, sentence: str) -> str:
        """What is said of a sentence; code is not read out, and comes line by line as sentences do."""
        said = []
        for place, part in enumerate(sentence.split(_FENCE)):
            if place:
                self._in_code = not self._in_code
                if self._in_code:
                    said.append("Here is some code.")
            if not self._in_code:
                said.append(part)
        return speakable(" ".join(said))

    def _sound(self, pcm16: bytes) -> None:
        data = self._odd + pcm16
        self._odd = data[len(data) - len(data) % 2 :]
        whole = data[: len(data) - len(data) % 2]
        for start in range(0, len(whole), _PIECE_BYTES):
            piece = whole[start : start + _PIECE_BYTES]
            self.pcm16 += piece
            self._put(AudioDelta(piece))
