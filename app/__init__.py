"""Scrollback: the conversation store for AI chat and agents."""

from importlib.metadata import version

__version__ = version("scrollback")
