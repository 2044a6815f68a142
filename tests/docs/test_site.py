"""The site is built without a warning, and loads nothing from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_site_is_whole_and_loads_nothing() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs/build.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    site = ROOT / ".docs/site"
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    loading = r'<(?:script|img|iframe|source)[^>]*\ssrc="(?:https?:)?//|<link[^>]*href="https?://'
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.search(loading, text), page
        assert "```" not in re.sub(r"<(pre|code).*?</\1>", "", text, flags=re.DOTALL), page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", sheet.read_text()), sheet
    assert "generate_tasks" in (site / "api.html").read_text()
    assert "airgap" in (site / "search.json").read_text()
