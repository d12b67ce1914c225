import json
import os
import sys
import threading
from pathlib import Path

import pytest

from slipway.offline import cache as cache_module
from slipway.offline import reads as reads_module
from slipway.offline.cache import RecordCache, content_key
from slipway.offline.model import Record
from slipway.offline.parallel import available_cores, map_in_processes
from slipway.offline.reads import fingerprints, reads_logged, unchanged
from tests.unit.offline.jobs import whoami
from tests.unit.offline.toy import SECRET_VALUE, recorded

KEY = "0" * 64


@pytest.fixture(scope="module")
def toy() -> Record:
    return recorded()


def test_a_record_comes_back_as_it_was(tmp_path: Path, toy: Record) -> None:
    RecordCache(tmp_path / "cache").store(KEY, toy, {})
    assert RecordCache(tmp_path / "cache").load(KEY) == toy


def test_what_was_never_stored_is_not_found(tmp_path: Path) -> None:
    assert RecordCache(tmp_path).load(KEY) is None


def test_the_folder_is_private_ignored_and_without_secrets(tmp_path: Path, toy: Record) -> None:
    folder = tmp_path / ".slipway" / "cache"
    RecordCache(folder).store(KEY, toy, {})
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / ".gitignore").read_text(encoding="utf-8") == "*\n"
    entry = folder / f"{KEY}.json"
    assert entry.stat().st_mode & 0o077 == 0
    assert SECRET_VALUE not in entry.read_text(encoding="utf-8")


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "binary", "other format", "no header"])
def test_a_damaged_entry_does_not_exist(tmp_path: Path, toy: Record, damage: str) -> None:
    cache = RecordCache(tmp_path)
    cache.store(KEY, toy, {})
    entry = tmp_path / f"{KEY}.json"
    text = entry.read_text(encoding="utf-8")
    match damage:
        case "truncated":
            entry.write_text(text[:-100], encoding="utf-8")
        case "flipped":
            entry.write_text(text.replace("Deployment", "Deploymemt", 1), encoding="utf-8")
        case "empty":
            entry.write_bytes(b"")
        case "binary":
            entry.write_bytes(b"\xff\xfe\x00")
        case "no header":
            entry.write_text("[]\n{}", encoding="utf-8")
        case _:
            entry.write_text(text.replace(KEY, "1" * 64), encoding="utf-8")
    assert cache.load(KEY) is None


def test_an_entry_is_void_once_anything_that_was_read_changes(tmp_path: Path, toy: Record) -> None:
    cache, context = RecordCache(tmp_path / "cache"), tmp_path / "app"
    context.mkdir()
    (context / "main.py").write_text("1", encoding="utf-8")
    with reads_logged() as reads:
        [path.read_text(encoding="utf-8") for path in context.iterdir()]
    cache.store(KEY, toy, fingerprints(reads))
    assert cache.load(KEY) == toy
    (context / "main.py").write_text("2", encoding="utf-8")
    assert cache.load(KEY) is None
    (context / "main.py").write_text("1", encoding="utf-8")
    assert cache.load(KEY) == toy
    (context / "new.py").touch()
    assert cache.load(KEY) is None


def test_reads_are_the_files_and_folders_of_the_program_alone(tmp_path: Path) -> None:
    (tmp_path / "read").touch()
    with reads_logged() as reads:
        (tmp_path / "read").read_bytes()
        (tmp_path / "written").write_bytes(b"")
        os.listdir(os.fsencode(tmp_path))
        os.close(os.open(tmp_path / "read", os.O_RDONLY))
        with pytest.raises(FileNotFoundError):
            (tmp_path / "missing").read_bytes()
        with open(os.open(tmp_path / "read", os.O_RDONLY), encoding="utf-8"):
            pass
        Path("/proc/self/stat").read_bytes()
        import wave  # noqa: F401 - a module that nothing else imports
    (tmp_path / "later").touch()
    assert reads == {str(tmp_path), str(tmp_path / "read"), str(tmp_path / "missing")}


def test_a_listing_without_a_path_is_that_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with reads_logged() as reads:
        os.listdir()
    assert reads == {str(tmp_path)}


