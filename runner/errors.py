"""Every error that trueup raises on purpose: each names its object and the way on."""

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

    exit_code = 3


class MigrationFileError(TrueupError):
    """A migration file, or its place among the others, is not as the ledger needs it."""

    exit_code = 2


class LedgerError(TrueupError):
    """The ledger and the files do not agree."""


class StillUsedError(TrueupError):
    """An old name that contract would remove may be in use."""


class LockedError(TrueupError):
    """A lock was not to be had within the deadline."""

    exit_code = 4


class StatementError(TrueupError):
    """PostgreSQL refused a statement of a migration."""

    exit_code = 5


class RunInterruptedError(TrueupError):
    """The user or the system stopped the run; what was committed stays."""

    exit_code = 130


class StandardError(TrueupError):
    """A standard.toml says what cannot be, or does not fit the database."""

    exit_code = 2


class ScratchError(TrueupError):
    """A scratch server or database could not be had, or files used more than they may."""


class RehearsalError(TrueupError):
    """A rehearsal is missing, failed, or was of something else."""
