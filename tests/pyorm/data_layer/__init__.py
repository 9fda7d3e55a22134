"""Tests of pyorm."""
