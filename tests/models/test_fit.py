import pytest

from bonito_local.backends.fake import Fake
from bonito_local.errors import UsageError
from bonito_local.models.fit import passage_tokens, untrained_tasks
from bonito_local.tasks import task_type

# The fake engine counts words: the longest prompt head has 7, and 8 are kept free.
TAKEN = 15


def engine(context: int, **metadata: str) -> Fake:
    fake = Fake(context_length=context)
    fake.metadata = {f"bonito.{key}": value for key, value in metadata.items()}
    return fake


@pytest.mark.parametrize(
    ("context", "max_tokens", "metadata", "tokens"),
    [
        (8192, 256, {}, 1024),
        (1000, 100, {}, 500),
        (1000, 800, {}, 1000 - 800 - TAKEN),
        (1000, 100, {"passage_tokens": "180"}, 180),
        (300, 100, {"passage_tokens": "250"}, 300 - 100 - TAKEN),
        (1000, 100, {"passage_tokens": "many"}, 500),
        (1000, 100, {"passage_tokens": "0"}, 500),
        (1000, 100, {"passage_tokens": "9" * 5000}, 500),
    ],
)
def test_a_passage_fits(
    context: int, max_tokens: int, metadata: dict[str, str], tokens: int
) -> None:
    assert passage_tokens(engine(context, **metadata), max_tokens) == tokens


def test_no_room_says_what_would_fit() -> None:
    with pytest.raises(UsageError) as caught:
        passage_tokens(engine(256), 256)
    assert caught.value.remedy == "Ask for 120 or less."
    assert passage_tokens(engine(256), 120) == 256 - 120 - TAKEN


@pytest.mark.parametrize("named", ["exqa,ynqa", "[exqa, ynqa]", '["exqa", "ynqa"]'])
def test_tasks_the_model_was_not_trained_on(named: str) -> None:
    tasks = [task_type(name) for name in ("exqa", "qa", "ynqa", "paraphrase")]
    missing = untrained_tasks(engine(100, task_types=named), tasks)
    assert [task.short for task in missing] == ["qa", "paraphrase"]
    assert untrained_tasks(engine(100), tasks) == []
