"""The recorder: a Pulumi resource monitor that keeps what is registered, answers as in a preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.mocks import MockMonitor, Mocks
from pulumi.runtime.proto import engine_pb2, resource_pb2

from slipway.offline.decode import SECRET_WRAPPER, Decoder
from slipway.offline.derived import mark_derived
from slipway.offline.loop import RecordError
from slipway.offline.model import SECRET, STACK_TYPE, Json, LogLine, Path, Record, Registration, format_path
from slipway.offline.order import in_steady_order
from slipway.offline.synthesis import FUNCTIONS, Marker, Synthesis, synthesise

if TYPE_CHECKING:
    from google.protobuf.message import Message

_GET_RESOURCE = "pulumi:pulumi:getResource"
"""How the SDK turns a reference to a resource back into one."""

_SHORTEST_SECRET = 4
"""Characters; a shorter secret would be found by chance in innocent texts."""

_SEVERITIES: Mapping[int, Literal["info", "warning", "error"]] = {
    engine_pb2.INFO: "info",
    engine_pb2.WARNING: "warning",
    engine_pb2.ERROR: "error",
}


class Engine:
    """The engine's side of `pulumi.log`."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []

    def Log(self, request: engine_pb2.LogRequest) -> None:  # noqa: N802 - a method of the gRPC service
        """Keep a message; debug messages are the SDK's own chatter."""
        severity = _SEVERITIES.get(request.severity)
        if severity is not None:
            self.lines.append(LogLine(severity, request.message, request.urn))


