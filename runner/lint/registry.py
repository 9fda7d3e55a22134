"""Every rule there is, by name."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from runner.lint import rules as rules_package
from runner.lint.model import Rule

# Told by other parts of lint than a rule: about ignore comments, by tracing, for one version.
RULES_ELSEWHERE = frozenset(
    """
    ignore-without-reason newer-than-server rollback-not-reverse trace-failed traced-lock
    traced-rewrite unused-ignore
    """.split()
)


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule of the folder rules/, by name."""
    found = []
    for module in iter_modules(rules_package.__path__):
        rule = import_module(f"{rules_package.__name__}.{module.name}").RULE
        assert isinstance(rule, Rule)
        found.append(rule)
    return tuple(sorted(found, key=lambda rule: rule.name))


@cache
def rule_names() -> frozenset[str]:
    """The names that settings and ignore comments may use."""
    return frozenset(rule.name for rule in all_rules()) | RULES_ELSEWHERE
