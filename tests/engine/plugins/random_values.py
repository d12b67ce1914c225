"""The random provider: values are really random, every input that changes makes a new one."""

from __future__ import annotations

import base64
import secrets
import string
import uuid
from collections.abc import Mapping
from typing import ClassVar

from tests.engine.plugins.package import ALL, ResourceType, TablePackage
from tests.engine.plugins.values import Object, Value

_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
_ANIMALS = ("otter", "heron", "lynx", "marten", "stoat", "plover", "badger", "tern")


def _number(inputs: Object, key: str, default: int = 0) -> int:
    value = inputs.get(key, default)
    return int(value) if isinstance(value, int | float) else default


def _characters(inputs: Object) -> str:
    """A string by length, character classes and their minimums."""
    classes = (
        ("lower", "minLower", string.ascii_lowercase),
        ("upper", "minUpper", string.ascii_uppercase),
        ("numeric", "minNumeric", string.digits),
        ("special", "minSpecial", str(inputs.get("overrideSpecial") or _SPECIAL)),
    )
    allowed = [(minimum, letters) for key, minimum, letters in classes if inputs.get(key, True)]
    picked = [secrets.choice(letters) for key, letters in allowed for _ in range(_number(inputs, key))]
    everything = "".join(letters for _, letters in allowed)
    while len(picked) < _number(inputs, "length"):
        picked.append(secrets.choice(everything))
    secrets.SystemRandom().shuffle(picked)
    return "".join(picked)


def _password(inputs: Object) -> Object:
    return {"result": _characters(inputs), "bcryptHash": "$2a$10$" + secrets.token_urlsafe(40)[:53]}


def _string(inputs: Object) -> Object:
    value = _characters(inputs)
    return {"id": value, "result": value}


def _bytes(inputs: Object) -> Object:
    raw = secrets.token_bytes(_number(inputs, "length"))
    return {"base64": base64.b64encode(raw).decode(), "hex": raw.hex()}


def _id(inputs: Object) -> Object:
    raw = secrets.token_bytes(_number(inputs, "byteLength"))
    prefix = str(inputs.get("prefix", ""))
    url = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return {
        "id": url,
        "b64Url": prefix + url,
        "b64Std": prefix + base64.b64encode(raw).decode(),
        "dec": f"{prefix}{int.from_bytes(raw)}",
        "hex": prefix + raw.hex(),
    }


def _uuid(inputs: Object) -> Object:
    del inputs
    value = str(uuid.uuid4())
    return {"id": value, "result": value}


def _integer(inputs: Object) -> Object:
    low = _number(inputs, "min")
    value: Value = low + secrets.randbelow(_number(inputs, "max") - low + 1)
    return {"id": str(value), "result": value}


def _pet(inputs: Object) -> Object:
    words = [secrets.choice(_ANIMALS) for _ in range(_number(inputs, "length", 2))]
    prefix = [str(inputs["prefix"])] if inputs.get("prefix") else []
    return {"id": str(inputs.get("separator", "-")).join(prefix + words)}


class RandomPackage(TablePackage):
    """Passwords, bytes, identifiers; they live in Pulumi's state alone."""

    name = "random"
    types: ClassVar[Mapping[str, ResourceType]] = {
        "random:index/randomPassword:RandomPassword": ResourceType(
            ("result", "bcryptHash"), _password, ALL, frozenset({"result", "bcryptHash"})
        ),
        "random:index/randomString:RandomString": ResourceType(("result",), _string, ALL),
        "random:index/randomBytes:RandomBytes": ResourceType(
            ("base64", "hex"), _bytes, ALL, frozenset({"base64", "hex"})
        ),
        "random:index/randomId:RandomId": ResourceType(("b64Url", "b64Std", "dec", "hex"), _id, ALL),
        "random:index/randomUuid:RandomUuid": ResourceType(("result",), _uuid, ALL),
        "random:index/randomInteger:RandomInteger": ResourceType(("result",), _integer, ALL),
        "random:index/randomPet:RandomPet": ResourceType((), _pet, ALL),
    }
