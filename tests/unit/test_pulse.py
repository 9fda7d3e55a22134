"""How long a backfill rests, by what commits took while it worked and while it rested."""

from __future__ import annotations

import pytest

from runner.execute.pulse import LEAST_REST, LONGEST_REST, REST_AT_FIRST, rest_after

USUAL = [0.003] * 100


def with_slow(percent: int) -> list[float]:
    return [0.003] * (100 - percent) + [0.0061] * percent


def test_it_begins_with_a_guess() -> None:
    assert rest_after([], USUAL) == rest_after(USUAL, [0.003] * 10) == REST_AT_FIRST


@pytest.mark.parametrize(
    ("percent", "rest"), [(0, LEAST_REST), (2, 1), (3, 2), (5, 4), (8, 7), (50, LONGEST_REST)]
)
def test_the_more_commits_are_slow_the_longer_it_rests(percent: int, rest: float) -> None:
    assert rest_after(with_slow(percent), USUAL) == pytest.approx(rest)


def test_slow_is_what_is_slow_on_this_server() -> None:
    assert rest_after([0.05] * 100, [0.03] * 100) == LEAST_REST


def test_a_few_slow_commits_at_rest_do_not_hide_those_at_work() -> None:
    assert rest_after(with_slow(5), [0.003] * 96 + [0.5] * 4) == pytest.approx(4)


def test_what_nobody_feels_is_not_slow() -> None:
    assert rest_after([0.0019] * 100, [0.0002] * 100) == LEAST_REST
