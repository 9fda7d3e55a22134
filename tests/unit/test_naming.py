"""What a plural table will be called."""

from __future__ import annotations

import pytest

from runner.standard.naming import singular, table_names


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
        ("user_ids", "user_id"),
        ("web_apis", "web_api"),
        ("product_skus", "product_sku"),
        ("schemata", "schema"),
    ],
)
def test_a_plural_becomes_its_singular(plural: str, expected: str) -> None:
    assert singular(plural) == expected


@pytest.mark.parametrize(
    "name",
    [
        *("status", "data", "series", "metadata", "news", "model", "task_status", "address"),
        # As real schemas have them.
        *("item_rtdata", "override_opstatus", "config_autoreg_tls", "user_directory_stream_pos"),
        *("bonus", "alias", "census", "oasis", "dns", "gps", "user_sms", "usage_statistics"),
    ],
)
def test_a_singular_stays(name: str) -> None:
    assert singular(name) == name


def test_the_users_word_list_wins() -> None:
    words = {"leaves": "leaf", "task_data": "task_datum"}
    assert singular("tree_leaves", words) == "tree_leaf"
    assert singular("task_data", words) == "task_datum"


def test_a_table_s_name_in_another_s_becomes_singular_too() -> None:
    names = [
        "hosts",
        "hosts_groups",
        "users_in_rooms",
        "users",
        "trends",
        "trends_uint",
        "news_ids",
    ]
    assert table_names(names, {"users": "human"}) == {
        "hosts": "host",
        "hosts_groups": "host_group",
        "users": "human",
        "users_in_rooms": "human_in_room",
        "trends": "trend",
        # What is no plural stays as it is.
        "trends_uint": "trends_uint",
        "news_ids": "news_id",
    }
    assert table_names(["hosts", "hosts_groups"], {"hosts_groups": "hg"})["hosts_groups"] == "hg"
