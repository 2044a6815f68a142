import pytest

from bonito_local.templating.source import with_slot
from bonito_local.training.ctga.paper import paper_datasets

SLOT = "{{ bonito_passage }}"


@pytest.mark.parametrize(
    ("text", "passage"),
    [
        ("a {{context}} b", "{{ context }}"),
        ("a {{  context }} b", "{{context}}"),
        ('a {{dialogue|join("\\n\\n")}} b', '{{dialogue | join("\\n\\n")}}'),
        (
            "a {% for support in supports %}\n\n- {{support}}\n{% endfor %} b",
            "{% for support in supports %}\n- {{ support }}\n{% endfor %}",
        ),
        (
            "a {{ fact1[0]|capitalize }}{{ fact1[1:]|trim|trim('.') }} b",
            "{{ fact1[0]|capitalize }}{{ fact1[1:]|trim|trim('.') }}",
        ),
    ],
)
def test_the_passage_is_found_however_it_is_spaced(text: str, passage: str) -> None:
    assert with_slot(text, passage) == f"a {SLOT} b"


def test_the_passage_is_found_wherever_it_is() -> None:
    assert with_slot("{{ text }} or {{text}}", "{{text}}") == f"{SLOT} or {SLOT}"


@pytest.mark.parametrize(
    "text", ["{{ contexts }}", "{{ context[:9] }}", "{{ context | lower }}", "{{ my.context }}", ""]
)
def test_another_expression_is_not_the_passage(text: str) -> None:
    assert with_slot(text, "{{ context }}") is None


def test_the_paper_has_39_datasets_and_16_task_types() -> None:
    datasets = paper_datasets()
    assert len(datasets) == len({one.label for one in datasets}) == 39
    tasks = {task for one in datasets for task in one.tasks.values()}
    assert len(tasks) == 16
    # The lines of the paper's own table, which names no template of multi_news.
    assert sum(len(one.tasks) for one in datasets) == 323
    assert [one.label for one in datasets if not one.tasks] == ["multi_news"]
