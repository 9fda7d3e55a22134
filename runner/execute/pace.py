"""How fast a backfill is, by what its record said at two looks."""

from __future__ import annotations


class Pace:
    """The rate since the first look at a file."""

    def __init__(self) -> None:
        """Begin without a look."""
        self._file = ""
        self._first = (0.0, 0, 0.0)

    def see(self, file: str, at: float, rows: int, share: float) -> tuple[float, float | None]:
        """Look once more.

        Args:
            file: id of its migration; another one begins anew.
            at: when its record was written, in seconds from any moment.
            rows: converted so far.
            share: how much of the work is done, from 0 to 1.

        Returns:
            Rows a second, and the seconds that are left; None while they cannot be told.
        """
        begun, first_rows, first_share = self._first
        if file != self._file or rows < first_rows or share < first_share:
            self._file, self._first = file, (at, rows, share)
            return 0.0, None
        elapsed, gained = at - begun, share - first_share
        return (
            (rows - first_rows) / elapsed if elapsed > 0 else 0.0,
            elapsed / gained * (1 - share) if gained > 0 else None,
        )
