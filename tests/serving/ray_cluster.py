"""A Ray cluster on this machine that serves the app, in a process of its own, which does what its input says.

Options as JSON on the command line. It writes ``{"base_url": ...}`` when it serves; then ``kill`` kills the busiest
of the replicas, and ``replicas`` counts those that run; each is answered with a line of JSON. It ends with its input.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

import ray
from ray import serve

from nbaudio.serving.on_ray import application


def say(said: Any) -> None:
    sys.stdout.write(f"{json.dumps(said)}\n")
    sys.stdout.flush()


def replicas() -> list[str]:
    actors = ray.util.list_named_actors(all_namespaces=True)
    return sorted(actor["name"] for actor in actors if actor["name"].startswith("SERVE_REPLICA::"))


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]  # Ray takes no 0
    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False, configure_logging=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(application(json.loads(sys.argv[1])), route_prefix="/")
    say({"base_url": f"http://127.0.0.1:{port}"})
    for line in sys.stdin:
        if line.strip() == "kill":
            actors = {name: ray.get_actor(name, namespace="serve") for name in replicas()}
            victim = max(actors, key=lambda name: ray.get(actors[name].get_num_ongoing_requests.remote()))
            ray.kill(actors[victim])
            say({"killed": victim})
        else:
            say({"replicas": replicas()})
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
