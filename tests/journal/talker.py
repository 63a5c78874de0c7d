"""A process that talks and can be killed: it imports all there is to import, and forks talkers as it is told to.

Reads lines ``{"count": 3, "name": "a", "tools": true}``; writes for each, as JSON, the process id of the talker. A
talker asks so many questions with a sound, and writes what it has in hand as soon as it has it: what it has asked, each
call of a tool, each result, each piece, each answer.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import random
import signal
import sys
import time

import nbaudio as nba
from nbaudio.journal.watcher import journal


def say(**told: object) -> None:
    os.write(1, (json.dumps(told) + "\n").encode())


def talk(name: str, count: int, *, tools: bool) -> None:
    dice, asked = random.Random(name), [""]

    def look(at: int) -> str:
        """What is there."""
        time.sleep(dice.uniform(0, 0.02))  # as a tool that has something to do, and may be killed in it
        return f"{at} of {asked[0]}"

    chat = nba.Conversation(name=name, tools=[look] if tools else [])
    say(begun=name)
    for number in range(count):
        clip = nba.Clip.from_pcm16(random.Random(f"{name} {number}").randbytes(4800))
        question = asked[0] = f"question {name} {number}"
        words = sound = 0
        for event in chat.stream(question, clip):
            if isinstance(event, nba.Finished):
                digest = hashlib.sha256(event.reply.clip.as_kept()[0]).hexdigest()
                say(answered=question, text=event.reply.text, sound=digest, seconds=event.reply.clip.duration_s)
            elif isinstance(event, nba.ToolCalled):
                say(called=str(event.call), of=question)
            elif isinstance(event, nba.ToolReturned):
                say(returned=event.result.text, of=question)
            else:
                words += len(event.text) if isinstance(event, nba.TextDelta) else 0
                sound += len(event.pcm16) if isinstance(event, nba.AudioDelta) else 0
                say(piece=True, words=words, sound=sound, of=question)
    say(ended=name)


def main() -> None:
    if "open" in sys.argv:
        journal.read(lambda store: None)  # those that are forked must leave this connection alone
    nba.NbAudio.instance()
    for module in ("anyio._backends._asyncio", "httpcore._async.http11", "httpx", "sqlite3", "ssl"):
        importlib.import_module(module)  # by now, and not by each talker again
    nba.Finished(nba.Reply(clips=(nba.Clip.from_pcm16(bytes(480)),))).reply.clip.as_kept()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    say(ready=True)
    for line in sys.stdin:
        wanted = json.loads(line)
        if "echo" in wanted:
            say(echo=True)
            continue
        child = os.fork()
        if not child:
            try:
                talk(wanted["name"], wanted["count"], tools=wanted["tools"])
            except BaseException as error:
                say(failed=repr(error))
            os._exit(0)
        say(process=child)


if __name__ == "__main__":
    main()
