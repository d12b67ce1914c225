"""`put` and `get`: what comes back is what went in, or it is refused."""

import hashlib
import io
import random
from typing import TYPE_CHECKING, BinaryIO

import pytest

from slipway_toolbox.errors import ToolboxError
from slipway_toolbox.storage import MIB, Location, Storage, parse_location
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

DUMP = Location(BUCKET, "daily/dump.bin")


def data(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311  # reproducible, not secret


def keys(s3: "S3Client") -> list[str]:
    return [entry.get("Key", "") for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


class Pipe(io.RawIOBase):
    """A stream that cannot be rewound, gives what it has in odd pieces, and may break."""

    def __init__(self, content: bytes, breaks_at: int | None = None) -> None:
        self._content, self._breaks_at, self._place = content, breaks_at, 0

    def read(self, size: int = -1) -> bytes:
        if self._breaks_at is not None and self._place >= self._breaks_at:
            raise ToolboxError("the pipe broke")
        piece = self._content[self._place :][: min(size, 700_001) if size >= 0 else None]
        self._place += len(piece)
        return piece


class Narrow:
    """A target that can only be written, like a pipe."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, piece: bytes) -> int:
        self.content += piece
        return len(piece)


def read(location: Location, sha256: str) -> bytes:
    target = Narrow()
    Storage(part_mib=5).get(location, target, sha256)  # type: ignore[arg-type]
    return bytes(target.content)


@pytest.mark.parametrize("size", [0, 1, 5 * MIB - 1, 5 * MIB, 12 * MIB + 7])
def test_what_comes_back_is_what_went_in(s3: "S3Client", size: int) -> None:
    content = data(size)
    stored = Storage(part_mib=5).put(Pipe(content), DUMP)
    assert (stored.size_bytes, stored.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert read(DUMP, Storage().expected_sha256(DUMP)) == content


def test_the_checksum_beside_an_object_is_one_that_sha256sum_reads(s3: "S3Client") -> None:
    stored = Storage().put(io.BytesIO(b"abc"), DUMP)
    body = s3.get_object(Bucket=BUCKET, Key="daily/dump.bin.sha256")["Body"]
    with body:
        assert body.read() == f"{stored.sha256}  dump.bin\n".encode()


@pytest.mark.parametrize("breaks_at", [0, 100_000, 7 * MIB])
def test_a_stream_that_breaks_leaves_nothing(s3: "S3Client", breaks_at: int) -> None:
    with pytest.raises(ToolboxError, match="the pipe broke"):
        Storage(part_mib=5).put(Pipe(data(12 * MIB), breaks_at), DUMP)
    assert keys(s3) == []
    assert not s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads")


def test_a_stream_that_breaks_leaves_the_earlier_object_as_it_was(s3: "S3Client") -> None:
    first = Storage().put(io.BytesIO(b"the last good one"), DUMP)
    with pytest.raises(ToolboxError, match="the pipe broke"):
        Storage(part_mib=5).put(Pipe(data(12 * MIB), 7 * MIB), DUMP)
    assert read(DUMP, Storage().expected_sha256(DUMP)) == b"the last good one"
    assert Storage().expected_sha256(DUMP) == first.sha256


@pytest.mark.parametrize(
    "damage", [lambda body: body[:-1], lambda body: b"X" + body[1:], lambda body: body + b"X"]
)
def test_a_damaged_object_is_refused(s3: "S3Client", damage: "type[bytes]") -> None:
    content = data(1000)
    stored = Storage().put(io.BytesIO(content), DUMP)
    s3.put_object(Bucket=BUCKET, Key=DUMP.key, Body=damage(content))
    with pytest.raises(ToolboxError, match=rf"damaged: .* should be {stored.sha256}"):
        read(DUMP, Storage().expected_sha256(DUMP))


def test_an_object_without_a_checksum_is_not_taken_for_complete(s3: "S3Client") -> None:
    s3.put_object(Bucket=BUCKET, Key=DUMP.key, Body=b"half of it")
    with pytest.raises(ToolboxError, match=r"has no checksum .*never completed"):
        Storage().expected_sha256(DUMP)


def test_a_checksum_that_is_none_is_refused(s3: "S3Client") -> None:
    s3.put_object(Bucket=BUCKET, Key=DUMP.checksum.key, Body=b"<html>")
    with pytest.raises(ToolboxError, match="does not begin with a SHA-256"):
        Storage().expected_sha256(DUMP)


def test_somebody_else_who_writes_the_same_name_is_noticed(s3: "S3Client") -> None:
    class Race(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            piece = super().read(size)
            if not piece:  # the upload is about to end: let it end before the check, with another size
                storage._client.meta.events.register("before-call.s3.HeadObject", intrude)
            return piece

    def intrude(**_details: object) -> None:
        s3.put_object(Bucket=BUCKET, Key=DUMP.key, Body=b"somebody else's")

    storage = Storage(part_mib=5)
    with pytest.raises(ToolboxError, match="15 bytes, 3 were sent"):
        storage.put(Race(b"abc"), DUMP)
    assert DUMP.checksum.key not in keys(s3)


def test_a_stream_longer_than_10000_parts_is_refused_before_s3_does(
    s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipway_toolbox.storage.MOST_PARTS", 2)
    with pytest.raises(ToolboxError, match=r"longer than 2 parts of this size, 10 MiB.*--part-mib"):
        Storage(part_mib=5).put(Pipe(data(11 * MIB)), DUMP)
    assert keys(s3) == []


def test_a_bucket_that_is_not_there_is_named(s3: "S3Client") -> None:
    elsewhere = Location("elsewhere", "dump.bin")
    with pytest.raises(ToolboxError, match=r"s3://elsewhere/dump\.bin: .*NoSuchBucket.*It was not stored"):
        Storage().put(io.BytesIO(b"abc"), elsewhere)


def test_without_a_region_the_remedy_is_told(s3: "S3Client", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "no-url")
    with pytest.raises(ToolboxError, match="AWS_ENDPOINT_URL"):
        Storage()


def test_a_version_that_was_read_is_named_where_the_bucket_keeps_versions(s3: "S3Client") -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    stored = Storage().put(io.BytesIO(b"abc"), DUMP)
    target: BinaryIO = io.BytesIO()
    assert stored.version_id
    assert Storage().get(DUMP, target, stored.sha256).version_id == stored.version_id
    for entry in s3.list_object_versions(Bucket=BUCKET).get("Versions", []):
        s3.delete_object(Bucket=BUCKET, Key=entry.get("Key", ""), VersionId=entry.get("VersionId", ""))


@pytest.mark.parametrize(
    "text", ["s3://b", "s3://bucket/", "bucket/key", "s3://bucket/folder/", "s3://bucket/x.sha256"]
)
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"s3://BUCKET/KEY|for checksums"):
        parse_location(text)


def test_an_object_is_a_bucket_and_a_key() -> None:
    assert parse_location("s3://backups/daily/dump.bin") == DUMP
    assert str(DUMP) == "s3://backups/daily/dump.bin"
