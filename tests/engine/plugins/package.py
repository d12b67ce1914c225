"""What a simulated provider package is: a table of resource types, or a class with its own rules.

A further package is a small file: a `ResourceType` per type token which says what it computes,
which changes replace it, which outputs are secret and how long creating takes; see tls.py.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from tests.engine.plugins.cloud import AlreadyExistsError, Cloud
from tests.engine.plugins.values import (
    UNKNOWN,
    Object,
    Path,
    Secret,
    Value,
    differences,
    has_unknown,
    path_text,
    plain,
    plain_object,
)

DELAYS = "SLIPWAY_SIMULATED_DELAYS"
"""Environment variable: a JSON map from kind and name (`Deployment api`) to the seconds a create takes."""

SPEED = "SLIPWAY_SIMULATED_SPEED"
"""Environment variable: what the creation times of the tables are multiplied with (default 0)."""

ALL: frozenset[str] = frozenset({"*"})
"""For `replace_on`: any changed input replaces the resource."""


class ProviderError(Exception):
    """The provider refuses; its text goes to the user."""


class InitFailedError(Exception):
    """The object exists, but did not become ready: the engine keeps it with this reason."""

    def __init__(self, reason: str, identity: str, outputs: Object) -> None:
        super().__init__(reason)
        self.identity = identity
        self.outputs = outputs


@dataclass(frozen=True)
class Request:
    """One call of the engine. Values keep their secrets; fields a call lacks are empty."""

    urn: str
    inputs: Object = field(default_factory=dict[str, Value])
    old_inputs: Object = field(default_factory=dict[str, Value])
    outputs: Object = field(default_factory=dict[str, Value])
    identity: str = ""
    preview: bool = False
    seed: bytes = b""
    timeout_seconds: float = 0
    ignore_changes: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        """The resource's type token."""
        return self.urn.split("::")[2].rsplit("$", 1)[-1]

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.split("::", 3)[3]


@dataclass(frozen=True)
class Difference:
    """What an update would do: changed paths, those of them that replace, and the order."""

    paths: Mapping[str, Literal["add", "delete", "update"]]
    replaces: frozenset[str] = frozenset()
    delete_before_replace: bool = False


def changed_paths(old: Object, new: Object) -> list[tuple[Path, Literal["add", "delete", "update"]]]:
    """Differences of two input maps whose secrets are laid open first."""
    return [(path, kind) for path, kind in differences(plain(old), plain(new))]  # pyright: ignore[reportReturnType]


class Package:
    """A provider. The defaults are those of one whose resources live in Pulumi's state alone."""

    name: str = ""
    keeps_secrets: bool = True

    def __init__(self, cloud: Cloud, log: Callable[[str, str], None]) -> None:
        """Args: cloud: where objects are kept; log: takes a URN and a line for the user."""
        self.cloud = cloud
        self.log = log
        self.cancelled = threading.Event()
        """Set when the user interrupts: whoever waits for something gives up."""

    def configure(self, inputs: Object) -> None:
        """Take the provider's own inputs."""
        del inputs

    def diff_config(self, old: Object, new: Object) -> Difference:
        """What a change of the provider's own inputs does: nothing is replaced by default."""
        return Difference({path_text(path): kind for path, kind in changed_paths(old, new)})

    def check(self, request: Request) -> Object:
        """Validated inputs with defaults filled in.

        Raises:
            ProviderError: for inputs that no resource can have.
        """
        return request.inputs

    def diff(self, request: Request) -> Difference:
        """What the new inputs would do to the existing resource."""
        raise ProviderError(f"{request.token} has no diff")

    def create(self, request: Request) -> tuple[str, Object]:
        """Make the resource; returns its id and outputs.

        Raises:
            ProviderError: where it can't be made, e.g. because it exists.
            InitFailedError: where it was made and does not get ready.
        """
        raise ProviderError(f"{request.token} can't be created")

    def read(self, request: Request) -> tuple[str, Object, Object]:
        """Id, outputs and inputs as they are now; an empty id where the resource is gone."""
        return request.identity, request.outputs, request.inputs

    def update(self, request: Request) -> Object:
        """Change the resource in place; returns its outputs."""
        raise ProviderError(f"{request.token} can't be updated")

    def delete(self, request: Request) -> None:
        """Remove the resource; that it is gone already is no error."""
        del request

    def invoke(self, token: str, args: Object) -> Object:
        """Answer a function call."""
        del args
        raise ProviderError(f"{self.name}: unknown function {token}")

    def linger(self, request: Request, seconds: float = 0) -> None:
        """Let a create take its time, as far as the environment asks for that."""
        wanted: Mapping[str, float] = json.loads(os.environ.get(DELAYS, "{}"))
        usual = seconds * float(os.environ.get(SPEED, "0"))
        time.sleep(wanted.get(f"{request.token.rsplit(':', 1)[-1]} {request.name}", usual))


