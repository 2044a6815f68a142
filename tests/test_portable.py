"""No module needs what only POSIX systems have when it is imported.

In a fresh interpreter, after what is not ours was imported, modules and functions that Windows
lacks are taken away, and then every module of the package is imported. Those that import torch or
Ray, which takes long, are read instead.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
LACKING = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")
ENGINES = ("backends.cluster", "backends.transformers", "backends.vllm", "training")
CODE = """
import importlib, json, os, signal, sys
import asyncio, ctypes, datasets, kreuzberg, llama_cpp, multiprocessing, pypdfium2, rich.console
import subprocess
import textual.app, textual.widgets, tokenizers
import textual.drivers.linux_driver
names, lacking = json.loads(sys.argv[1])
for name in lacking:
    sys.modules[name] = None
for name in ("fork", "forkpty", "getuid", "geteuid", "getgid", "getegid", "setsid", "killpg",
             "getpgid", "uname", "register_at_fork", "sched_getaffinity", "fchmod", "pread",
             "preadv", "O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC"):
    vars(os).pop(name, None)
for name in ("SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGSTOP", "SIGCHLD", "alarm",
             "pthread_sigmask", "setitimer"):
    vars(signal).pop(name, None)
failed = []
for name in names:
    try:
        importlib.import_module(name)
    except (ImportError, AttributeError) as error:
        failed.append(f"{name}: {error}")
print(json.dumps(failed))
sys.stdout.flush()
os._exit(0)
"""


def modules() -> dict[str, Path]:
    """Every module of the package by its installed name."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {
        name: ROOT / build["package-dir"].get(name, name.replace(".", "/"))
        for name in build["packages"]
    }
    return {
        f"{package}.{path.stem}".removesuffix(".__init__"): path
        for package, folder in folders.items()
        for path in folder.glob("*.py")
        if path.stem != "__main__"
    }


def imported_at_once(tree: ast.AST) -> Iterator[str]:
    """Top-level names of what is imported when a module is, not when a function is called."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
        yield from imported_at_once(node)


def test_no_module_imports_a_posix_library_at_once() -> None:
    found = {
        name: set(imported_at_once(ast.parse(path.read_text()))) & set(LACKING)
        for name, path in modules().items()
    }
    assert len(found) > 250
    assert {name: names for name, names in found.items() if names} == {}


def test_modules_are_imported_without_posix() -> None:
    names = [name for name in modules() if not any(of in name for of in ENGINES)]
    assert {"bonito_local.convert.plan", "bonito_local.tui.app"} <= set(names)
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps([names, LACKING])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []
