import json
import time
from collections.abc import Iterator

import pytest

from bonito_local.templating.reasons import COLUMN_MISSING, TEMPLATE_FAILED, TOO_MUCH
from bonito_local.templating.rendering import Asked, Made, Renderer
from bonito_local.templating.source import Source, Template

EXAMPLE = json.dumps({"text": "t"})


def source(*texts: str) -> Source:
    templates = tuple(Template(f"t{n}", "qa", text) for n, text in enumerate(texts))
    return Source("d", (), "{{ text }}", templates)


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer(seconds=0.3, most_seconds=6) as one:
        yield one


def answers(renderer: Renderer, *texts: str, times: int = 1) -> list[Made | str]:
    """What each template makes of the example."""
    renderer.open(source(*texts))
    asked = [Asked(n, 0, EXAMPLE) for n in range(len(texts))] * times
    return list(renderer.make(asked))


SOUND = Made("t", "say {{context}}", "yes", False)
GOOD = "say {{ bonito_passage }} ||| yes"


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ text.__class__ }}",
        "{{ range.__self__ }}",
        "{{ zip.__self__.eval('1') }}",
        "{{ self.__init__.__globals__ }}",
        "{{ ''.format.__globals__ }}",
        "{{ '{0.__class__.__mro__}'.format(text) }}",
        "{{ text | attr('__class__') }}",
        "{{ {}.__class__.__base__ }}",
        "{{ joiner.__init__.__globals__ }}",
    ],
)
def test_there_is_no_way_out_of_the_sandbox(renderer: Renderer, text: str) -> None:
    made = answers(renderer, f"{{{{ bonito_passage }}}} ||| x {text}", GOOD)
    # Jinja gives nothing for the attribute, or refuses to: either way no object is shown.
    assert made[0] in (TEMPLATE_FAILED, COLUMN_MISSING)
    assert made[1] == SOUND


@pytest.mark.parametrize("text", ["{% include '/etc/hostname' %}", "{% import 'os' as os %}"])
def test_files_are_not_read(renderer: Renderer, text: str) -> None:
    assert answers(renderer, f"{{{{ bonito_passage }}}} ||| x {text}")[0] == TEMPLATE_FAILED


@pytest.mark.parametrize(
    "text",
    [
        # Without end, within Python
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        # Text without end
        "{% for a in range(99999) %}{{ text * 9999 }}{% endfor %}",
        # Memory without end
        "{{ 'x' * 99999999999 }}",
        "{{ 'x'.ljust(99999999999) }}",
        "{% set n = namespace(a='x') %}{% for i in range(99) %}{% set n.a = n.a~n.a %}{% endfor %}",
        "{{ [text] * 99999999999 }}",
    ],
)
def test_a_template_without_end_is_ended(renderer: Renderer, text: str) -> None:
    made = answers(renderer, f"{{{{ bonito_passage }}}} ||| x {text}", GOOD)
    assert made == [TOO_MUCH, SOUND]


def test_a_template_that_takes_too_long_is_not_tried_for_ever(renderer: Renderer) -> None:
    text = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    begun = time.monotonic()
    made = answers(renderer, f"{{{{ bonito_passage }}}} ||| x {text}", GOOD, times=50)
    assert made == [TOO_MUCH, SOUND] * 50
    assert time.monotonic() - begun < 15  # 50 times 0.3 s would be more than that


def test_native_code_without_end_costs_its_process_and_one_row(renderer: Renderer) -> None:
    # One product of numbers, which no signal interrupts; not a constant, lest compiling does it.
    text = "{{ ((text | length + 9) ** 99999999 * 7) % 2 }}"
    made = answers(renderer, GOOD, f"{{{{ bonito_passage }}}} ||| x {text}", GOOD, times=3)
    assert made == [SOUND, TOO_MUCH, SOUND] * 3


def test_what_is_computed_at_compiling_is_bounded_too(renderer: Renderer) -> None:
    shared, checked = renderer.check(
        source(GOOD, "{{ 9 ** 999999999 % 2 }}", "{{ a }", "{{ bonito_passage }} {{ b.c }}")
    )
    assert shared.columns == {"text"}
    assert checked[0].columns == frozenset()
    assert checked[1].error == TOO_MUCH
    assert checked[2].error
    assert checked[3].columns == {"b"}
