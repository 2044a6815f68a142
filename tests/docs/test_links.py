"""The pages of the site, as docs/build.py puts them together."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import yaml

ROOT = Path(__file__).parents[2]


def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_docs", ROOT / "docs/build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def slug(heading: str) -> str:
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", text.strip().lower()))


def test_every_link_leads_somewhere(tmp_path: Path) -> None:
    assert builder().stage(tmp_path / "docs") == []
    texts = {path: path.read_text() for path in (tmp_path / "docs").rglob("*.md")}
    fence = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
    bare = {path: fence.sub("", text) for path, text in texts.items()}
    anchors = {
        path: {slug(found) for found in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
        for path, text in bare.items()
    }
    for page, text in bare.items():
        for to, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", text):
            if not to.startswith("http"):
                there = (page.parent / to).resolve() if to else page
                assert anchor in anchors[there], f"{page.name}: no {anchor} in {there.name}"


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    listed = set(re.findall(r"[\w./-]+\.md", str(yaml.safe_load(text)["nav"])))
    assert listed == set(builder().pages().values())