@dataclass(frozen=True)
class ResourceType:
    """How the resources of one type token behave.

    Attributes:
        computed: names of the outputs which are not inputs.
        compute: from plain inputs to the values of `computed`, and `id` if it isn't "none".
        replace_on: top-level inputs whose change replaces the resource, or `ALL`.
        in_place: inputs that change in place although `replace_on` is `ALL`.
        secret_outputs: outputs that the real provider's schema marks as secret.
        identity: the name which must be unique in the account, or None for what has none.
        seconds: how long the real one takes to create.
        delete_before_replace: whether the old one has to go first.
    """

    computed: tuple[str, ...]
    compute: Callable[[Object], Object]
    replace_on: frozenset[str] = frozenset()
    secret_outputs: frozenset[str] = frozenset()
    in_place: frozenset[str] = frozenset()
    identity: Callable[[Object], str] | None = None
    seconds: float = 0
    delete_before_replace: bool = False


class TablePackage(Package):
    """A provider made of a table of resource types."""

    types: ClassVar[Mapping[str, ResourceType]]

    def _type(self, request: Request) -> ResourceType:
        try:
            return self.types[request.token]
        except KeyError:
            raise ProviderError(f"the simulated {self.name} provider has no {request.token}") from None

    def check(self, request: Request) -> Object:
        self._type(request)
        return request.inputs

    def diff(self, request: Request) -> Difference:
        kind = self._type(request)
        paths = changed_paths(request.old_inputs, request.inputs)
        replacing = {path for path, _ in paths if kind.replace_on == ALL or path[0] in kind.replace_on}
        replaces = frozenset(path_text(path) for path in replacing if path[0] not in kind.in_place)
        return Difference(
            {path_text(path): change for path, change in paths},
            replaces,
            kind.delete_before_replace and bool(replaces),
        )

    def create(self, request: Request) -> tuple[str, Object]:
        kind = self._type(request)
        if request.preview or has_unknown(request.inputs):
            return "", {**request.inputs, **dict.fromkeys(kind.computed, UNKNOWN)}
        inputs = plain_object(request.inputs)
        values = kind.compute(inputs)
        identity = str(values.pop("id", "none"))
        if kind.identity is not None:
            unique = kind.identity(inputs)
            try:
                self.cloud.create(request.token, unique, {"id": identity, **inputs, **values})
            except AlreadyExistsError:
                raise ProviderError(f"{request.token} {unique} already exists") from None
        self.linger(request, kind.seconds)
        return identity, self._outputs(kind, request.inputs, values)

    def update(self, request: Request) -> Object:
        kind = self._type(request)
        computed = {key: request.outputs[key] for key in kind.computed if key in request.outputs}
        if kind.identity is not None and not request.preview:
            inputs = plain_object(request.inputs)
            self.cloud.put(request.token, kind.identity(inputs), {**inputs, **plain_object(computed)})
        return self._outputs(kind, request.inputs, computed)

    def read(self, request: Request) -> tuple[str, Object, Object]:
        kind = self._type(request)
        if kind.identity is not None:
            inputs = plain_object(request.inputs)
            if self.cloud.get(request.token, kind.identity(inputs)) is None:
                return "", {}, {}
        return request.identity, request.outputs, request.inputs

    def delete(self, request: Request) -> None:
        kind = self._type(request)
        if kind.identity is not None:
            self.cloud.delete(request.token, kind.identity(plain_object(request.old_inputs)))

    @staticmethod
    def _outputs(kind: ResourceType, inputs: Object, computed: Object) -> Object:
        outputs: Object = {**inputs, **computed}
        for key in kind.secret_outputs & outputs.keys():
            value = outputs[key]
            outputs[key] = value if isinstance(value, Secret) else Secret(value)
        return outputs
