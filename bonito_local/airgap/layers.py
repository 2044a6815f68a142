"""The names of the air gap's layers, and the error of one that the system refuses."""

from __future__ import annotations

NAMESPACE = "empty network namespace"
SECCOMP = "seccomp filter"
LANDLOCK = "Landlock domain"
AUDIT = "Python audit hook"


class LayerRefused(Exception):
    """The system does not let this process have a layer; the message says why."""
