"""Faults injected into the JSONL backend, at a small scale unless `SCROLLBACK_TORTURE=full`."""

import os

FULL = os.environ.get("SCROLLBACK_TORTURE") == "full"
