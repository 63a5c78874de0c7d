"""From a Python function to what a model is told of it, and from the model's JSON to arguments."""

from __future__ import annotations

import datetime
import enum
import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, Optional, TypedDict

import pydantic
import pytest

from nbaudio import errors
from nbaudio.tools.schema import Refused, Tool


class Unit(enum.Enum):
    CELSIUS = "C"
    KELVIN = "K"


@dataclass
class Place:
    name: str
    tags: list[str] = field(default_factory=list)


class Range(TypedDict):
    low: int
    high: int


class Point(NamedTuple):
    x: float
    y: float


class Stop(pydantic.BaseModel):
    city: str
    nights: int = pydantic.Field(ge=1)


class Trip(pydantic.BaseModel):
    stops: list[Stop]


class Node(pydantic.BaseModel):
    value: int
    below: list[Node] = []


def parameters(function: Callable[..., Any]) -> dict[str, Any]:
    found: dict[str, Any] = Tool.of(function).schema["function"]["parameters"]
    return found


def properties(function: Callable[..., Any]) -> dict[str, Any]:
    found: dict[str, Any] = parameters(function)["properties"]
    return found


class TestTypes:
    def test_plain_ones(self) -> None:
        def tool(text: str, count: int, share: float, sure: bool, anything: Any, nothing) -> None: ...  # type: ignore[no-untyped-def]

        assert parameters(tool) == {
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "count": {"type": "integer"},
                "share": {"type": "number"},
                "sure": {"type": "boolean"},
                "anything": {},
                "nothing": {},
            },
            "required": ["text", "count", "share", "sure", "anything", "nothing"],
            "additionalProperties": False,
        }

    def test_one_without_parameters(self) -> None:
        def tool() -> int: ...

        assert parameters(tool) == {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
        assert Tool.of(tool).arguments("") == {}
        assert Tool.of(tool).arguments("{}") == {}

    def test_choices(self) -> None:
        def tool(unit: Unit, size: Literal["S", "L"], level: Literal[1, 2]) -> None: ...

        found = parameters(tool)
        assert found["$defs"]["Unit"]["enum"] == ["C", "K"]
        assert found["properties"]["unit"] == {"$ref": "#/$defs/Unit"}
        assert found["properties"]["size"] == {"enum": ["L", "S"]}
        assert found["properties"]["level"] == {"enum": [1, 2]}
        given = Tool.of(tool).arguments('{"unit": "K", "size": "S", "level": 2}')
        assert given == {"unit": Unit.KELVIN, "size": "S", "level": 2}

    def test_what_may_be_missing_and_what_may_be_null(self) -> None:
        def tool(a: Optional[int], b: int | None = None, c: int = None, d: int = 3) -> None: ...  # type: ignore[assignment]  # noqa: RUF013, UP045

        assert parameters(tool)["required"] == ["a"]
        for name in ("a", "b", "c"):
            assert properties(tool)[name]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
        assert properties(tool)["d"] == {"type": "integer", "default": 3}
        assert Tool.of(tool).arguments('{"a": null, "c": null}') == {"a": None, "c": None}
        with pytest.raises(Refused, match=r"Expected `int`, got `null` - at `\$\.d`"):
            Tool.of(tool).arguments('{"a": 1, "d": null}')

    def test_containers(self) -> None:
        def tool(names: list[str], counts: dict[str, int], pair: tuple[int, str], some: set[int]) -> None: ...

        found = properties(tool)
        assert found["names"] == {"type": "array", "items": {"type": "string"}}
        assert found["counts"] == {"type": "object", "additionalProperties": {"type": "integer"}}
        assert (found["pair"]["minItems"], found["pair"]["maxItems"]) == (2, 2)
        given = Tool.of(tool).arguments('{"names": ["a"], "counts": {"b": 1}, "pair": [1, "c"], "some": [1, 1]}')
        assert given == {"names": ["a"], "counts": {"b": 1}, "pair": (1, "c"), "some": {1}}

    def test_records(self) -> None:
        def tool(place: Place, between: Range, at: Point, day: datetime.date) -> None: ...

        assert set(parameters(tool)["$defs"]) == {"Place", "Range", "Point"}
        text = '{"place": {"name": "x"}, "between": {"low": 1, "high": 2}, "at": [1, 2], "day": "2026-11-23"}'
        assert Tool.of(tool).arguments(text) == {
            "place": Place("x"),
            "between": {"low": 1, "high": 2},
            "at": Point(1.0, 2.0),
            "day": datetime.date(2026, 11, 23),
        }
        with pytest.raises(Refused, match=r"missing required field `high` - at `\$\.between`"):
            Tool.of(tool).arguments(text.replace(', "high": 2', ""))

    def test_pydantic_models(self) -> None:
        def tool(trip: Trip, first: Stop | None = None) -> None: ...

        found = parameters(tool)
        assert found["properties"]["trip"]["properties"]["stops"]["items"] == {"$ref": "#/$defs/Stop"}
        assert found["$defs"]["Stop"]["properties"]["nights"]["minimum"] == 1
        given = Tool.of(tool).arguments('{"trip": {"stops": [{"city": "Rome", "nights": 2}]}}')
        assert given == {"trip": Trip(stops=[Stop(city="Rome", nights=2)])}
        with pytest.raises(Refused, match="greater than or equal to 1"):
            Tool.of(tool).arguments('{"trip": {"stops": [{"city": "Rome", "nights": 0}]}}')

    def test_a_pydantic_model_that_holds_itself(self) -> None:
        def tool(tree: Node) -> None: ...

        assert properties(tool)["tree"]["$ref"] == "#/$defs/Node"
        assert parameters(tool)["$defs"]["Node"]["properties"]["below"]["items"] == {"$ref": "#/$defs/Node"}
        given = Tool.of(tool).arguments('{"tree": {"value": 1, "below": [{"value": 2}]}}')
        assert given["tree"].below[0].value == 2

    def test_two_types_of_one_name_are_not_mixed_up(self) -> None:
        other = pydantic.create_model("Outer", place=(pydantic.create_model("Place", size=(int, ...)), ...))

        def tool(a, b) -> None: ...  # type: ignore[no-untyped-def]

        tool.__annotations__.update(a=Place, b=other)
        with pytest.raises(errors.CellError, match="tool takes two types that are both called Place"):
            Tool.of(tool)

    def test_annotations_of_other_libraries_are_let_be(self) -> None:
        def tool(city: Annotated[str, "its name"]) -> None: ...

        assert properties(tool)["city"] == {"type": "string"}


NUMPY = """The weather now.

        By the national service.

        Parameters
        ----------
        city, region : str
            Its name
            in English.
        unit : Unit
            Of the temperature.

        Returns
        -------
        float
            Degrees.
        """
GOOGLE = """The weather now.

        By the national service.

        Args:
            city: Its name
                in English.
            region (str): Its name in English.
            unit: Of the temperature.

        Returns:
            Degrees.
        """
SPHINX = """The weather now.

        By the national service.

        :param city: Its name in English.
        :param str region: Its name in English.
        :param unit: Of the temperature.
        :returns: Degrees.
        """


class TestDescriptions:
    @pytest.mark.parametrize("doc", [NUMPY, GOOGLE, SPHINX], ids=["numpy", "google", "sphinx"])
    def test_of_all_three_styles(self, doc: str) -> None:
        def weather(city: str, region: str, unit: Unit = Unit.CELSIUS) -> float: ...

        weather.__doc__ = doc
        said = Tool.of(weather).schema["function"]
        assert said["name"] == "weather"
        assert said["description"] == "The weather now.\n\nBy the national service.\n\nReturns: Degrees."
        assert [properties(weather)[name]["description"] for name in ("city", "region", "unit")] == [
            "Its name in English.",
            "Its name in English.",
            "Of the temperature.",
        ]

    def test_of_none(self) -> None:
        def tool(city: str) -> None: ...

        assert Tool.of(tool).schema["function"]["description"] == ""

    def test_a_long_one_is_cut_to_what_the_protocol_takes(self) -> None:
        def tool() -> None: ...

        tool.__doc__ = "word " * 1000
        description = Tool.of(tool).schema["function"]["description"]
        assert len(description) == 1024
        assert description.endswith("…")


class TestDefaults:
    def test_what_a_model_leaves_out_is_left_to_the_function(self) -> None:
        kept: list[int] = []

        def tool(number: int = 1, into: list[int] = kept) -> list[int]:
            into.append(number)
            return into

        made = Tool.of(tool)
        assert made.arguments("{}") == {}
        assert made.function(**made.arguments("{}")) is kept
        assert made.function(**made.arguments('{"into": []}')) == [1]
        assert made.function(**made.arguments('{"into": []}')) == [1]
        assert kept == [1]

    def test_defaults_are_told_where_json_has_a_word_for_them(self) -> None:
        def tool(a: Any = object(), b: Unit = Unit.KELVIN, c: float = float("nan"), d: Any = (1, 2)) -> None: ...  # noqa: B008

        found = properties(tool)
        assert found["a"] == {}
        assert found["b"]["default"] == "K"
        assert found["c"] == {"type": "number"}
        assert found["d"] == {"default": [1, 2]}

    def test_a_key_is_not_told(self) -> None:
        def tool(key: str = "sk-proj-abcdefghijklmnop") -> None: ...

        assert properties(tool)["key"] == {"type": "string"}


class Thermometer:
    """A thermometer."""

    def read(self, room: str) -> float:
        """Read it."""
        return len(room)

    @classmethod
    def kinds(cls, maker: str) -> list[str]:
        return [maker]

    @staticmethod
    def convert(degrees: float) -> float:
        return degrees

    def __call__(self, room: str) -> float:
        return -len(room)


def send(text: str, to: str, *, key: str) -> str:
    """Send a message."""
    return f"{text}, {to}, {key}"


class TestWhatCanBeATool:
    def test_methods(self) -> None:
        thermometer = Thermometer()
        for method in (thermometer.read, Thermometer.kinds, Thermometer.convert):
            tool = Tool.of(method)
            assert tool.name == method.__name__
            assert len(properties(method)) == 1
        assert Tool.of(thermometer.read).schema["function"]["description"] == "Read it."

    def test_objects_that_can_be_called(self) -> None:
        tool = Tool.of(Thermometer())
        assert tool.name == "Thermometer"
        assert tool.schema["function"]["description"] == "A thermometer."
        assert tool.function(**tool.arguments('{"room": "abc"}')) == -3

    def test_what_a_partial_fixes_is_neither_told_nor_changed(self) -> None:
        tool = Tool.of(functools.partial(functools.partial(send, "Hello"), key="secret"))
        assert tool.name == "send"
        assert tool.schema["function"]["description"] == "Send a message."
        assert list(tool.schema["function"]["parameters"]["properties"]) == ["to"]
        assert "secret" not in str(tool.schema)
        assert tool.function(**tool.arguments('{"to": "Ann"}')) == "Hello, Ann, secret"
        with pytest.raises(Refused, match="unknown field `key`"):
            tool.arguments('{"to": "Ann", "key": "other"}')

    def test_decorated_functions(self) -> None:
        @functools.wraps(send)
        def wrapper(*given: Any, **named: Any) -> str:
            return send(*given, **named)

        assert list(properties(wrapper)) == ["text", "to", "key"]

    def test_async_functions(self) -> None:
        async def look(city: str) -> str: ...

        assert list(properties(look)) == ["city"]

    @pytest.mark.parametrize(
        "wrong", [3, "send", None, str, lambda x: x], ids=["number", "text", "nothing", "type", "lambda"]
    )
    def test_what_is_no_function_with_a_name(self, wrong: Any) -> None:
        with pytest.raises(errors.CellError, match="can't be a tool"):
            Tool.of(wrong)

    @pytest.mark.parametrize("wrong", [operator.add, lambda *a: a], ids=["positional", "variadic"])
    def test_parameters_without_names(self, wrong: Any) -> None:
        if wrong is not operator.add:
            wrong.__name__ = "tool"
        with pytest.raises(errors.CellError, match="it gives arguments by name"):
            Tool.of(wrong)

    def test_types_that_json_can_not_give(self) -> None:
        def tool(call: Callable[[], int]) -> None: ...

        with pytest.raises(errors.CellError, match="tool takes what JSON can't give"):
            Tool.of(tool)

    def test_hints_that_mean_nothing(self) -> None:
        def tool(city: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821, UP037

        with pytest.raises(errors.CellError, match="The type hints of tool can't be read"):
            Tool.of(tool)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("{", "Input data was truncated"),
        ('{"count": "3"}', "Expected `int`, got `str`"),
        ('{"count": 3, "more": 1}', "unknown field `more`"),
        ("{}", "missing required field `count`"),
        ("[3]", "Expected `object`, got `array`"),
        ("null", "Expected `object`, got `null`"),
        ("count=3", "malformed"),
        ('{"count": 1e400}', "out of range"),
        ('{"count": NaN}', "malformed"),
        ("\ud83d", "surrogates not allowed"),
        ('{"count":' + "[" * 100_000, "Expected `int`"),
    ],
    ids=range(11),
)
def test_arguments_that_do_not_fit_are_refused_with_the_reason(arguments: str, reason: str) -> None:
    def tool(count: int) -> None: ...

    with pytest.raises(Refused, match="The arguments of tool don't fit: ") as caught:
        Tool.of(tool).arguments(arguments)
    assert reason in str(caught.value)
