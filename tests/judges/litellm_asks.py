"""Asks by `litellm` what it is told to: a line of JSON in, a line of JSON out.

In: ``{"call": "completion", "options": {...}}``, where ``file`` is a name and bytes in base64. Out: ``{"answer": ...}``
with a list of chunks where it was streamed, or ``{"error": the exception's class, "status": ..., "message": ...}``.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import litellm

litellm.suppress_debug_info = True


def ask(call: str, options: dict[str, Any]) -> Any:
    if "file" in options:
        name, data = options["file"]
        options["file"] = (name, base64.b64decode(data))
    answer = getattr(litellm, call)(**options)
    if options.get("stream"):
        return [chunk.model_dump() for chunk in answer]
    if call == "speech":
        return base64.b64encode(answer.read()).decode()
    return answer.model_dump() if hasattr(answer, "model_dump") else answer


def main() -> None:
    said = sys.stdout
    sys.stdout = sys.stderr  # litellm prints when it fails
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"answer": ask(asked["call"], asked["options"])}
        except Exception as error:
            status = getattr(error, "status_code", None)
            answer = {"error": type(error).__name__, "status": status, "message": str(error)}
        said.write(f"{json.dumps(answer)}\n")
        said.flush()


if __name__ == "__main__":
    main()
