"""Lists what an installation brings and under which licence: docs/licences.md.

    python docs/licences.py            write the list
    python docs/licences.py --check    fail for a licence that is not known to go with ours

All is read from the metadata of the installed packages, beginning with our own and following what
each requires. A package that says nothing is an error, unless `SAID` knows better.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LISTED = Path(__file__).parent / "licences.md"
EXTRAS = ("train", "transformers", "ray")  # what users install beside the package itself
# Words by which a licence that goes with Apache-2.0 is known, in SPDX's or a classifier's spelling.
ALLOWED = (
    "0BSD", "Apache", "BSD", "BSL-1.0", "CC0", "HPND", "ISC", "MIT", "MPL-2.0",
    "Mozilla Public License 2.0",
    "PSF", "Python Software Foundation", "Unlicense", "Zlib", "CNRI-Python", "LGPL",
    "Lesser General",
)  # fmt: skip
# Packages whose metadata says nothing or only a file's text, as their licence files have it.
SAID: dict[str, str] = {
    # "dependency licenses" in its metadata: pdfium's parts (FreeType, libjpeg-turbo, OpenJPEG,
    # libtiff, ICU, ...) are under licences as permissive, whose texts come with it.
    "pypdfium2": "BSD-3-Clause, Apache-2.0",
}


def installed(extras: tuple[str, ...] = EXTRAS) -> dict[str, Distribution]:
    """Every package that bonito-local with these extras brings, as far as it is installed."""
    environment = {str(name): str(value) for name, value in default_environment().items()}
    found: dict[str, Distribution] = {}
    todo: deque[tuple[str, tuple[str, ...]]] = deque([("bonito-local", extras)])
    seen: set[tuple[str, str]] = set()
    while todo:
        name, wanted = todo.popleft()
        name = canonicalize_name(name)
        try:
            of = distribution(name)
        except PackageNotFoundError:
            continue  # for another system, or not installed: its extra is not in use
        found[name] = of
        for extra in ("", *wanted):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for line in of.requires or ():
                needed = Requirement(line)
                if needed.marker and not needed.marker.evaluate({**environment, "extra": extra}):
                    continue
                todo.append((needed.name, tuple(needed.extras)))
    found.pop("bonito-local", None)
    return dict(sorted(found.items()))


def licence(of: Distribution) -> str:
    """The licence as the package states it: SPDX, else its classifiers, else a short text."""
    meta = of.metadata
    name = canonicalize_name(meta["Name"])
    if name in SAID:
        return SAID[name]
    if expression := meta.get("License-Expression"):
        return str(expression)
    classes = [c.split(" :: ")[-1] for c in meta.get_all("Classifier") or () if c[:7] == "License"]
    classes = [name for name in classes if name != "OSI Approved"]
    if classes:
        return ", ".join(classes)
    text = str(meta.get("License") or "").strip()
    return text.splitlines()[0] if text else ""


def allowed(text: str) -> bool:
    """Whether every part of a licence, or one of several to choose from, goes with ours."""
    if not text:
        return False
    choices = re.split(r"\s+OR\s+", text)
    return any(
        all(any(word in part for word in ALLOWED) for part in re.split(r"\s+AND\s+|,\s+", choice))
        for choice in choices
    )


def listing() -> str:
    """The page."""
    lines = [
        "# Licences",
        "",
        "<!-- Written by docs/licences.py from the installed packages' metadata. -->",
        "",
        f"What bonito-local brings with the extras {', '.join(EXTRAS)}, on Linux, as each package",
        "says itself. [How this is kept](supply-chain.md#licensed).",
        "",
        "| package | version | licence |",
        "|---|---|---|",
    ]
    for name, of in installed().items():
        lines.append(f"| {name} | {of.version} | {licence(of).replace('|', '/')} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write or check."""
    refused = {name: licence(of) for name, of in installed().items() if not allowed(licence(of))}
    for name, text in refused.items():
        print(f"{name}: {text or 'no licence stated'}: not known to go with Apache-2.0")
    if "--check" not in sys.argv[1:]:
        LISTED.write_text(listing(), encoding="utf-8")
    return bool(refused)


if __name__ == "__main__":
    sys.exit(main())
