"""Conversations in readable JSONL files: one file a session, one record a line."""
