"""What a plural table will be called."""

from __future__ import annotations

import pytest

from runner.standard.naming import singular, table_names, with_prefix, words_of


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
    ("plural", "expected"),
    [
        # camelCase, PascalCase
        ("userRoles", "userRole"),
        ("apiKeys", "apiKey"),
        ("OrderLines", "OrderLine"),
        ("Categories", "Category"),
        ("HTTPServers", "HTTPServer"),
        ("UserIDs", "UserID"),
        ("OAuth2Tokens", "OAuth2Token"),
        # capitals, with underscores, with blanks, and what comes of two conventions
        ("PEOPLE", "PERSON"),
        ("ORDER_LINES", "ORDER_LINE"),
        ("Order Lines", "Order Line"),
        ("order-lines", "order-line"),
        ("tbl_ApiKeys", "tbl_ApiKey"),
        ("Éléments", "Élément"),
        ("ORDER STATUS", "ORDER STATUS"),
        # a number is no word of its own
        ("orders_2024", "orders_2024"),
        ("s3Buckets", "s3Bucket"),
    ],
)
def test_a_name_keeps_its_own_convention(plural: str, expected: str) -> None:
    assert singular(plural) == expected
    assert singular(expected) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("user", "my_svc_user"),
        ("userRole", "mySvcUserRole"),
        ("UserRole", "MySvcUserRole"),
        ("User", "MySvcUser"),
        ("ORDER", "MY_SVC_ORDER"),
        ("Order Line", "My Svc Order Line"),
        ("tbl_ApiKey", "my_svc_tbl_ApiKey"),
    ],
)
def test_a_name_that_cannot_be_has_another_in_its_convention(name: str, expected: str) -> None:
    assert with_prefix(name, "my-svc") == expected


def test_words_are_found_in_every_convention() -> None:
    assert words_of("ORDER_LINES") == ["ORDER", "LINES"]
    assert words_of("userRoles") == ["user", "Roles"]
    assert words_of("XMLHttpRequest type") == ["XML", "Http", "Request", "type"]
    assert words_of("") == []


@pytest.mark.parametrize(
    "name",
    [
        *("status", "data", "series", "metadata", "news", "model", "task_status", "address"),
        # As real schemas have them.
        *("item_rtdata", "override_opstatus", "config_autoreg_tls", "user_directory_stream_pos"),
        *("bonus", "alias", "census", "oasis", "dns", "gps", "user_sms", "usage_statistics"),
        *(";", "--", ""),
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
    assert table_names(["Users", "UsersRoles"])["UsersRoles"] == "UserRole"
