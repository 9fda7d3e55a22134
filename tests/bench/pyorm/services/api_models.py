"""What both services take and give: the same to their clients, and counted for neither."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from pyorm import ModelCapability, ModelProvider, ModelStatus


class NewModel(BaseModel):
    """A model to add."""

    model_id: str
    provider: ModelProvider
    capabilities: list[ModelCapability] = []


class Changes(BaseModel):
    """What to change of a model."""

    status: ModelStatus | None = None
    description: str | None = None


class Use(BaseModel):
    """A request that a model answered."""

    request_id: str
    tokens: int


class OneModel(BaseModel):
    """A model."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    model_id: str
    provider: ModelProvider
    capabilities: list[ModelCapability]
    status: ModelStatus
    description: str | None
    version: int
    created_at: datetime


class Models(BaseModel):
    """A page of models."""

    items: list[OneModel]
    next: str | None


class Usage(BaseModel):
    """How much was used of a provider."""

    provider: ModelProvider
    requests: int
    tokens: int
