"""The gRPC side of a provider plugin: Pulumi's ResourceProvider protocol in front of a `Package`.

The engine starts the plugin with its own address as the only argument and reads the port from
the first line of stdout.
"""

# ruff: noqa: N802, ARG002 - names and arguments of the methods are gRPC's.

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent import futures

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)

from tests.engine.plugins.package import Difference, InitFailedError, Package, ProviderError, Request
from tests.engine.plugins.values import decode, encode

# Reading a whole cluster's worth of manifests in one message needs more than gRPC's 4 MB.
_OPTIONS = (("grpc.max_receive_message_length", 400 << 20), ("grpc.max_send_message_length", 400 << 20))

_KINDS = {
    ("add", False): provider_pb2.PropertyDiff.ADD,
    ("add", True): provider_pb2.PropertyDiff.ADD_REPLACE,
    ("delete", False): provider_pb2.PropertyDiff.DELETE,
    ("delete", True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    ("update", False): provider_pb2.PropertyDiff.UPDATE,
    ("update", True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


def _difference(found: Difference) -> provider_pb2.DiffResponse:
    response = provider_pb2.DiffResponse(hasDetailedDiff=True)
    response.changes = response.DIFF_SOME if found.paths or found.replaces else response.DIFF_NONE
    response.replaces.extend(sorted(found.replaces))
    response.deleteBeforeReplace = found.delete_before_replace
    for path, kind in found.paths.items():
        response.detailedDiff[path].kind = _KINDS[kind, path in found.replaces]
        response.detailedDiff[path].inputDiff = True
    return response


class Plugin(provider_pb2_grpc.ResourceProviderServicer):
    """One package, served."""

    def __init__(self, package: Package, version: str) -> None:
        self._package = package
        self._version = version

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=self._package.keeps_secrets)

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self._version)

    def GetSchema(
        self, request: provider_pb2.GetSchemaRequest, context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        schema = f'{{"name": "{self._package.name}", "version": "{self._version}"}}'
        return provider_pb2.GetSchemaResponse(schema=schema)

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        return _difference(self._package.diff_config(decode(request.old_inputs), decode(request.news)))

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        with _answering(context):
            self._package.configure(decode(request.args))
        return provider_pb2.ConfigureResponse(acceptSecrets=self._package.keeps_secrets, supportsPreview=True)

    def Invoke(
        self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.InvokeResponse:
        response = provider_pb2.InvokeResponse()
        with _answering(context):
            returned = self._package.invoke(request.tok, decode(request.args))
            getattr(response, "return").CopyFrom(encode(returned))
        return response

    def Check(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        asked = Request(
            urn=request.urn,
            inputs=decode(request.news),
            old_inputs=decode(request.olds),
            seed=request.randomSeed,
        )
        try:
            return provider_pb2.CheckResponse(inputs=encode(self._package.check(asked)))
        except ProviderError as refused:
            return provider_pb2.CheckResponse(
                inputs=request.news, failures=[provider_pb2.CheckFailure(reason=str(refused))]
            )

    def Diff(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        with _answering(context):
            asked = Request(
                urn=request.urn,
                inputs=decode(request.news),
                old_inputs=decode(request.old_inputs),
                outputs=decode(request.olds),
                identity=request.id,
            )
            return _difference(self._package.diff(asked))

    def Create(
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        asked = Request(
            urn=request.urn,
            inputs=decode(request.properties),
            preview=request.preview,
            timeout_seconds=request.timeout,
        )
        with _answering(context), self._noted("create", asked):
            identity, outputs = self._package.create(asked)
            return provider_pb2.CreateResponse(id=identity, properties=encode(outputs))

    def Read(
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        asked = Request(
            urn=request.urn,
            inputs=decode(request.inputs),
            outputs=decode(request.properties),
            identity=request.id,
        )
        with _answering(context):
            identity, outputs, inputs = self._package.read(asked)
            return provider_pb2.ReadResponse(id=identity, properties=encode(outputs), inputs=encode(inputs))

    def Update(
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        asked = Request(
            urn=request.urn,
            inputs=decode(request.news),
            old_inputs=decode(request.old_inputs),
            outputs=decode(request.olds),
            identity=request.id,
            preview=request.preview,
            timeout_seconds=request.timeout,
            ignore_changes=tuple(request.ignoreChanges),
        )
        with _answering(context), self._noted("update", asked):
            return provider_pb2.UpdateResponse(properties=encode(self._package.update(asked)))

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        asked = Request(
            urn=request.urn,
            old_inputs=decode(request.old_inputs),
            outputs=decode(request.properties),
            identity=request.id,
            timeout_seconds=request.timeout,
        )
        with _answering(context), self._noted("delete", asked):
            self._package.delete(asked)
        return empty_pb2.Empty()

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self._package.cancelled.set()
        return empty_pb2.Empty()

    def _noted(self, method: str, asked: Request) -> _Noted:
        return _Noted(self._package, method, asked)


class _Noted:
    """Writes beginning and end of a call which changes something in the cloud's journal."""

    def __init__(self, package: Package, method: str, asked: Request) -> None:
        self._note = lambda phase: (
            None if asked.preview else package.cloud.note(method, phase, asked.urn, asked.identity)
        )

    def __enter__(self) -> None:
        self._note("start")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._note("end" if kind is None else "failed")


class _answering:  # noqa: N801 - reads as a statement
    """Turns our exceptions into the gRPC statuses that the engine understands."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self._context = context

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, InitFailedError):
            detail = provider_pb2.ErrorResourceInitFailed(
                id=error.identity, properties=encode(error.outputs), reasons=[str(error)]
            )
            packed = any_pb2.Any()
            packed.Pack(detail)
            status = status_pb2.Status(
                code=grpc.StatusCode.UNKNOWN.value[0], message=str(error), details=[packed]
            )
            self._context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            self._context.abort(grpc.StatusCode.UNKNOWN, str(error))
        if isinstance(error, ProviderError):
            self._context.abort(grpc.StatusCode.UNKNOWN, str(error))


def _engine_log(address: str) -> Callable[[str, str], None]:
    """A function that shows a line beside a resource in the engine's output."""
    engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address, options=_OPTIONS))

    def log(urn: str, message: str) -> None:
        engine.Log(engine_pb2.LogRequest(severity=engine_pb2.INFO, message=message, urn=urn))

    return log


def _follow_engine() -> None:
    """End with the engine: one that was killed can't tell its plugins to go."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(0)


def serve(make: Callable[[Callable[[str, str], None]], Package], version: str) -> None:
    """Serve until the engine goes. `make` builds the package around a log function."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=64), options=_OPTIONS)
    plugin = Plugin(make(_engine_log(sys.argv[-1])), version)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(plugin, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    _follow_engine()