class Recorder(MockMonitor):
    """Keeps every registration in order; see `record`."""

    def __init__(self, project: str, stack: str, secret_values: Sequence[str] = ()) -> None:
        """Args: secret_values: texts that must not stand anywhere in the record."""
        super().__init__(cast("Mocks", None))  # what would ask the mocks is overridden
        self._project = project
        self._stack = stack
        self._secret_values = tuple(value for value in secret_values if len(value) >= _SHORTEST_SECRET)
        self._markers: dict[str, Marker] = {}
        self._unknowable: set[str] = set()
        self._registrations: list[Registration] = []
        self._seen: set[str] = set()
        self._outputs: dict[str, Json] = {}
        self._output_paths: tuple[tuple[Path, ...], tuple[Path, ...]] = ((), ())
        self._warnings: list[LogLine] = []
        self._responses: dict[str, resource_pb2.RegisterResourceResponse] = {}

    def finish(self, log: Sequence[LogLine]) -> Record:
        """The record, once the program has ended."""
        lines = tuple(
            LogLine(one.severity, self._redact(one.message), one.urn) for one in (*log, *self._warnings)
        )
        return mark_derived(
            Record(
                project=self._project,
                stack=self._stack,
                registrations=in_steady_order(self._registrations),
                outputs=self._outputs,
                log=lines,
                output_secret_paths=self._output_paths[0],
                output_unknown_paths=self._output_paths[1],
            ),
            self._unknowable,
        )

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """As the engine forms it: the types of all ancestors but the stack, then the type and the name."""
        ancestors = parent.split("::")[2] if parent else ""
        qualified = f"{ancestors}${type_}" if ancestors not in ("", STACK_TYPE) else type_
        return f"urn:pulumi:{self._stack}::{self._project}::{qualified}::{name}"

    def RegisterResource(  # noqa: N802 - a method of the gRPC service
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Keep a registration; answer with its inputs and the synthesised outputs."""
        urn = self.make_urn(request.parent, request.type, request.name)
        if urn in self._seen:
            raise RecordError(f"Two resources have the URN {urn}. Give one of them another name or parent.")
        self._seen.add(urn)
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)

        decoder = Decoder(self._markers)
        inputs = decoder.struct(request.object, frozenset(request.additionalSecretOutputs))
        self._check(inputs, decoder, urn)
        self._registrations.append(_registration(request, urn, inputs, decoder))

        if not request.custom:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        synthesis = synthesise(urn, request.type, request.name, inputs)
        self._markers.update({marker.text: marker for marker in synthesis.markers})
        if synthesis.unknowable:
            self._unknowable.add(urn)
        secret_outputs = frozenset(request.additionalSecretOutputs)
        self._responses[urn] = resource_pb2.RegisterResourceResponse(
            urn=urn, id=synthesis.id or "", object=_answer(request.object, synthesis, secret_outputs)
        )
        return self._responses[urn]

    def RegisterResourceOutputs(  # noqa: N802 - a method of the gRPC service
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        """Keep the outputs of the stack; those of components are for the program itself."""
        if request.urn.split("::")[2] == STACK_TYPE:
            decoder = Decoder(self._markers)
            self._outputs = decoder.struct(request.outputs)
            self._check(self._outputs, decoder, request.urn)
            self._output_paths = (tuple(decoder.secret_paths), tuple(decoder.unknown_paths))
        return empty_pb2.Empty()

    def ReadResource(  # noqa: N802 - a method of the gRPC service
        self, request: resource_pb2.ReadResourceRequest
    ) -> resource_pb2.ReadResourceResponse:
        """A resource that exists elsewhere: nothing of it is known but what was asked."""
        urn = self.make_urn(request.parent, request.type, request.name)
        return resource_pb2.ReadResourceResponse(urn=urn, id=request.id, properties=request.properties)

    def Invoke(  # noqa: N802 - a method of the gRPC service
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse:
        """Answer a provider function from the table; an unlisted one fails the run."""
        response = resource_pb2.ResourceInvokeResponse()
        # `return` is the field's name on the wire and a keyword of the language.
        result = cast("struct_pb2.Struct", getattr(response, "return"))
        if request.tok == _GET_RESOURCE:
            known = self._responses[request.args.fields["urn"].string_value]
            result.update({"urn": known.urn, "id": known.id, "state": known.object})
            return response
        answer = FUNCTIONS.get(request.tok)
        if answer is None:
            raise RecordError(
                f"The program calls {request.tok}, which has no answer without a provider. "
                "Add it to FUNCTIONS in slipway/offline/synthesis.py."
            )
        result.update(cast("dict[str, Any]", answer(Decoder(self._markers).struct(request.args))))
        return response

    def _check(self, inputs: dict[str, Json], decoder: Decoder, urn: str) -> None:
        """Report secrets that stand in the clear, and remove real ones."""
        for path, marker in decoder.leaks:
            source = marker.urn.rsplit("::", 1)[1]
            self._warn(
                urn, f"{format_path(path)} holds a secret in the clear: `{marker.output}` of {source}."
            )
        if self._secret_values and (found := self._redact_tree(inputs, ())):
            decoder.secret_paths += found
            for path in found:
                self._warn(urn, f"{format_path(path)} holds a secret of the configuration in the clear.")

    def _redact_tree(self, value: Json, path: Path) -> list[Path]:
        found: list[Path] = []
        entries = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        for key, item in entries:
            if isinstance(item, str):
                clean = self._redact(item)
                if clean != item:
                    cast("dict[str | int, Json]", value)[key] = clean
                    found.append((*path, key))
            else:
                found += self._redact_tree(item, (*path, key))
        return found

    def _redact(self, text: str) -> str:
        for secret in self._secret_values:
            if secret in text:
                text = text.replace(secret, SECRET)
        return text

    def _warn(self, urn: str, message: str) -> None:
        self._warnings.append(LogLine("warning", message, urn))


def _registration(
    request: resource_pb2.RegisterResourceRequest, urn: str, inputs: dict[str, Json], decoder: Decoder
) -> Registration:
    timeouts = request.customTimeouts
    return Registration(
        urn=urn,
        type=request.type,
        name=request.name,
        parent=request.parent,
        custom=request.custom,
        inputs=inputs,
        # The SDK collects dependencies in sets.
        dependencies=tuple(sorted(request.dependencies)),
        property_dependencies={
            key: tuple(sorted(value.urns))
            for key, value in sorted(request.propertyDependencies.items())
            if value.urns
        },
        protect=request.protect,
        provider=request.provider.rpartition("::")[0],
        aliases=tuple(_alias(alias) for alias in cast("Sequence[Message]", cast("Any", request).aliases)),
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        delete_before_replace=request.deleteBeforeReplace,
        retain_on_delete=request.retainOnDelete,
        deleted_with=request.deletedWith,
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        custom_timeouts={
            key: text
            for key, text in (
                ("create", timeouts.create),
                ("update", timeouts.update),
                ("delete", timeouts.delete),
            )
            if text
        },
        import_id=request.importId,
        secret_paths=tuple(decoder.secret_paths),
        unknown_paths=tuple(decoder.unknown_paths),
    )


def _alias(alias: Message) -> Json:
    return cast("Json", json_format.MessageToDict(alias))


def _answer(
    inputs: struct_pb2.Struct, synthesis: Synthesis, secret_outputs: frozenset[str]
) -> struct_pb2.Struct:
    """The inputs with the synthesised outputs; what the provider keeps secret is wrapped as on the wire."""
    answer = struct_pb2.Struct()
    answer.CopyFrom(inputs)
    for key, output in synthesis.outputs.items():
        answer.update({key: cast("Any", output)})
    for key in sorted(secret_outputs | synthesis.secret_outputs):
        if key in answer.fields:
            value = struct_pb2.Value()
            value.CopyFrom(answer.fields[key])
            wrapped = answer.fields[key].struct_value
            wrapped.update(SECRET_WRAPPER)
            wrapped.fields["value"].CopyFrom(value)
    return answer
