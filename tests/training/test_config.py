from pathlib import Path

import pytest

from bonito_local.errors import UsageError
from bonito_local.training.config import Kind, TrainConfig, read_config

LEAST = 'base = "b"\ndata = "d.jsonl"\noutput = "o"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "train.toml"
    path.write_text(text)
    return path


def test_what_is_not_said_is_the_papers(tmp_path: Path) -> None:
    config = read_config("bonito", written(tmp_path, LEAST))
    assert config == TrainConfig("bonito", tmp_path / "b", tmp_path / "d.jsonl", tmp_path / "o")
    assert (config.rank, config.alpha, config.learning_rate) == (64, 4, 1e-4)
    assert (config.batch, config.max_grad_norm) == (16, 0.3)
    assert (config.input_tokens, config.output_tokens) == (2048, 2048)


@pytest.mark.parametrize(
    ("kind", "rows", "steps"),
    [
        ("bonito", 1000, 100_000),
        ("bonito", 1_650_000, 100_000),
        ("adapt", 100, 7),
        ("adapt", 159_999, 10_000),
        ("adapt", 1_000_000, 10_000),
        ("tapt", 1000, 63),
    ],
)
def test_steps_are_the_papers(tmp_path: Path, kind: Kind, rows: int, steps: int) -> None:
    assert read_config(kind, written(tmp_path, LEAST)).steps_for(rows) == steps


def test_steps_may_be_told(tmp_path: Path) -> None:
    assert read_config("adapt", written(tmp_path, LEAST + "steps = 7")).steps_for(1000) == 7


@pytest.mark.parametrize(
    ("more", "title", "remedy"),
    [
        ("learning_rat = 1", "The key learning_rat is not known.", "Did you mean 'learning_rate'?"),
        ('rank = "8"', "rank is '8'.", "Use a whole number of 1 or more."),
        ("rank = 0", "rank is 0.", "Use a whole number of 1 or more."),
        ("rank = true", "rank is True.", "Use a whole number of 1 or more."),
        ("learning_rate = 0", "learning_rate is 0.", "Use a number above 0."),
        ("learning_rate = nan", "learning_rate is nan.", "Use a number above 0."),
        ("micro_tokens = 1", "micro_tokens is 1.", "Use a whole number of 8 or more."),
        ('weights = "int8"', "weights is 'int8'.", 'Use "auto", "nf4", "bf16", "base".'),
        ("shard = 1", "shard is 1.", "Use true or false."),
        ("share_prompts = 1", "share_prompts is 1.", "Use true or false."),
        ('adapter = ""', "adapter is ''.", "Use a text."),
        ("[machine]\ngpuss = 4", "The key machine.gpuss is not known.", "Did you mean 'gpus'?"),
        ("[machine]\nprice = -1", "machine.price is -1.", "Use a number of 0 or more."),
        ('kind = "adapt"', "The key kind is not known.", "Known:"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, more: str, title: str, remedy: str) -> None:
    path = written(tmp_path, LEAST + more)
    with pytest.raises(UsageError) as caught:
        read_config("bonito", path)
    assert caught.value.title == f"{path}: {title}"
    assert caught.value.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ('base = "b"\noutput = "o"', "data is missing"),
        ("base = ", "is not TOML"),
        (LEAST + "machine = 3", "machine is not a table"),
    ],
)
def test_what_is_missing_or_broken(tmp_path: Path, text: str, title: str) -> None:
    with pytest.raises(UsageError, match=title):
        read_config("adapt", written(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_config("adapt", tmp_path / "none.toml")


def test_rank_and_alpha_are_those_of_the_adapter_to_go_on_from(tmp_path: Path) -> None:
    text = LEAST + 'adapter = "a"\n'
    assert read_config("adapt", written(tmp_path, text)).rank == 64  # it is not there yet
    (tmp_path / "a").mkdir()
    (tmp_path / "a/adapter_config.json").write_text('{"r": 8, "lora_alpha": 16.0}')
    for more in ("", "rank = 8\nalpha = 16"):
        config = read_config("adapt", written(tmp_path, text + more))
        assert (config.adapter, config.rank, config.alpha) == (tmp_path / "a", 8, 16)
    with pytest.raises(UsageError, match=r"rank is 16, but that of the adapter .*a is 8\."):
        read_config("adapt", written(tmp_path, text + "rank = 16"))
    (tmp_path / "a/adapter_config.json").write_text("cut sh")
    assert read_config("adapt", written(tmp_path, text)).rank == 64  # the run says it
