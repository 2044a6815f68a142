"""What the card and the report say of a dataset, section by section, however it is shown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from bonito_local.exports import plots
from bonito_local.exports.account import Account, Made
from bonito_local.exports.blocks import Block, Example, Plot, Points, Section, Table
from bonito_local.exports.formats import find_format
from bonito_local.exports.preferences import Preference
from bonito_local.exports.row import Row
from bonito_local.exports.tally import LENGTHS, Tally, quantile

_OUTCOMES = ("accepted", "unparseable", "rejected", "duplicate", "failed", "pending")
_MOST_PASSAGE = 700  # characters of an example's passage


def sections(account: Account, made: Made, tally: Tally) -> list[Section]:
    """All sections that have something to say."""
    found = [
        Section("What is in it", tuple(_contents(account, made, tally))),
        Section("How every planned row ended", tuple(_ledger(account))),
        Section("What the checks and the review did", tuple(_checks(account, tally))),
        Section("Scores of the model itself", tuple(_scores(tally))),
        Section("Labels", tuple(_labels(tally))),
        Section("Lengths", tuple(_lengths(tally))),
        Section("Examples", tuple(map(_example, tally.examples.values()))),
        Section("How it was made", tuple(_making(account))),
        Section("Privacy", tuple(_privacy(account, made))),
        Section("Limits and risks", (Points(_RISKS),)),
        Section("Licence", (_licence(account),)),
    ]
    return [section for section in found if section.blocks]


def lead(account: Account, made: Made, tally: Tally) -> str:
    """The first sentence."""
    model = account.settings.get("model", "a model")
    source = f"{_many(account.passages, 'passage')} of {_many(account.documents, 'document')}"
    return (
        f"{tally.total:,} {find_format(made.format).unit}, written by {model} with bonito-local "
        f"from {source}. "
        "No person wrote them: look at some before you train on them."
    )


def _contents(account: Account, made: Made, tally: Tally) -> Iterator[Block]:
    form = find_format(made.format)
    yield f"The {'kept rows' if form.compares else 'rows'} are those {made.rows}."
    if tally.origins:
        title = "Why one answer is better" if form.name == "dpo" else "Which answers are right"
        told = tuple((name, f"{count:,}") for name, count in tally.origins.most_common())
        yield Table((title.lower(), "rows"), told)
    elif tally.total:
        yield f"{tally.distinct:.0%} of the questions are distinct (instructions without passages)."
    tasks = tally.tasks()
    if tasks:
        yield Plot("tasks", "Rows by task type", plots.bars(tasks, "Rows by task type"))
    names = [name for name in made.split.names if tally.in_split(name)]
    if len(made.split.shares) > 1:
        yield Table(
            ("split", "documents", "rows"),
            tuple(
                (name, f"{len(tally.documents[name]):,}", f"{tally.in_split(name):,}")
                for name in names
            ),
        )
        yield (
            f"Split {made.split} by document: which split a document is in follows from its hash "
            "(of few documents, from the order of their hashes), and none is in two. A table's "
            "rows count as documents."
        )


def _ledger(account: Account) -> Iterator[Block]:
    by_task: dict[str, dict[str, int]] = {}
    for task, outcome, _, samples in account.counts:
        counts = by_task.setdefault(task, dict.fromkeys(_OUTCOMES, 0))
        counts[outcome] += samples
    if not by_task:
        return
    title = "How planned rows ended, by task type"
    yield Plot("outcomes", title, plots.stacked(by_task, _OUTCOMES, title))
    lines = [(task, *_cells(counts)) for task, counts in by_task.items()]
    if len(by_task) > 1:
        every = {name: sum(counts[name] for counts in by_task.values()) for name in _OUTCOMES}
        lines.append(("all", *_cells(every)))
    yield Table(("task type", "planned", *_OUTCOMES), tuple(lines))


def _cells(counts: dict[str, int]) -> tuple[str, ...]:
    return tuple(f"{n:,}" for n in (sum(counts.values()), *counts.values()))


def _checks(account: Account, tally: Tally) -> Iterator[Block]:
    ended = account.ledger["outcomes"]
    parsed = ended["accepted"] + ended["rejected"] + ended["duplicate"]
    if parsed:
        yield (
            f"Of {parsed:,} rows that parsed, {ended['accepted']:,} passed every check "
            f"({ended['accepted'] / parsed:.0%}); the others are kept in the job with their "
            "reason, and are not in the dataset unless a person accepted them."
        )
    sums: dict[tuple[str, str], int] = {}
    for _, outcome, reason, samples in account.counts:
        if outcome in ("rejected", "duplicate", "unparseable") and samples:
            name = reason or _PLAIN.get(outcome, outcome)
            sums[outcome, name] = sums.get((outcome, name), 0) + samples
    if sums:
        total = account.ledger["planned"] or 1
        lines = sorted(sums.items(), key=lambda item: -item[1])
        yield Table(
            ("left out because", "outcome", "rows", "of all planned"),
            tuple((why, how, f"{n:,}", f"{n / total:.1%}") for (how, why), n in lines),
        )
    accepted, rejected, edited = account.review
    if accepted or rejected or edited:
        yield (
            f"A person accepted {accepted:,} rows, rejected {rejected:,} and wrote {edited:,} "
            f"anew; {tally.edited:,} of the rows here hold a person's text."
        )
    else:
        yield "No person has reviewed the rows."


_PLAIN = {
    "unparseable": "no instruction and response could be told apart",
    "duplicate": "the same as another row",
}


def _scores(tally: Tally) -> Iterator[Block]:
    lines = []
    for name, counts in tally.scores.items():
        if counts:
            ends = [quantile(counts, share) / 100 for share in (0.05, 0.5, 0.95)]
            lines.append((name, f"{counts.total():,}", *(f"{end:.2f}" for end in ends)))
    if not lines:
        return
    yield (
        "The model that wrote the rows was asked about them. Agreement: how alike three more of "
        "its answers are to the row's, 0 to 1. Support: the mean log-probability of the "
        "response's tokens. Gain: by how much that is more than without the passage."
    )
    yield Table(("score", "rows", "5%", "median", "95%"), tuple(lines))


def _labels(tally: Tally) -> Iterator[Block]:
    for at, (task, seen) in enumerate(tally.label_sets().items(), 1):
        title = f"Responses of {task}"
        yield Plot(f"labels-{at}", title, plots.bars(dict(seen.most_common()), title))


def _lengths(tally: Tally) -> Iterator[Block]:
    if not tally.total:
        return
    lines = []
    for name in LENGTHS:
        counts = tally.words[name]
        ends = [quantile(counts, share) for share in (0.05, 0.5, 0.95, 1)]
        lines.append((name, *(f"{end:,}" for end in ends)))
    yield Table(("words", "5%", "median", "95%", "longest"), tuple(lines))
    for name in LENGTHS:
        title = f"Length of the {name}, in words"
        svg = plots.histogram(tally.words[name], quantile(tally.words[name], 0.5), title)
        yield Plot(f"words-{name}", title, svg)


def _example(row: Row) -> Example:
    response = textwrap.shorten(row.output, _MOST_PASSAGE, placeholder=" …")
    if isinstance(row, Preference) and row.rejected:
        worse = textwrap.shorten(row.rejected, _MOST_PASSAGE, placeholder=" …")
        response += f"\n\nrejected: {worse}"
    elif isinstance(row, Preference) and not row.label:
        response += "\n\nlabel: false"
    return Example(
        row.task_type,
        textwrap.shorten(row.passage, _MOST_PASSAGE, placeholder=" …"),
        textwrap.shorten(
            row.input.replace(row.passage, "[passage]"), 2 * _MOST_PASSAGE, placeholder=" …"
        ),
        response,
    )


def _making(account: Account) -> Iterator[Block]:
    said = account.settings
    told = [
        ("model", f"{said.get('model', '')} {account.model.get('quantization', '')}".strip()),
        ("model file, SHA-256", str(said.get("model_sha256", ""))),
        ("engine", str(said.get("backend", ""))),
        ("temperature, top p", f"{said.get('temperature', '')}, {said.get('top_p', '')}"),
        ("longest row, longest passage", f"{said.get('max_tokens')}, {said.get('passage_tokens')}"),
        ("seed", str(said.get("seed", ""))),
        ("guided", str(said.get("guided", "no"))),
        *((name, str(said[name])) for name in ("labels", "checks") if name in said),
        ("bonito-local", ", ".join(account.versions)),
    ]
    yield Table(("", ""), tuple(line for line in told if line[1]))
    yield (
        "Bonito, the kind of model that writes such rows, and what training on them does: "
        "arXiv 2402.18334. A row's own seed follows from the seed, its passage, task and number."
    )


def _privacy(account: Account, made: Made) -> Iterator[Block]:
    yield Table(
        ("", ""),
        (
            ("network while it was made", "; ".join(account.air_gap) or "not recorded"),
            ("documents left out", f"{len(account.problems):,}"),
            ("where rows came from", "removed" if made.strip_source else "in every row"),
        ),
    )
    yield (
        "The rows quote the documents: whoever may not read those may not read these, nor use a "
        "model that was trained on them without thought. Removing the columns that say where a "
        "row came from does not make it anonymous."
    )


def _licence(account: Account) -> str:
    model = account.model.get("license")
    said = f" The model file states the licence {model}." if model else ""
    return (
        "The rows are made of the documents, whose owners' rights hold for them too; no licence is "
        f"set here: set one before you share them.{said}"
    )


_RISKS = (
    "Responses may be wrong, also where they read well: the checks look at form, and at whether "
    "words and numbers stand in the passage, not at truth.",
    "Labels (yes or no, entailment, sentiment) may be guesses, and may lean to one side.",
    "Bonito reads and writes English; rows of other languages are poor.",
    "What the documents lean to, the rows lean to; what they get wrong, the rows repeat.",
    "A model trained on the rows can give back text of the documents, names included.",
    "Splits keep documents apart, not what two documents have in common.",
)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
