from pathlib import Path

import pytest

from bonito_local.backends.base import EngineOptions, Plan, Sampling
from bonito_local.backends.cluster.options import ClusterOptions
from bonito_local.checks.thresholds import Thresholds
from bonito_local.errors import OutputError, UsageError
from bonito_local.exports.splits import Split
from bonito_local.jobs.chosen import Choice
from bonito_local.jobs.engine import choose, find_model
from bonito_local.jobs.exportspec import Export
from bonito_local.jobs.generation import Generation, as_json, from_json
from bonito_local.jobs.jobfile import read_job
from bonito_local.jobs.newjob import write_job
from bonito_local.tasks import task_type

WHOLE = """
documents = ["a", "/b/c.txt"]
output = "out"
tasks = ["exqa", "topic classification", "exqa"]
model = "m.gguf"
backend = "fake"
guided = true
labels = ["law", "health"]
reproducible = true
tune = false
priority = 3
[splitting]
column = "body"
limit = 9
passage_tokens = 64
target_tokens = 48
overlap_tokens = 8
keep_repeats = true
[sampling]
n = 2
temperature = 1
top_p = 0.5
max_tokens = 32
seed = 7
stop = ["\\n\\n"]
[checks]
answer_words = 12
repetition = 1
skip = ["asks nothing"]
[engine]
endpoint = "http://127.0.0.1:1"
remote = true
adapter = "lora"
quantization = "fp8"
dtype = "float16"
tensor_parallel = 2
memory_fraction = 0.5
[cluster]
kind = "ray"
address = "10.0.0.1:6379"
actors = 8
[exports]
formats = ["openai", "csv", "openai"]
split = "80/20"
outcomes = ["accepted"]
decision = "none"
strip_source = true
"""


def job(folder: Path, text: str) -> Path:
    path = folder / "job.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key_becomes_what_it_says(tmp_path: Path) -> None:
    assert read_job(job(tmp_path, WHOLE)) == Generation(
        paths=(Path("a"), Path("/b/c.txt")),
        tasks=(task_type("exqa"), task_type("topic_class")),
        output=tmp_path / "out",
        model="m.gguf",
        backend="fake",
        sampling=Sampling(2, 1, 0.5, 32, 7, ("\n\n",)),
        column="body",
        limit=9,
        guided=True,
        labels=("law", "health"),
        tune=False,
        reproducible=True,
        cluster=ClusterOptions("ray", "10.0.0.1:6379", 8),
        engine=EngineOptions("http://127.0.0.1:1", True, "lora", "fp8", "float16", 2, 0.5),
        passage_tokens=64,
        target_tokens=48,
        overlap_tokens=8,
        keep_repeats=True,
        priority=3,
        checks=Thresholds(answer_words=12, repetition=1, skip=("asks nothing",)),
        folder=tmp_path,
        exports=tuple(
            Export(name, Split((80, 20)), Choice((), ("accepted",), "none"), True)
            for name in ("openai", "csv")
        ),
    )


def test_what_is_left_out_is_what_generate_takes(tmp_path: Path) -> None:
    least = 'documents = ["a"]\noutput = "out"\ntasks = ["qa"]\n'
    assert read_job(job(tmp_path, least)) == Generation(
        (Path("a"),),
        (task_type("qa"),),
        tmp_path / "out",
        "bonito-small",
        tune=True,
        folder=tmp_path,
    )


def test_a_written_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    odd = 'a "quoted" \\ name\x7f é'
    write_job(path, [odd], ["exqa"], "out", "bonito-small", "llamacpp")
    wanted = read_job(path)
    assert wanted.paths == (Path(odd),)
    assert wanted.sampling == Sampling()
    assert path.stat().st_mode & 0o777 == 0o600
    commented = [line[2:] for line in path.read_text().splitlines() if line.startswith("# ")]
    keys = [line for line in commented if " = " in line]
    text = path.read_text()
    for line in keys:  # What is commented out can be switched on.
        text = text.replace(f"# {line}", line)
    text = text.replace('["exqa"]', '["topic_class"]')
    path.write_text(text)
    assert read_job(path).labels == ("a", "b")
    with pytest.raises(OutputError, match="exists"):
        write_job(path, ["x"], ["exqa"], "out", "bonito-small", "llamacpp")


