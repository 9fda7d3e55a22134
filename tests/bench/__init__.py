"""Measurements: `make bench`, or `python -m bench` in this folder's parent."""
