"""The standard: the declaration of the new contract for one service."""

from runner.standard.load import load_standard
from runner.standard.model import EnumStandard, JsonPath, Standard, TableStandard

__all__ = ["EnumStandard", "JsonPath", "Standard", "TableStandard", "load_standard"]
