"""Storage in SQL databases: one set of tables, small modules where dialects differ."""
