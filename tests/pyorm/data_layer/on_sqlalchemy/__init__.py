"""pyorm.sqlalchemy: its types, tables and rules for Alembic, with the real libraries."""
