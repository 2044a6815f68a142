import subprocess
import sys
from pathlib import Path

import pytest
from scripted import passages

from bonito_local.errors import JobError, OutputError
from bonito_local.jobs.folder import is_running, open_job
from bonito_local.jobs.state import job_state


def test_a_new_output_is_for_the_user_alone(tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    with open_job(out):
        assert out.stat().st_mode & 0o777 == 0o700
        assert {p.stat().st_mode & 0o777 for p in (out / ".job").iterdir()} == {0o600}


def test_a_job_is_gone_on_with(tmp_path: Path) -> None:
    with open_job(tmp_path) as store, store.transaction():
        store.add_passage(passages(1)[0], ["qa"], 1)
    with open_job(tmp_path) as store:
        assert store.ledger().planned == 1


def test_an_output_that_was_claimed_and_no_more_is_used(tmp_path: Path) -> None:
    (tmp_path / ".job").mkdir()
    (tmp_path / ".job" / "lock").touch()
    with open_job(tmp_path) as store:
        assert store.ledger().planned == 0


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match="was not made by bonito-local"), open_job(tmp_path):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("precious")
    with pytest.raises(OutputError, match="is a file"), open_job(file):
        pass
    with pytest.raises(OutputError, match="cannot be written to"), open_job(file / "below"):
        pass
    assert file.read_text() == "precious"


def test_one_process_at_a_time_and_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from bonito_local.jobs.folder import open_job\n"
        "with open_job(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(JobError, match="Another process is running"):
            open_job(tmp_path / "out").__enter__()
        holder.kill()
    with open_job(tmp_path / "out") as store:
        assert store.ledger().planned == 0


def test_two_in_one_process_are_refused_too(tmp_path: Path) -> None:
    with open_job(tmp_path), pytest.raises(JobError, match="Another process is running"):
        open_job(tmp_path).__enter__()


@pytest.mark.skipif(sys.platform == "win32", reason="modes and links of POSIX")
@pytest.mark.parametrize("name", ["store.sqlite", "store.sqlite-wal", "lock", "log"])
def test_a_job_that_somebody_else_prepared_is_refused(name: str, tmp_path: Path) -> None:
    """Whoever may write to its store reads what comes into it; a link has it written elsewhere."""
    out = tmp_path / "out"
    with open_job(out):
        pass
    path = out / ".job" / name
    path.unlink(missing_ok=True)
    (tmp_path / "elsewhere").touch()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JobError, match=r"not yours alone.*a link"), open_job(out):
        pass
    path.unlink()
    path.touch()
    path.chmod(0o666)
    with pytest.raises(JobError, match=r"not yours alone.*other users may write"), open_job(out):
        pass
    with pytest.raises(JobError, match="not yours alone"):
        is_running(out)
    assert (tmp_path / "elsewhere").read_bytes() == b""


@pytest.mark.skipif(sys.platform == "win32", reason="modes and links of POSIX")
def test_what_a_link_in_place_of_a_store_leads_to_is_not_opened(tmp_path: Path) -> None:
    """To look at a job is to bring its store to the newest schema: not somebody else's file."""
    out, other = tmp_path / "out", tmp_path / "other.sqlite"
    with open_job(out):
        pass
    store = out / ".job" / "store.sqlite"
    store.rename(other)
    store.symlink_to(other)
    before = other.read_bytes()
    with pytest.raises(JobError, match="not yours alone"):
        job_state(out)
    assert other.read_bytes() == before
