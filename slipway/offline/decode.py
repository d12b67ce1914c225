"""From the SDK's protobuf messages to plain JSON: secrets replaced, unknowns marked, numbers as written.

The inputs of a resource are read here once, directly from the message, since the SDK's own way
(deserialise, hand to a mock, serialise again) costs more than the registration itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from pulumi.runtime import rpc

from slipway.offline.model import SECRET, Json, Path
from slipway.offline.synthesis import Marker, find_markers

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct, Value

# The SDK names these signatures with an underscore, yet they are its wire format.
_SIGNATURE: str = cast("Any", rpc)._special_sig_key
_SECRET_SIGNATURE: str = cast("Any", rpc)._special_secret_sig
_RESOURCE_SIGNATURE: str = cast("Any", rpc)._special_resource_sig
UNKNOWN_TEXT: str = rpc.UNKNOWN

SECRET_WRAPPER = {_SIGNATURE: _SECRET_SIGNATURE}
"""What marks a map on the wire as the wrapper of a secret `value`."""

_LARGEST_EXACT = 2**53


class Decoder:
    """Decodes one message; afterwards the paths of secrets, unknowns and leaks stand beside it."""

    def __init__(self, markers: Mapping[str, Marker]) -> None:
        """Args: markers: the synthesised values so far, by their text."""
        self._markers = markers
        self.secret_paths: list[Path] = []
        self.unknown_paths: list[Path] = []
        self.leaks: list[tuple[Path, Marker]] = []

    def struct(self, message: Struct, secret_keys: frozenset[str] = frozenset()) -> dict[str, Json]:
        """A map of properties; `secret_keys` name properties that are secret whatever the program says."""
        return {
            key: self._value(value, (key,), key in secret_keys)
            for key, value in sorted(message.fields.items())
        }

    def _value(self, value: Value, path: Path, secret: bool) -> Json:
        match value.WhichOneof("kind"):
            case "string_value":
                return self._text(value.string_value, path, secret)
            case "number_value":
                return self._hide(path) if secret else _number(value.number_value)
            case "bool_value":
                return self._hide(path) if secret else value.bool_value
            case "struct_value":
                return self._map(value.struct_value, path, secret)
            case "list_value":
                items = value.list_value.values
                return [self._value(item, (*path, index), secret) for index, item in enumerate(items)]
            case _:
                return None

    def _map(self, message: Struct, path: Path, secret: bool) -> Json:
        entries = message.fields
        if _SIGNATURE in entries:
            signature = entries[_SIGNATURE].string_value
            if signature == _SECRET_SIGNATURE:
                return self._value(entries["value"], path, secret=True)
            if signature == _RESOURCE_SIGNATURE:
                return entries["urn"].string_value
            rest = {key: value for key, value in entries.items() if key != _SIGNATURE}
            return {
                "asset": {
                    key: self._value(value, (*path, "asset", key), secret) for key, value in rest.items()
                }
            }
        return {key: self._value(value, (*path, key), secret) for key, value in sorted(entries.items())}

    def _text(self, text: str, path: Path, secret: bool) -> Json:
        if text == UNKNOWN_TEXT:
            self.unknown_paths.append(path)
            if secret:
                return self._hide(path)
            return {"unknown": True}
        markers = find_markers(text, self._markers)
        if markers:
            self.unknown_paths.append(path)
        if secret:
            return self._hide(path)
        self.leaks += [(path, marker) for marker in markers if marker.secret]
        return text

    def _hide(self, path: Path) -> str:
        self.secret_paths.append(path)
        return SECRET


def _number(number: float) -> int | float:
    """The wire knows only doubles; a whole one was written as an integer."""
    return int(number) if number.is_integer() and abs(number) <= _LARGEST_EXACT else number