@pytest.mark.parametrize(
    ("change", "title", "remedy"),
    [
        ("", "documents is missing", "documents ="),
        ("tasks = []", "tasks is missing", "tasks ="),
        ("taks = ['qa']", "The key taks is not known", "Did you mean 'tasks'"),
        ("tasks = 'qa'", 'tasks is "qa", which is not a list of texts', '["exqa", "ynqa"]'),
        ("tasks = ['qaa']", "Unknown task type 'qaa'", "Did you mean"),
        ("tasks = [1]", "tasks is [1]", "tasks ="),
        ("guided = 1", "guided is 1, which is not true or false", "guided = false"),
        ("priority = true", "priority is true, which is not a whole number", "priority = 0"),
        ("[sampling]\nn = 1.5", "sampling.n is 1.5", "n = 1"),
        ("[sampling]\nn = 0", "n is 0", "1 or more"),
        ("[sampling]\ntop_p = 3", "top_p is 3", "at most 1"),
        ("[sampling]\nheat = 1", "The key sampling.heat is not known", "Known:"),
        ("[splitting]\nlimit = 0", "splitting.limit is 0", "leave it out"),
        ("sampling = 3", "sampling is not a table", "[sampling]"),
        ("labels = ['a', 'b']", "Labels are for topic classification", "topic_class"),
        ("[checks]\nanswer_word = 9", "checks.answer_word is not known", "'answer_words'"),
        ("[checks]\nanswer_words = 0", "checks.answer_words is 0", "1 or more"),
        ("[checks]\nskip = ['asks nothin']", "No row is rejected for 'asks nothin'", "'asks noth"),
        ("[exports]\nformats = ['openia']", "Unknown format 'openia'", "Did you mean 'openai'"),
        ("[exports]\nsplit = '90'", "The split '90'", "90/5/5"),
        ("[exports]\ndecision = 'yes'", "Unknown decision 'yes'", "accepted"),
        ("model = 2024-01-01", "model is", 'model = "bonito-small"'),
        ("model = ", "is not TOML", "quotes"),
    ],
)
def test_a_mistake_is_one_error_that_names_the_key(
    tmp_path: Path, change: str, title: str, remedy: str
) -> None:
    least = 'documents = ["a"]\noutput = "out"\n' + ('tasks = ["qa"]\n' * ("tasks =" not in change))
    path = job(tmp_path, least + change if change else 'output = "out"\ntasks = ["qa"]')
    with pytest.raises(UsageError) as caught:
        read_job(path)
    assert str(path) in caught.value.title
    assert title in caught.value.title
    assert remedy in caught.value.remedy


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_job(tmp_path / "none.toml")


def test_a_request_goes_through_json(tmp_path: Path) -> None:
    wanted = read_job(job(tmp_path, WHOLE))
    assert from_json(as_json(wanted), wanted.output) == wanted
    odd = Generation((Path("na\udcffme"),), (task_type("qa"),), tmp_path, "m", folder=tmp_path)
    assert from_json(as_json(odd), tmp_path) == odd


