"""What the card and the report say of a dataset's files: how they are read, what columns mean."""

from __future__ import annotations

from bonito_local.exports.account import Made
from bonito_local.exports.blocks import Block, Code, Section, Table
from bonito_local.exports.formats import find_format
from bonito_local.exports.row import MEANINGS, REASONED_MEANING, REASONING

_LOAD = Code(
    "from datasets import load_dataset\n\n"
    'rows = load_dataset("path/to/this/folder", split="train")',
    "python",
)
_HOW: dict[str, Block] = {
    "llama-factory": Code("dataset_dir: path/to/this/folder\ndataset: bonito_train", "yaml"),
    "axolotl": "Put axolotl.yaml's lines into your config, and run axolotl in this folder.",
    "kto": Code(
        f"{_LOAD.text}.shuffle(seed=0)  # KTOTrainer takes rows in their order",
        "python",
    ),
    "openai": "Upload the files of the splits with the purpose `fine-tune`.",
    "csv": "Open it in a spreadsheet; `bonito-local import JOB FILE` takes back what you changed.",
}
_ORIGIN = ("`origin`", "why one answer is better than the other, or why it is right or wrong")


def usage(made: Made) -> list[Section]:
    """How the files are read, and what their columns mean."""
    form = find_format(made.format)
    kind = f"Format {form.name}: {form.meaning}."
    found = [Section("How to use it", (kind, _HOW.get(form.name, _LOAD)))]
    if not made.strip_source:
        known = (*MEANINGS, _ORIGIN) if form.compares else MEANINGS
        if made.reasoned and not form.record:
            known = (known[0], known[1], REASONED_MEANING, *known[2:])
        shown = {*form.columns, REASONING}
        meanings = [row for row in known if not form.columns or _names(row[0]) & shown]
        where = "provenance/" if form.record else ""
        told = f"Columns of {where or 'the rows'}; `ledger.json` says how every planned row ended, "
        told += (
            "`problems.json` which documents could not be read, `export.json` how this was made."
        )
        found.append(Section("Columns", (told, Table(("column", "meaning"), tuple(meanings)))))
    return found


def _names(cell: str) -> set[str]:
    return {name.strip("` ") for name in cell.split(",")}
