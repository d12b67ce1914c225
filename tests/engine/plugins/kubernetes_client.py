"""A small Kubernetes client: a kubeconfig, HTTPS, JSON; no more than the live provider needs.

It reads neither KUBECONFIG nor ~/.kube: what the program gives its provider is all there is.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import urllib3
import yaml

type Json = dict[str, Any]

_TIMEOUT_SECONDS = 30


class ApiError(Exception):
    """The API server refused: `status` is the HTTP code, `reason` the API's own word for it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Kubeconfig:
    """One context of a kubeconfig.

    Args:
        source: the text of a kubeconfig (YAML or JSON), or the path of a file.
        context: the context's name; empty for the current one.
    """

    def __init__(self, source: str, context: str) -> None:
        if "\n" not in source and not source.lstrip().startswith("{"):
            source = Path(source).expanduser().read_text()
        config = yaml.safe_load(source)
        name = context or config.get("current-context", "")
        chosen = _named(config, "contexts", name)["context"]
        self.namespace: str = chosen.get("namespace", "default")
        self._cluster = _named(config, "clusters", chosen["cluster"])["cluster"]
        self._user = _named(config, "users", chosen["user"])["user"] if chosen.get("user") else {}
        self.server: str = self._cluster["server"].rstrip("/")

    def pool(self) -> tuple[urllib3.PoolManager, dict[str, str]]:
        """Connections to the server, and the headers every request carries."""
        user = {**self._user, **_from_exec(self._user.get("exec"))}
        tls = self._tls(user)
        token = user.get("token") or (
            Path(user["tokenFile"]).read_text().strip() if "tokenFile" in user else ""
        )
        headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        return urllib3.PoolManager(maxsize=16, block=True, retries=False, ssl_context=tls), headers

    def _tls(self, user: Json) -> ssl.SSLContext:
        """What the connections trust and show. A key is on disk only while OpenSSL reads it."""
        with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
            tls = ssl.create_default_context(cafile=_file(self._cluster, "certificate-authority", folder))
            if self._cluster.get("insecure-skip-tls-verify"):
                tls.check_hostname = False
                tls.verify_mode = ssl.CERT_NONE
            certificate, key = _file(user, "client-certificate", folder), _file(user, "client-key", folder)
            if certificate and key:
                tls.load_cert_chain(certificate, key)
        return tls


def _named(config: Json, section: str, name: str) -> Json:
    for entry in config.get(section) or ():
        if entry["name"] == name:
            return entry
    raise ApiError(0, "Kubeconfig", f"the kubeconfig has no {section.removesuffix('s')} named {name!r}")


def _file(section: Json, key: str, folder: str) -> str | None:
    """The path of a certificate or key; one that stands in the kubeconfig itself is written to the folder."""
    if f"{key}-data" not in section:
        return section.get(key)
    path = Path(folder, key)
    path.write_bytes(base64.b64decode(section[f"{key}-data"]))
    return str(path)


def _from_exec(plugin: Json | None) -> Json:
    """Credentials from the command that a kubeconfig names."""
    if not plugin:
        return {}
    extra = {entry["name"]: entry["value"] for entry in plugin.get("env") or ()}
    info = {"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "spec": {"interactive": False}}
    done = subprocess.run(
        [plugin["command"], *(plugin.get("args") or ())],
        env={**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(info)},
        check=True,
        capture_output=True,
    )
    status = json.loads(done.stdout)["status"]
    made = {"token": status["token"]} if "token" in status else {}
    for key, name in (("clientCertificateData", "client-certificate"), ("clientKeyData", "client-key")):
        if key in status:
            made[f"{name}-data"] = base64.b64encode(status[key].encode()).decode()
    return made


class Client:
    """Requests to one API server."""

    def __init__(self, config: Kubeconfig) -> None:
        self._server = config.server
        self._pool, self._headers = config.pool()
        self._kinds: dict[str, dict[str, Json]] = {}
        self._lock = threading.Lock()

    def path(self, api_version: str, kind: str, namespace: str, name: str = "") -> str:
        """The path of an object, or of its collection where `name` is empty."""
        found = self._kind(api_version, kind)
        root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
        within = f"/namespaces/{quote(namespace)}" if found["namespaced"] else ""
        return f"{root}{within}/{found['name']}" + (f"/{quote(name)}" if name else "")

    def namespaced(self, api_version: str, kind: str) -> bool:
        """Whether objects of that kind live in a namespace."""
        return bool(self._kind(api_version, kind)["namespaced"])

    def _kind(self, api_version: str, kind: str) -> Json:
        with self._lock:
            known = self._kinds.get(api_version, {})
            if kind not in known:  # a custom resource's definition may have come since
                root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
                listed = self.request("GET", root)["resources"]
                known = {entry["kind"]: entry for entry in listed if "/" not in entry["name"]}
                self._kinds[api_version] = known
        if kind not in known:
            raise ApiError(404, "NotFound", f'no matches for kind "{kind}" in version "{api_version}"')
        return known[kind]

    def get(self, path: str) -> Json | None:
        """The object at a path, or None."""
        try:
            return self.request("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def items(self, path: str, **query: str) -> list[Json]:
        """The objects of a collection."""
        return self.request("GET", path, query=query).get("items") or []

    def text(self, path: str, **query: str) -> str:
        """A path whose answer is plain text: a log."""
        return self._send("GET", path, query, None, "application/json").data.decode(errors="replace")

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | list[Json] | None = None,
        content_type: str = "application/json",
    ) -> Json:
        """Send a request.

        Raises:
            ApiError: where the server's answer is not a success.
        """
        return json.loads(self._send(method, path, query or {}, body, content_type).data)

    def _send(
        self, method: str, path: str, query: Mapping[str, str], body: object, content_type: str
    ) -> urllib3.BaseHTTPResponse:
        url = self._server + path + (f"?{urlencode(query)}" if query else "")
        payload = None if body is None else json.dumps(body).encode()
        headers = {**self._headers, **({"Content-Type": content_type} if payload else {})}
        try:
            answer = self._pool.request(method, url, body=payload, headers=headers, timeout=_TIMEOUT_SECONDS)
        except urllib3.exceptions.HTTPError as error:
            raise ApiError(0, "Unreachable", f"{self._server} does not answer: {error}") from error
        if answer.status >= 300:
            try:
                status = json.loads(answer.data)
            except ValueError:
                status = {}
            message = status.get("message") or answer.data.decode(errors="replace")[:500]
            raise ApiError(answer.status, status.get("reason", ""), message)
        return answer
