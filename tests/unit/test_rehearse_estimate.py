"""What measurements at two sizes say of the live size, without a server."""

from __future__ import annotations

from runner.review.rehearse.estimate import Point, at_size, per_million, total

TWO_SIZES = (Point(1_000, 1.0), Point(1_000, 1.2), Point(3_000, 2.9), Point(3_000, 3.1))


def test_the_likely_figure_lies_on_the_line_through_the_means() -> None:
    estimate = at_size(TWO_SIZES, 10_000)
    assert estimate is not None
    assert round(estimate.likely, 6) == round(3.0 + 7 * (3.0 - 1.1) / 2, 6)
    assert estimate.low < estimate.likely < estimate.high


def test_a_live_table_that_is_smaller_is_as_slow_as_what_was_measured() -> None:
    estimate = at_size(TWO_SIZES, 500)
    assert estimate is not None
    assert (estimate.low, estimate.likely, estimate.high) == (2.9, 3.0, 3.1)


def test_growth_is_told_for_each_million_rows() -> None:
    growth = per_million(TWO_SIZES)
    assert growth is not None
    assert round(growth, 6) == 950


def test_what_does_not_grow_or_was_measured_at_one_size_has_no_growth() -> None:
    assert per_million((Point(1_000, 2.0), Point(3_000, 1.9))) is None
    assert per_million((Point(1_000, 2.0), Point(1_000, 2.1))) is None


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    known = at_size(TWO_SIZES, 10_000)
    assert total([known, None]) is None
    both = total([known, known])
    assert both is not None
    assert known is not None
    assert both.likely == 2 * known.likely
