"""How much of real web pages and mails arrives, beside what other readers make of them.

    python benchmarks/ingest_fidelity_web.py FOLDER [--peers PEERS_PYTHON] [--plain]

FOLDER holds pages as mozilla/readability's tests keep them (NAME/source.html, and in
NAME/expected.html the text of the article), and mails (.eml, and .txt that begin with headers).
scrapinghub/article-extraction-benchmark has pages whose article was marked by people: written into
the same form (the text in a `pre`), they are read the same way.

The truth of a page is expected.html, read by lxml. For readability's pages it is what that program
made of them, with its faults. A page shows its title, captions, bylines and dates, most of which
the truth leaves out, and a person would call them text of the page: where a line of a reader,
above or in the article, is one of them, and the truth has it not, it is not counted as surplus
(ours and others' alike); where the truth has it, it must arrive. Taken out of the truth are marks
of notes ("[1]", "[edit]", "[citation needed]", the "a b" that lead back from a note) and tables of
contents, as in office documents. Numbers of ordered lists, which are no text of a page's source,
are not written here.
Pages that list stories have no article to compare with.

The truth of a mail is told in ingest_fidelity_mail.py. A mail may hold its text twice (plain and
HTML): each reader is compared with the one that it is nearest to.

F1 of runs of five words, recall and precision. --plain lists each document. PEERS_PYTHON is the
Python of an environment with markitdown, which reads no mails.
"""

from __future__ import annotations

import argparse
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ingest_fidelity
import lxml.etree
import lxml.html
from ingest import FILES
from ingest_fidelity import LOW, f1
from ingest_fidelity_mail import mail_texts, subject
from lxml.html import HtmlElement
from selectolax.lexbor import LexborNode

from bonito_local.errors import DocumentError
from bonito_local.passages import lists, webtables
from bonito_local.passages.blocks import Block
from bonito_local.passages.completeness import words_of_text
from bonito_local.passages.documents import read_text
from bonito_local.passages.notes import Notes

LEAST_WORDS = {".html": 50, ".eml": 15}
BLOCKS = frozenset(
    "address article aside blockquote body br caption center dd details div dl dt fieldset"
    " figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr html legend li main menu nav ol p"
    " pre section table tbody td tfoot th thead tr ul".split()
)
SILENT = frozenset(
    "script style noscript template head svg iframe object embed audio video canvas map".split()
)
NOTE = re.compile(r"\[(?:\d{1,3}|[a-z]|note \d+|edit|citation needed)\]")
CONTENTS = frozenset(("toc", "table-of-contents", "table_of_contents", "toc_container"))
LISTINGS = frozenset(("nytimes-5",))  # a section's front page: its truth is 7 of 30 teasers
# What a page shows above and in its article, and truths leave out.
TITLES = frozenset("h1 time".split())
TITLE_NAMES = re.compile(
    r"title|headline|subtitle|subhead|subheadline|dek|standfirst|byline|bylines|author|authors"
    r"|date|dateline|datetime|timestamp|published|posted|time"
)
CAPTIONS = frozenset("figure figcaption caption".split())
CAPTION_NAMES = re.compile(r"captions?|credits?|hatnote")
BODY_WORDS = 5  # more are a line of the article, if they stand in the truth
TITLE_WORDS = 60  # longer elements are text, whatever their class is


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--plain", action="store_true")
    args = parser.parse_args()
    webtables._add_rows = _plain_rows
    lists._List.marker = _bullet  # type: ignore[method-assign]
    raws = dict(documents(args.folder))
    theirs: dict[str, str] = {}
    if args.peers:
        pages = [path for path in raws if path.suffix == ".html"]
        theirs, _ = ingest_fidelity._theirs(pages, args.peers, FILES)
    rows: dict[str, list[tuple[float, float, bool]]] = {}
    for path, raw in raws.items():
        kind = ".html" if path.suffix == ".html" else ".eml"
        text, problems = ours(path, kind)
        score = _best(path, raw, text)
        peer = _best(path, raw, theirs.get(str(path), ""))
        rows.setdefault(kind, []).append((score, peer, bool(problems)))
        if args.plain:
            name = path.parent.name if kind == ".html" else path.name
            print(f"| {name} | {score:.3f} | {peer:.3f} | {'; '.join(problems)[:120]} |")
    print("| kind | documents | ours mean | median | 0.98 and more | under 0.9 and not reported "
          "| markitdown mean |\n" + "|---" * 7 + "|")  # fmt: skip
    for kind, held in rows.items():
        scores = [score for score, _, _ in held]
        low = sum(score < LOW and not reported for score, _, reported in held)
        mean = f"{statistics.mean(peer for _, peer, _ in held):.3f}" if kind == ".html" else ""
        good = sum(score >= 0.98 for score in scores)
        print(f"| {kind} | {len(held)} | {statistics.mean(scores):.3f} "
              f"| {statistics.median(scores):.3f} | {good} | {low} | {mean} |")  # fmt: skip


