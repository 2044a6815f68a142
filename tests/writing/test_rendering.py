"""Chat templates are rendered where a hostile one hurts nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from chat_templates import CHATML, PUBLISHED

from bonito_local.errors import ModelError
from bonito_local.writing import rendering
from bonito_local.writing.chat import frame, turn_ends
from bonito_local.writing.rendering import render

MESSAGES = [{"role": "user", "content": "Why?"}]
LOOPS = "{% for a in range(99999) %}" * 4 + "{% endfor %}" * 4
HANGING = (LOOPS, "{{ 9 ** (9 ** 9) }}", "{{ lipsum(n=999999999) }}")
HOSTILE = {
    "memory": ("{{ 'x' * 10 ** 9 }}", "memory"),
    "exponential strings": (
        "{% set ns = namespace(s='xxxxxxxx') %}{% for a in range(99) %}"
        "{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}",
        "memory|more than",
    ),
    "much text": ("{% for a in range(9999) %}{{ 'x' * 999 }}{% endfor %}", "writes more than"),
    "recursion": ("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", "nested too deeply"),
    "deep template": ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "nested too deeply"),
    "deep blocks": ("{% if 1 %}" * 3000 + "{% endif %}" * 3000, "nested too deeply"),
    "deep list": ("{{ " + "[" * 900 + "]" * 900 + " }}", "nested too deeply"),
    "long": ("x" * ((1 << 20) + 1), "longer than"),
    "long reason": ("{{ raise_exception('x' * 99999) }}", r"x{200}\.\.\. Use"),
    "reason of lines": ("{{ raise_exception('\\n \\nno\\nyes') }}", "used: no. Use"),
    "no reason": ("{{ raise_exception('') }}", "TemplateError"),
    "no text as reason": ("{{ raise_exception(messages) }}", "role"),
    "surrogate": ("\ud800{{ nothing.at.all }}", "undefined"),
    "internals": ("{{ ().__class__.__base__.__subclasses__() }}", "unsafe"),
    "a file": ("{% include '/etc/passwd' %}", "no loader"),
    "format": ("{{ '%99999999999d' % 1 }}", "memory"),
}


@pytest.fixture(autouse=True)
def renderer(monkeypatch: pytest.MonkeyPatch) -> Iterator[rendering._Renderer]:
    """A renderer of the test's own, which remembers no template of another test."""
    made = rendering._Renderer()
    monkeypatch.setattr(rendering, "_renderer", made)
    yield made
    if made._child:
        made._child.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the bound of memory")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_is_refused_in_one_line(name: str) -> None:
    template, why = HOSTILE[name]
    begun = time.monotonic()
    with pytest.raises(ModelError, match=why) as error:
        render(template, MESSAGES, {})
    assert time.monotonic() - begun < 8
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400
    assert "Why?" in render(CHATML, MESSAGES, {})


def test_a_template_that_hangs_is_ended_and_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rendering, "_SECONDS", 0.5)
    for hanging in HANGING:
        with pytest.raises(ModelError, match=r"more than 0\.5 s"):
            frame(CHATML + hanging, "Be brief.", (("Ask.", "Said."),))
    begun = time.monotonic()
    for hanging in HANGING * 100:
        assert turn_ends({"tokenizer.chat_template": CHATML + hanging}) == ()
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize(
    "template",
    [
        "reasoning_effort " * 60_000 + CHATML,
        CHATML + "{{ '<|im_start|>assistant\n' * 20_000 }}",
        "{% for m in messages %}{{ m.content }}{{ '<think>' * 60_000 }}{% endfor %}",
        "{% for m in messages %}{{ m.content }}{{ '[' * 400_000 }}{% endfor %}",
    ],
)
def test_long_text_does_not_take_long_to_look_through(template: str) -> None:
    begun = time.monotonic()
    with suppress(ModelError):
        frame(template)
    assert time.monotonic() - begun < 5


def test_one_child_renders_everything_within_a_millisecond_each(
    renderer: rendering._Renderer,
) -> None:
    render(PUBLISHED["qwen3"], MESSAGES, {})
    child = renderer._child
    assert child is not None
    process = child._process
    begun = time.process_time()
    for _ in range(300):
        render(PUBLISHED["qwen3"], MESSAGES, {})
    assert (time.process_time() - begun) / 300 < 1e-3
    assert child._process is process


def test_the_thread_that_started_the_child_may_end() -> None:
    texts: list[str] = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: texts.append(render(CHATML, MESSAGES, {})))
        thread.start()
        thread.join()
    assert texts[0] == texts[1] == render(CHATML, MESSAGES, {})


def test_an_interrupted_answer_is_not_taken_for_the_next_one(
    renderer: rendering._Renderer,
) -> None:
    render(CHATML, MESSAGES, {})
    child = renderer._child
    assert child is not None

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "_answer", interrupt)
        with pytest.raises(KeyboardInterrupt):
            render("first", MESSAGES, {})
    assert render("second", MESSAGES, {}) == "second"


def test_a_process_that_does_not_start_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", full)
    with pytest.raises(ModelError, match="does not run: Resource temporarily"):
        render(CHATML, MESSAGES, {})


@pytest.mark.parametrize("arguments", ["", "local_sockets=True"])
def test_the_air_gap_lets_templates_be_rendered_and_no_child_is_left(arguments: str) -> None:
    script = (
        "from bonito_local import airgap\n"
        f"airgap.enter({arguments})\n"
        "from bonito_local.writing import rendering\n"
        "print(rendering.render('{{ messages[0].content }} {{ strftime_now(\"%z\") }}',\n"
        "    [{'content': 'Why?'}], {}))\n"
        "print(rendering._renderer._child._process.pid)\n"
    )
    # Hours as no machine of tests has them: the time zone is the user's.
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TZ": "Asia/Kathmandu"},
    )
    text, pid = done.stdout.splitlines()
    assert (text, done.stderr) == ("Why? +0545", "")
    if sys.platform == "linux":
        assert not Path(f"/proc/{pid}").exists()
