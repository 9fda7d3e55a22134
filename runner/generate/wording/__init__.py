"""Definitions in the words of the new contract: predicates, casts, JSON paths."""
