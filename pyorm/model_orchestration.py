"""The entities of the Model Orchestration service: what it keeps of models, requests and quotas."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Unpack
from uuid import UUID, uuid4

from pyorm.entity import Fields, column, entity, now
from pyorm.enums import ModelCapability, ModelProvider, ModelStatus, RequestType


class ModelFields(Fields, total=False):
    """The types of Model's fields in filters and changes."""

    id: UUID | str
    model_id: str
    provider: ModelProvider
    display_name: str | None
    description: str | None
    capabilities: list[ModelCapability]
    status: ModelStatus
    max_tokens: int | None
    token_limit: int | None
    cost_per_token: float | None
    configuration: dict[str, Any] | None
    model_metadata: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime


@entity("model", schema="public", old="models")
class Model:
    """A model that requests can be sent to."""

    id: UUID = column(default_factory=uuid4)
    model_id: str = column(length=100, unique=True)
    provider: ModelProvider
    display_name: str | None = column(length=100, default=None)
    description: str | None = None
    capabilities: list[ModelCapability]
    status: ModelStatus = ModelStatus.ACTIVE
    max_tokens: int | None = None
    token_limit: int | None = None
    cost_per_token: float | None = None
    configuration: dict[str, Any] | None = None
    model_metadata: dict[str, Any] | None = None
    created_at: datetime = column(default_factory=now, fixed=True)
    updated_at: datetime = column(default_factory=now, on_update=now, version=True)

    def __fields__(self, **fields: Unpack[ModelFields]) -> None: ...


class RequestFields(Fields, total=False):
    """The types of Request's fields in filters and changes."""

    id: UUID | str
    request_id: str
    request_type: RequestType
    model_id: UUID | str
    provider: ModelProvider
    user_id: str | None
    project_id: str | None
    task_id: str | None
    request_data: dict[str, Any]
    response_data: dict[str, Any] | None
    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    latency_ms: float | None
    cost: float | None
    success: bool
    error_message: str | None
    error_code: str | None
    created_at: datetime
    completed_at: datetime | None


@entity("request", schema="public", old="requests")
class Request:
    """One request to a model, and how it went."""

    id: UUID = column(default_factory=uuid4)
    request_id: str = column(length=100, unique=True)
    request_type: RequestType
    model_id: UUID = column(references="model (id)")
    provider: ModelProvider
    user_id: str | None = column(length=100, default=None)
    project_id: str | None = column(length=100, default=None)
    task_id: str | None = column(length=100, default=None)
    request_data: dict[str, Any]
    response_data: dict[str, Any] | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    latency_ms: float | None = None
    cost: float | None = None
    success: bool
    error_message: str | None = None
    error_code: str | None = column(length=50, default=None)
    created_at: datetime = column(default_factory=now, fixed=True)
    completed_at: datetime | None = None

    def __fields__(self, **fields: Unpack[RequestFields]) -> None: ...


class ProviderQuotaFields(Fields, total=False):
    """The types of ProviderQuota's fields in filters and changes."""

    id: UUID | str
    provider: ModelProvider
    daily_token_limit: int | None
    monthly_token_limit: int | None
    daily_cost_limit: float | None
    monthly_cost_limit: float | None
    daily_tokens_used: int
    monthly_tokens_used: int
    daily_cost_used: float
    monthly_cost_used: float
    daily_reset_at: datetime | None
    monthly_reset_at: datetime | None
    created_at: datetime
    updated_at: datetime


@entity("provider_quota", schema="public", old="provider_quotas")
class ProviderQuota:
    """How much of a provider may be used, and how much is."""

    id: UUID = column(default_factory=uuid4)
    provider: ModelProvider
    daily_token_limit: int | None = None
    monthly_token_limit: int | None = None
    daily_cost_limit: float | None = None
    monthly_cost_limit: float | None = None
    daily_tokens_used: int = 0
    monthly_tokens_used: int = 0
    daily_cost_used: float = 0.0
    monthly_cost_used: float = 0.0
    daily_reset_at: datetime | None = None
    monthly_reset_at: datetime | None = None
    created_at: datetime = column(default_factory=now, fixed=True)
    updated_at: datetime = column(default_factory=now, on_update=now, version=True)

    def __fields__(self, **fields: Unpack[ProviderQuotaFields]) -> None: ...
