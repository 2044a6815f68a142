"""The paper's experiment from nothing, with this package's own commands: reproduce.py CONFIG.

A base model; a Bonito trained from it; rows written from each evaluation set's passages, with no
question, answer or label of it; the base adapted on them. Compared with the base as it is, with
training on the passages alone (TAPT), with rows that no check has filtered, with another
quantization of the generator, and with fewer rows. Steps that are done are not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import table
from steps import Runner, Step

from bonito_local.evaluation.sets import named_sets

HERE = Path(__file__).resolve().parent
TINY = HERE.parent / "tiny"
BONITO = ("-m", "bonito_local")
TRAINED = ("rank", "alpha", "learning_rate", "max_grad_norm", "batch", "steps", "micro_tokens")


@dataclass(frozen=True)
class Plan:
    """Where everything is, and the config."""

    data: Path
    eval_data: Path
    out: Path
    config: dict[str, Any]

    def steps(self) -> list[Step]:
        """All steps, each behind those it needs."""
        asked = self.config["evaluation"]
        steps = [self.passages(name) for name in asked["sets"]]
        base, more = self.base()
        steps += more
        adapter, more = self.bonito(base)
        steps += more
        quants = self.config["generation"]["quants"]
        steps += [self.generator(base, adapter, quant) for quant in quants]
        after = () if self.config["base"].get("checkpoint") else ("base",)
        for name in asked["sets"]:
            steps.append(self.evaluate(base, name, "zero-shot", 0, "base", after))
        # A seed at a time: what is compared is there early, and more seeds narrow it.
        for seed in asked["seeds"]:
            for name in asked["sets"]:
                steps += self.variants(base, name, seed)
        return steps

    def base(self) -> tuple[Path, list[Step]]:
        """The base, and what makes it."""
        given = self.config["base"].get("checkpoint")
        if given:
            return Path(given).resolve(), []
        made = self.out / "base"
        start = self.config["base"].get("start")
        going_on = ("--start", str((HERE / start).resolve())) if start else ()
        command = (str(TINY / "pretrain.py"), "--data-dir", str(self.data), "--out", str(made),
                   "--minutes", str(self.config["base"]["minutes"]), *going_on)  # fmt: skip
        return made, [Step("base", command, alone=True)]

    def bonito(self, base: Path) -> tuple[Path, list[Step]]:
        """The Bonito's adapter, and what makes it."""
        wanted = self.config["bonito"]
        if wanted.get("adapter"):
            return Path(wanted["adapter"]).resolve(), []
        rows = self.out / "ctga.jsonl"
        command = (str(TINY / "ctga.py"), "--data-dir", str(self.data), "--out", str(rows),
                   "--rows", str(wanted["rows"]))  # fmt: skip
        before = tuple(["base"] if not self.config["base"].get("checkpoint") else [])
        trained = self.train("bonito", "bonito", base, rows, wanted, 0, ("ctga", *before))
        return self.out / "bonito", [Step("ctga", command), replace(trained, alone=True)]

    def generator(self, base: Path, adapter: Path, quant: str) -> Step:
        """Base and adapter as a GGUF."""
        file = self.out / f"bonito-{quant}.gguf"
        command = (*BONITO, "convert", str(base), "--adapter", str(adapter), "--merge-into", "nf4",
                   "--quant", quant, "-o", str(file))  # fmt: skip
        after = () if self.config["bonito"].get("adapter") else ("bonito",)
        return Step(f"bonito-{quant}", command, after, makes=file)

    def passages(self, name: str) -> Step:
        """The set's passages, and nothing else of it."""
        file = self.out / "passages" / f"{name}.jsonl"
        command = (str(HERE / "passages.py"), "--data", str(self.eval_data), "--set", name,
                   "--out", str(file))  # fmt: skip
        return Step(f"passages-{name}", command)

    def variants(self, base: Path, name: str, seed: int) -> list[Step]:
        """Rows, adapters and evaluations of one set with one seed."""
        first, *others = self.config["generation"]["quants"]
        steps: list[Step] = []
        for quant in (first, *others):
            steps += self.rows(name, quant, seed)
        job = f"{name}-{first}-{seed}"
        steps.append(self.export(job, "every", "--outcome", "accepted,rejected,duplicate"))
        kept = self.out / "rows" / job / "kept" / "train.jsonl"
        every = self.out / "rows" / job / "every" / "train.jsonl"
        for variant, kind, data, count, after in (
            ("bonito", "adapt", kept, 0, f"kept-{job}"),
            ("tapt", "tapt", every, 0, f"every-{job}"),
            ("unfiltered", "adapt", every, 0, f"every-{job}"),
            *(
                (f"bonito, {quant}", "adapt",
                 self.out / "rows" / f"{name}-{quant}-{seed}" / "kept" / "train.jsonl",
                 0, f"kept-{name}-{quant}-{seed}")
                for quant in others
            ),
            *(
                (f"bonito, {rows} rows", "adapt", kept, rows, f"kept-{job}")
                for rows in self.config["adapt"]["rows"]
            ),
        ):  # fmt: skip
            steps += self.adapted(base, name, variant, kind, data, count, seed, after)
        return steps

    def rows(self, name: str, quant: str, seed: int) -> list[Step]:
        """A job over the set's passages, and its rows that the checks let through."""
        (found,) = named_sets(name)
        asked = self.config["generation"]
        job = f"{name}-{quant}-{seed}"
        folder = self.out / "rows" / job
        told = {
            "documents": [str(self.out / "passages" / f"{name}.jsonl")],
            "output": str(folder / "job"),
            "tasks": [found.task],
            "model": str(self.out / f"bonito-{quant}.gguf"),
            "tune": False,
        }
        splitting = {
            "column": "text",
            "limit": asked["passages"],
            "passage_tokens": asked["passage_tokens"],
            "keep_repeats": True,
        }
        sampling = {"max_tokens": asked["max_tokens"], "seed": seed}
        text = f"{_toml(told)}\n[splitting]\n{_toml(splitting)}\n[sampling]\n{_toml(sampling)}"
        file = folder / "job.toml"
        return [
            Step(
                f"rows-{job}",
                (*BONITO, "run", str(file)),
                (f"passages-{name}", f"bonito-{quant}"),
                {file: text},
            ),
            self.export(job, "kept"),
        ]

    def export(self, job: str, which: str, *options: str) -> Step:
        """Rows of a job as JSON lines."""
        folder = self.out / "rows" / job
        command = (*BONITO, "export", str(folder / "job"), "-f", "jsonl", "-o", str(folder / which))
        return Step(f"{which}-{job}", (*command, *options), (f"rows-{job}",))

    def adapted(
        self,
        base: Path,
        name: str,
        variant: str,
        kind: str,
        data: Path,
        count: int,
        seed: int,
        after: str,
    ) -> list[Step]:
        """An adapter trained on rows, and its evaluation."""
        label = f"{name}-{_plain(variant)}-{seed}"
        picked = self.out / "picked" / f"{label}.jsonl"
        pick = (str(HERE / "pick.py"), str(data), "--out", str(picked), "--count", str(count),
                "--seed", str(seed))  # fmt: skip
        train = f"train-{label}"
        form = "base" if kind == "tapt" else "adapted"
        model = self.out / "models" / label
        merge = (str(HERE / "merge.py"), str(base), str(self.out / train), "--out", str(model))
        return [
            Step(f"pick-{label}", pick, (after,)),
            self.train(train, kind, base, picked, self.config["adapt"], seed, (f"pick-{label}",)),
            Step(f"merge-{label}", merge, (train,)),
            self.evaluate(model, name, variant, seed, form, (f"merge-{label}",)),
        ]

    def train(
        self,
        name: str,
        kind: str,
        base: Path,
        data: Path,
        settings: dict[str, Any],
        seed: int,
        after: tuple[str, ...],
    ) -> Step:
        """A run of the trainer, its output in a folder of this name."""
        told = {key: settings[key] for key in TRAINED if key in settings}
        told |= {"base": str(base), "data": str(data), "output": str(self.out / name)}
        told |= {"seed": seed}
        file = self.out / "training" / f"{name}.toml"
        return Step(name, (*BONITO, "train", kind, str(file)), after, {file: _toml(told)})

    def evaluate(
        self,
        model: Path,
        name: str,
        variant: str,
        seed: int,
        form: str,
        after: tuple[str, ...],
    ) -> Step:
        """An evaluation of a checkpoint. Its items are the same for all variants and seeds."""
        asked = self.config["evaluation"]
        label = f"{name}-{_plain(variant)}-{seed}"
        command = ("--data", str(self.eval_data), "--set", name, "--prompt", form,
                   "--backend", asked["backend"], "--limit", str(asked["limit"]),
                   "--passage-tokens", str(asked["passage_tokens"]),
                   "-o", str(self.out / "evaluations" / name / f"{variant}-{seed}"))  # fmt: skip
        return Step(f"evaluate-{label}", (*BONITO, "evaluate", str(model), *command), after)


def _plain(variant: str) -> str:
    return variant.replace(", ", "-").replace(" ", "-")


def _toml(values: dict[str, Any]) -> str:
    """As TOML, which is JSON for texts, numbers, flags and lists of them."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data-dir", type=Path, required=True, help="what recipes/tiny trains on")
    parser.add_argument("--eval-dir", type=Path, required=True, help="the evaluation sets")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base", help="a checkpoint that is there; else one is pre-trained")
    parser.add_argument("--adapter", help="its Bonito's adapter that is there; else one is trained")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="steps side by side")
    args = parser.parse_args()
    config = tomllib.loads(args.config.read_text("utf-8"))
    if args.base:
        config["base"]["checkpoint"] = args.base
    if args.adapter:
        config["bonito"]["adapter"] = args.adapter
    out = args.out.resolve()
    plan = Plan(args.data_dir.resolve(), args.eval_dir.resolve(), out, config)
    try:
        Runner(out, args.jobs).run(plan.steps())
    except KeyboardInterrupt:
        print("Stopped. The same command goes on from here.", file=sys.stderr)
        sys.exit(130)
    print(table.write(out / "evaluations", out))


if __name__ == "__main__":
    main()
