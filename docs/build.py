"""Builds the site of the documentation, without a network: python docs/build.py

The pages are those of docs/ and a few that lie where GitHub looks for them (README, CHANGELOG,
...). They are copied to .docs/pages with their links set anew; what they link to outside of
them, such as an example, is copied too, so that every link works in the site and on GitHub. A
link that leads nowhere is an error, as is anything the site's builder warns of.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SITE = ROOT / ".docs"
# Where a page lies in the project -> its name in the site.
ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/RESULTS.md": "results.md",
    "bonito_local/assets/bonito-small.md": "bonito-small.md",
    "examples/README.md": "examples.md",
    "recipes/ctga/README.md": "recipes/ctga.md",
    "recipes/paper/README.md": "recipes/paper.md",
    "recipes/reproduce/README.md": "recipes/reproduce.md",
    "recipes/small/README.md": "recipes/small.md",
    "recipes/tiny/CARD.md": "recipes/bonito-tiny.md",
    "recipes/tiny/README.md": "recipes/tiny.md",
}
_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s#]+)?(#[^)\s]*)?\)")
_CODE = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)


def pages() -> dict[Path, str]:
    """Every page by its path, with its name in the site."""
    found = {path: str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    return found | {ROOT / path: name for path, name in ELSEWHERE.items()}


def stage(staged: Path) -> list[str]:
    """Copy the pages and what they link to; return what is wrong."""
    shutil.rmtree(staged, ignore_errors=True)
    known, wrong = pages(), []
    for page, name in known.items():
        target = staged / name
        target.parent.mkdir(parents=True, exist_ok=True)

        def set_anew(link: re.Match[str], page: Path = page, name: str = name) -> str:
            before, to, anchor = link[1], link[2] or "", link[3] or ""
            if not to or re.match(r"[a-z]+:", to):
                return link[0]
            path = Path(os.path.normpath(page.parent / to))
            if not path.exists() or ROOT not in path.parents:
                wrong.append(f"{page.relative_to(ROOT)}: there is no {to}")
                return link[0]
            where = known.get(path) or _copy(path, staged)
            return f"{before}{os.path.relpath(where, Path(name).parent)}{anchor})"

        parts = _CODE.split(page.read_text(encoding="utf-8"))
        parts[::2] = [_LINK.sub(set_anew, part) for part in parts[::2]]
        # What a block says to the test that runs it is not for the site.
        parts[1::2] = [re.sub(r"^( *```[\w-]+) .*", r"\1", part, count=1) for part in parts[1::2]]
        target.write_text("".join(parts), encoding="utf-8")
    return wrong


def _copy(path: Path, staged: Path) -> str:
    """Put a file of the project, or a folder's list of files, into the site."""
    relative = path.relative_to(ROOT)
    inside = relative.relative_to("docs") if relative.parts[0] == "docs" else "files" / relative
    target = staged / inside
    if path.is_dir():
        target = target / "index.md"
        if not target.exists():
            listed = sorted(file for file in path.iterdir() if file.is_file())
            lines = [f"- [{file.name}]({file.name})" for file in listed]
            for file in listed:
                _copy(file, staged)
            target.write_text(f"# {relative}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
        return str(target.relative_to(staged))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)
    return str(inside)


def _cut_off(site: Path) -> None:
    """Take away the one script of the theme that comes from elsewhere: the site loads nothing.

    It lets the search run where pages are opened as files; through any server it runs as it is.
    """
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        fresh = re.sub(r'<script[^>]*src="https?://[^"]*"[^>]*></script>', "", text)
        page.write_text(fresh, encoding="utf-8")


def main() -> int:
    """Stage, build, say where the site is."""
    if wrong := stage(SITE / "pages"):
        print("\n".join(wrong), file=sys.stderr)
        return 1
    shutil.copy(ROOT / "mkdocs.yml", SITE)
    shutil.rmtree(SITE / "site", ignore_errors=True)
    # A page that is cached is not warned about again: so --clean.
    command = [Path(sys.executable).parent / "zensical", "build", "--clean", "--strict"]
    if status := subprocess.run(command, cwd=SITE, check=False).returncode:
        return status
    _cut_off(SITE / "site")
    print(f"The site is {(SITE / 'site/index.html').relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
