"""Runs an application's client.py in the application's own venv: nothing of trueup is imported.

    rounds.py CLIENT CONNECTION make|once|loop

Prints one line of JSON a round: what the client saw, or its error. `loop` goes on until its
standard input ends.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import sys
import threading
import traceback
from types import ModuleType
from typing import Any


def main() -> None:
    """Make the schema, or run one round of the client, or one after the other."""
    path, connection, action = sys.argv[1:]
    client, where = _load(path), json.loads(connection)
    if action == "make":
        client.make(where)
        return
    ended = threading.Event()
    if action == "loop":
        threading.Thread(target=_end_with_input, args=[ended], daemon=True).start()
    else:
        ended.set()
    for number in itertools.count(1):
        print(json.dumps(_round(client, where, f"round{os.getpid()}x{number}")), flush=True)
        if ended.is_set():
            return


def _end_with_input(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def _round(client: ModuleType, where: object, name: str) -> dict[str, Any]:
    try:
        # The round's name is another each time, what it sees is not.
        return {"seen": [repr(s).replace(name, "NAME") for s in client.use(where, name)]}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}


def _load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("client", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["client"] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
