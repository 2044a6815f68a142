import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from promptsource_checkout import checkout, map_, mirror, rte, squad, write_jsonl, write_prompts

from bonito_local.errors import TrainingError, UsageError
from bonito_local.tasks import parse_completion, task_type
from bonito_local.templating import reasons
from bonito_local.templating.source import Source, Template
from bonito_local.training.ctga.build import Limits, build, report_path
from bonito_local.training.ctga.counts import (
    REPEATED,
    TOO_LONG,
    UNREADABLE,
    Counts,
    LeftOut,
)
from bonito_local.training.ctga.paper import plan_paper
from bonito_local.training.ctga.plan import Plan


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def source(folder: Path, rows: Sequence[Any], *texts: str, name: str = "d") -> Source:
    """A dataset of rows, and templates for it."""
    path = folder / f"{name}.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    templates = tuple(Template(f"t{n}", "qa", text) for n, text in enumerate(texts))
    return Source(name, (path,), "{{ p }}", templates)


def test_the_papers_mix(tmp_path: Path) -> None:
    data, prompts = mirror(tmp_path / "data"), checkout(tmp_path / "promptsource")
    out = tmp_path / "rows.jsonl"
    found = build(plan_paper(data, prompts), out, Limits(), 0)
    rows = rows_of(out)
    assert out.stat().st_mode & 0o777 == report_path(out).stat().st_mode & 0o777 == 0o600
    assert list(rows[0]) == [
        *("input", "output", "context", "task_input", "task_output"),
        *("dataset", "dataset_config", "task_type"),
    ]
    assert found.rows == Counter(
        (f"{row['dataset']}/{row['dataset_config']}".removesuffix("/None"),
         task_type(row["task_type"]).short)
        for row in rows
    )  # fmt: skip
    assert set(found.rows) == {("squad", "exqa"), ("squad", "qg"), ("super_glue/rte", "te")}
    assert found.read == {"squad": 40, "super_glue/rte": 40}
    assert not found.dropped
    assert found.left_out == [
        LeftOut("squad", "jeopardy", "does not hold the passage"),
        LeftOut("squad", "mine", "has no task type in the paper"),
        *(LeftOut("squad", name, "is not in the checkout") for name in (
            "answer_question_given_context",
            "given_context_answer_question_variation",
            "answer_given_context_and_question",
        )),
        *(LeftOut("super_glue/rte", name, "is not in the checkout") for name in (
            "MNLI crowdsource", "guaranteed true", "can we infer", "GPT-3 style",
            "does this imply", "should assume", "does it follow that",
            "based on the previous passage", "justified in saying",
        )),
    ]  # fmt: skip
    assert len(found.absent) == 37
    one = next(row for row in rows if row["task_type"] == "extractive question answering")
    number = one["context"].split()[1]
    assert one == {
        "input": "<|tasktype|>\nextractive question answering\n<|context|>\n"
        f"Tenant {number} pays {100 + int(number)} euros a month.\n<|task|>\n",
        "output": f"{{{{context}}}}\n\nTell me: What does tenant {number} pay?\n<|pipe|>\n"
        f"{100 + int(number)} euros",
        "context": f"Tenant {number} pays {100 + int(number)} euros a month.",
        "task_input": f"{{{{context}}}}\n\nTell me: What does tenant {number} pay?",
        "task_output": f"{100 + int(number)} euros",
        "dataset": "squad",
        "dataset_config": None,
        "task_type": "extractive question answering",
    }
    follows = {row["context"]: row["task_output"] for row in rows if row["dataset_config"] == "rte"}
    assert follows["House 3 is sold."] == "No"
    assert follows["House 4 is sold."] == "Yes"
    # Rows of both datasets stand mixed.
    assert sum(a["dataset"] != b["dataset"] for a, b in pairwise(rows)) > 15
    report = json.loads(report_path(out).read_text())
    assert report["rows"] == len(rows) == 80
    assert report["limits"] == {"examples": 100_000, "chars": 8192}


