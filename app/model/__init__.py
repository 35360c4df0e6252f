"""What Scrollback is about: sessions, messages, parts, events. Frozen data without I/O."""
