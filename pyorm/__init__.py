"""A light typed data layer: shared enums, rows as dataclasses, repositories on psycopg."""
