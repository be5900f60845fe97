"""A group of commands whose modules are imported when they are asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from biopose_sim.errors import near_matches


class LazyGroup(click.Group):
    """A group of commands, each the attribute ``command`` of its module, in the order given."""

    def __init__(self, *args: Any, modules: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._modules = dict(modules)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order of the help page."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command; None where there is none."""
        if cmd_name not in self._modules:
            return None
        command: click.Command = importlib.import_module(self._modules[cmd_name]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one gets the near names."""
        if args and not args[0].startswith("-") and args[0] not in self._modules:
            near = near_matches(args[0], self._modules) or f"; there are {', '.join(self._modules)}"
            raise click.UsageError(f"no command '{args[0]}'{near}", ctx)
        return super().resolve_command(ctx, args)
