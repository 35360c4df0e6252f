"""How much is allowed at once. Every number is configurable and is named in the error it causes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one server. Lengths are in characters, sizes in bytes of UTF-8.

    `json_depth` counts nested objects and lists; encoders give up not far above it.
    """

    page_size: int = 50
    max_page_size: int = 100
    node_ids: int = 100
    messages_per_mutation: int = 100
    parts_per_message: int = 100
    message_bytes: int = 1_000_000
    title_length: int = 500
    key_length: int = 500
    channel_length: int = 100
    name_length: int = 200
    model_length: int = 200
    address_bytes: int = 1_000_000
    idempotency_key_length: int = 255
    metadata_bytes: int = 65_536
    search_query_length: int = 200
    search_terms: int = 10
    json_depth: int = 32
