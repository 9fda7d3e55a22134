"""Measurements of the data layer."""
