"""A group of commands that imports the one that is run, and all of them only for its help."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose commands are each the `command` of a module."""

    def __init__(self, *args: Any, modules: Mapping[str, str], **kwargs: Any) -> None:
        """`modules` has the module of each command by the command's name."""
        super().__init__(*args, **kwargs)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of all commands, imported or not."""
        return sorted({*super().list_commands(ctx), *self._modules})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns a command; None where there is none of that name."""
        if cmd_name not in self.commands and cmd_name in self._modules:
            self.add_command(import_module(self._modules[cmd_name]).command, cmd_name)
        return super().get_command(ctx, cmd_name)
