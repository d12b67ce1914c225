"""The Kubernetes provider in front of a simulated API server.

It refuses what a real cluster would: a name that is taken, a namespace that does not exist, a pod
that mounts a Secret nobody made. Objects outlive the engine in the simulated cloud's folder.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Iterator, Mapping

from tests.engine.plugins import kubernetes_rules as rules
from tests.engine.plugins.cloud import AlreadyExistsError
from tests.engine.plugins.package import Difference, InitFailedError, Package, ProviderError, Request
from tests.engine.plugins.values import (
    UNKNOWN,
    Object,
    Value,
    child,
    has_unknown,
    is_list,
    is_object,
    plain,
    plain_object,
    text,
)

PATIENCE = "SLIPWAY_SIMULATED_PATIENCE"
"""Environment variable: seconds an object waits for what it needs (default 8; the real one takes 600)."""

_BUILT_IN_NAMESPACES = frozenset({"", "default", "kube-system", "kube-public", "kube-node-lease"})
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NEEDS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("configMap", ("name",), "ConfigMap"),
    ("secret", ("secretName",), "Secret"),
    ("persistentVolumeClaim", ("claimName",), "PersistentVolumeClaim"),
    ("configMapRef", ("name",), "ConfigMap"),
    ("secretRef", ("name",), "Secret"),
    ("configMapKeyRef", ("name",), "ConfigMap"),
    ("secretKeyRef", ("name",), "Secret"),
)
_WORKLOADS = frozenset({"DaemonSet", "Deployment", "Job", "Pod", "StatefulSet"})


class KubernetesRules(Package):
    """What simulated and live provider have in common: names, differences, provider settings."""

    name = "kubernetes"
    mutable: frozenset[str] = frozenset()

    def configure(self, inputs: Object) -> None:
        clear = plain_object(inputs)
        self.mutable = frozenset(
            kind
            for kind, key in (("ConfigMap", "enableConfigMapMutable"), ("Secret", "enableSecretMutable"))
            if str(clear.get(key)).lower() == "true"
        )

    def diff_config(self, old: Object, new: Object) -> Difference:
        found = super().diff_config(old, new)
        if "clusterIdentifier" in found.paths:
            return Difference(found.paths, frozenset({"clusterIdentifier"}))
        pinned = new.get("clusterIdentifier") is not None
        unknown = {key for key in ("kubeconfig", "context", "cluster") if new.get(key) == UNKNOWN}
        moved = {"kubeconfig", "context", "cluster"} & found.paths.keys()
        return Difference(found.paths, frozenset() if pinned else frozenset(unknown | moved))

    def check(self, request: Request) -> Object:
        if plain(request.inputs.get("metadata")) == UNKNOWN:
            return request.inputs
        return rules.with_name(request.inputs, request.old_inputs, request.name, request.seed)

    def diff(self, request: Request) -> Difference:
        live = plain_object(request.outputs)
        return rules.difference(request.old_inputs, request.inputs, live, self.mutable)

    def invoke(self, token: str, args: Object) -> Object:
        raise ProviderError(f"the simulated kubernetes provider has no function {token} for {sorted(args)}")


class KubernetesPackage(KubernetesRules):
    """Objects in the simulated cloud."""

    def create(self, request: Request) -> tuple[str, Object]:
        if request.preview and has_unknown(request.inputs):
            return "", request.inputs
        inputs = plain_object(request.inputs)
        live = self._defaulted(inputs, generation=1)
        outputs = rules.checkpoint(request.inputs, live)
        if request.preview:
            return "", outputs
        identity = rules.identity_of(inputs)
        self._admit(request, inputs)
        try:
            self.cloud.create(request.token, identity, live)
        except AlreadyExistsError:
            raise ProviderError(
                f'resource "{request.urn}" was not successfully created by the Kubernetes API server: '
                f'{text(inputs.get("kind")).lower()}s "{rules.name_of(inputs)}" already exists'
            ) from None
        self.linger(request)
        self._settle(request, inputs, identity, outputs)
        return identity, outputs

    def update(self, request: Request) -> Object:
        inputs = plain_object(request.inputs)
        generation = child(plain_object(request.outputs), "metadata", "generation")
        live = self._defaulted(inputs, (generation if isinstance(generation, int) else 1) + 1)
        outputs = rules.checkpoint(request.inputs, live)
        if not request.preview:
            if self.cloud.get(request.token, request.identity) is None:
                raise ProviderError(f'{request.token} "{request.identity}" not found')
            self.cloud.put(request.token, request.identity, live)
            self.linger(request)
            self._settle(request, inputs, request.identity, outputs)
        return outputs

    def read(self, request: Request) -> tuple[str, Object, Object]:
        live = self.cloud.get(request.token, request.identity)
        if live is None:
            return "", {}, {}
        if not request.inputs:  # an import: everything but what the server adds is an input
            inputs = rules.importable(live)
        else:
            inputs = rules.drifted(request.inputs, plain_object(request.outputs), live)
        return request.identity, rules.checkpoint(inputs, live), inputs

    def delete(self, request: Request) -> None:
        self.cloud.delete(request.token, request.identity)
        if request.token == "kubernetes:core/v1:Namespace":
            for token, identity in list(self.cloud.objects()):
                if identity.startswith(f"{request.identity}/"):
                    self.cloud.delete(token, identity)

    def _admit(self, request: Request, inputs: Object) -> None:
        """What an API server refuses at once."""
        name, namespace = rules.name_of(inputs), rules.namespace_of(inputs)
        if not _NAME.fullmatch(name):
            raise ProviderError(f'{request.token} "{name}" is invalid: metadata.name: Invalid value')
        if (
            namespace not in _BUILT_IN_NAMESPACES
            and self.cloud.get("kubernetes:core/v1:Namespace", namespace) is None
        ):
            raise ProviderError(f'{request.token} "{name}": namespaces "{namespace}" not found')
        selector = child(inputs, "spec", "selector", "matchLabels")
        labels = child(inputs, "spec", "template", "metadata", "labels")
        if is_object(selector) and is_object(labels) and not selector.items() <= labels.items():
            raise ProviderError(
                f'{request.token} "{name}" is invalid: `selector` does not match template `labels`'
            )

    def _settle(self, request: Request, inputs: Object, identity: str, outputs: Object) -> None:
        """Wait for what the object needs, then give up as the real provider does."""
        if rules.skips_await(inputs):
            return
        deadline = time.monotonic() + float(os.environ.get(PATIENCE, "8"))
        while missing := sorted(set(self._missing(inputs))):
            if time.monotonic() > deadline or self.cancelled.is_set():
                why = f"{', '.join(missing)} not found"
                raise InitFailedError(rules.not_live(request.urn, why), identity, outputs)
            time.sleep(0.05)

    def _missing(self, inputs: Object) -> Iterator[str]:
        kind, namespace = text(inputs.get("kind")), rules.namespace_of(inputs)
        if kind in _WORKLOADS:
            pod = child(inputs, "spec") if kind == "Pod" else child(inputs, "spec", "template", "spec")
            for needed, name in _needs(pod):
                if self.cloud.get(f"kubernetes:core/v1:{needed}", f"{namespace}/{name}") is None:
                    yield f'{needed.lower()} "{name}"'
        if kind == "Service":
            selector = child(inputs, "spec", "selector")
            headless = child(inputs, "spec", "clusterIP") == "None"
            if is_object(selector) and not headless and not self._has_pods(namespace, selector):
                yield "an endpoint that is ready"

    def _has_pods(self, namespace: str, selector: Mapping[str, Value]) -> bool:
        """Whether a workload's pods would be the endpoints of a Service."""
        for token, identity in self.cloud.objects():
            if token.rsplit(":", 1)[-1] in _WORKLOADS and identity.startswith(f"{namespace}/"):
                labels = child(
                    self.cloud.get(token, identity) or {}, "spec", "template", "metadata", "labels"
                )
                if is_object(labels) and selector.items() <= labels.items():
                    return True
        return False

    @staticmethod
    def _defaulted(inputs: Object, generation: int) -> Object:
        """The object as the API server would show it."""
        stored = rules.normalized(inputs)
        metadata = stored.get("metadata")
        namespace = rules.namespace_of(inputs)
        added: Object = {
            **({"namespace": namespace} if namespace else {}),
            "uid": str(uuid.uuid4()),
            "resourceVersion": str(time.time_ns()),
            "generation": generation,
            "creationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        live: Object = {**stored, "metadata": {**(metadata if is_object(metadata) else {}), **added}}
        spec = stored.get("spec")
        if rules.kind_of(inputs) == ("v1", "Service") and is_object(spec) and "clusterIP" not in spec:
            live["spec"] = {**spec, "clusterIP": "10.96.0.99", "clusterIPs": ["10.96.0.99"]}
        return live


def _needs(value: Value) -> Iterator[tuple[str, str]]:
    """Kind and name of what a pod's volumes and environment refer to."""
    if is_object(value):
        account = value.get("serviceAccountName")
        if isinstance(account, str) and "containers" in value:
            yield "ServiceAccount", account
        for key, keys, kind in _NEEDS:
            reference = value.get(key)
            name = child(reference, *keys)
            if is_object(reference) and isinstance(name, str) and reference.get("optional") is not True:
                yield kind, name
        for item in value.values():
            yield from _needs(item)
    elif is_list(value):
        for item in value:
            yield from _needs(item)
