"""Extended statistics: made again by contract, in the words of the new one."""

from __future__ import annotations

from collections.abc import Iterator

from runner.catalog import Statistics
from runner.generate.dependent import DependentChange, Reword, Standing, with_drop
from runner.generate.model import Obstacle
from runner.generate.statement import Statement
from runner.quoting import Name, quote_ident, quote_literal, quote_name


def change(o: Standing) -> DependentChange:
    """What they become on the new columns."""
    found = _found(o)
    drop = Statement(f"DROP STATISTICS {quote_name(Name(found.schema, found.name))};")
    return DependentChange(
        o,
        old=with_drop(statements(found, o.old), drop),
        new=with_drop(statements(found, o.new), drop),
    )


def obstacles(_: Standing) -> Iterator[Obstacle]:
    """Nothing keeps them from being made again."""
    return iter(())


def query(o: Standing, reword: Reword) -> str:
    """What they are of, in the words of a contract."""
    _, _, what = reword(_found(o).definition).partition(" ON ")
    return f"SELECT {what}"


def _found(o: Standing) -> Statistics:
    return next(s for s in o.relation.statistics if s.name == o.dependent.name)


def statements(statistics: Statistics, reword: Reword) -> Iterator[Statement]:
    """The statements that make an extended statistics object."""
    name = quote_name(Name(statistics.schema, statistics.name))
    yield Statement(f"{reword(statistics.definition)};")
    yield Statement(f"ALTER STATISTICS {name} OWNER TO {quote_ident(statistics.owner)};")
    if statistics.target is not None:
        yield Statement(f"ALTER STATISTICS {name} SET STATISTICS {statistics.target};")
    if statistics.comment is not None:
        yield Statement(f"COMMENT ON STATISTICS {name} IS {quote_literal(statistics.comment)};")
