"""Sessions, messages and the event log, with what they name and what moving them needs."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


# Text is compared byte for byte on every database: without it PostgreSQL would order by the
# language of the database, and MySQL would take "a" and "A", or "a" and "a ", for the same.
_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_0900_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_nopad_bin",
}
_TEXT = (
    sa.Text()
    .with_variant(sa.Text(collation="C"), "postgresql")
    .with_variant(LONGTEXT(), "mysql", "mariadb")
)
_BYTES = sa.LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")


def _key(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "agents",
        sa.Column("id", _key(200), primary_key=True),
        sa.Column("display_name", _TEXT),
        **_OPTIONS,
    )
    op.create_table(
        "damages",
        sa.Column("digest", _key(64), primary_key=True),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("content", _BYTES, nullable=False),
        **_OPTIONS,
    )
    op.create_table(
        "deletions",
        sa.Column("session_id", _key(32), primary_key=True),
        sa.Column("owner_id", _key(200), nullable=False),
        sa.Column("epoch", _key(16), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("at", _key(27), nullable=False),
        **_OPTIONS,
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("session_id", _key(32), primary_key=True),
        sa.Column("key", _key(255), primary_key=True),
        sa.Column("digest", _key(64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("first_sequence", sa.BigInteger(), nullable=False),
        sa.Column("sequence_count", sa.Integer(), nullable=False),
        sa.Column("affected", sa.Integer(), nullable=False),
        sa.Column("at", _key(27), nullable=False),
        sqlite_with_rowid=False,
        **_OPTIONS,
    )
    op.create_table(
        "profiles",
        sa.Column("id", _key(200), primary_key=True),
        sa.Column("display_name", _TEXT),
        **_OPTIONS,
    )
    op.create_table(
        "sessions",
        sa.Column("id", _key(32), primary_key=True),
        sa.Column("key", _key(512), nullable=False),
        sa.Column("owner_id", _key(200), nullable=False),
        sa.Column("agent_id", _key(200)),
        sa.Column("peer_agent_id", _key(200)),
        sa.Column("profile_id", _key(200)),
        sa.Column("title", _TEXT),
        sa.Column("title_order", _key(512), nullable=False),
        sa.Column("kind", _key(16), nullable=False),
        sa.Column("channel", _key(100)),
        sa.Column("forked_from_id", _key(32)),
        sa.Column("forked_from_sequence", sa.BigInteger()),
        sa.Column("metadata", _TEXT, nullable=False),
        sa.Column("pinned_at", _key(27)),
        sa.Column("starred_at", _key(27)),
        sa.Column("archived_at", _key(27)),
        sa.Column("created_at", _key(27), nullable=False),
        sa.Column("updated_at", _key(27), nullable=False),
        sa.Column("last_message_at", _key(27)),
        sa.Column("last_activity_at", _key(27), nullable=False),
        sa.Column("message_count", sa.Integer(), nullable=False),
        sa.Column("archived_message_count", sa.Integer(), nullable=False),
        sa.Column("preview", _TEXT),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("epoch", _key(16), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("archived_through", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("owner_id", "key", name="uq_sessions_owner_key"),
        **_OPTIONS,
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
        sa.Column("id", _key(200), primary_key=True),
        sa.Column("display_name", _TEXT),
        **_OPTIONS,
    )
    op.create_table(
        "events",
        sa.Column("session_id", _key(32), sa.ForeignKey("sessions.id"), primary_key=True),
        sa.Column("revision", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("kind", _key(32), nullable=False),
        sa.Column("at", _key(27), nullable=False),
        sa.Column("sequence", sa.BigInteger()),
        sa.Column("data", _TEXT),
        sqlite_with_rowid=False,
        **_OPTIONS,
    )
    op.create_table(
        "messages",
        sa.Column("session_id", _key(32), sa.ForeignKey("sessions.id"), primary_key=True),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("role", _key(16), nullable=False),
        sa.Column("status", _key(16), nullable=False),
        sa.Column("parts", _TEXT, nullable=False),
        sa.Column("preview", _TEXT),
        sa.Column("sender_name", _TEXT),
        sa.Column("sender_user_id", _key(200)),
        sa.Column("sender_agent_id", _key(200)),
        sa.Column("model", _TEXT),
        sa.Column("usage", _TEXT),
        sa.Column("metadata", _TEXT, nullable=False),
        sa.Column("created_at", _key(27), nullable=False),
        sa.Column("edited_at", _key(27)),
        sa.Column("archived_at", _key(27)),
        **_OPTIONS,
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