def test_what_the_import_system_and_writers_open_is_no_read() -> None:
    # Called by name: Python does not trace an audit hook, so its branches would count as never taken.
    with reads_logged() as reads:
        for event, path, mode in (
            ("open", "/project/a", "r"),
            ("open", b"/project/b", None),
            ("open", "/project/written", "w"),
            ("open", 3, "r"),
            ("open", f"{sys.prefix}/lib/module.py", "r"),
            ("os.listdir", None, None),
            ("import", "/project/module", None),
        ):
            reads_module._hook(event, (path, mode))
        frozen_importer = compile(
            "hook('open', ('/project/imported', 'r'))", "<frozen importlib._bootstrap>", "exec"
        )
        exec(frozen_importer, {"hook": reads_module._hook})  # noqa: S102
    assert reads == {"/project/a", "/project/b", os.getcwd()}
    reads_module._hook("open", ("/project/later", "r"))
    assert "/project/later" not in reads


def test_a_fingerprint_sees_links_modes_kinds_and_absence(tmp_path: Path) -> None:
    def now() -> dict[str, str]:
        return fingerprints({str(tmp_path), str(tmp_path / "file")})

    seen = [now()]
    (tmp_path / "file").touch(mode=0o644)
    seen.append(now())
    (tmp_path / "file").chmod(0o755)
    seen.append(now())
    (tmp_path / "link").symlink_to("file")
    seen.append(now())
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("elsewhere")
    seen.append(now())
    (tmp_path / "folder").mkdir()
    seen.append(now())
    assert len({json.dumps(state) for state in seen}) == len(seen)
    assert unchanged(seen[-1])
    assert not unchanged(seen[0])
    (tmp_path / "__pycache__").mkdir()
    assert unchanged(seen[-1])


def test_the_key_follows_stack_settings_sources_and_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, package, program = tmp_path / "Pulumi.dev.yaml", tmp_path / "stacks", tmp_path / "__main__.py"
    package.mkdir()
    for file in (settings, package / "a.py", program):
        file.write_text("1", encoding="utf-8")

    def key(stack: str = "dev") -> str:
        return content_key(stack=stack, stack_file=settings, sources=[package, program, tmp_path / "missing"])

    seen = [key(), key("prod")]
    for file in (settings, package / "a.py", program, package / "b.py"):
        file.write_text("2", encoding="utf-8")
        seen.append(key())
    site = tmp_path / "site-packages"
    (site / "pulumi-9.9.9.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(site))
    seen.append(key())
    assert len(set(seen)) == len(seen)
    assert key() == seen[-1]
    (package / "notes.txt").touch()
    assert key() == seen[-1]


def test_old_entries_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "KEPT_ENTRIES", 2)
    cache = RecordCache(tmp_path)
    small = Record("toy", "dev", (), {})
    for number in range(4):
        cache.store(f"{number}", small, {})
        os.utime(tmp_path / f"{number}.json", (number + 1, number + 1))
    cache.store("last", small, {})
    assert sorted(path.name for path in tmp_path.glob("*.json")) == ["3.json", "last.json"]


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path: Path, toy: Record) -> None:
    (tmp_path / "file").touch()
    cache = RecordCache(tmp_path / "file" / "cache")
    cache.store(KEY, toy, {})
    assert cache.load(KEY) is None


def test_writers_and_readers_at_once_never_see_half_an_entry(tmp_path: Path, toy: Record) -> None:
    cache = RecordCache(tmp_path)
    cache.store(KEY, toy, {})
    seen: list[Record | None] = []

    def write() -> None:
        for _ in range(20):
            cache.store(KEY, toy, {})

    def read() -> None:
        seen.extend(cache.load(KEY) for _ in range(20))

    threads = [threading.Thread(target=target) for target in (write, read, write, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 40
    assert all(record == toy for record in seen)
    assert [path.name for path in tmp_path.glob("*") if path.name.startswith(".writing")] == []


def test_an_entry_that_vanishes_while_old_ones_go_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "gone").touch()
    entries = list(os.scandir(tmp_path))
    (tmp_path / "gone").unlink()
    assert cache_module._age(entries[0]) == 0.0


def test_jobs_run_in_processes_of_their_own_and_results_keep_their_order() -> None:
    results = map_in_processes(whoami, ["a", "b", "c"], processes=2)
    assert [text for text, _ in results] == ["A", "B", "C"]
    assert os.getpid() not in {pid for _, pid in results}


def test_a_single_job_runs_in_this_process() -> None:
    assert map_in_processes(whoami, ["a"]) == [("A", os.getpid())]
    assert map_in_processes(whoami, []) == []


def test_cores_are_counted_on_every_system(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_cores() >= 1
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cores() == 1
