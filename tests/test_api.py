"""The Python API: upstream's call, on the real engine and on the fake one."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from datasets import Dataset
from scripted import Scripted

import bonito_local
from bonito_local import Bonito, Sampling, api
from bonito_local.api import as_sampling
from bonito_local.backends.base import Request
from bonito_local.errors import UsageError
from bonito_local.jobs.seeds import passage_hash, sample_seed
from bonito_local.tasks import CONTEXT, PIPE

EXAMPLES = Path(__file__).parents[1] / "examples" / "documents"
TEXTS = ["First clause.", " Second {{context}} clause.\n", "Third <|pipe|> clause."]
DATA = Dataset.from_dict({"id": [1, 2, 3], "text": TEXTS})


def vllm_params(**changed: Any) -> SimpleNamespace:
    """The attributes of vLLM's SamplingParams at their defaults."""
    values: dict[str, Any] = {
        "n": 1,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "repetition_penalty": 1.0,
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "seed": None,
        "stop": [],
        "stop_token_ids": [],
        "max_tokens": 16,
        "min_tokens": 0,
        "logit_bias": None,
        "bad_words": [],
    }
    return SimpleNamespace(**(values | changed))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """An engine that gives every second sample an answer that does not parse."""

    def answer(request: Request, sample: int) -> str:
        return "nothing" if sample % 2 else f"{CONTEXT}\nSample {sample}?\n{PIPE}\n{CONTEXT}"

    scripted = Scripted(answer)
    monkeypatch.setattr(api, "open_backend", lambda name, model, plan: scripted)
    return scripted


def test_rows_are_upstreams(engine: Scripted, tiny_gguf: Path) -> None:
    bonito = Bonito(str(tiny_gguf))
    rows = bonito.generate_tasks(
        DATA, context_col="text", task_type="nli", sampling_params=Sampling(n=3, seed=5)
    )
    assert rows.column_names == ["input", "output"]
    assert rows.to_list() == [
        {"input": f"{text.strip()}\nSample {sample}?", "output": text.strip()}
        for text in TEXTS
        for sample in (0, 2)
    ]
    assert engine.seeds["1/nli", 2] == sample_seed(5, passage_hash(TEXTS[1]), "nli", 2)


def test_no_row_parses(engine: Scripted, tiny_gguf: Path) -> None:
    engine.answer = lambda request, sample: "nothing"
    rows = Bonito(str(tiny_gguf)).generate_tasks(DATA, "text", "sentiment", Sampling())
    assert (len(rows), rows.column_names) == (0, ["input", "output"])


def test_the_convenience_on_the_fake_engine(tiny_gguf: Path) -> None:
    arguments = (DATA, "text", "yes-no question answering", Sampling(n=2))
    rows = bonito_local.generate_tasks(*arguments, model=str(tiny_gguf), backend="fake")
    assert len(rows) == 6
    assert set(rows["output"]) <= {"yes", "no"}
    again = bonito_local.generate_tasks(*arguments, model=str(tiny_gguf), backend="fake")
    assert again.to_list() == rows.to_list()


def test_the_real_engine(tiny_gguf: Path) -> None:
    with Bonito(str(tiny_gguf)) as bonito:
        rows = bonito.generate_tasks(DATA, "text", "exqa", vllm_params(n=2, max_tokens=8))
    # Random weights do not write rows; what counts is that the engine was asked and answered.
    assert rows.column_names == ["input", "output"]
    assert len(rows) <= 6


def test_a_passage_too_long_is_dropped_with_a_warning(tiny_gguf: Path) -> None:
    data = Dataset.from_dict({"text": ["short text", "word " * 5000]})
    warned = pytest.warns(UserWarning, match=r"1 passages gave no rows: The prompt has \d+ tokens")
    with Bonito(str(tiny_gguf), backend="fake") as bonito, warned:
        rows = bonito.generate_tasks(data, "text", "ynqa", Sampling(n=2))
    assert len(rows) == 2


def test_an_unknown_column_or_task(engine: Scripted, tiny_gguf: Path) -> None:
    bonito = Bonito(str(tiny_gguf))
    with pytest.raises(UsageError, match=r"no column 'txt'\. Did you mean 'text'\?"):
        bonito.generate_tasks(DATA, "txt", "nli", Sampling())
    with pytest.raises(UsageError, match=r"Unknown task type 'nlii'\. Did you mean 'nli'\?"):
        bonito.generate_tasks(DATA, "text", "nlii", Sampling())
    with pytest.raises(UsageError, match="Column 'id' holds values that are not text"):
        bonito.generate_tasks(DATA, "id", "nli", Sampling())
    assert engine.asked == []


def test_vllms_parameters_are_taken() -> None:
    params = vllm_params(
        n=2, temperature=0.0, top_p=0.9, max_tokens=64, seed=3, stop=["\n\n"], top_k=-1
    )
    assert as_sampling(params) == Sampling(2, 0.0, 0.9, 64, 3, ("\n\n",))
    assert as_sampling(vllm_params()) == Sampling(1, 1.0, 1.0, 16, 0, ())
    assert as_sampling(vllm_params(stop="x", max_tokens=None)).stop == ("x",)
    assert as_sampling(None) == Sampling()


def test_what_cannot_be_honoured_is_said() -> None:
    with pytest.warns(UserWarning, match="Ignored sampling parameters: top_k, min_p."):
        as_sampling(vllm_params(top_k=40, min_p=0.1))


@pytest.mark.parametrize(
    "changed", [{"n": 0}, {"temperature": -1.0}, {"top_p": 0.0}, {"max_tokens": 0}, {"stop": [""]}]
)
def test_values_nothing_can_be_drawn_with(changed: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        as_sampling(vllm_params(**changed))


def test_the_models_own_way_of_being_asked_is_used() -> None:
    text = (EXAMPLES / "office-lease.md").read_text()[:700]
    with Bonito() as bonito:
        rows = bonito.generate_tasks(
            Dataset.from_dict({"text": [text]}), "text", "exqa", Sampling(n=2, temperature=0.0)
        ).to_list()
    assert rows
    assert all(row["output"] in text and "?" in row["input"] for row in rows)
