"""Property values as Pulumi's wire format has them.

Secrets and unknowns travel inside a protobuf Struct as marked maps and strings. Everything the
plugins decide is decided on plain Python values, so the translation stands here, once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeGuard

from google.protobuf import struct_pb2

type Value = bool | int | float | str | Sequence["Value"] | Mapping[str, "Value"] | Secret | None
type Object = dict[str, Value]
type Path = tuple[str | int, ...]

# Signatures of the wire format (sdk/go/common/resource/plugin/rpc.go of pulumi/pulumi).
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"

_PLAIN_KEY = re.compile(r"[A-Za-z_$][\w$]*")


class Secret:
    """A value which the engine must encrypt in state and hide in all output."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value


def is_object(value: Value) -> TypeGuard[Mapping[str, Value]]:
    """Whether a value is a map."""
    return isinstance(value, Mapping)


def is_list(value: Value) -> TypeGuard[Sequence[Value]]:
    """Whether a value is a list."""
    return isinstance(value, Sequence) and not isinstance(value, str)


def decode(struct: struct_pb2.Struct) -> Object:
    """Plain values of a Struct; secrets become `Secret`, whole numbers become int."""
    return {key: _decode(value) for key, value in struct.fields.items()}


def _decode(message: struct_pb2.Value) -> Value:
    kind = message.WhichOneof("kind")
    if kind == "string_value":
        return message.string_value
    if kind == "number_value":
        number = message.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return message.bool_value
    if kind == "list_value":
        return [_decode(item) for item in message.list_value.values]
    if kind == "struct_value":
        fields = message.struct_value.fields
        if _SIGNATURE in fields and fields[_SIGNATURE].string_value == _SECRET:
            return Secret(_decode(fields["value"]))
        return {key: _decode(value) for key, value in fields.items()}
    return None


def encode(values: Mapping[str, Value]) -> struct_pb2.Struct:
    """The Struct for plain values."""
    struct = struct_pb2.Struct()
    for key, value in values.items():
        _encode(value, struct.fields[key])
    return struct


def _encode(value: Value, into: struct_pb2.Value) -> None:
    if isinstance(value, Secret):
        fields = into.struct_value.fields
        fields[_SIGNATURE].string_value = _SECRET
        _encode(value.value, fields["value"])
    elif value is None:
        into.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, bool):
        into.bool_value = value
    elif isinstance(value, int | float):
        into.number_value = value
    elif isinstance(value, str):
        into.string_value = value
    elif is_object(value):
        into.struct_value.SetInParent()
        for key, item in value.items():
            _encode(item, into.struct_value.fields[key])
    elif is_list(value):
        into.list_value.SetInParent()
        for item in value:
            _encode(item, into.list_value.values.add())


def plain(value: Value) -> Value:
    """The same value with every secret laid open and every null member of a map left out."""
    if isinstance(value, Secret):
        return plain(value.value)
    if is_object(value):
        return {key: plain(item) for key, item in value.items() if item is not None}
    if is_list(value):
        return [plain(item) for item in value]
    return value


def plain_object(value: Mapping[str, Value]) -> Object:
    """`plain` for a map at the top."""
    return {key: plain(item) for key, item in value.items() if item is not None}


def has_unknown(value: Value) -> bool:
    """Whether a value is, or holds, something not known before `up`."""
    if isinstance(value, Secret):
        return has_unknown(value.value)
    if is_object(value):
        return any(has_unknown(item) for item in value.values())
    if is_list(value):
        return any(has_unknown(item) for item in value)
    return value == UNKNOWN


def has_secret(value: Value) -> bool:
    """Whether a value is, or holds, a secret."""
    if is_object(value):
        return any(has_secret(item) for item in value.values())
    if is_list(value):
        return any(has_secret(item) for item in value)
    return isinstance(value, Secret)


def child(value: Value, *keys: str) -> Value:
    """The member at `keys`, or None where a step is missing."""
    for key in keys:
        if isinstance(value, Secret):
            value = value.value
        if not is_object(value):
            return None
        value = value.get(key)
    return value


def text(value: Value) -> str:
    """A string member, or the empty string."""
    return value if isinstance(value, str) else ""


def differences(old: Value, new: Value, at: Path = ()) -> Iterator[tuple[Path, str]]:
    """Paths at which two plain values differ, each with `add`, `delete` or `update`."""
    if is_object(old) and is_object(new):
        for key in sorted({*old, *new}):
            if key not in new:
                yield (*at, key), "delete"
            elif key not in old:
                yield (*at, key), "add"
            else:
                yield from differences(old[key], new[key], (*at, key))
    elif is_list(old) and is_list(new):
        for index in range(max(len(old), len(new))):
            if index >= len(new):
                yield (*at, index), "delete"
            elif index >= len(old):
                yield (*at, index), "add"
            else:
                yield from differences(old[index], new[index], (*at, index))
    elif old != new or isinstance(old, bool) is not isinstance(new, bool):
        yield at, "update"


def path_text(path: Path) -> str:
    """A path as Pulumi writes it: `spec.containers[0].env`, `annotations["a/b"]`."""
    out = ""
    for step in path:
        if isinstance(step, int):
            out += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            out += f".{step}" if out else step
        else:
            out += f'["{step}"]'
    return out
