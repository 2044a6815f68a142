"""Whether a store's schema is one that bonito-local made: a stranger's may hold code."""

from __future__ import annotations

import sqlite3
from functools import cache

from bonito_local.jobs.migrations import MIGRATIONS

_CODE = ("CREATE TRIGGER", "CREATE VIRTUAL TABLE")


def is_ours(db: sqlite3.Connection) -> bool:
    """Whether no view, and no other trigger or virtual table, stands in the schema.

    A view in the place of a table could yield rows without end.
    """
    found = db.execute(
        """SELECT type, sql FROM sqlite_master
           WHERE type IN ('view', 'trigger') OR sql LIKE 'CREATE VIRTUAL%'"""
    )
    return all(kind != "view" and sql in _ours() for kind, sql in found)


@cache
def _ours() -> frozenset[str]:
    statements = (text.strip() for _, step in MIGRATIONS for text in step)
    return frozenset(text for text in statements if text.startswith(_CODE))
