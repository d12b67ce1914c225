"""From stacks on disk to their records: from the cache, or by running the program, several at once."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slipway.cli.app import SETTINGS_EXIT, CommandError
from slipway.offline.cache import RecordCache, content_key
from slipway.offline.model import Record
from slipway.offline.parallel import map_in_processes
from slipway.offline.pause import garbage_collection_paused
from slipway.offline.reads import fingerprints, reads_logged

CACHE_FOLDER = Path(".slipway", "cache")
PROJECT_FILE = "Pulumi.yaml"
PROJECT = "slipway"
"""The project's name in Pulumi.yaml, which the keys of every stack file carry."""

_PROGRAM_PACKAGES = ("stacks", "components", "facts")


@dataclass(frozen=True)
class Job:
    """One stack to record: the project's folder, the stack's name and its file; both paths absolute."""

    project: Path
    stack: str
    stack_file: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a job: a record, or what is wrong with the settings, or how the program failed."""

    stack: str
    record: Record | None = None
    settings_error: str = ""
    failure: str = ""
    details: str = ""


def find_jobs(project: Path, stacks: Sequence[str], stack_file: Path | None) -> list[Job]:
    """The stacks to show.

    Args:
        project: the folder with Pulumi.yaml.
        stacks: names; none means every stack that has a file in the folder.
        stack_file: the file of the only stack, where it is not `Pulumi.<stack>.yaml` of the folder.

    Raises:
        CommandError: when there is no project or no such stack.
    """
    project = project.resolve()
    if not (project / PROJECT_FILE).is_file():
        raise CommandError(
            f"{project} has no {PROJECT_FILE}. Run this in the project, or name it with -C.", SETTINGS_EXIT
        )
    if stack_file is not None:
        if len(stacks) > 1:
            raise CommandError("--config-file belongs to one stack. Name one.", SETTINGS_EXIT)
        name = stacks[0] if stacks else _stack_of(stack_file)
        return [Job(project, name, stack_file.resolve())]
    files = {_stack_of(path): path for path in sorted(project.glob("Pulumi.*.yaml"))}
    missing = [name for name in stacks if name not in files]
    if missing or not files:
        wanted = f"There is no stack {missing[0]}" if missing else "There is no stack file"
        known = f"The stacks are: {', '.join(files)}." if files else "`slipway init` writes the first one."
        raise CommandError(f"{wanted} in {project}. {known}", SETTINGS_EXIT)
    return [Job(project, name, files[name]) for name in (dict.fromkeys(stacks) or files)]


def obtain(jobs: Sequence[Job], *, use_cache: bool = True) -> list[Outcome]:
    """The outcome of each job in order; what the cache lacks is run, several stacks at a time.

    Args:
        jobs: the stacks.
        use_cache: whether unchanged stacks may come from the cache. New records are kept in any case.
    """
    found: dict[Job, Outcome] = {}
    for job in jobs if use_cache else ():
        record = _cache(job).load(_key(job))
        if record is not None:
            found[job] = Outcome(job.stack, record)
    missing = [job for job in jobs if job not in found]
    found.update(zip(missing, map_in_processes(run_job, missing), strict=True))
    return [found[job] for job in jobs]


def run_job(job: Job) -> Outcome:
    """Run the program for one stack; failures become part of the outcome."""
    key = _key(job)
    import_from(job.project)
    with garbage_collection_paused(freeze=True), contextlib.chdir(job.project), reads_logged() as reads:
        try:
            record = _record(job)
        except Exception as error:
            return _failed(job, error)
    _cache(job).store(key, record, fingerprints(reads))
    return Outcome(job.stack, record)


def _record(job: Job) -> Record:
    from stacks.load import load_stack_file

    # Wrong settings are refused before the SDKs of the providers are even imported.
    stack_file, _ = load_stack_file(job.stack_file)

    from slipway.offline.record import record
    from stacks.program import run

    return record(
        run, project=PROJECT, stack=job.stack, config=stack_file.config, secret_keys=stack_file.secret_keys
    )


def _failed(job: Job, error: Exception) -> Outcome:
    from stacks.config.problems import SettingsError

    if isinstance(error, SettingsError):
        return Outcome(job.stack, settings_error=error.text())
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_ours(job, frame.filename)]
    place = f" ({Path(frames[-1].filename).relative_to(job.project)}:{frames[-1].lineno})" if frames else ""
    sentence = " ".join(str(error).split()) or "no message"
    return Outcome(
        job.stack,
        failure=f"{job.stack}: the program stopped: {type(error).__name__}: {sentence}{place}",
        details="".join(traceback.format_exception(error)),
    )


def _is_ours(job: Job, filename: str) -> bool:
    path = Path(filename)
    return path.is_relative_to(job.project) and not path.is_relative_to(job.project / ".venv")


def _cache(job: Job) -> RecordCache:
    return RecordCache(job.project / CACHE_FOLDER)


def _key(job: Job) -> str:
    return content_key(stack=job.stack, stack_file=job.stack_file, sources=_sources(job.project))


def _sources(project: Path) -> list[Path]:
    """The program's packages as they would be imported, the recorder, and what the engine would start."""
    found = [project / PROJECT_FILE, project / "__main__.py", Path(__file__).parents[1] / "offline"]
    for package in _PROGRAM_PACKAGES:
        beside = project / package
        spec = None if beside.is_dir() else importlib.util.find_spec(package)
        locations = spec.submodule_search_locations if spec else None
        found += [Path(location) for location in locations] if locations else [beside]
    return found


def import_from(project: Path) -> None:
    """The project's own program goes before an installed one, so that -C shows another working copy."""
    if (project / _PROGRAM_PACKAGES[0]).is_dir() and str(project) not in sys.path:
        sys.path.insert(0, str(project))


def _stack_of(path: Path) -> str:
    return path.name.removeprefix("Pulumi.").removesuffix(".yaml")
