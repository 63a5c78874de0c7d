"""How often the offline engine's small model picks the right tool, and rightly none.

    python benchmarks/tool_choice.py

Forty questions, written before any prompt was tried: for twenty one of the tools at hand fits, and its arguments are in
the question; for twenty none fits. The model answers in JSON that a grammar holds it to: the name of a tool with its
arguments, or none. A case is right where tool and arguments are, and where it rightly names none. It prints each way of
asking with its figure, and the best one's mistakes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import xllamacpp

from nbaudio.engine.weights.models import path
from nbaudio.tools.schema import Tool


def get_weather(city: str) -> str:
    """The weather in a city now."""
    return city


def set_timer(minutes: int) -> str:
    """Start a timer that rings after some minutes."""
    return str(minutes)


def add_to_list(item: str) -> str:
    """Put an item on the shopping list."""
    return item


def convert_money(amount: float, currency: Literal["USD", "EUR", "GBP", "JPY"]) -> str:
    """Convert an amount of money into another currency."""
    return f"{amount} {currency}"


def play_music(artist: str) -> str:
    """Play music by an artist."""
    return artist


def call_person(name: str) -> str:
    """Call somebody on the phone."""
    return name


def switch_light(room: str, state: Literal["on", "off"]) -> str:
    """Switch the light of a room on or off."""
    return f"{room} {state}"


def look_up_word(word: str) -> str:
    """Look up what a word means in the dictionary."""
    return word


HOME = (switch_light, set_timer, play_music)
OUT = (get_weather, convert_money, call_person)
KITCHEN = (set_timer, add_to_list, play_music, get_weather)
DESK = (look_up_word, convert_money, call_person, set_timer)

LONGEST_WORDS = 32
Call = tuple[str, dict[str, Any]]
CASES: tuple[tuple[str, Sequence[Callable[..., str]], Call | None], ...] = (
    ("What's the weather like in Paris?", OUT, ("get_weather", {"city": "Paris"})),
    ("Do I need an umbrella in London right now?", KITCHEN, ("get_weather", {"city": "London"})),
    ("How warm is it in Madrid at the moment?", OUT, ("get_weather", {"city": "Madrid"})),
    ("Set a timer for ten minutes.", KITCHEN, ("set_timer", {"minutes": 10})),
    ("Wake me up in 25 minutes, please.", HOME, ("set_timer", {"minutes": 25})),
    ("Let me know when five minutes are over.", DESK, ("set_timer", {"minutes": 5})),
    ("Put milk on the shopping list.", KITCHEN, ("add_to_list", {"item": "milk"})),
    ("We are out of bananas. Can you note that for the shop?", KITCHEN, ("add_to_list", {"item": "bananas"})),
    ("Add olive oil to my list.", KITCHEN, ("add_to_list", {"item": "olive oil"})),
    ("Convert 20 dollars to euros.", OUT, ("convert_money", {"amount": 20, "currency": "EUR"})),
    ("How many yen are 50 euros?", DESK, ("convert_money", {"amount": 50, "currency": "JPY"})),
    ("What is 100 pounds in US dollars?", OUT, ("convert_money", {"amount": 100, "currency": "USD"})),
    ("Play something by Mozart.", HOME, ("play_music", {"artist": "Mozart"})),
    ("I would like to hear The Beatles.", KITCHEN, ("play_music", {"artist": "The Beatles"})),
    ("Call Anna.", OUT, ("call_person", {"name": "Anna"})),
    ("Please phone Peter for me.", DESK, ("call_person", {"name": "Peter"})),
    ("Turn on the light in the kitchen.", HOME, ("switch_light", {"room": "kitchen", "state": "on"})),
    ("Make it dark in the bedroom.", HOME, ("switch_light", {"room": "bedroom", "state": "off"})),
    ("What does the word serendipity mean?", DESK, ("look_up_word", {"word": "serendipity"})),
    ("Look up ubiquitous in the dictionary.", DESK, ("look_up_word", {"word": "ubiquitous"})),
    ("Is a golden retriever a good family dog?", OUT, None),
    ("Tell me a joke.", KITCHEN, None),
    ("Who wrote Romeo and Juliet?", DESK, None),
    ("What is the capital of France?", HOME, None),
    ("How do I boil an egg?", HOME, None),
    ("Thank you, that was helpful.", KITCHEN, None),
    ("Why is the sky blue?", DESK, None),
    ("Write a short poem about the sea.", OUT, None),
    ("How are you today?", HOME, None),
    ("What is seven times eight?", KITCHEN, None),
    ("Explain how photosynthesis works.", OUT, None),
    ("Which planet is the largest?", HOME, None),
    ("Can cats see in the dark?", DESK, None),
    ("Give me three names for a hamster.", KITCHEN, None),
    ("What should I wear to a wedding?", DESK, None),
    ("Is it polite to be late for dinner?", OUT, None),
    ("How long does it take to learn to swim?", HOME, None),
    ("What is your favourite colour?", OUT, None),
    ("Translate good morning into Spanish.", KITCHEN, None),
    ("Who was the first person on the moon?", DESK, None),
)


@dataclass(frozen=True)
class Way:
    """One way of asking: what the model is told, whether with examples, and whether a first question is if any fits."""

    name: str
    told: str
    examples: bool = False
    first_whether: bool = False


TOLD = (
    "You choose tools. Read the question and answer with JSON: the tool that does what is asked, with its arguments, "
    'or {"tool": "none"} where no tool does it.'
)
WAYS = (
    Way("told once", TOLD),
    Way("with examples", TOLD, examples=True),
    Way("first whether any fits", TOLD, examples=True, first_whether=True),
)
EXAMPLES = (
    ("Open the window in the attic.", {"tool": "open_window", "arguments": {"room": "attic"}}),
    ("Who painted the Mona Lisa?", {"tool": "none"}),
    ("Send the report to Maria.", {"tool": "send_report", "arguments": {"to": "Maria"}}),
    ("What is a good name for a boat?", {"tool": "none"}),
)


class SmallModel:
    """The engine's language model, held to a schema."""

    def __init__(self) -> None:
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(path("think"))
        parameters.n_ctx, parameters.n_parallel = 4096, 1
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
        parameters.verbosity, parameters.ui = -1, False
        self._server = xllamacpp.Server(parameters)

    def answer(self, messages: list[dict[str, str]], schema: dict[str, Any]) -> Any:
        """What it answers, as JSON of this schema."""
        request = {
            "messages": messages,
            "max_tokens": 120,
            "temperature": 0,
            "seed": 1,
            "cache_prompt": True,
            "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}},
        }
        got: list[Any] = []
        self._server.handle_chat_completions(request, lambda reply: got.append(reply) or False)
        return json.loads(got[-1]["choices"][0]["message"]["content"])


