"""The same app as a Ray Serve deployment (https://docs.ray.io/en/latest/serve/), for more than one machine.

``serve run nbaudio.serving.on_ray:application replicas=4`` puts four engines on the machines of a Ray cluster behind
one address. Every replica is a process with an engine, a queue and limits of its own; Ray sends each request to one of
those with the fewest.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nbaudio.errors import CellError
from nbaudio.serving.command import TOKEN_VARIABLE, load
from nbaudio.serving.limits import Limits

if TYPE_CHECKING:
    from ray.serve import Application

__all__ = ["application"]

_ALL_BUSY = 8  # requests that Ray may send to a replica beyond what it takes on, so that it can say so itself


def application(options: dict[str, Any]) -> Application:
    """What ``serve run`` and ``serve.run`` take.

    The token is not among the options: each replica reads it from ``NBAUDIO_SERVE_TOKEN`` in the environment that Ray
    was started in.

    Parameters
    ----------
    options : dict
        ``replicas`` (1), ``cpus`` for each (1), ``brain``, and the fields of `Limits`; numbers may be text.

    Raises
    ------
    CellError
        If there is no such option, or its value is no number.
    """
    given = dict(options)
    brain = str(given.pop("brain", ""))
    replicas, cpus = _number(given, "replicas", 1), _number(given, "cpus", 1.0)
    usual = Limits()
    limits = Limits(**{name: _number(given, name, value) for name, value in vars(usual).items()})
    if given:
        known = ", ".join(["replicas", "cpus", "brain", *vars(usual)])
        raise CellError(f"There is no option {next(iter(given))!r}.", f"There are {known}.")

    from ray import serve

    def build() -> Any:  # on the replica
        return load(brain, limits, os.environ.get(TOKEN_VARIABLE, "").strip())

    deployment: Any = serve.deployment(
        name="nbaudio",
        num_replicas=replicas,
        ray_actor_options={"num_cpus": cpus},
        max_ongoing_requests=limits.workers + limits.queue + _ALL_BUSY,
        graceful_shutdown_timeout_s=limits.stop_s,
    )(serve.ingress(build)())
    bound: Application = deployment.bind()
    return bound


def _number(given: dict[str, Any], name: str, usual: Any) -> Any:
    value = given.pop(name, usual)
    try:
        return type(usual)(value)
    except ValueError:
        raise CellError(f"{name} is {value!r}, which is no number.", f"The usual is {usual}.") from None
