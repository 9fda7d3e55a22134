"""The process of the `trueup` command, also as `python -m runner`; it starts and ends quickly.

For a run with nothing to do, two thirds of the time would be the libraries' coming and going.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from typing import NoReturn

_code = 1


def command() -> NoReturn:
    """Run the command and exit with its code."""
    global _code
    # What libraries make as they are imported stays: nothing to look for after every 700 of it.
    gc.set_threshold(200_000)
    atexit.register(_leave)  # registered first, so called last
    from runner.cli import main

    try:
        main()
    except SystemExit as end:
        _code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise


def _leave() -> None:
    """Spare the taking down of every object: threads and exit handlers are done by now."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(_code)


if __name__ == "__main__":
    command()
