"""The report: the sections of a dataset's card as one HTML page that needs nothing else.

It loads nothing, and its own policy forbids it to: no script, no font, no picture from elsewhere.
"""

from __future__ import annotations

import time
from html import escape

from bonito_local import __version__
from bonito_local.exports.account import Account, Made
from bonito_local.exports.blocks import Block, Code, Example, Plot, Points, Section, Table
from bonito_local.exports.card import right_columns
from bonito_local.exports.plots import STYLE as PLOT_STYLE
from bonito_local.exports.sections import lead, sections
from bonito_local.exports.tally import Tally, quantile

_STYLE = """\
:root { --page: #fbfaf7; --card: #fff; --ink: #5c6470; --strong: #1d2228; --rule: #e4e1d8;
  --accent: #1f6f61; --tint: #eef4f1; --good: #2f7d6d; --warn: #d08a2e; --bad: #b8505f;
  --calm: #8a7bb8; --deep: #5b3f7a; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --card: #1b1f23; --ink: #a4adb6;
  --strong: #edf0f2; --rule: #2e343a; --accent: #6fc2ae; --tint: #1d2a28; --good: #4fa48f;
  --warn: #d9a050; --bad: #cf7482; --calm: #9d90c9; --deep: #8a6bb0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--strong);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 920px; margin: 0 auto; padding: 56px 24px 72px; }
header p { color: var(--ink); max-width: 66ch; font-size: 17px; margin: 12px 0 0; }
.over { color: var(--accent); font-size: 13px; font-weight: 600; letter-spacing: .06em;
  text-transform: uppercase; margin: 0; }
h1 { font-size: 34px; line-height: 1.2; letter-spacing: -.015em; margin: 6px 0 0;
  overflow-wrap: anywhere; }
h2 { font-size: 20px; letter-spacing: -.005em; margin: 0 0 14px; }
h3 { font-size: 13px; font-weight: 600; color: var(--ink); margin: 20px 0 6px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 12px;
  margin: 32px 0 8px; padding: 0; }
.tiles div { background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
  padding: 14px 16px; }
.tiles dt { color: var(--ink); font-size: 13px; }
.tiles dd { margin: 2px 0 0; font-size: 26px; font-weight: 600; line-height: 1.25;
  letter-spacing: -.01em; font-variant-numeric: tabular-nums; }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 20px 0 0; font-size: 14px; }
nav a { color: var(--accent); text-decoration: none; }
nav a:hover { text-decoration: underline; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 26px 28px 28px; margin-top: 20px; }
section > p { max-width: 72ch; margin: 12px 0; color: var(--ink); }
section > :last-child { margin-bottom: 0; }
.scroll { overflow-x: auto; margin: 14px 0; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: 7px 14px 7px 0; border-bottom: 1px solid var(--rule);
  vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--ink); font-weight: 500; white-space: nowrap; }
tbody tr:last-child td { border-bottom: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
table.figures td:first-child { white-space: nowrap; }
table.facts td:first-child { color: var(--ink); width: 32%; }
tr.all td { font-weight: 600; }
figure { margin: 14px 0; overflow-x: auto; }
figcaption { color: var(--ink); font-size: 13px; margin-bottom: 6px; }
svg.plot { display: block; width: 100%; min-width: 440px; height: auto; }
ul { margin: 12px 0; padding-left: 20px; color: var(--ink); max-width: 72ch; }
li { margin: 5px 0; }
.row { border: 1px solid var(--rule); border-radius: 10px; margin: 14px 0; overflow: hidden; }
.row b { display: inline-block; color: var(--accent); background: var(--tint); font-size: 13px;
  font-weight: 600; padding: 3px 10px; border-radius: 0 0 8px 0; }
.row dl { margin: 0; padding: 8px 16px 14px; display: grid;
  grid-template-columns: 96px 1fr; gap: 8px 12px; font-size: 14.5px; }
.row dt { color: var(--ink); font-size: 13px; padding-top: 1px; }
.row dd { margin: 0; overflow-wrap: anywhere; }
.row .passage { color: var(--ink); }
.row .answer { font-weight: 600; }
pre { background: var(--tint); border-radius: 8px; padding: 12px 14px; overflow-x: auto;
  font-size: 13px; }
footer { color: var(--ink); font-size: 13px; margin: 28px 4px 0; }
@media (max-width: 560px) { main { padding: 32px 14px; } section { padding: 20px 18px; }
  .row dl { grid-template-columns: 1fr; gap: 2px; } .row dd { margin-bottom: 8px; } }
@media print { body { background: #fff; } section { break-inside: avoid; } nav { display: none; } }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def report_page(account: Account, made: Made, tally: Tally) -> str:
    """Return the page, complete."""
    found = sections(account, made, tally)
    title = escape(account.name)
    links = "".join(f'<a href="#s{at}">{escape(s.title)}</a>' for at, s in enumerate(found))
    body = "".join(_section(at, section) for at, section in enumerate(found))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title} · bonito-local</title>
<style>
{_STYLE}{PLOT_STYLE}</style>
</head>
<body>
<main>
<header>
<p class="over">Instruction-tuning dataset</p>
<h1>{title}</h1>
<p>{escape(lead(account, made, tally))}</p>
</header>
<dl class="tiles">{_tiles(account, tally)}</dl>
<nav>{links}</nav>
{body}
<footer>Written by bonito-local {escape(__version__)} on {time.strftime("%d %B %Y")}, on this \
machine. The page loads nothing.</footer>
</main>
</body>
</html>
"""


