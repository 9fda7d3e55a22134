"""The `trueup` command: one function a verb; what a verb does lives elsewhere."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from runner import screen
from runner.cli.root import cli
from runner.errors import TrueupError

__all__ = ["cli", "main"]

if TYPE_CHECKING:
    from types import FrameType


def main() -> NoReturn:
    """Run the command and exit with its code; no error of the user's shows a traceback."""
    signal.signal(signal.SIGTERM, _terminate)
    atexit.register(gc.freeze)  # The end does not walk through what is left.
    # A locale without a character of a name gets an escape, not a crash.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        cli.main(standalone_mode=False)
        if not sys.stdout.closed:  # as an editor's server does at its end
            sys.stdout.flush()
    except TrueupError as error:
        _fail(str(error), error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _fail("stopped", 130)
    except BrokenPipeError:
        # The reader is gone; the exit must not try to flush to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.filename is not None:
            _fail(f"{error.filename} cannot be read or written: {error.strerror}", 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _fail(f"the output cannot be written: {error.strerror}; the command itself has finished", 1)
    except Exception as error:
        # Imported late: most runs that come here have it by then.
        from psycopg import Error

        if not isinstance(error, Error):
            raise
        from runner.postgres.connect import ended_by_server

        ended = ended_by_server(error)
        _fail(str(ended), ended.exit_code)
    sys.exit(0)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _fail(message: str, exit_code: int) -> NoReturn:
    screen.echo(f"error: {message}", err=True)
    sys.exit(exit_code)
