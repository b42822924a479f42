"""What expires next is found among any number of approvals."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.drop_index("ix_approval_state", table_name="approval")
    op.create_index("ix_approval_state_expires_at", "approval", ["state", "expires_at"])
