"""Systems that lack a layer, as a filter that refuses the calls it needs makes them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

# Refuses these system calls to what follows on the command line.
_REFUSING = """
import os, platform, sys
from bonito_local.airgap import seccomp
from bonito_local.airgap.calls import BY_MACHINE
machine = platform.machine()
numbers = {"unshare": (272, 97), "landlock_create_ruleset": (444, 444)}
chosen = [numbers[name][machine == "aarch64"] for name in sys.argv[1].split(",") if name]
seccomp.install(BY_MACHINE[machine], [seccomp.refuse_call(number) for number in chosen])
os.execv(sys.executable, [sys.executable, "-P", *sys.argv[2:]])
"""
_PROVING = """
import json, sys
from bonito_local.airgap.probe import prove
proof = prove(sys.argv[1])
held = proof.enforcement
print(json.dumps([held.layers, held.limits, proof.attempts, proof.control]))
"""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a process of one kind met on one system."""

    layers: list[str]
    limits: list[str]
    attempts: dict[str, str]
    control: list[str]

    @property
    def reached(self) -> set[str]:
        return {name for name, ended in self.attempts.items() if ended == "got through"}


SYSTEMS = {
    "whole": "",
    "no user namespaces": "unshare",
    "no Landlock": "landlock_create_ruleset",
    "neither": "unshare,landlock_create_ruleset",
}


def tried_on(system: str, subject: str) -> Tried:
    """Try all ways out as a process of this kind on a system that refuses these calls."""
    command = ["-c", _REFUSING, SYSTEMS[system], "-c", _PROVING, subject]
    ended = subprocess.run(
        [sys.executable, "-P", *command], capture_output=True, text=True, check=True
    )
    return Tried(*json.loads(ended.stdout))