def _tiles(account: Account, tally: Tally) -> str:
    planned = account.ledger["planned"] - account.ledger["outcomes"].get("pending", 0)
    told = [
        ("rows", f"{tally.total:,}"),
        ("documents", f"{account.documents:,}"),
        ("passages", f"{account.passages:,}"),
        ("task types", f"{len(tally.tasks())}"),
    ]
    if planned:
        share = account.ledger["outcomes"]["accepted"] / planned
        told.append(("passed checks", f"{share:.0%}"))
    if tally.total:
        told.append(("distinct questions", f"{tally.distinct:.0%}"))
        told.append(("median words", f"{quantile(tally.words['input'], 0.5):,}"))
    return "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in told)


def _section(at: int, section: Section) -> str:
    blocks = "".join(map(_block, section.blocks))
    return f'<section id="s{at}"><h2>{escape(section.title)}</h2>{blocks}</section>\n'


def _block(block: Block) -> str:
    if isinstance(block, str):
        return f"<p>{_code(block)}</p>"
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Plot):
        title = escape(block.title)
        return f"<figure><figcaption>{title}</figcaption>{block.svg}</figure>"
    if isinstance(block, Points):
        return f"<ul>{''.join(f'<li>{_code(item)}</li>' for item in block.items)}</ul>"
    if isinstance(block, Code):
        return f"<pre><code>{escape(block.text)}</code></pre>"
    return _example(block)


def _table(table: Table) -> str:
    right = [' class="number"' if is_right else "" for is_right in right_columns(table)]
    bare = not any(table.columns)
    head = "".join(
        f"<th{how}>{_code(name)}</th>" for name, how in zip(table.columns, right, strict=True)
    )
    lines = []
    for row in table.rows:
        cells = zip(row, right, strict=True)
        kind = ' class="all"' if row[0] == "all" else ""
        lines.append(f"<tr{kind}>{''.join(f'<td{how}>{_code(c)}</td>' for c, how in cells)}</tr>")
    top = "" if bare else f"<thead><tr>{head}</tr></thead>"
    kind = "facts" if bare else "figures"
    drawn = f'<table class="{kind}">{top}<tbody>{"".join(lines)}</tbody></table>'
    return f'<div class="scroll">{drawn}</div>'


def _example(row: Example) -> str:
    return (
        f'<div class="row"><b>{escape(row.task)}</b><dl>'
        f'<dt>passage</dt><dd class="passage">{escape(row.passage)}</dd>'
        f"<dt>instruction</dt><dd>{escape(row.instruction)}</dd>"
        f'<dt>response</dt><dd class="answer">{escape(row.response)}</dd></dl></div>'
    )


def _code(text: str) -> str:
    """Text with what stands in backticks as code."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))
