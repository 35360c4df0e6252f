"""Live updates: a session's event log, read as it grows."""
