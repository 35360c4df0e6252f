"""The search index, and in it what the store has."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

from app.backends.sql.dialects.mysql_search import MysqlSearchIndex
from app.backends.sql.dialects.postgresql_search import PostgresqlSearchIndex
from app.backends.sql.dialects.sqlite_search import SqliteSearchIndex
from app.backends.sql.search_index import SearchIndex, index_everything

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_INDEXES: dict[str, type[SearchIndex]] = {
    "sqlite": SqliteSearchIndex,
    "postgresql": PostgresqlSearchIndex,
    "mysql": MysqlSearchIndex,
    "mariadb": MysqlSearchIndex,
}

# As in the first version: text is compared byte for byte.
_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_0900_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_nopad_bin",
}
_TOKENS = sa.ARRAY(sa.Text(collation="C")).with_variant(
    LONGTEXT(charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
)

# What stands between two spaces is a token, whatever is in it.
_TOKENIZER = "\"ascii tokenchars '{}'\"".format(
    "".join(
        chr(code) for code in range(1, 128) if not chr(code).isalnum() and not chr(code).isspace()
    )
    .replace("'", "''")
    .replace('"', '""')
)


def _key(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        op.create_table(
            "search_entries",
            sa.Column("id", sa.Integer(), primary_key=True),
            sa.Column("session_id", sa.String(32), nullable=False),
            sa.Column("sequence", sa.BigInteger(), nullable=False),
        )
        op.execute(
            "CREATE VIRTUAL TABLE search_index USING fts5(tokens, content='', columnsize=0, "
            f"detail=none, tokenize={_TOKENIZER})"
        )
    else:
        # Where an earlier attempt broke off it may be there, since not every database undoes it.
        op.execute("DROP TABLE IF EXISTS search_entries")
        op.create_table(
            "search_entries",
            sa.Column("session_id", _key(32), primary_key=True),
            sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
            sa.Column("created_at", _key(27), nullable=False),
            sa.Column("tokens", _TOKENS, nullable=False),
            sa.Index("ix_search_entries_created", "created_at", "session_id", "sequence"),
            sa.Index(
                "ix_search_entries_tokens",
                "tokens",
                postgresql_using="gin",
                mysql_prefix="FULLTEXT",
                mariadb_prefix="FULLTEXT",
            ),
            **_OPTIONS,
        )
    index_everything(_INDEXES[connection.dialect.name](), connection)
    if connection.dialect.name == "postgresql":
        # Which of its two indexes serves a query, the planner tells by how frequent tokens are.
        op.execute("ANALYZE search_entries")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE search_index")
    op.drop_table("search_entries")
