"""Decisions without I/O: permissions, limits, previews, titles."""
