"""`slipway explain` says what a key means, and for a stack which of file, preset and default won."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from slipway.cli.app import CommandError
from slipway.cli.main import app
from stacks.config.explain import UnknownKeyError, explain
from stacks.load import load_stack_file
from tests.unit.config.files import FULL, documents, dump, write


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write(
        Path(),
        FULL.read_text().replace("environment: dev", "environment: prod").replace("        min: 2\n", ""),
    )


def value(key: str, form: str = "full") -> str:
    path = write(Path(), dump(documents()[form]), "Pulumi.form.yaml")
    return explain(key, *load_stack_file(path)).value


def test_a_key_is_explained_in_full() -> None:
    assert explain("services.api.scaling.max").text() == (
        "slipway:services.<name>.scaling.max\n"
        "  Pods at the most.\n"
        "  takes    a whole number from 1 to 500\n"
        "  default  2\n"
        "  presets  local 2, dev 2, staging 4, prod 10"
    )


def test_the_namespace_and_quoted_steps_are_understood() -> None:
    assert explain("slipway:app.name") == explain("app.name")
    assert explain('services["api"].routes[0].host').key == "slipway:services.<name>.routes[0].host"


def test_a_section_lists_its_keys_and_the_forms_that_have_them() -> None:
    below = dict(explain("database").below)
    assert below["instanceClass (rds)"].startswith("Class of the instance")
    assert "kind" in below
    assert dict(explain("services").below)["role"].startswith("api, worker")
    assert explain("database.kind").takes == "one of `external`, `in-cluster`, `none`, `rds`"
    assert explain("services.api.env.X").takes.startswith("text or a map with one of the keys")
    assert explain("services.api").description == "One service of the application."


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("services.api.scalin.max", "No key `scalin` below `slipway:services.api`. Did you mean `scaling`?"),
        ("nothing", "There are: `environment`"),
        ("environment.x", "It takes one value."),
        ("", "Name a key"),
    ],
)
def test_an_unknown_key_is_answered_with_what_there_is(key: str, said: str) -> None:
    with pytest.raises(UnknownKeyError) as unknown:
        explain(key)
    assert said in str(unknown.value)


@pytest.mark.usefixtures("stack")
def test_the_value_says_where_it_comes_from() -> None:
    assert value("services.api.scaling.max") == "3, given at Pulumi.form.yaml:53:9"
    assert value("services.worker.scaling.max") == "2, from the preset of dev"
    assert value("services.worker.graceSeconds") == "45, the default"
    assert value("app.namespace").startswith("alfred, given at")
    assert value("services.api.env.LOG_LEVEL").startswith("(not shown), given at")
    assert value("services.api.command").startswith("given at")
    assert value("services.api.command[0]").startswith("uvicorn, given at")
    assert value("database.instanceClass") == "none: nothing that has it is in Pulumi.form.yaml"
    assert value("database.instanceClass", "rds").startswith("db.t4g.medium, given at")
    assert value("services.nobody.port") == "none: nothing that has it is in Pulumi.form.yaml"
    assert value("services.worker.pool.size") == "none: nothing that has it is in Pulumi.form.yaml"
    assert value("services.api.routes[7].host") == "none: nothing that has it is in Pulumi.form.yaml"
    assert value("migrations.resources.limits").startswith("given at")
    assert value("cluster.kubeconfig", "rds") == "none: nothing that has it is in Pulumi.form.yaml"


def test_the_command_explains_for_a_stack(stack: Path) -> None:
    run = CliRunner().invoke(app, ["explain", "services.worker.scaling.min", "-s", "dev"])
    assert "value" in run.stdout
    assert run.exit_code == 0
    stack.write_text(stack.read_text().replace("retentionDays: 30", "retentionDays: 99"))
    broken = CliRunner().invoke(app, ["explain", "services.worker.userId", "--config-file", str(stack)])
    assert "not known while Pulumi.dev.yaml has errors" in broken.stdout


def test_the_command_refuses_with_exit_code_2(stack: Path) -> None:
    for arguments in (["explain", "nothing"], ["explain", "app.name", "-s", "nowhere"]):
        failed = CliRunner().invoke(app, arguments).exception
        assert isinstance(failed, CommandError)
        assert failed.code == 2
    assert stack.exists()