def test_rows_follow_the_seed_and_not_the_order_of_files(tmp_path: Path) -> None:
    prompts = checkout(tmp_path / "promptsource")
    made = []
    for folder, names in (("one", ("train-0", "train-1")), ("two", ("train-1", "train-0"))):
        data = tmp_path / folder
        rows = map_(squad, 0, 60)
        write_jsonl(data / "squad" / f"{names[0]}.jsonl", rows[:25])
        write_jsonl(data / "squad" / f"{names[1]}.jsonl", rows[25:][::-1])
        for seed in (0, 0, 1):
            out = tmp_path / "rows.jsonl"
            build(plan_paper(data, prompts), out, Limits(examples=30), seed)
            made.append(out.read_bytes())
    assert made[0] == made[1] == made[3] == made[4]
    assert made[2] == made[5] != made[0]
    assert len(made[0].splitlines()) == 30


row = st.fixed_dictionaries(
    {},
    optional={"p": st.sampled_from(["", "a", "b", "long " * 30]), "q": st.sampled_from(["", "c"])},
)


@given(st.lists(row | st.just("no row"), min_size=1, max_size=40), st.integers(1, 20))
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_example_is_a_row_or_counted(tmp_path: Path, some: list[Any], cap: int) -> None:
    # A build without a row, as a small cap may have it, has a test of its own.
    one = source(tmp_path, [{"p": "x", "q": "y"}, *some], "{{ bonito_passage }} ||| {{ q }}")
    out = tmp_path / "rows.jsonl"
    out.unlink(missing_ok=True)
    with suppress(TrainingError):
        found = build(Plan((one,)), out, Limits(cap, 200), 0)
    if not out.exists():
        return
    kept, dropped = found.of("d")
    assert kept + dropped == found.read["d"] == 1 + len(some)
    assert kept == len(rows_of(out)) <= cap
    for made in rows_of(out):
        pair = parse_completion(made["output"], made["context"])
        assert pair is not None
        assert (pair.instruction, pair.response) == (made["context"], made["task_output"])


def test_what_is_left_out_is_counted_by_reason(tmp_path: Path) -> None:
    rows: list[Any] = [
        {"p": "good", "q": "c", "n": 1},
        {"p": "good", "q": "c", "n": 1},
        {"p": " ", "q": "c", "n": 1},
        {"p": "empty", "q": "", "n": 1},
        {"p": "lacking", "n": 1},
        {"p": "nought", "q": "c", "n": 0},
        {"p": "marked", "q": "c", "n": 2},
        {"p": "much " * 200, "q": "c", "n": 1},
        7,
    ]
    text = "{{ bonito_passage }} {{ 1 // n }} ||| {{ q }}{% if n == 2 %}<|task|>{% endif %}"
    found = build(Plan((source(tmp_path, rows, text),)), tmp_path / "r", Limits(chars=500), 0)
    assert found.rows == {("d", "qa"): 1}
    assert found.reasons() == {
        REPEATED: 1,
        reasons.NO_PASSAGE: 1,
        reasons.NO_RESPONSE: 1,
        reasons.COLUMN_MISSING: 1,
        reasons.TEMPLATE_FAILED: 1,
        reasons.WRITES_MARKER: 1,
        TOO_LONG: 1,
        UNREADABLE: 1,
    }


def test_a_template_that_asks_for_a_column_there_is_not_is_left_out(tmp_path: Path) -> None:
    good, bad = "{{ bonito_passage }} ||| {{ q }}", "{{ bonito_passage }} ||| {{ z }}"
    one = source(tmp_path, [{"p": "a", "q": str(n)} for n in range(9)], bad, good, "{{ q | no }}")
    found = build(Plan((one,)), tmp_path / "rows", Limits(), 0)
    assert found.rows == {("d", "qa"): 9}
    assert [(out.template, out.why) for out in found.left_out] == [
        ("t0", "asks for z; the columns are p, q"),
        ("t2", "No filter named 'no'."),
    ]


