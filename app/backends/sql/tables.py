"""The tables, the same on every dialect.

Every statement about a session carries its id, and every key begins with it, so that a store can
be spread over machines by session. Text is compared byte for byte.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT

metadata = MetaData()

_ID = String(200)
_TIMESTAMP = String(27)

# MySQL's own TEXT and BLOB end at 64 KiB.
_TEXT = Text().with_variant(LONGTEXT(), "mysql", "mariadb")
_BYTES = LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")

users = Table(
    "users",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("display_name", _TEXT),
)

agents = Table(
    "agents",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("display_name", _TEXT),
)

profiles = Table(
    "profiles",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("display_name", _TEXT),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("key", String(512), nullable=False),
    # Empty for an unowned session: a null would not be unique together with the key.
    Column("owner_id", _ID, nullable=False),
    Column("agent_id", _ID),
    Column("peer_agent_id", _ID),
    Column("profile_id", _ID),
    Column("title", _TEXT),
    Column("title_order", String(512), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("channel", String(100)),
    Column("forked_from_id", String(32)),
    Column("forked_from_sequence", BigInteger),
    Column("metadata", _TEXT, nullable=False),
    Column("pinned_at", _TIMESTAMP),
    Column("starred_at", _TIMESTAMP),
    Column("archived_at", _TIMESTAMP),
    Column("created_at", _TIMESTAMP, nullable=False),
    Column("updated_at", _TIMESTAMP, nullable=False),
    Column("last_message_at", _TIMESTAMP),
    Column("last_activity_at", _TIMESTAMP, nullable=False),
    Column("message_count", Integer, nullable=False),
    Column("archived_message_count", Integer, nullable=False),
    Column("preview", _TEXT),
    Column("last_sequence", BigInteger, nullable=False),
    Column("epoch", String(16), nullable=False),
    Column("revision", BigInteger, nullable=False),
    # Archiving always takes everything up to a message, so one number divides the archive from
    # the live messages, and a page of either is a range of the primary key.
    Column("archived_through", BigInteger, nullable=False),
    UniqueConstraint("owner_id", "key", name="uq_sessions_owner_key"),
    Index("ix_sessions_owner_activity", "owner_id", "last_activity_at", "id"),
    Index("ix_sessions_owner_created", "owner_id", "created_at", "id"),
    Index("ix_sessions_owner_title", "owner_id", "title_order", "id"),
    Index("ix_sessions_activity", "last_activity_at", "id"),
    Index("ix_sessions_created", "created_at", "id"),
    Index("ix_sessions_title", "title_order", "id"),
)

messages = Table(
    "messages",
    metadata,
    Column("session_id", String(32), ForeignKey("sessions.id"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("role", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("parts", _TEXT, nullable=False),
    Column("preview", _TEXT),
    Column("sender_name", _TEXT),
    Column("sender_user_id", _ID),
    Column("sender_agent_id", _ID),
    Column("model", _TEXT),
    Column("usage", _TEXT),
    Column("metadata", _TEXT, nullable=False),
    Column("created_at", _TIMESTAMP, nullable=False),
    Column("edited_at", _TIMESTAMP),
    Column("archived_at", _TIMESTAMP),
)

events = Table(
    "events",
    metadata,
    Column("session_id", String(32), ForeignKey("sessions.id"), primary_key=True),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(32), nullable=False),
    Column("at", _TIMESTAMP, nullable=False),
    Column("sequence", BigInteger),
    Column("data", _TEXT),
    sqlite_with_rowid=False,
)

# Kept when their session is deleted, so that a retry of what created or deleted it is known.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("session_id", String(32), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("first_sequence", BigInteger, nullable=False),
    Column("sequence_count", Integer, nullable=False),
    Column("affected", Integer, nullable=False),
    Column("at", _TIMESTAMP, nullable=False),
    sqlite_with_rowid=False,
)

deletions = Table(
    "deletions",
    metadata,
    Column("session_id", String(32), primary_key=True),
    Column("owner_id", _ID, nullable=False),
    Column("epoch", String(16), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("at", _TIMESTAMP, nullable=False),
)

damages = Table(
    "damages",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("source", _TEXT, nullable=False),
    Column("line", Integer, nullable=False),
    Column("reason", _TEXT, nullable=False),
    Column("content", _BYTES, nullable=False),
)
