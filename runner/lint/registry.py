"""Every rule there is, by name; a run imports those that look at what its files hold."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from runner.lint import rules as rules_package
from runner.lint.looks import LOOKS
from runner.lint.model import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

# Told by other parts of lint than a rule: about ignore comments, by tracing, for one version.
RULES_ELSEWHERE = frozenset(
    """
    ignore-without-reason newer-than-server rollback-not-reverse trace-failed traced-lock
    traced-rewrite unused-ignore
    """.split()
)
_CHAIN, _SCRIPT = "the chain", "a script"  # what a rule looks at that is no step


@cache
def rule_named(name: str) -> Rule:
    """The rule of a name, which must be there."""
    rule = import_module(f"{rules_package.__name__}.{name.replace('-', '_')}").RULE
    assert isinstance(rule, Rule)
    return rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule of the folder rules/, by name."""
    return tuple(rule_named(name) for name in _names())


@cache
def rule_names() -> frozenset[str]:
    """The names that settings and ignore comments may use."""
    return frozenset(_names()) | RULES_ELSEWHERE


@cache
def step_rules(verb: str) -> tuple[Rule, ...]:
    """The rules that look at the steps of a verb."""
    return tuple(rule for rule in _that_look_at(verb) if verb in rule.verbs)


@cache
def script_rules() -> tuple[Rule, ...]:
    """The rules that look at the whole of one file."""
    return tuple(rule for rule in _that_look_at(_SCRIPT) if rule.script is not None)


@cache
def chain_rules() -> tuple[Rule, ...]:
    """The rules that look at all files together."""
    return tuple(rule for rule in _that_look_at(_CHAIN) if rule.chain is not None)


def looks(rules: Iterable[Rule]) -> dict[str, str]:
    """What LOOKS must say of rules: which of them look at what, by name."""
    found: dict[str, list[str]] = {}
    for rule in rules:
        whole = ([_CHAIN] if rule.chain else []) + ([_SCRIPT] if rule.script else [])
        for what in [*whole, *rule.verbs]:
            found.setdefault(what, []).append(rule.name)
    return {what: " ".join(sorted(names)) for what, names in sorted(found.items())}


@cache
def _names() -> tuple[str, ...]:
    files = (name.partition(".")[0] for path in rules_package.__path__ for name in os.listdir(path))
    return tuple(sorted({name.replace("_", "-") for name in files if name[:1] != "_"}))


def _that_look_at(what: str) -> list[Rule]:
    """Those that LOOKS names, and those that it does not know yet."""
    names = {*LOOKS.get(what, "").split(), *_not_listed()}
    return [rule_named(name) for name in sorted(names)]


@cache
def _not_listed() -> frozenset[str]:
    return frozenset(_names()).difference(*(names.split() for names in LOOKS.values()))
