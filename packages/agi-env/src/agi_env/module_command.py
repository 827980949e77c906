"""The command line that executes a module of ours, wherever it happens to be started."""

from __future__ import annotations


def module_command(
    python: str, module: str, *arguments: str, options: tuple[str, ...] = ()
) -> list[str]:
    """What ``python -m module`` is for, without the modules of the directory it is started in.

    A daemon, a shell in a downloaded project and a login on a host each start somewhere, and a
    ``json.py`` that lies there must not be imported: hence ``-P``, which Python has since 3.11.

    Args:
        python: The interpreter.
        module: Its full name.
        arguments: Its arguments.
        options: More options of the interpreter.
    """
    return [python, *options, "-P", "-m", module, *arguments]
