"""The Kubernetes provider on a real cluster, as far as the tests need it to be the real provider.

Creates are plain creates and refuse what exists; updates are server-side applies; both wait until
the object is ready; deletes wait until it is gone.
"""

from __future__ import annotations

import hashlib
import os
import time
from copy import deepcopy
from typing import Any, cast

from tests.engine.plugins import kubernetes_rules as rules
from tests.engine.plugins.kubernetes import KubernetesRules
from tests.engine.plugins.kubernetes_await import explanation, readiness
from tests.engine.plugins.kubernetes_client import ApiError, Client, Kubeconfig
from tests.engine.plugins.package import InitFailedError, ProviderError, Request
from tests.engine.plugins.values import Object, child, has_unknown, plain_object, text

TIMEOUT = "SLIPWAY_LIVE_TIMEOUT_SECONDS"
"""Environment variable: how long to wait where the program says nothing (default 600)."""

_CREATOR = "pulumi-kubernetes"
_POLL_SECONDS = 0.5
_RETRIES = 5

type Json = dict[str, Any]


class LiveKubernetesPackage(KubernetesRules):
    """Objects in a real cluster."""

    _client: Client | None = None
    _unreachable = "the provider got no kubeconfig"

    def configure(self, inputs: Object) -> None:
        super().configure(inputs)
        clear = plain_object(inputs)
        source = text(clear.get("kubeconfig"))
        if has_unknown(clear) or not source:
            return
        try:
            self._client = Client(Kubeconfig(source, text(clear.get("context"))))
        except (ApiError, OSError) as error:  # only whoever needs the cluster is refused
            self._unreachable = f"configured Kubernetes cluster is unreachable: {error}"

    def _api(self) -> Client:
        if self._client is None:
            raise ProviderError(self._unreachable)
        return self._client

    def create(self, request: Request) -> tuple[str, Object]:
        if request.preview and has_unknown(request.inputs):
            return "", request.inputs
        inputs = plain_object(request.inputs)
        query = {"fieldManager": _CREATOR, **({"dryRun": "All"} if request.preview else {})}
        try:
            live = self._post(inputs, query, 1 if request.preview else _RETRIES)
        except ApiError as error:
            # A preview can't know about a namespace, a kind or a name that this very run makes or removes.
            if request.preview and error.status in (0, 403, 404, 409):
                return "", request.inputs
            raise ProviderError(
                f'resource "{request.urn}" was not successfully created by the Kubernetes API server: {error}'
            ) from error
        if request.preview:
            return "", rules.checkpoint(request.inputs, {k: v for k, v in live.items() if k != "status"})
        return rules.identity_of(_object(live)), self._settle(request, live)

    def _post(self, inputs: Object, query: dict[str, str], attempts: int) -> Json:
        for attempt in range(attempts):
            try:
                return self._api().request("POST", self._path(inputs), query=query, body=inputs)
            except ApiError as error:
                if error.status != 404 or attempt + 1 == attempts:
                    raise
                time.sleep(2**attempt)
        raise ProviderError("no attempt was made")

    def update(self, request: Request) -> Object:
        if request.preview and has_unknown(request.inputs):
            return request.inputs
        inputs, client = plain_object(request.inputs), self._api()
        path = self._path(inputs, rules.name_of(inputs))
        manager = f"{_CREATOR}-{hashlib.sha256(request.urn.encode()).hexdigest()[:8]}"
        force = child(inputs, "metadata", "annotations", "pulumi.com/patchForce") == "true"
        query = {"fieldManager": manager, "force": str(force).lower()}
        try:
            if request.preview:
                query["dryRun"] = "All"
            else:
                self._take_over(path, manager)
            inputs = self._without_what_others_set(path, inputs, manager, request.ignore_changes)
            live = client.request(
                "PATCH", path, query=query, body=inputs, content_type="application/apply-patch+yaml"
            )
        except ApiError as error:
            if request.preview and error.status in (0, 403, 404, 409):
                return request.inputs
            raise ProviderError(f'the Kubernetes API server refused "{request.identity}": {error}') from error
        return (
            rules.checkpoint(request.inputs, _object(live))
            if request.preview
            else self._settle(request, live)
        )

    def _without_what_others_set(
        self, path: str, inputs: Json, manager: str, ignored: tuple[str, ...]
    ) -> Json:
        """As the real provider does: of what changes are ignored, only what is ours is sent, as it is now.

        Left out, our own field would be removed; sent, somebody else's would be a conflict.
        """
        live = self._api().get(path) if ignored else None
        kept = deepcopy(inputs)
        if live is None:
            return kept
        for dotted in ignored:
            *folders, last = dotted.split(".")
            owners = {
                entry["manager"]
                for entry in live["metadata"].get("managedFields", [])
                if _member(entry.get("fieldsV1"), *(f"f:{step}" for step in (*folders, last))) is not None
            }
            place, now = cast("Json", _member(kept, *folders)), _member(live, *folders, last)
            if owners and manager not in owners:
                place.pop(last, None)
            elif now is not None:
                place[last] = now
        return kept

    def _take_over(self, path: str, manager: str) -> None:
        """Turn the fields of our own create into fields we apply, so that leaving one out removes it."""
        live = self._api().get(path)
        entries: list[Json] = live["metadata"].get("managedFields", []) if live else []
        created = [e for e in entries if (e["manager"], e["operation"]) == (_CREATOR, "Update")]
        if live is None or not created or any(e["manager"] == manager for e in entries):
            return
        moved = [
            {**entry, "manager": manager, "operation": "Apply"} if entry in created else entry
            for entry in entries
        ]
        version = live["metadata"]["resourceVersion"]
        self._api().request(
            "PATCH",
            path,
            body=[
                {"op": "test", "path": "/metadata/resourceVersion", "value": version},
                {"op": "replace", "path": "/metadata/managedFields", "value": moved},
            ],
            content_type="application/json-patch+json",
        )

    def read(self, request: Request) -> tuple[str, Object, Object]:
        known = plain_object(request.inputs or request.outputs)
        if not known:
            return self._read_for_import(request)
        live = self._get(known, request.identity)
        if live is None:
            return "", {}, {}
        before = plain_object(request.outputs)
        inputs = rules.drifted(request.inputs, before, _object(live))
        return request.identity, rules.checkpoint(inputs, _object(live)), inputs

    def _read_for_import(self, request: Request) -> tuple[str, Object, Object]:
        api_version, kind = rules.kind_of_token(request.token)
        live = self._get({"apiVersion": api_version, "kind": kind}, request.identity)
        if live is None:
            return "", {}, {}
        inputs = rules.importable(_object(live))
        return request.identity, rules.checkpoint(inputs, _object(live)), inputs

    def delete(self, request: Request) -> None:
        inputs = plain_object(request.old_inputs)
        policy = text(child(inputs, "metadata", "annotations", "pulumi.com/deletionPropagationPolicy"))
        body: Json = {"propagationPolicy": policy.capitalize() or "Foreground"}
        namespace, name = _split(request.identity)
        try:
            client = self._api()
            path = client.path(*rules.kind_of(inputs), namespace, name)
            client.request("DELETE", path, body=body)
            deadline = time.monotonic() + self._timeout(request, inputs)
            while client.get(path) is not None:
                if time.monotonic() > deadline or self.cancelled.is_set():
                    raise ProviderError(f"{request.identity} is being deleted, but is not gone yet")
                time.sleep(_POLL_SECONDS)
        except ApiError as error:
            if error.status != 404:
                raise ProviderError(f'can\'t delete "{request.identity}": {error}') from error

    def _path(self, inputs: Object, name: str = "") -> str:
        return self._api().path(*rules.kind_of(inputs), rules.namespace_of(inputs), name)

    def _get(self, known: Object, identity: str) -> Json | None:
        namespace, name = _split(identity)
        try:
            return self._api().get(self._api().path(*rules.kind_of(known), namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise ProviderError(str(error)) from error

    def _settle(self, request: Request, live: Json) -> Object:
        """Wait until the object is ready; the outputs are those it then has."""
        inputs = plain_object(request.inputs)
        skip = rules.skips_await(inputs)
        path = self._path(inputs, live["metadata"]["name"])
        deadline, said = time.monotonic() + self._timeout(request, inputs), ""
        while not skip:
            now = readiness(self._api(), live)
            if now.ready:
                break
            if now.status != said:
                said = now.status
                self.log(request.urn, said)
            if now.failed or time.monotonic() > deadline or self.cancelled.is_set():
                raise InitFailedError(
                    rules.not_live(request.urn, now.status + explanation(self._api(), live)),
                    rules.identity_of(_object(live)),
                    rules.checkpoint(request.inputs, _object(live)),
                )
            time.sleep(_POLL_SECONDS)
            live = self._api().get(path) or live
        return rules.checkpoint(request.inputs, _object(live))

    @staticmethod
    def _timeout(request: Request, inputs: Object) -> float:
        annotated = text(child(inputs, "metadata", "annotations", "pulumi.com/timeoutSeconds"))
        return request.timeout_seconds or float(annotated or os.environ.get(TIMEOUT, "600"))


def _split(identity: str) -> tuple[str, str]:
    namespace, _, name = identity.rpartition("/")
    return namespace, name


def _object(live: Json) -> Object:
    """A live object without the bookkeeping that would fill the state."""
    metadata = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
    return cast("Object", {**live, "metadata": metadata})


def _member(value: object, *keys: str) -> object:
    """The member at `keys` of what the API server said, or None where a step is missing."""
    for key in keys:
        value = cast("Json", value).get(key) if isinstance(value, dict) else None
    return value
