"""What the compilers complain about, in the words and by the lines of the sources' author."""

# ruff: noqa: PTH123, PTH207
from __future__ import annotations

import glob
import re

from agi_daemon.install.on_host.talk import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

EXCERPT_CHARS = 3000
"""How much of what the compilers said goes along with an error."""

_SOURCES = (".py", ".pyx", ".pxd", ".pxi", ".h", ".hpp", ".c", ".cpp")
_PLACE = re.compile(r"^(?P<file>[^\s:][^:\n]*):(?P<line>\d+):(?:\d+:)? (?P<what>.+)$", re.MULTILINE)
_GCC = re.compile(r"^(?:fatal )?error: (?P<what>.+)$")
_HEADER = re.compile(r"['\"]?(?P<header>[\w./+-]+\.h\w*)['\"]?(?:: No such file| file not found)")
_NO_COMMAND = re.compile(r"command '(?P<name>[^']+)' failed: No such file")


def fault_of(complaint: str, ending: str) -> Fault:
    """The fault for what Cython, or the C compiler, wrote on standard error.

    Args:
        complaint: What they wrote.
        ending: How the process ended, for when they wrote nothing that helps.
    """
    absent = _NO_COMMAND.search(complaint)
    if absent:
        return Fault("COMPILER_MISSING", f"there is no {absent['name']} on this host")
    file, line, what = next(_errors(complaint), ("", 0, ""))
    if not what:
        last = [text for text in complaint.splitlines() if text.strip()][-1:]
        return Fault("COMPILE_FAILED", f"the compiler {ending}: {''.join(last)}")
    return Fault(
        "COMPILE_FAILED",
        what,
        f"src/{file}:{line}" if file else "",
        traceback=_excerpt(file, line, what),
    )


def _errors(complaint: str) -> Iterator[tuple[str, int, str]]:
    """Places and words: those of missing headers, then those in the author's own files."""
    found = list(_PLACE.finditer(complaint))
    for each in found:
        header = _HEADER.search(each["what"])
        if header and "error:" in each["what"]:
            yield (*_included(header["header"]), f"there is no header {header['header']}")
    for each in found:
        said = _GCC.match(each["what"])
        own = not each["file"].startswith(("../", "/")) and each["file"].endswith(_SOURCES)
        from_c = "warning:" in each["what"] or each["what"].startswith("note:")
        if own and not from_c:
            yield each["file"], int(each["line"]), said["what"] if said else each["what"]
    for each in found:
        said = _GCC.match(each["what"])
        if said:
            yield "", 0, said["what"]


def _included(header: str) -> tuple[str, int]:
    """Where the author asks for a header: the C compiler knows only the generated file."""
    for path in sorted(glob.glob("**/*", recursive=True)):
        if path.endswith(_SOURCES):
            for number, text in enumerate(_lines(path), 1):
                if header in text and ("extern" in text or "include" in text):
                    return path, number
    return "", 0


def _excerpt(file: str, line: int, what: str) -> str:
    if not file:
        return what
    text = "".join(_lines(file)[line - 1 : line]).rstrip()
    return f'  File "src/{file}", line {line}\n    {text.strip()}\n{what}'[:EXCERPT_CHARS]


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readlines()
    except OSError:  # a folder of that name, or a file that the compiler made up
        return []
