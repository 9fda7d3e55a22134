"""Every error that trueup raises on purpose: one hierarchy, each naming its object and the way on."""

from __future__ import annotations


class TrueupError(Exception):
    """Something the user can understand and act on; the command line shows it without a traceback.

    Args:
        message: what was expected and what was found, naming the object.
        hint: the next step for the user, empty when there is none.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class UsageError(TrueupError):
    """The command line or the configuration asks for something that cannot be."""

    exit_code = 2


class ServerNotFoundError(TrueupError):
    """No PostgreSQL binaries for the embedded server."""


class ServerStartError(TrueupError):
    """The embedded server did not come up."""


class ConnectionFailedError(TrueupError):
    """The database could not be reached."""
