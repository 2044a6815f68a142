"""Why a template makes no row of an example."""

from __future__ import annotations

NO_PASSAGE = "passage empty"
NO_RESPONSE = "response empty"
NO_INSTRUCTION = "instruction empty"
COLUMN_MISSING = "template asks for what the example lacks"
TEMPLATE_FAILED = "template failed"
TOO_MUCH = "template took too much time or memory"
WRITES_MARKER = "template writes a marker of Bonito's"