def documents(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield each document with its raw texts, of which any is right."""
    for path in sorted(folder.rglob("*")):
        if path.parent.name in LISTINGS:
            continue
        if path.name == "source.html" and path.with_name("expected.html").exists():
            raws = [page_text(path.with_name("expected.html").read_bytes().decode())]
            least = LEAST_WORDS[".html"]
        elif path.suffix in (".eml", ".txt"):
            raws = list(mail_texts(path.read_bytes(), page_text))
            least = LEAST_WORDS[".eml"]
        else:
            continue
        if max((len(raw.split()) for raw in raws), default=0) >= least:
            yield path, raws


def ours(path: Path, kind: str) -> tuple[str, list[str]]:
    """Return our text of a document, a mail's without its subject, and its problems."""
    notes = Notes()
    try:
        text = read_text(path.read_bytes(), kind, None, notes).text
    except DocumentError as error:
        return "", [error.title]
    first, _, rest = text.partition("\n")
    if kind == ".eml" and first and _plain(first) in _plain(subject(path.read_bytes())):
        text = rest
    return text, [problem.title for problem in notes.problems]


def _plain(line: str) -> str:
    """Return a line's ASCII letters: others may be declared wrongly in a header."""
    return re.sub(r"[^a-z]", "", line.lower())


def _best(path: Path, raws: Sequence[str], text: str) -> float:
    """Return a text's F1 against the raw text that it is nearest to."""
    if path.suffix != ".html":
        return max(f1(raw, text) for raw in raws)
    titles = title_lines(path.read_bytes().decode("utf-8", "replace"))
    return max(f1(raw, _untitled(text, raw, titles)) for raw in raws)


def _untitled(text: str, raw: str, titles: Titles) -> str:
    """Return a text without what its page shows and the raw text leaves out.

    That are titles, bylines and dates above the article, captions in it, and headings right above
    a line of it. What stands below the article is never passed over: it may be another story's.
    """
    words = f" {' '.join(words_of_text(raw))} "
    lines = text.splitlines()
    keys = [" ".join(words_of_text(line)) for line in lines]
    is_raw = [f" {key} " in words for key in keys]
    body = [at for at, key in enumerate(keys) if is_raw[at] and key.count(" ") >= BODY_WORDS]
    first, last = (body[0], body[-1]) if body else (0, -1)
    kept = []
    for at, (line, key) in enumerate(zip(lines, keys, strict=True)):
        below = next((after for after in range(at + 1, len(lines)) if keys[after]), at)
        passed_over = not is_raw[at] and (
            (at < first and key in titles.above)
            or (at < last and key in titles.captions)
            or (at < last and key in titles.headings and is_raw[below])
        )
        if not passed_over:
            kept.append(line)
    return "\n".join(kept)


@dataclass
class Titles:
    """Lines that a page shows, as words: titles, bylines and dates; captions; headings."""

    above: set[str] = field(default_factory=set)
    captions: set[str] = field(default_factory=set)
    headings: set[str] = field(default_factory=set)


def title_lines(page: str) -> Titles:
    """Return the lines that a page shows around its text, by what they are."""
    titles = Titles()
    for node in _tree(page).iter(lxml.etree.Element):
        names = re.findall(r"[a-z]+", f"{node.get('class', '')} {node.get('id', '')}".lower())
        is_caption = node.tag in CAPTIONS or any(map(CAPTION_NAMES.fullmatch, names))
        is_title = node.tag in TITLES or any(map(TITLE_NAMES.fullmatch, names))
        is_heading = re.fullmatch("h[2-6]|dt", node.tag)
        text = "".join(_pieces(node)) if is_caption or is_title or is_heading else ""
        if not text.strip() or len(text.split()) > TITLE_WORDS:
            continue
        keys = {" ".join(words_of_text(line)) for line in [text, *text.splitlines()]} - {""}
        titles.captions |= keys if is_caption else set()
        titles.above |= keys if is_title or is_caption else set()
        titles.headings |= keys if is_heading else set()
    return titles


def _tree(page: str) -> HtmlElement:
    return lxml.html.fromstring(page, parser=lxml.html.HTMLParser(huge_tree=True))


def page_text(page: str) -> str:
    """Return the visible text of a page, without the marks of notes and tables of contents."""
    tree = _tree(page)
    for node in list(tree.iter(lxml.etree.Element)):
        names = {node.get("id", ""), *node.get("class", "").split()}
        if node is not tree and (names & CONTENTS or "#cite_ref" in node.get("href", "")):
            node.drop_tree()
    return NOTE.sub("", "".join(_pieces(tree)))


def _pieces(node: HtmlElement) -> Iterator[str]:
    stack: list[HtmlElement | str] = [node]
    while stack:
        held = stack.pop()
        if isinstance(held, str):
            yield held
            continue
        tag = held.tag if isinstance(held.tag, str) else "script"
        end = "\n" if tag in BLOCKS else ""
        if tag in SILENT:
            continue
        stack.append(end)
        for child in reversed(held):
            stack += [child.tail or "", child]
        stack.append(end + (held.text or ""))


def _bullet(_: object, node: LexborNode) -> str:
    return "- " if node.tag == "li" else ""


def _plain_rows(read: webtables.Table, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table's rows without the names of its columns on each."""
    if rows:
        read.blocks.append(Block(ingest_fidelity._plain_rows(names, rows)))


if __name__ == "__main__":
    main()