BIG = "9" * 30
HOSTILE = {
    "n": f"[sampling]\nn = {BIG}",
    "n of a thousand million": "[sampling]\nn = 1000000000",
    "max_tokens": f"[sampling]\nmax_tokens = {BIG}",
    "seed": f"[sampling]\nseed = {BIG}",
    "a temperature that engines hold for 0": "[sampling]\ntemperature = 1e-46",
    "a temperature that engines hold for infinite": "[sampling]\ntemperature = 1e39",
    "a temperature of 400 digits": f"[sampling]\ntemperature = 1{'0' * 400}",
    "top_p that engines hold for 0": "[sampling]\ntop_p = 1e-46",
    "temperature nan": "[sampling]\ntemperature = nan",
    "stop strings": f"[sampling]\nstop = {['x'] * 100_000}",
    "priority": f"priority = {BIG}",
    "priority of 5,000 digits": f"priority = {'9' * 5000}",
    "retries of 4,800 digits": f"[checks]\nretries = 0x{'f' * 4000}",
    "a list with a number of 6,000 digits": f"documents = [0b{'1' * 20_000}]",
    "a share of 400 digits": f"[checks]\nnear_duplicate = 1{'0' * 400}",
    "limit": f"[splitting]\nlimit = {BIG}",
    "passage_tokens": f"[splitting]\npassage_tokens = {BIG}",
    "target_tokens": f"[splitting]\ntarget_tokens = {BIG}",
    "overlap": f"[splitting]\noverlap_tokens = {BIG}",
    "overlap below 0": "[splitting]\noverlap_tokens = -5",
    "words": f"[checks]\nevaluation_words = {BIG}",
    "words of the other": f"[checks]\nanswer_words = {BIG}",
    "actors": f'[cluster]\nkind = "ray"\naddress = "10.0.0.1:1"\nactors = {BIG}',
    "deep arrays": f"tasks = {'[' * 100_000}",
    "deep tables": f"[a{'.a' * 50_000}]\nx = 1",
    "a deep key": f"a{'.a' * 300_000} = 1",
    "a deep key in quotes": f"""'a'{" . 'a'" * 300_000} = 1""",
    "a deep key in a table": f"x = {{a{'.a' * 300_000} = 1}}",
    "deep inline": f"x = {'{a=' * 20_000}",
}


@pytest.mark.timeout(60)  # the time to read a deep key grows with the square of its length
@pytest.mark.parametrize("what", HOSTILE)
def test_a_job_file_that_nothing_can_be_made_of_is_one_error(what: str, tmp_path: Path) -> None:
    head = {"documents": '["d"]', "output": '"o"', "tasks": '["exqa"]', "backend": '"fake"'}
    extra = HOSTILE[what]
    head.pop(extra.split(" =")[0], None)
    text = "\n".join(f"{key} = {value}" for key, value in head.items())
    (tmp_path / "job.toml").write_text(f"{text}\n{extra}\n")
    with pytest.raises(UsageError) as raised:
        read_job(tmp_path / "job.toml")
    assert len(str(raised.value).replace(str(tmp_path), "")) < 300


@pytest.mark.parametrize("key", ["documents", "output", "other_jobs", "evaluation"])
@pytest.mark.parametrize("path", ["~nosuchuser/x", "a\\u0000b"])
def test_a_path_that_cannot_be_is_one_error(key: str, path: str, tmp_path: Path) -> None:
    values = {"documents": '["d"]', "output": '"o"', "tasks": '["exqa"]'}
    listed = f'"{path}"' if key == "output" else f'["{path}"]'
    table = "" if key in values else "[checks]\n"
    values.pop(key, None)
    text = "\n".join(f"{name} = {value}" for name, value in values.items())
    placed = f"{text}\n{table}{key} = {listed}\n" if table else f"{key} = {listed}\n{text}\n"
    (tmp_path / "job.toml").write_text(placed)
    with pytest.raises(UsageError):
        read_job(tmp_path / "job.toml")


def test_a_job_file_that_is_no_file_is_one_error(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/zero"), tmp_path / "a\0b.toml"):
        with pytest.raises(UsageError):
            read_job(path)
    (tmp_path / "large.toml").write_bytes(b"#" * 17_000_000)
    with pytest.raises(UsageError, match="too large"):
        read_job(tmp_path / "large.toml")


def test_text_with_dots_is_no_deep_key(tmp_path: Path) -> None:
    stop = "a." * 80
    path = job(
        tmp_path,
        f"""
documents = ["a"]
output = "{"ab.cd. " * 500}"
tasks = ["qa"]
[sampling]
stop = ["{stop}"]
""",
    )
    wanted = read_job(path)
    assert wanted.output.name == "ab.cd. " * 500
    assert wanted.sampling.stop == (stop,)


@pytest.mark.parametrize("adapter", ["~nosuchuser/x", "a\0b"])
def test_an_adapter_that_no_path_leads_to_is_one_error(adapter: str) -> None:
    with pytest.raises(UsageError):
        find_model("m", "fake", EngineOptions(adapter=adapter))


def test_a_model_in_the_home_of_nobody_is_one_error() -> None:
    with pytest.raises(UsageError, match="no user's home"):
        choose("~nosuchuser/m", Plan())
