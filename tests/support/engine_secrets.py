"""Looks for generated secrets in everything a run leaves behind.

A secret rarely leaks as it is: it stands in a URL, in base64 inside a longer text, escaped in JSON.
Each generated value is therefore looked for in all the forms in which it could be carried away.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.support.engine import EngineStack

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SOURCES: Mapping[str, tuple[str, ...]] = {
    "random:index/randomPassword:RandomPassword": ("result", "bcryptHash"),
    "random:index/randomBytes:RandomBytes": ("base64", "hex"),
    "tls:index/privateKey:PrivateKey": ("privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"),
}
_PEM_BODY = re.compile(r"^[A-Za-z0-9+/=]{40,}$", re.MULTILINE)


def generated_secrets(stack: EngineStack) -> dict[str, str]:
    """Where each generated secret of a stack comes from, and its value."""
    found: dict[str, str] = {}
    for resource in stack.export(show_secrets=True)["resources"]:
        outputs = resource.get("outputs") or {}
        public = f"{outputs.get('publicKeyPem', '')}{outputs.get('publicKeyOpenssh', '')}".replace("\n", "")
        for key in _SOURCES.get(resource["type"], ()):
            if value := _opened(outputs.get(key)):
                lines = value.splitlines(keepends=True)
                # A private key holds the public one; a line which is only that is no secret.
                kept = [line for line in lines if line.strip() not in public] if public else lines
                found[f"{resource['urn'].rsplit('::', 1)[-1]}.{key}"] = "".join(kept)
    return found


def _opened(value: Any) -> str:  # noqa: ANN401 - a property of the state, any JSON
    if isinstance(value, dict) and _SIGNATURE in value:
        return json.loads(value["plaintext"])
    return value if isinstance(value, str) else ""


def forms(secret: str) -> Iterator[str]:
    """A secret as it is, escaped, and encoded; for a key in PEM form each line of its body counts."""
    lines = _PEM_BODY.findall(secret) if "-----BEGIN" in secret else []
    for value in lines or [secret]:
        yield value
        yield json.dumps(value)[1:-1]
        yield json.dumps(json.dumps(value)[1:-1])[1:-1]
        yield quote(value, safe="")
        yield value.encode().hex()
        yield from _base64_forms(value)


def _base64_forms(value: str) -> Iterator[str]:
    """What base64 makes of a value at each of the three places where it may begin in a longer text."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + value.encode()).decode().rstrip("=")
        inner = encoded[(0, 2, 3)[shift] : -1]  # the first and last character depend on the neighbours
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def leaks(secrets: Mapping[str, str], texts: Mapping[str, str]) -> list[str]:
    """Which secret stands in which text, one sentence each; the secrets themselves are not told."""
    return [
        f"{source} stands in {place}"
        for source, secret in secrets.items()
        for place, text in texts.items()
        if any(form in text for form in set(forms(secret)))
    ]


def written_files(*folders: Path) -> dict[str, str]:
    """Path and content of every file below the folders."""
    files: Iterable[Path] = (file for folder in folders for file in folder.rglob("*") if file.is_file())
    return {str(file): file.read_text(errors="replace") for file in files}
