"""For services on SQLAlchemy 2 and Alembic: the types, tables and rules of pyorm there.

    UUIDType        a uuid, the same on every database
    EnumText        a shared enum as text; EnumTextArray a list of them
    to_table        the Table of an entity
    include_object  lets Alembic leave alone what belongs to trueup
    render_item     lets Alembic write new revisions with types that last

With the extra `sqlalchemy`: `pip install 'pyorm[sqlalchemy]'`.
"""

from pyorm.sqlalchemy.autogenerate import include_object, render_item
from pyorm.sqlalchemy.tables import to_table
from pyorm.sqlalchemy.types import EnumText, EnumTextArray, UUIDType

__all__ = ["EnumText", "EnumTextArray", "UUIDType", "include_object", "render_item", "to_table"]
