"""The index of texts keeps no lengths, which nobody asks for."""

from alembic import op

from jupyter_flows.store import search

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        search.renew_index(connection)
