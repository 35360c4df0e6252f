"""Sessions, messages and the event log, with what they name and what moving them needs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agents",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("display_name", sa.Text()),
    )
    op.create_table(
        "damages",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "deletions",
        sa.Column("session_id", sa.String(32), primary_key=True),
        sa.Column("owner_id", sa.String(200), nullable=False),
        sa.Column("epoch", sa.String(16), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("session_id", sa.String(32), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("first_sequence", sa.BigInteger(), nullable=False),
        sa.Column("sequence_count", sa.Integer(), nullable=False),
        sa.Column("affected", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "profiles",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("display_name", sa.Text()),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("key", sa.String(512), nullable=False),
        sa.Column("owner_id", sa.String(200), nullable=False),
        sa.Column("agent_id", sa.String(200)),
        sa.Column("peer_agent_id", sa.String(200)),
        sa.Column("profile_id", sa.String(200)),
        sa.Column("title", sa.Text()),
        sa.Column("title_order", sa.String(512), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("channel", sa.String(100)),
        sa.Column("forked_from_id", sa.String(32)),
        sa.Column("forked_from_sequence", sa.BigInteger()),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("pinned_at", sa.String(27)),
        sa.Column("starred_at", sa.String(27)),
        sa.Column("archived_at", sa.String(27)),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("updated_at", sa.String(27), nullable=False),
        sa.Column("last_message_at", sa.String(27)),
        sa.Column("last_activity_at", sa.String(27), nullable=False),
        sa.Column("message_count", sa.Integer(), nullable=False),
        sa.Column("archived_message_count", sa.Integer(), nullable=False),
        sa.Column("preview", sa.Text()),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.String(16), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("archived_through", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("owner_id", "key", name="uq_sessions_owner_key"),
    )
    op.create_index("ix_sessions_activity", "sessions", ["last_activity_at", "id"])
    op.create_index("ix_sessions_created", "sessions", ["created_at", "id"])
    op.create_index(
        "ix_sessions_owner_activity", "sessions", ["owner_id", "last_activity_at", "id"]
    )
    op.create_index("ix_sessions_owner_created", "sessions", ["owner_id", "created_at", "id"])
    op.create_index("ix_sessions_owner_title", "sessions", ["owner_id", "title_order", "id"])
    op.create_index("ix_sessions_title", "sessions", ["title_order", "id"])
    op.create_table(
        "users",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("display_name", sa.Text()),
    )
    op.create_table(
        "events",
        sa.Column("session_id", sa.String(32), sa.ForeignKey("sessions.id"), primary_key=True),
        sa.Column("revision", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("sequence", sa.BigInteger()),
        sa.Column("data", sa.Text()),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "messages",
        sa.Column("session_id", sa.String(32), sa.ForeignKey("sessions.id"), primary_key=True),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.Column("preview", sa.Text()),
        sa.Column("sender_name", sa.Text()),
        sa.Column("sender_user_id", sa.String(200)),
        sa.Column("sender_agent_id", sa.String(200)),
        sa.Column("model", sa.Text()),
        sa.Column("usage", sa.Text()),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("edited_at", sa.String(27)),
        sa.Column("archived_at", sa.String(27)),
    )


def downgrade() -> None:
    op.drop_table("messages")
    op.drop_table("events")
    op.drop_table("users")
    op.drop_table("sessions")
    op.drop_table("profiles")
    op.drop_table("idempotency_keys")
    op.drop_table("deletions")
    op.drop_table("damages")
    op.drop_table("agents")
