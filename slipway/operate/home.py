"""Where a stack of this machine keeps its state: the ignored folder `.slipway`, readable by its owner alone.

The engine writes to stack files (the salt of its encryption, `config set`), so it gets a copy of the tracked one.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from slipway.operate.machine import OperateError

if TYPE_CHECKING:
    import yaml

FOLDER = ".slipway"
_PASSPHRASE_BYTES = 32
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_MADE_CLUSTER = "made-kind-"
_NO_FOLDING = 1_000_000

UNSET = ("PULUMI_CONFIG_PASSPHRASE",)
"""Variables that would win over what `Home.variables` sets."""


@dataclass(frozen=True)
class Choice:
    """What `up` has chosen for a stack, kept until `down`.

    Attributes:
        context: the context of the kubeconfig.
        kubeconfig: absolute path of the kubeconfig.
        registry: registry and path that images are pushed to, such as `localhost:5001`; empty where they are loaded.
        kind: name of the kind cluster that `up` looks after; empty where the cluster is somebody else's.
    """

    context: str
    kubeconfig: str
    registry: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Home:
    """The private files of one stack.

    Attributes:
        project: the folder with Pulumi.yaml, absolute.
        stack: the stack's name.
    """

    project: Path
    stack: str

    @property
    def root(self) -> Path:
        """The folder of all stacks."""
        return self.project / FOLDER

    @property
    def folder(self) -> Path:
        """The folder of this stack."""
        return self.root / self.stack

    @property
    def state(self) -> Path:
        """The folder of the state backend, shared by the stacks of the project."""
        return self.root / "state"

    @property
    def backend_url(self) -> str:
        """The state backend, as `PULUMI_BACKEND_URL` names it."""
        return self.state.as_uri()

    @property
    def passphrase(self) -> Path:
        """The file of the passphrase that encrypts secrets in the state."""
        return self.root / "passphrase"

    @property
    def tracked_file(self) -> Path:
        """The stack file that a person writes; never written here."""
        return self.project / f"Pulumi.{self.stack}.yaml"

    @property
    def stack_file(self) -> Path:
        """The engine's copy of the stack file."""
        return self.folder / f"Pulumi.{self.stack}.yaml"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of a cluster that only this stack knows."""
        return self.folder / "kubeconfig"

    def prepare(self) -> None:
        """Make folders and passphrase where they are missing, and close them to everybody else.

        Raises:
            OperateError: when there is a state, but the passphrase that it was encrypted with is gone.
        """
        if not self.passphrase.exists() and any(self.state.glob(".pulumi/stacks/*/*.json")):
            raise OperateError(
                f"{self.passphrase} is gone, and with it the key to the secrets in {self.state}. Put it back if "
                "there is a copy. Without it the state cannot be read: delete the stack's namespace and "
                f"{self.root}, and begin anew."
            )
        for folder in (self.root, self.state, self.folder):
            folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
            folder.chmod(_PRIVATE_FOLDER)
        if not self.passphrase.exists():
            write_private(self.passphrase, secrets.token_urlsafe(_PASSPHRASE_BYTES) + "\n")
        self.passphrase.chmod(_PRIVATE_FILE)

    def copy_stack_file(self, overrides: Mapping[str, str]) -> None:
        """Renew the engine's copy of the stack file.

        Args:
            overrides: full keys such as `slipway:cluster` to JSON texts that take the place of what the file says.
        """
        text = self.tracked_file.read_text(encoding="utf-8")
        write_private(self.stack_file, with_values(text, overrides))

    def variables(self) -> dict[str, str]:
        """Return what `pulumi` needs in its environment to act on this stack and on nothing else."""
        return {
            "PULUMI_BACKEND_URL": self.backend_url,
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.passphrase),
            "PULUMI_STACK": self.stack,
            # Every flag has its variable since 3.208: each command takes the copy, the tracked file stays as it is.
            "PULUMI_OPTION_CONFIG_FILE": str(self.stack_file),
            # The salt is in the state; without this Pulumi would make another for a stack file that has none.
            "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        }

    def choice(self) -> Choice | None:
        """Return what the last `up` has chosen, None where there was none or `down` has ended it."""
        try:
            kept = json.loads((self.folder / "choice.json").read_text(encoding="utf-8"))
            return Choice(**{name: str(value) for name, value in kept.items()})
        except (OSError, ValueError, TypeError, AttributeError):
            return None

    def keep(self, choice: Choice | None) -> None:
        """Remember a choice, or forget it."""
        path = self.folder / "choice.json"
        if choice is None:
            path.unlink(missing_ok=True)
        else:
            write_private(path, json.dumps(vars(choice), indent=1) + "\n")

    def made_clusters(self) -> list[str]:
        """Return the names of the kind clusters that were made for this project and are not removed yet."""
        return sorted(path.name.removeprefix(_MADE_CLUSTER) for path in self.root.glob(f"{_MADE_CLUSTER}*"))

    def mark_cluster(self, name: str, *, made: bool = True) -> None:
        """Remember that a kind cluster was made for this project, or that it is gone."""
        mark = self.root / f"{_MADE_CLUSTER}{name}"
        if made:
            mark.touch(mode=_PRIVATE_FILE)
        else:
            mark.unlink(missing_ok=True)


def with_values(text: str, overrides: Mapping[str, str]) -> str:
    """Return a stack file's text with other values for some keys of `config`.

    Args:
        text: the stack file.
        overrides: full keys to JSON texts.
    """
    if not overrides:
        return text
    import yaml

    nodes = cast("yaml.MappingNode", cast("Any", yaml).compose(text, Loader=yaml.SafeLoader))
    pairs = cast("list[tuple[yaml.Node, yaml.Node]]", nodes.value)
    config = next(value for key, value in pairs if key.value == "config")
    kept = [
        pair
        for pair in cast("list[tuple[yaml.Node, yaml.Node]]", config.value)
        if pair[0].value not in overrides
    ]
    added = [(_text_node(name), _text_node(value)) for name, value in overrides.items()]
    config.value = [*kept, *added]
    return str(
        cast("Any", yaml).serialize(nodes, Dumper=yaml.SafeDumper, allow_unicode=True, width=_NO_FOLDING)
    )


def _text_node(text: str) -> yaml.ScalarNode:
    import yaml

    return yaml.ScalarNode("tag:yaml.org,2002:str", text, style='"')


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, in one step."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # made with 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def shell_exports(variables: Mapping[str, str], unset: tuple[str, ...] = UNSET) -> str:
    """Return lines that a POSIX shell can evaluate, even where `eval $(...)` makes one line of them."""
    lines = [f"unset {name};" for name in unset]
    lines += [f"export {name}={shlex.quote(value)};" for name, value in variables.items()]
    return "\n".join(lines) + "\n"
