"""Finds what could hurt a live database in migration files, before they are run."""

from runner.lint.engine import Report, all_rules, lint
from runner.lint.model import Finding, Rule

__all__ = ["Finding", "Report", "Rule", "all_rules", "lint"]
