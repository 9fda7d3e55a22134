"""Why only a window converts some tables, in few lines."""

from __future__ import annotations

from runner.generate.kinds.table import KEEPS_ITS_NAME
from runner.generate.only_window import in_short


def test_tables_that_keep_their_names_are_one_reason() -> None:
    kept = [f"public.t{n} {KEEPS_ITS_NAME}" for n in range(22)]
    first, second = in_short([*kept, "trigger t uses a column"])
    assert first.startswith("22 tables keep their names, and one name cannot show both contracts: ")
    assert first.endswith("public.t18, public.t19 and 2 more")
    assert second == "trigger t uses a column"
    assert list(in_short(kept[:1])) == kept[:1]


def test_a_name_with_a_blank_is_told_whole() -> None:
    (reason,) = in_short(f'public."{name}" {KEEPS_ITS_NAME}' for name in ("Order Line", "The Item"))
    assert reason.endswith('contracts: public."Order Line", public."The Item"')
