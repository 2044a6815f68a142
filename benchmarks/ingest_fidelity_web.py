"""How much of real web pages and mails arrives, beside what other readers make of them.

    python benchmarks/ingest_fidelity_web.py FOLDER [--peers PEERS_PYTHON] [--plain]

FOLDER holds pages as mozilla/readability's tests keep them (NAME/source.html, and in
NAME/expected.html the text of the article that its authors agreed on), and mails (.eml, and .txt
that begin with headers). The truth of a page is expected.html, read by lxml; it leaves out titles,
captions, bylines and lists of an article that the page shows. Marks of notes ("[1]") and "[edit]"
are taken out of it, since no reader of prose wants them. The truth of a mail is a text part,
read by the modern interface of Python's email package, without lines that are marked as quotes,
signatures after "-- " and mails that follow below their headers. A mail may hold its text twice
(plain and HTML): each reader is compared with the one that it is nearest to.

F1 of runs of five words, recall and precision. --plain lists each document. PEERS_PYTHON is the
Python of an environment with markitdown, which reads no mails.
"""

from __future__ import annotations

import argparse
import email
import email.policy
import re
import statistics
from collections.abc import Iterator, Sequence
from email.message import EmailMessage
from pathlib import Path

import ingest_fidelity
import lxml.html
from ingest import FILES
from ingest_fidelity import LOW, f1
from lxml.html import HtmlElement

from bonito_local.errors import DocumentError
from bonito_local.passages import webtables
from bonito_local.passages.blocks import Block
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
NOTE = re.compile(r"\[(?:\d{1,3}|[a-z]|note \d+|edit)\]")
HEAD = re.compile(
    r"-{2,} ?(?:Original|Forwarded|Mensaje|Ursprüngliche)|(?:From|Von|Da|De): .*@|On .{10,}wrote:$"
    r"|(?:Em|Le|Am) .{10,}(?:escreveu|écrit|schrieb).{0,40}:$"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--plain", action="store_true")
    args = parser.parse_args()
    webtables._add_rows = _plain_rows
    raws = dict(documents(args.folder))
    theirs: dict[str, str] = {}
    if args.peers:
        pages = [path for path in raws if path.suffix == ".html"]
        theirs, _ = ingest_fidelity._theirs(pages, args.peers, FILES)
    rows: dict[str, list[tuple[float, float, bool]]] = {}
    for path, raw in raws.items():
        kind = ".html" if path.suffix == ".html" else ".eml"
        text, problems = ours(path, kind)
        score = max(f1(one, text) for one in raw)
        peer = max(f1(one, theirs.get(str(path), "")) for one in raw)
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
        if path.name == "source.html" and path.with_name("expected.html").exists():
            raws = [page_text(path.with_name("expected.html").read_bytes().decode())]
            least = LEAST_WORDS[".html"]
        elif path.suffix in (".eml", ".txt"):
            raws = list(mail_texts(path.read_bytes()))
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
    if kind == ".eml" and first and first in " ".join(subject(path.read_bytes()).split()):
        text = rest
    return text, [problem.title for problem in notes.problems]


def subject(data: bytes) -> str:
    """Return a mail's subject, decoded."""
    return str(email.message_from_bytes(data, policy=email.policy.default).get("subject", ""))


def page_text(page: str) -> str:
    """Return the visible text of a page, without the marks of notes."""
    tree = lxml.html.fromstring(page, parser=lxml.html.HTMLParser(huge_tree=True))
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


def mail_texts(data: bytes) -> Iterator[str]:
    """Yield the text of a mail's body, plain and from HTML, without quotes and signature."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    for kind in ("plain", "html"):
        try:
            body = message.get_body((kind,))
            text = str(body.get_content()) if body else ""
        except (LookupError, ValueError, AttributeError):  # charsets unknown to Python, broken MIME
            continue
        if text.strip():
            yield own_lines(page_text(text) if kind == "html" else text)


def own_lines(text: str) -> str:
    """Cut quotes and a signature out of a mail's text."""
    kept: list[str] = []
    for line in text.splitlines():
        starts_mail = HEAD.match(line.strip()) and "".join(kept).strip()
        if starts_mail or line.strip() in ("--", "-- "):
            break
        if not line.startswith(">"):
            kept.append(line)
    return "\n".join(kept)


def _plain_rows(read: webtables.Table, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table's rows without the names of its columns on each."""
    if rows:
        read.blocks.append(Block(ingest_fidelity._plain_rows(names, rows)))


if __name__ == "__main__":
    main()
