"""Finds what could hurt a live database in migration files, before they are run."""

from runner.lint.engine import Report, lint
from runner.lint.model import Finding, Rule
from runner.lint.registry import all_rules

__all__ = ["Finding", "Report", "Rule", "all_rules", "lint"]
