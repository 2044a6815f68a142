from pathlib import Path

import pytest
from promptsource_checkout import SQUAD, checkout, write_prompts

from bonito_local.errors import TemplatesError, UsageError
from bonito_local.templating.promptsource import Prompt, read_prompts, templates_folder


def test_templates_are_read_by_name(tmp_path: Path) -> None:
    folder = templates_folder(checkout(tmp_path))
    assert folder == tmp_path / "promptsource" / "templates"
    assert [prompt.name for prompt in read_prompts(folder, "squad", None)] == sorted(SQUAD)
    text = 'If "{{premise}}", is "{{hypothesis}}" so? ||| {{ answer_choices[label] }}'
    assert read_prompts(folder, "super_glue", "rte") == [Prompt("must be true", text, "Yes ||| No")]


def test_the_folder_itself_will_do_and_another_will_not(tmp_path: Path) -> None:
    folder = templates_folder(checkout(tmp_path))
    assert templates_folder(folder) == folder
    for other in (folder / "squad", tmp_path / "none"):
        with pytest.raises(UsageError, match="no checkout of promptsource"):
            templates_folder(other)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("templates:\n  a: !Template\n   name: [", "line 3 is not YAML"),
        ("templates:\n  a: !!python/object/apply:os.system ['touch hacked']", "line 2 is not YAML"),
        ("templates:\n  a: !Other {name: x}", "line 2 is not YAML"),
        ("templates:\n  a: !Template [x]", "is not YAML"),
        ("templates: " + "[" * 1200, "is not YAML"),
        ("templates: [a]", "holds no templates"),
        ("", "holds no templates"),
        ("\x00", "is not YAML"),
    ],
)
def test_what_is_no_file_of_templates_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = write_prompts(tmp_path, "squad", SQUAD)
    path.write_text(text)
    with pytest.raises(TemplatesError, match=said):
        read_prompts(path.parents[1], "squad", None)
    with pytest.raises(TemplatesError, match="no templates in"):
        read_prompts(path.parents[1], "race", "all")


def test_what_is_no_template_is_passed_over(tmp_path: Path) -> None:
    path = write_prompts(tmp_path, "squad", SQUAD)
    path.write_text("templates: {a: 1, b: !Template {name: 2, jinja: x}, c: {name: c, jinja: d}}")
    assert read_prompts(path.parents[1], "squad", None) == [Prompt("c", "d", None)]
