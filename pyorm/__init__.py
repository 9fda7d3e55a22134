"""A light typed data layer: shared enums, rows as dataclasses, repositories on psycopg."""

from pyorm.database import Database
from pyorm.database_async import AsyncDatabase
from pyorm.entity import Fields, column, entity, now
from pyorm.enums import (
    ModelCapability,
    ModelProvider,
    ModelStatus,
    RequestType,
    SharedEnum,
    check_constraint,
)
from pyorm.filters import (
    above,
    any_of,
    at_least,
    at_most,
    below,
    between,
    contains,
    given,
    ilike,
    like,
    not_,
    one_of,
)
from pyorm.model_orchestration import Model, ProviderQuota, Request
from pyorm.own_sql import sql_file
from pyorm.pages import Page
from pyorm.repository import Repository
from pyorm.repository_async import AsyncRepository
from pyorm.server_made import generated, identity, server_default

__all__ = [
    "AsyncDatabase",
    "AsyncRepository",
    "Database",
    "Fields",
    "Model",
    "ModelCapability",
    "ModelProvider",
    "ModelStatus",
    "Page",
    "ProviderQuota",
    "Repository",
    "Request",
    "RequestType",
    "SharedEnum",
    "above",
    "any_of",
    "at_least",
    "at_most",
    "below",
    "between",
    "check_constraint",
    "column",
    "contains",
    "entity",
    "generated",
    "given",
    "identity",
    "ilike",
    "like",
    "not_",
    "now",
    "one_of",
    "server_default",
    "sql_file",
]
