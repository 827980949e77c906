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
from agi_daemon.install.on_host.command import attempt, ending, run, watch_end
from agi_daemon.install.on_host.devices import FAKE_VARIABLE
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
import importlib, json, linecache, sys, traceback
from importlib.machinery import EXTENSION_SUFFIXES
report, site, package = sys.argv[1:4]
def refuse(module, code, what, where, **facts):
    with open(report, "w") as file:
        json.dump({"module": module, "code": code, "what": what, "where": where, **facts}, file)
    raise SystemExit(3)
def trace(name, error):
    if name.startswith("agi_env"):
        return ""
    from agi_env.runtime.app_traceback import app_traceback  # verified before the app's modules
    return app_traceback(error.with_traceback(error.__traceback__.tb_next))[-3000:]
def remedy(error, line):
    if isinstance(error, ModuleNotFoundError):
        return "Mend the import, or declare the missing package in the app's pyproject.toml"
    return 'Mend this line: "%s"' % line[:200] if line else ""
for name in sys.argv[4:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        places = [(f.filename, f.lineno) for f in traceback.extract_tb(error.__traceback__)]
        if isinstance(error, SyntaxError):
            places.append((error.filename or "", error.lineno))
        what = traceback.format_exception_only(type(error), error)[-1].strip()
        packages = tuple("%s/%s/" % (site, n.partition(".")[0]) for n in sys.argv[4:])
        own = [p for p in places if p[0].startswith(packages)] or places[-1:] or [("", 0)]
        where = own[-1][0]
        line = linecache.getline(where, own[-1][1] or 0).strip()
        if where.startswith(site):
            where = "src" + where[len(site):]
        elif where.endswith((".py", ".pyx")) and not where.startswith("/"):
            where = "src/" + where  # what compiled code says of itself
        facts = {"remedy": remedy(error, line), "traceback": trace(name, error)}
        refuse(name, "APP_IMPORT_FAILED", what, "%s:%s" % (where, own[-1][1]), **facts)
for name, module in sorted(sys.modules.items()):
    path = getattr(module, "__file__", None) or ""
    if package and name.startswith(package + ".") and not path.endswith(tuple(EXTENSION_SUFFIXES)):
        if not path.endswith("/__init__.py"):
            refuse(name, "NOT_COMPILED", "%s is no extension module" % name, path[len(site) + 1:])
"""


class Draft:
    """A virtual environment with the wheels of a request, made step by step."""

    def __init__(self, root: str, request: Mapping[str, Any], path: str) -> None:
        self._root, self._request, self._path = root, request, path
        self._idle_s = request["idle_s"]
        self._devices: dict[str, Any] = {}
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
        asked = self._request
        steps = [self.venv, self.install]
        steps += [self.bytecode] if asked["bytecode"] else []
        steps += [self.verify]
        steps += [self.devices] if asked["devices"] else []
        for step in [*steps, self.record]:
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
        python, package = self._path + "/bin/python", self._request["compiled"]
        argv = [python, "-I", "-B", "-c", VERIFY, report, self._site(), package, *names]
        ended = watch_end(argv, VERIFY_LIMIT_S)
        fault = read_json(report)
        if fault:
            if fault.pop("module").startswith("agi_env"):
                raise Fault("BUILD_FAILED", fault["what"], fault["where"])
            raise Fault(**fault)
        if ended:
            raise Fault("APP_IMPORT_FAILED", f"the import of {' or '.join(names)} {ended}")

    def devices(self) -> None:
        """The proof that CuPy imports and a kernel runs on each GPU."""
        env = {FAKE_VARIABLE: os.environ[FAKE_VARIABLE]} if FAKE_VARIABLE in os.environ else {}
        argv = [self._path + "/bin/python", "-I", "-B", "-m", "agi_env.runtime.devices"]
        code, out, errors = attempt(argv, env, "the probe of the devices", limit_s=VERIFY_LIMIT_S)
        said = (out or errors).strip().splitlines()[-1:]
        answer = json.loads(said[0]) if code == 0 and said else {"error": " ".join(said)}
        if "error" in answer:
            raise Fault(
                "DEVICE_FAILED", answer["error"] or "the probe of the devices " + ending(code)
            )
        self._devices = answer

    def record(self) -> None:
        """What it is made of, and every file of it."""
        list_files(self._path)
        wanted = ("build", "release", "wheels", "platform", "verify", "compiled")
        manifest = {name: self._request[name] for name in wanted}
        manifest.update(
            schema="agi.build.v1",
            made=time.time(),
            kind=self._request["kind"],
            devices=self._devices,
        )
        write_file(self._path + "/manifest.json", json.dumps(manifest, indent=1))
        sync_folder(self._path)

    def _site(self) -> str:
        library = self._path + "/lib"
        return f"{library}/{os.listdir(library)[0]}/site-packages"
