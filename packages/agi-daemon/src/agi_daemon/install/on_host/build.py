"""A build in the making, at a path that is not yet its own."""

# pathlib would add a third to the time that a check takes; these paths are all below our root.
# ruff: noqa: PTH208, S108
from __future__ import annotations

import json
import os
import sys
import time

from agi_daemon.install.on_host.bytecode import add_bytecode
from agi_daemon.install.on_host.check import wheel_path
from agi_daemon.install.on_host.command import run, watch_end
from agi_daemon.install.on_host.facts import find_uv
from agi_daemon.install.on_host.files import list_files, read_json, sync_folder, write_file
from agi_daemon.install.on_host.talk import Fault, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

VERIFY_LIMIT_S = 120
LINK_MODE = "hardlink"  # into a cache of our own; a build that drifted costs the cache its trust

VERIFY = """
import importlib, json, sys, traceback
report, site = sys.argv[1:3]
for name in sys.argv[3:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        places = [(f.filename, f.lineno) for f in traceback.extract_tb(error.__traceback__)]
        if isinstance(error, SyntaxError):
            places.append((error.filename or "", error.lineno))
        what = traceback.format_exception_only(type(error), error)[-1].strip()
        packages = tuple("%s/%s/" % (site, n.partition(".")[0]) for n in sys.argv[3:])
        own = [p for p in places if p[0].startswith(packages)] or places[-1:] or [("", 0)]
        where = own[-1][0]
        where = "src" + where[len(site):] if where.startswith(site) else where
        with open(report, "w") as file:
            json.dump({"module": name, "what": what, "where": "%s:%s" % (where, own[-1][1])}, file)
        raise SystemExit(3)
"""


class Draft:
    """A virtual environment with the wheels of a request, made step by step."""

    def __init__(self, root: str, request: Mapping[str, Any], path: str) -> None:
        self._root, self._request, self._path = root, request, path
        self._idle_s = request["idle_s"]
        self._uv = find_uv(request["uv"])
        if not self._uv:
            raise Fault("UV_MISSING", "it has no uv")
        self._python = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)
        self._env = {
            "UV_CACHE_DIR": root + "/uv-cache",
            "UV_NO_CONFIG": "1",
            "UV_OFFLINE": "1",
            "UV_PYTHON_DOWNLOADS": "never",
            "TMPDIR": root + "/tmp",
        }

    def make(self) -> None:
        """All steps, each announced before it is taken."""
        steps = (self.venv, self.install, self.bytecode, self.verify, self.record)
        for step in steps:
            say(step.__name__)
            step()

    def venv(self) -> None:
        """An empty environment of the host's own Python."""
        argv = ["venv", "--quiet", "--relocatable", "--python", self._python, self._path]
        run([self._uv, *argv], self._env, "uv venv", idle_s=self._idle_s)

    def install(self) -> None:
        """The wheels, from the host's own store, in it."""
        wheels = [wheel_path(self._root, wheel) for wheel in self._request["wheels"]]
        options = ["--offline", "--no-index", "--no-deps", "--link-mode", LINK_MODE, "--quiet"]
        argv = ["pip", "install", *options, "--python", self._path + "/bin/python", *wheels]
        run([self._uv, *argv], self._env, "uv pip install", idle_s=self._idle_s)

    def bytecode(self) -> None:
        """Compiled modules, so that no run pays for compiling."""
        add_bytecode(self._python, self._root + "/builds", self._site(), self._request)

    def verify(self) -> None:
        """The proof that the app and the runtime can be imported."""
        report, names = self._path + "/verify.json", self._request["verify"]
        argv = [self._path + "/bin/python", "-I", "-B", "-c", VERIFY, report, self._site(), *names]
        ended = watch_end(argv, VERIFY_LIMIT_S)
        fault = read_json(report)
        if fault:
            ours = fault["module"].startswith("agi_env")
            code = "BUILD_FAILED" if ours else "APP_IMPORT_FAILED"
            raise Fault(code, fault["what"], fault["where"])
        if ended:
            raise Fault("APP_IMPORT_FAILED", f"the import of {' or '.join(names)} {ended}")

    def record(self) -> None:
        """What it is made of, and every file of it."""
        list_files(self._path)
        wanted = ("build", "release", "wheels", "platform", "verify")
        manifest = {name: self._request[name] for name in wanted}
        manifest.update(schema="agi.build.v1", made=time.time(), kind=self._request["kind"])
        write_file(self._path + "/manifest.json", json.dumps(manifest, indent=1))
        sync_folder(self._path)

    def _site(self) -> str:
        library = self._path + "/lib"
        return f"{library}/{os.listdir(library)[0]}/site-packages"
