"""What happens in a Realtime session, event by event: turns of both sides, interruptions, and what to send back.

No I/O: it takes what the server says, and leaves what is to be sent in `outbox` and what is to be told in `happened`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nbaudio.conversation.entering import Entering
from nbaudio.conversation.talk import Conversation
from nbaudio.conversation.transcribing import put_words
from nbaudio.errors import without_keys
from nbaudio.events import CutShort, Finished, RealtimeEvent, SpeechBegan, SpeechEnded, ToolCalled, WrittenDown
from nbaudio.realtime.answering import ComingAnswer
from nbaudio.realtime.heard import heard_part
from nbaudio.realtime.playback import Playback
from nbaudio.realtime.sent_sound import SentSound
from nbaudio.sound.clip import Clip
from nbaudio.turns import Reply, ToolResult, Turn
from nbaudio.wire.answers import AudioDelta
from nbaudio.wire.realtime import events as server
from nbaudio.wire.realtime import sending
from nbaudio.wire.realtime.troubles import failure_of

__all__ = ["Dialogue"]


class Dialogue:
    """Both sides of one connection, as the conversation has them.

    Parameters
    ----------
    talk : Conversation
        Gets the turns, and so the journal does.
    playback : Playback
        Plays, and knows what was heard.
    sent : SentSound
        What the person has said.
    known : dict
        What replies say of themselves: `model`, `voice`, `backend`, `offline`, `aloud`.
    answered : callable
        Gets each reply when it is over, for the books.
    max_tool_rounds : int
        How often results of tools go back for one question; calls beyond it are not run, also where the server makes
        them although it was told not to.
    """

    def __init__(
        self,
        talk: Conversation,
        playback: Playback,
        sent: SentSound,
        known: Mapping[str, Any],
        answered: Callable[[Reply], object] = lambda reply: None,
        *,
        max_tool_rounds: int = 8,
    ) -> None:
        self._talk, self._playback, self._sent, self._known = talk, playback, sent, known
        self._answered, self._max_tool_rounds = answered, max_tool_rounds
        self.outbox: list[dict[str, Any]] = []
        """Events to send to the server, in order."""
        self.happened: list[RealtimeEvent] = []
        """What is to be told, in order."""
        self.failures: list[server.Wrong] = []
        """Why the server could not answer, where nothing came of an answer."""
        self.calling: Reply | None = None
        """An answer whose tools are to be run now."""
        self._rounds = 0
        self._called: dict[str, Reply] = {}  # by their ids, answers whose tools run for the question that is not over
        self._asked_for: set[str] = set()  # ids of calls of which the server has no result yet
        self._entering: Entering | None = None  # the question that is not over
        self._question_of: dict[str, str] = {}  # by items of the person: ids of their turns
        self._pushed: list[str] = []  # ids of turns whose items the server has not named yet
        self._words: dict[str, str] = {}  # by items: the words of the person so far
        self._answers: dict[str, ComingAnswer] = {}  # by response
        self._replies: dict[str, str] = {}  # by items that may still sound: ids of turns
        self._over: set[str] = set()  # responses that were given up
        self._uncounted: dict[str, Reply] = {}  # what came of those of which the server has not said what they took
        self._unknown: set[str] = set()  # those of an earlier connection: the server knows nothing of them

    # -- what the person does -----------------------------------------------------------------------------

    def asked(self, turn: Turn, *, named_later: bool = False) -> None:
        """The person has said something: it is in the journal before any of it is answered.

        Parameters
        ----------
        turn : Turn
        named_later : bool
            Whether the server will give it an item of sound.
        """
        self._stop_calls()
        self._close_question()
        self._rounds = 0
        self._entering = self._talk.enter(turn)
        if named_later:
            self._pushed.append(turn.id)

    def interrupt(self, unheard: Sequence[str]) -> None:
        """Have the server stop: the conversation holds what was heard.

        Parameters
        ----------
        unheard : sequence of str
            The items that were not heard to their end when the playback was stopped.
        """
        if self._answers:
            self.outbox.append(sending.cancel())
        self._cut(unheard)
        self._stop_calls()

    def results(self, calling: Reply, outcomes: Sequence[ToolResult]) -> None:
        """What tools gave goes to the server, which then goes on; after the last round without more of them.

        Where the question was stopped meanwhile, or another has followed, it does not go on. A server that did not ask
        for them, for the connection is another one, gets nothing.

        Parameters
        ----------
        calling : Reply
            The answer that asked for them.
        outcomes : sequence of ToolResult
        """
        for result in outcomes:
            if result.call_id in self._asked_for:
                self.outbox.append(sending.tool_output(result.call_id, result.text))
        self._asked_for.difference_update(result.call_id for result in outcomes)
        if self._called.pop(calling.id, None) is None:
            self._put_behind(calling, outcomes)
            return
        self._rounds += 1
        for result in outcomes:
            if self._entering is not None:
                self._entering.went_on(result)
        self.outbox.append(sending.create_response(may_call=self._may_call))

    def _put_behind(self, calling: Reply, outcomes: Sequence[ToolResult]) -> None:
        """What tools have done stays done, also where nobody waits for it any more."""
        at = next((place for place, turn in enumerate(self._talk) if turn.id == calling.id), None)
        if at is not None:
            for place, result in enumerate(outcomes, at + 1):
                self._talk.insert(place, result)

    def _stop_calls(self) -> None:
        """Tools run on, but nobody wants an answer of what they give any more: their question is over."""
        if self._called:
            self._close_question()
            self.happened += [CutShort(calling) for calling in self._called.values()]
            self._called.clear()

    @property
    def calls_run(self) -> bool:
        """Whether tools run, and the answer is to go on with what they give."""
        return bool(self._called)

    @property
    def _may_call(self) -> bool:
        return self._rounds < self._max_tool_rounds

    def broke_off(self) -> None:
        """The connection is gone: what came is kept, as far as it goes."""
        self.give_up()
        for reply in self._uncounted.values():
            self._answered(reply)
        self._uncounted.clear()
        self._over.clear()
        self._stop_calls()
        self._asked_for.clear()
        self._close_question()
        self._unknown.update(self._replies)
        self._question_of.clear()
        self._pushed.clear()
        self._words.clear()

    @property
    def answering(self) -> bool:
        """Whether an answer is on its way."""
        return bool(self._answers)

    def give_up(self) -> None:
        """Answers that are on their way end here; what the server still says of them is passed over."""
        for answer in list(self._answers.values()):
            self._over.add(answer.id)
            if answer.item_id or answer.calls:
                self._uncounted[answer.id] = reply = answer.reply()
                self._end(answer, reply)
        self._answers.clear()  # of some nothing had come: their questions are not answered

    # -- what the server says -----------------------------------------------------------------------------

    def take(self, event: server.ServerEvent, unheard: Sequence[str] = ()) -> None:
        """Take what the server says.

        Parameters
        ----------
        event : ServerEvent
        unheard : sequence of str
            Where the person begins to speak: as of `interrupt`.
        """
        match event:
            case server.AudioCame() | server.TranscriptCame() | server.TextCame() | server.ArgumentsDone() if (
                event.response_id in self._over
            ):
                pass
            case server.ResponseDone() if event.response.id in self._over:
                self._uncounted.pop(event.response.id, None)
                self._answered(ComingAnswer(event.response.id, self._known).reply(event.response))  # it is paid for
            case server.SpeechStarted():
                self._sent.speech_began(event.audio_start_ms)
                self._cut(unheard)
                self._stop_calls()
                self.happened.append(SpeechBegan())
            case server.SpeechStopped():
                self._spoken(event.item_id, event.audio_end_ms)
            case server.Committed():
                self._committed(event.item_id)
            case server.TranscriptionDelta():
                self._words[event.item_id] = without_keys(self._words.get(event.item_id, "") + event.delta)
            case server.TranscriptionDone():
                self._written_down(event.item_id, without_keys(event.transcript))
            case server.ResponseCreated():
                self._answers[event.response.id] = ComingAnswer(event.response.id, self._known)
            case server.AudioCame() | server.TranscriptCame() | server.TextCame():
                self._came(event)
            case server.ArgumentsDone():
                self._answer(event.response_id).call(event)
            case server.ResponseDone():
                answer = self._answer(event.response.id)
                self._end(answer, answer.reply(event.response), failure=failure_of(event.response))
            case server.Unknown():
                self.happened.append(event)
            case _:
                pass

    def _spoken(self, item_id: str, end_ms: int) -> None:
        if item_id in self._question_of:
            return
        pcm16 = self._sent.commit(end_ms)
        if not pcm16:
            return
        turn = Turn("user", clips=(Clip.from_pcm16(pcm16),), time=time.time())
        self.asked(turn)
        self._question_of[item_id] = turn.id
        self.happened.append(SpeechEnded(turn))

    def _committed(self, item_id: str) -> None:
        if self._pushed:
            self._question_of[item_id] = self._pushed.pop(0)

    def _written_down(self, item_id: str, transcript: str) -> None:
        turn_id = self._question_of.get(item_id)
        if turn_id is None or not transcript.strip():
            return
        self._words[item_id] = words = transcript.strip()
        question = self._entering.question if self._entering is not None else None
        if question is not None and question.id == turn_id:
            self.happened.append(WrittenDown(replace(question, transcript=words)))
        elif put_words(self._talk, turn_id, words):
            self.happened.append(WrittenDown(next(turn for turn in self._talk if turn.id == turn_id)))

    def _came(self, event: server.AudioCame | server.TranscriptCame | server.TextCame) -> None:
        answer = self._answer(event.response_id)
        piece = answer.take(event)
        if isinstance(piece, AudioDelta) and answer.heard_ms is None:
            self._playback.play(answer.item_id, piece.pcm16)
        if self._entering is not None:
            self._entering.came(piece)
        self.happened.append(piece)

    def _answer(self, response_id: str) -> ComingAnswer:
        """The response of this id; one that never was announced begins now."""
        if response_id not in self._answers:
            self._answers[response_id] = ComingAnswer(response_id, self._known)
        return self._answers[response_id]

    # -- the end of an answer -----------------------------------------------------------------------------

    def _end(self, answer: ComingAnswer, reply: Reply, failure: server.Wrong | None = None) -> None:
        self._answers.pop(answer.id, None)
        if answer.id not in self._over:
            self._answered(reply)  # else it is not known yet what it took
        if answer.pcm16:
            self._playback.end(answer.item_id)
        if answer.heard_ms is not None:
            reply = heard_part(reply, answer.heard_ms)
        if not (reply.text or reply.clips or reply.tool_calls or reply.refusal):
            # Nothing came of it, or nothing was heard: the question stays without an answer.
            if failure is not None:
                self.failures.append(failure)
            else:
                self.happened.append(CutShort(reply))
            return
        if reply.tool_calls and not reply.partial and self._may_call and self._entering is not None:
            self.calling = replace(reply, note="") if not reply.text else reply
            self._called[self.calling.id] = self.calling
            self._asked_for.update(call.id for call in reply.tool_calls)
            self._entering.went_on(self.calling)
            self.happened += [ToolCalled(call) for call in reply.tool_calls]
            return
        if self._entering is not None:
            self._entering.finish(reply, self._question_now())
            self._entering = None
        else:
            self._talk.append(reply)  # nobody had asked: a greeting, or what follows a long silence
        if answer.item_id:
            self._replies[answer.item_id] = reply.id
        self.happened.append(CutShort(reply) if reply.interrupted else Finished(reply))

    def _close_question(self) -> None:
        """A question that was never answered stands alone."""
        if self._entering is not None:
            self._entering.finish(None, self._question_now())
            self._entering = None

    def _question_now(self) -> Turn | None:
        """The open question with the words that are known of it by now."""
        if self._entering is None:
            return None
        question = self._entering.question
        for item_id, turn_id in self._question_of.items():
            if turn_id == question.id and (words := self._words.get(item_id, "").strip()):
                return replace(question, transcript=words)
        return question

    def _cut(self, unheard: Sequence[str]) -> None:
        """The playback is silent; the model learns how much was heard, and the conversation holds no more."""
        going = [answer for answer in self._answers.values() if answer.item_id]
        for answer in going:
            if answer.heard_ms is None and answer.pcm16:
                answer.heard_ms = min(self._playback.played_ms(answer.item_id) or 0, answer.sound_ms)
                self.outbox.append(sending.truncate(answer.item_id, answer.heard_ms))
            elif answer.heard_ms is None and self._known["aloud"]:
                answer.heard_ms = 0  # its words have come before its sound, of which nothing was heard
        for item_id in unheard:
            if item_id not in [answer.item_id for answer in going]:
                self._cut_turn(item_id)

    def _cut_turn(self, item_id: str) -> None:
        """An answer that had come whole, and was not heard to its end."""
        turn_id = self._replies.get(item_id)
        at = next((place for place, turn in enumerate(self._talk) if turn.id == turn_id), None)
        if at is None or turn_id is None:
            return
        reply = self._talk[at]
        assert isinstance(reply, Reply)
        if reply.clip is None or reply.interrupted:
            return
        played_ms = self._playback.played_ms(item_id) or 0
        heard = heard_part(reply, played_ms)
        if heard is reply:
            return
        if item_id not in self._unknown:
            self.outbox.append(sending.truncate(item_id, played_ms))
        if heard.clips:
            self._talk.edit(at, text=heard.text, clips=heard.clips, partial=True, note=heard.note)
        else:
            del self._talk[at]
        self.happened.append(CutShort(heard))
