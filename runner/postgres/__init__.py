"""Connections to PostgreSQL, and a server of our own for demos, rehearsals and tests."""
