"""Measurements of a running server: `python -m benchmarks --help`."""
