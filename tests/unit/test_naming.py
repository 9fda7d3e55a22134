"""What a plural table will be called."""

from __future__ import annotations

import pytest

from runner.standard.naming import singular


@pytest.mark.parametrize(
    ("plural", "expected"),
    [
        ("models", "model"),
        ("requests", "request"),
        ("provider_quotas", "provider_quota"),
        ("bottleneck_analyses", "bottleneck_analysis"),
        ("task_dependencies", "task_dependency"),
        ("resource_allocations", "resource_allocation"),
        ("phases", "phase"),
        ("addresses", "address"),
        ("people", "person"),
        ("indices", "index"),
        ("Models", "Model"),
    ],
)
def test_a_plural_becomes_its_singular(plural: str, expected: str) -> None:
    assert singular(plural) == expected


@pytest.mark.parametrize(
    "name", ["status", "data", "series", "metadata", "news", "model", "task_status", "address"]
)
def test_a_singular_stays(name: str) -> None:
    assert singular(name) == name


def test_the_users_word_list_wins() -> None:
    words = {"leaves": "leaf", "task_data": "task_datum"}
    assert singular("tree_leaves", words) == "tree_leaf"
    assert singular("task_data", words) == "task_datum"
