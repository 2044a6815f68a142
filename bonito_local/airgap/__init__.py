"""No network for a process that sees a user's text: `enter` gives it up, first of all."""

from bonito_local.airgap.gap import OPEN, Enforcement, active, connect, enter

__all__ = ["OPEN", "Enforcement", "active", "connect", "enter"]