def described(tools: Sequence[Callable[..., str]]) -> str:
    lines = []
    for function in tools:
        schema = Tool.of(function).schema["function"]
        lines.append(f"- {schema['name']}({', '.join(schema['parameters']['properties'])}): {schema['description']}")
    return "Tools:\n" + "\n".join(lines)


def one_of(tools: Sequence[Callable[..., str]], *, or_none: bool) -> dict[str, Any]:
    """The schema of a choice among tools."""
    choices: list[dict[str, Any]] = [{"properties": {"tool": {"const": "none"}}}] if or_none else []
    for function in tools:
        schema = Tool.of(function).schema["function"]
        arguments = schema["parameters"]
        for value in arguments["properties"].values():
            if value.get("type") == "string":
                value["maxLength"] = LONGEST_WORDS  # else the small model goes on until its tokens end, in mid-string
        choices.append({"properties": {"tool": {"const": schema["name"]}, "arguments": arguments}})
    for choice in choices:
        choice |= {"type": "object", "required": list(choice["properties"]), "additionalProperties": False}
    return {"oneOf": choices}


def asked(model: SmallModel, way: Way, question: str, tools: Sequence[Callable[..., str]]) -> Call | None:
    """What the model calls for a question; None for no tool."""
    system = {"role": "system", "content": f"{way.told}\n{described(tools)}"}
    shots = []
    for said, answer in EXAMPLES if way.examples else ():
        shots += [{"role": "user", "content": said}, {"role": "assistant", "content": json.dumps(answer)}]
    messages = [system, *shots, {"role": "user", "content": question}]
    if way.first_whether:
        whether = [
            {"role": "system", "content": f"{described(tools)}\nDoes one of these tools do what is asked?"},
            *(
                {"role": role, "content": content}
                for said, answer in EXAMPLES
                for role, content in (
                    ("user", said),
                    ("assistant", json.dumps({"fits": "no" if answer["tool"] == "none" else "yes"})),
                )
            ),
            {"role": "user", "content": question},
        ]
        fits = {"type": "object", "properties": {"fits": {"enum": ["yes", "no"]}}, "required": ["fits"]}
        if model.answer(whether, fits)["fits"] == "no":
            return None
    found = model.answer(messages, one_of(tools, or_none=not way.first_whether))
    return None if found["tool"] == "none" else (found["tool"], found["arguments"])


def same(found: Call | None, right: Call | None) -> bool:
    def plain(call: Call | None) -> Any:
        if call is None:
            return None
        words = {k: v.casefold().strip(" .") if isinstance(v, str) else v for k, v in call[1].items()}
        return call[0], words

    return bool(plain(found) == plain(right))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mistakes", action="store_true", help="print them")
    wanted = parser.parse_args()
    model = SmallModel()
    print(f"{len(CASES)} questions, {sum(right is not None for *_, right in CASES)} of which a tool answers")
    print(f"{'way of asking':<24}{'right':>7}{'tool and arguments':>20}{'rightly none':>14}{'a question':>12}")
    for way in WAYS:
        start = time.perf_counter()
        found = [asked(model, way, question, tools) for question, tools, _ in CASES]
        each_s = (time.perf_counter() - start) / len(CASES)
        good = [same(one, right) for one, (*_, right) in zip(found, CASES, strict=True)]
        tool = sum(ok for ok, (*_, right) in zip(good, CASES, strict=True) if right is not None)
        none = sum(good) - tool
        print(f"{way.name:<24}{sum(good) / len(good):>7.0%}{f'{tool} of 20':>20}{f'{none} of 20':>14}{each_s:>10.2f} s",
              flush=True)  # fmt: skip
        if wanted.mistakes:
            for ok, one, (question, _, right) in zip(good, found, CASES, strict=True):
                if not ok:
                    print(f"    {question} -> {one}, not {right}")


if __name__ == "__main__":
    main()
