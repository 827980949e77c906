"""A group whose commands are imported when they are used, not when they are listed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


class DeferredCommand(TyperCommand):
    """The name and the one line of a command whose module is not imported yet.

    Args:
        name: The word that calls it.
        module: The module; its ``app`` is the command.
        line: What the list of commands says about it.
    """

    def __init__(self, name: str, module: str, line: str) -> None:
        super().__init__(name=name, help=line, rich_markup_mode=None)
        self._module = module

    def load(self) -> Any:
        """The command itself."""
        command = get_command(import_module(self._module).app)
        command.name = self.name
        return command


class LazyGroup(TyperGroup):
    """A group of deferred commands; listing and completing them imports none."""

    def defer(self, commands: Mapping[str, tuple[str, str]]) -> None:
        """Add commands: name to module and line."""
        for name, (module, line) in commands.items():
            self.add_command(DeferredCommand(name, module, line))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that is called, and import it."""
        name, command, rest = super().resolve_command(ctx, args)
        if isinstance(command, DeferredCommand):
            return name, command.load(), rest
        return name, command, rest
