import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.testing

from slipway.cli import main as main_module
from slipway.cli import stacks as stacks_module
from slipway.cli.app import CommandError, app
from slipway.cli.main import main
from slipway.cli.stacks import Job, find_jobs, obtain, run_job
from slipway.offline.model import Record
from stacks.config.problems import Problem, SettingsError

SMALL = Record("slipway", "dev", (), {"answer": "forty-two"})
SETTINGS_ERROR = SettingsError(
    [Problem("slipway:servces", None, "Unknown key.", "", "Did you mean `slipway:services`?")]
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two stacks."""
    (tmp_path / "Pulumi.yaml").write_text("name: slipway\nruntime: python\n", encoding="utf-8")
    for stack in ("dev", "prod"):
        (tmp_path / f"Pulumi.{stack}.yaml").write_text(f"config: {{stack: {stack}}}\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the stacks whose program was run; the program itself is replaced, and all stacks run in this process."""
    names: list[str] = []

    def fake(job: Job) -> Record:
        names.append(job.stack)
        job.stack_file.read_bytes()
        return Record("slipway", job.stack, (), {"answer": "forty-two"})

    monkeypatch.setattr(stacks_module, "_record", fake)
    monkeypatch.setattr(
        stacks_module, "map_in_processes", lambda function, jobs: [function(job) for job in jobs]
    )
    return names


def fails_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(job: Job) -> Record:
        if job.stack == "prod":
            return SMALL
        raise error

    monkeypatch.setattr(stacks_module, "_record", fail)


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit code of the whole command."""
    monkeypatch.setattr(sys, "argv", ["slipway", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_without_names_every_stack_of_the_folder_is_shown(
    project: Path, runs: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "preview", "-C", str(project)) == 0
    text = capsys.readouterr().out
    assert text.index("dev  0 resources") < text.index("prod  0 resources")
    assert runs == ["dev", "prod"]


def test_only_the_named_stacks_are_shown_once(
    project: Path, runs: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "preview", "prod", "prod", "-C", str(project)) == 0
    assert runs == ["prod"]
    assert "dev" not in capsys.readouterr().out


def test_an_unchanged_stack_is_not_run_again(project: Path, runs: list[str]) -> None:
    first = obtain(find_jobs(project, [], None))
    assert obtain(find_jobs(project, [], None)) == first
    assert runs == ["dev", "prod"]
    (project / "Pulumi.dev.yaml").write_text("config: {}\n", encoding="utf-8")
    obtain(find_jobs(project, [], None))
    assert runs == ["dev", "prod", "dev"]
    obtain(find_jobs(project, [], None), use_cache=False)
    assert runs == ["dev", "prod", "dev", "dev", "prod"]


@pytest.mark.usefixtures("runs")
def test_settings_that_are_wrong_exit_with_2_and_the_other_stacks_are_shown(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fails_with(monkeypatch, SETTINGS_ERROR)
    assert call(monkeypatch, "preview", "-C", str(project)) == 2
    captured = capsys.readouterr()
    assert SETTINGS_ERROR.text().strip() in captured.err
    assert "Traceback" not in captured.err
    assert "0 resources" in captured.out


@pytest.mark.usefixtures("runs")
def test_a_program_that_fails_exits_with_1_and_one_sentence(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fails_with(monkeypatch, KeyError("no\nsuch port"))
    assert call(monkeypatch, "preview", "dev", "-C", str(project)) == 1
    assert capsys.readouterr().err == "dev: the program stopped: KeyError: 'no\\nsuch port'\n"


@pytest.mark.usefixtures("runs")
def test_debug_shows_where_a_program_failed(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fails_with(monkeypatch, KeyError())
    assert call(monkeypatch, "preview", "dev", "--debug", "-C", str(project)) == 1
    error = capsys.readouterr().err
    assert error.startswith("dev: the program stopped: KeyError: no message\nTraceback")


@pytest.mark.usefixtures("runs")
def test_a_failure_in_the_programs_own_files_is_named_with_file_and_line(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "helper.py").write_text(
        "\n\ndef fail(job):\n    raise ValueError('no port')\n", encoding="utf-8"
    )
    names: dict[str, Callable[[Job], Record]] = {}
    exec(compile((project / "helper.py").read_text(encoding="utf-8"), project / "helper.py", "exec"), names)  # noqa: S102
    monkeypatch.setattr(stacks_module, "_record", names["fail"])
    outcome = run_job(find_jobs(project, ["dev"], None)[0])
    assert outcome.failure == "dev: the program stopped: ValueError: no port (helper.py:4)"


@pytest.mark.usefixtures("runs")
def test_a_failed_run_is_not_kept(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(monkeypatch, KeyError())
    (outcome,) = obtain(find_jobs(project, ["dev"], None))
    assert outcome.record is None
    assert not (project / ".slipway").exists()


def test_a_stack_that_does_not_exist_exits_with_2_and_says_which_there_are(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "preview", "staging", "-C", str(project)) == 2
    assert capsys.readouterr().err == f"There is no stack staging in {project}. The stacks are: dev, prod.\n"


def test_a_file_for_two_stacks_is_refused(project: Path) -> None:
    with pytest.raises(CommandError, match="--config-file belongs to one stack"):
        find_jobs(project, ["dev", "prod"], project / "Pulumi.demo.yaml")


def test_a_folder_without_project_or_stacks_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        CommandError, match=r"has no Pulumi\.yaml\. Run this in the project, or name it with -C\."
    ):
        find_jobs(tmp_path, [], None)
    (tmp_path / "Pulumi.yaml").touch()
    with pytest.raises(
        CommandError, match=r"There is no stack file in .*`slipway init` writes the first one"
    ):
        find_jobs(tmp_path, [], None)


def test_a_stack_file_may_lie_elsewhere(project: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "settings" / "Pulumi.demo.yaml"
    assert [job.stack for job in find_jobs(project, [], elsewhere)] == ["demo"]
    (job,) = find_jobs(project, ["mine"], elsewhere)
    assert (job.stack, job.stack_file) == ("mine", elsewhere)


@pytest.mark.usefixtures("runs")
def test_json_goes_to_a_file_or_alone_to_the_terminal(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = project / "preview.json"
    assert call(monkeypatch, "preview", "dev", "--json", str(target), "-C", str(project)) == 0
    assert "0 resources" in capsys.readouterr().out
    assert call(monkeypatch, "preview", "dev", "--json", "-", "-C", str(project)) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(target.read_text(encoding="utf-8"))
    assert printed["stacks"][0]["outputs"] == {"answer": "forty-two"}


@pytest.mark.usefixtures("runs")
def test_out_holds_record_text_and_manifests_of_every_stack(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = project / "out"
    assert call(monkeypatch, "preview", "--resources", "--out", str(out), "-C", str(project)) == 0
    assert {path.relative_to(out).parts[0] for path in out.rglob("*")} == {"dev", "prod"}
    assert (
        Record.from_json(json.loads((out / "dev" / "record.json").read_text(encoding="utf-8"))).stack == "dev"
    )
    assert "forty-two" in (out / "dev" / "preview.txt").read_text(encoding="utf-8")
    (out / "dev" / "manifests" / "mine.yaml").touch()
    capsys.readouterr()
    assert call(monkeypatch, "preview", "--out", str(out), "-C", str(project)) == 1
    assert "holds mine.yaml, which slipway did not write" in capsys.readouterr().err


@pytest.mark.usefixtures("runs")
def test_render_writes_a_folder_and_refuses_a_foreign_one(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project / "rendered"
    assert call(monkeypatch, "render", "dev", str(folder), "-C", str(project)) == 0
    assert capsys.readouterr().out == f"0 objects in {folder}\n"
    (folder / "mine.yaml").touch()
    assert call(monkeypatch, "render", "dev", str(folder), "-C", str(project)) == 1
    assert "Name an empty folder" in capsys.readouterr().err


def test_an_error_of_the_command_itself_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise OSError("disk full")

    monkeypatch.setattr(main_module, "app", fail)
    assert call(monkeypatch, "preview") == 1
    assert capsys.readouterr().err == "slipway stopped: OSError: disk full (--debug shows where)\n"
    monkeypatch.setattr(sys, "argv", ["slipway", "--debug"])
    with pytest.raises(OSError, match="disk full"):
        main()


def test_a_reader_that_leaves_early_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write() -> None:
        raise BrokenPipeError

    redirected: list[int] = []
    monkeypatch.setattr(main_module, "app", write)
    monkeypatch.setattr(main_module.os, "dup2", lambda _source, target: redirected.append(target))
    monkeypatch.setattr(sys.stdout, "fileno", lambda: 1)
    assert call(monkeypatch, "preview") == 1
    assert redirected == [1]
    assert capsys.readouterr().err == ""


def test_the_package_can_be_run_as_a_module(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["slipway", "--help"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("slipway", run_name="__main__")
    assert caught.value.code == 0
    assert "preview" in capsys.readouterr().out


def test_the_program_of_the_project_goes_before_an_installed_one(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", ["installed"])
    stacks_module.import_from(project)
    assert sys.path == ["installed"]
    (project / "stacks").mkdir()
    stacks_module.import_from(project)
    stacks_module.import_from(project)
    assert sys.path == [str(project), "installed"]


def test_the_key_covers_the_program_wherever_it_is(project: Path) -> None:
    installed = stacks_module._sources(project)
    assert all(path.exists() for path in installed if path.name != "__main__.py")
    (project / "components").mkdir()
    assert project / "components" in stacks_module._sources(project)
    assert project / "components" not in installed


def test_help_lists_the_commands() -> None:
    text = typer.testing.CliRunner().invoke(app, ["--help"]).output
    assert "preview" in text
    assert "render" in text
