"""Whether a service's files were generated from a schema such as the database has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from runner.catalog import Catalog
from runner.errors import StandardError
from runner.preflight.report import Finding, Severity
from runner.service.write import FOLDERS, compare_service
from runner.standard.model import Standard

_CHECK = re.compile(r"\d+_check_")


def check_files(folder: Path, standard: Standard, catalog: Catalog) -> Iterator[Finding]:
    """Compare the files with what would be generated from the database.

    Args:
        folder: the service's folder; one without generated files is not looked at.
        standard: its standard.
        catalog: the database at the old contract, with what stands on its tables.
    """
    if not any((folder / name).is_dir() for name in FOLDERS):
        return
    try:
        written = compare_service(folder, standard, catalog)
    except StandardError:
        return  # found as what is in the way
    others = (*written.added, *written.differing)
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        # The first files ask for the values and labels that they convert, and would refuse others.
        refuses = any(_CHECK.match(Path(name).name) for name in written.differing)
        yield Finding(
            Severity.STOPS if refuses else Severity.KNOW,
            f"the files in {folder.name}",
            "were generated from another schema: for this database "
            f"{len(written.differing)} would say something else and {len(written.added)} are "
            f"missing: {', '.join(others[:3])}{more}",
            hint="Generate them from this database into a copy of the folder with standard.toml "
            "alone, by --dsn, and compare: what they do not know would be lost or stop them.",
        )
