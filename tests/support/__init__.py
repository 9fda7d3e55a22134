"""Helpers that tests import as `from support...`."""