def test_one_dataset_that_cannot_be_used_does_not_stop_the_others(tmp_path: Path) -> None:
    text = "{{ bonito_passage }} ||| {{ q }}"
    broken = Source("broken", (tmp_path / "b.parquet",), "{{ p }}", (Template("t", "qa", text),))
    broken.files[0].write_bytes(b"PAR1")
    plan = Plan(
        (
            source(tmp_path, [{"other": 1}], text, name="other"),
            broken,
            source(tmp_path, [], text, name="empty"),
            source(tmp_path, [1, "a"], text, name="no objects"),
            source(tmp_path, [{"p": "a", "q": "b"}], text, name="good"),
            source(tmp_path, [{"p": "a"}], text, name="lacking"),
            source(tmp_path, [{"p": "a"}], name="bare"),
        )
    )
    found = build(plan, tmp_path / "rows", Limits(), 0)
    assert found.rows == {("good", "qa"): 1}
    assert {one.dataset: one.why for one in found.unused} == {
        "other": "asks for p; the columns are other",
        "broken": f"{broken.files[0]} is damaged, or no Parquet file.",
        "empty": "it holds no examples",
        "no objects": "it holds no examples: 2 lines are none",
        "lacking": "no template can be used: asks for q; the columns are p",
        "bare": "no template of it holds the passage",
    }


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"p": "", "q": "b"}, {"p": "a", "q": ""}], "No example became a row: 1 "),
        ([{"other": 1}], "No dataset can be used. d: asks for p"),
    ],
)
def test_what_was_there_stays_where_nothing_comes_of_it(
    tmp_path: Path, rows: list[Any], said: str
) -> None:
    one = source(tmp_path, rows, "{{ bonito_passage }} ||| {{ q }}")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "rows").write_text("before")
    with pytest.raises(TrainingError, match=said):
        build(Plan((one,)), tmp_path / "out" / "rows", Limits(), 0)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["rows"]
    assert (tmp_path / "out" / "rows").read_text() == "before"


def test_a_run_that_is_stopped_leaves_what_was_there(tmp_path: Path) -> None:
    def stop(_dataset: str, _counts: Counts) -> None:
        raise KeyboardInterrupt

    one = source(tmp_path, [{"p": "a", "q": "b"}], "{{ bonito_passage }} ||| {{ q }}")
    out = tmp_path / "out" / "rows"
    with pytest.raises(KeyboardInterrupt):
        build(Plan((one,)), out, Limits(), 0, stop)
    assert list(out.parent.iterdir()) == []
    # What a killed one left does not stand in the way.
    (out.parent / "rows.part").mkdir()
    (out.parent / "rows.part" / "00").write_text("left")
    build(Plan((one,)), out, Limits(), 0)
    assert sorted(path.name for path in out.parent.iterdir()) == ["rows", "rows.report.json"]


def test_datasets_that_are_asked_for_must_be_there(tmp_path: Path) -> None:
    data, prompts = mirror(tmp_path / "data"), checkout(tmp_path / "promptsource")
    assert [one.label for one in plan_paper(data, prompts, ["super_glue/rte"]).sources] == [
        "super_glue/rte"
    ]
    with pytest.raises(UsageError, match="has no folder for race/all"):
        plan_paper(data, prompts, ["race", "squad"])
    with pytest.raises(UsageError, match="none of the paper's") as caught:
        plan_paper(data, prompts, ["sqad"])
    assert caught.value.remedy == "Did you mean 'squad'?"
    with pytest.raises(UsageError, match=r"has no folder for .* \.\.\."):
        plan_paper(tmp_path / "none", prompts)


def test_a_broken_file_of_templates_costs_its_dataset_alone(tmp_path: Path) -> None:
    data, prompts = mirror(tmp_path / "data"), checkout(tmp_path / "promptsource")
    write_prompts(prompts, "squad", {}).write_text("templates: [")
    plan = plan_paper(data, prompts)
    assert [one.label for one in plan.sources] == ["super_glue/rte"]
    assert [(one.dataset, "is not YAML" in one.why) for one in plan.unused] == [("squad", True)]


def test_a_hostile_template_spoils_only_its_own_rows(tmp_path: Path) -> None:
    prompts = tmp_path / "promptsource"
    write_prompts(
        prompts,
        "super_glue",
        {
            "must be true": "{{premise}} ||| {{ ['no', 'yes'][label] }}",
            "can we infer": "{{premise}} ||| {{ ''.__class__.__mro__ }}",
            "guaranteed true": "{{premise}} ||| {{ 'x' * 99999999999 }}",
        },
        "rte",
    )
    write_jsonl(tmp_path / "data/super_glue/rte/train.jsonl", map_(rte, 0, 60))
    found = build(plan_paper(tmp_path / "data", prompts), tmp_path / "rows", Limits(), 0)
    good, bad = found.of("super_glue/rte")
    assert good + bad == 60
    assert {made["task_output"] for made in rows_of(tmp_path / "rows")} == {"no", "yes"}
    assert set(found.reasons()) <= {
        reasons.TEMPLATE_FAILED, reasons.COLUMN_MISSING, reasons.TOO_MUCH,
    }  # fmt: skip
    assert bad > 20
