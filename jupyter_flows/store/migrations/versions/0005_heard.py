"""What a flow was told is kept where it may have to be told again."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("savepoints", sa.Column("heard", sa.LargeBinary()))
