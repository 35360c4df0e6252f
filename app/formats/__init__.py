"""Import and export: one file a format, each a stream of records."""
