"""``python -m nbaudio``: what is set up, the weights, a demonstration, and the engine for many."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nbaudio.errors import Interrupted, NbaudioError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it went well."""
    chosen = _parser().parse_args(arguments)
    try:
        return int(chosen.run(chosen) or 0)
    except NbaudioError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print(Interrupted("Stopped.", "Run the command again to go on."), file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nbaudio", description="Talk with an audio model from a notebook: tools for the terminal."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    doctor = commands.add_parser("doctor", help="say where requests go, what is ready, and what is wrong")
    doctor.set_defaults(run=_doctor)

    models = commands.add_parser("models", help="list, fetch, check or remove the offline engine's weights")
    models.set_defaults(run=_list_models)
    actions = models.add_subparsers(metavar="action")
    for name, run, text in (
        ("fetch", _fetch, "fetch what is missing, and check it"),
        ("verify", _verify, "read every file and compare its SHA-256"),
        ("clear", _clear, "remove them"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("names", nargs="*", metavar="model", help="hear, think; by default all")
        action.set_defaults(run=run)

    demo = commands.add_parser(
        "demo",
        help="run a notebook with the offline engine, and keep its page and its sounds",
        description="Runs a notebook from top to bottom with the offline engine: no key, no network. Keeps the "
        "executed notebook, its HTML page and every sound in it as a file.",
    )
    demo.add_argument("notebook", nargs="?", type=Path, help="by default the quickstart that comes with nbaudio")
    demo.add_argument("--to", type=Path, default=Path("nbaudio-demo"), help="folder for the results (%(default)s)")
    demo.set_defaults(run=_demo)

    from nbaudio.serving.command import add_options

    add_options(commands.add_parser("serve", help="serve the offline engine to the notebooks of a class"))
    return parser


def _doctor(_: argparse.Namespace) -> int:
    from nbaudio.doctor import problems, status

    print(status())
    return 1 if problems() else 0


def _list_models(_: argparse.Namespace) -> None:
    from nbaudio.engine.weights.models import describe

    print(describe())


def _fetch(chosen: argparse.Namespace) -> None:
    from nbaudio.engine.weights.models import describe, fetch

    fetch(chosen.names or None)
    print(describe())


def _verify(chosen: argparse.Namespace) -> int:
    from nbaudio.engine.weights.models import MODELS, verify

    wrong = [problem for name in chosen.names or MODELS for problem in verify(name)]
    print("\n".join(wrong) or "Every file is as it should be.")
    return 1 if wrong else 0


def _clear(chosen: argparse.Namespace) -> None:
    from nbaudio.engine.weights.models import clear

    for name in chosen.names or [None]:
        clear(name)


def _demo(chosen: argparse.Namespace) -> None:
    from nbaudio.demo import run_demo

    results = run_demo(chosen.notebook, chosen.to)
    print("\nThe executed notebook, its page and its spoken answers:")
    for path in results:
        print(f"  {path.resolve()}")


if __name__ == "__main__":
    sys.exit(main())
