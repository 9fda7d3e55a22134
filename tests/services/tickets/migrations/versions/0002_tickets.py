"""Tickets."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "tickets",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("customer_id", sa.String(36), sa.ForeignKey("customers.id"), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
    )
    op.create_index("tickets_customer_id_idx", "tickets", ["customer_id"])


def downgrade() -> None:
    op.drop_table("tickets")
