"""Streams into S3 and back, without a local copy, held to the SHA-256 of the whole.

S3 itself checks each part, but keeps no hash of a whole that was uploaded in parts. It stands beside the object, in
`KEY.sha256`, in the form that `sha256sum --check` reads; it is written last. An object without it is not complete.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Protocol, cast

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from slipway_toolbox.errors import ToolboxError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

MIB = 1024 * 1024
PART_MIB = 16
"""How much of the stream one part holds. Parts are kept in memory until S3 has them: about 4 at a time."""
SMALLEST_PART_MIB = 5
LARGEST_PART_MIB = 5 * 1024
MOST_PARTS = 10_000
"""The limits of an upload in parts. Source: docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html, 2026-11."""
PARTS_IN_FLIGHT = 4
CHECKSUM_SUFFIX = ".sha256"


class Readable(Protocol):
    """What bytes come from: a file, a pipe, the output of a program."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most this many bytes; none at the end."""
        ...


@dataclass(frozen=True)
class Location:
    """An object in S3."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def checksum(self) -> "Location":
        """Where the object's SHA-256 stands."""
        return Location(self.bucket, self.key + CHECKSUM_SUFFIX)


def parse_location(text: str) -> Location:
    """Return the object that `s3://BUCKET/KEY` names.

    Raises:
        ValueError: when the text is no such URL.
    """
    found = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.*[^/])", text)
    if found is None:
        raise ValueError(f"{text!r} is not s3://BUCKET/KEY")
    if found[2].endswith(CHECKSUM_SUFFIX):
        raise ValueError(f"{text!r}: names that end in {CHECKSUM_SUFFIX} are for checksums")
    return Location(found[1], found[2])


@dataclass(frozen=True)
class Stored:
    """What was written or read.

    Attributes:
        url: the object.
        version_id: its version, where the bucket keeps versions.
        sha256: of the whole, in hexadecimal.
    """

    url: str
    version_id: str | None
    size_bytes: int
    sha256: str


class _HashingReader:
    """Hashes and counts what is read through it."""

    def __init__(self, source: Readable, most_bytes: int) -> None:
        self._source, self._most_bytes = source, most_bytes
        self.digest, self.size_bytes = hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        """Return exactly this many bytes, fewer only at the end: whatever is shorter passes for the last part."""
        data = self._source.read(size)
        while 0 < len(data) < size and (more := self._source.read(size - len(data))):
            data += more
        self.digest.update(data)
        self.size_bytes += len(data)
        if self.size_bytes > self._most_bytes:
            raise ToolboxError(
                f"The stream is longer than {MOST_PARTS} parts of this size, {self._most_bytes // MIB} MiB, which is"
                " all that S3 takes. Nothing was stored: choose larger parts with --part-mib."
            )
        return data


class _HashingWriter:
    """Hashes and counts what is written through it."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self.digest, self.size_bytes = hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.size_bytes += len(data)
        self._target.write(data)
        return len(data)


class Storage:
    """S3, or what speaks its language; region, endpoint and credentials are taken as every AWS tool takes them."""

    def __init__(self, *, part_mib: int = PART_MIB) -> None:
        """Prepare transfers.

        Args:
            part_mib: size of a part, `SMALLEST_PART_MIB` to `LARGEST_PART_MIB`.

        Raises:
            ToolboxError: when no region is configured, or the endpoint is no URL.
        """
        part_bytes = part_mib * MIB
        self._most_bytes = part_bytes * MOST_PARTS
        self._transfer = TransferConfig(
            multipart_threshold=part_bytes, multipart_chunksize=part_bytes, max_concurrency=PARTS_IN_FLIGHT
        )
        # These two have no argument; their default, 10 parts each, is more than a small job may use.
        self._transfer.max_in_memory_upload_chunks = PARTS_IN_FLIGHT
        self._transfer.max_in_memory_download_chunks = PARTS_IN_FLIGHT
        try:
            # The stubs hold S3's types only: the other clients of this overload are unknown.
            self._client: S3Client = boto3.client("s3")  # pyright: ignore[reportUnknownMemberType]
        except (BotoCoreError, ValueError) as error:
            raise ToolboxError(
                f"S3 cannot be used: {error}. Set AWS_REGION and, outside AWS, AWS_ENDPOINT_URL."
            ) from None

    def put(self, source: Readable, target: Location) -> Stored:
        """Store a stream; either all of it and then its checksum, or nothing that looks complete.

        An earlier object of this name stays as it is until the new one is whole. Between that moment and the next,
        in which its checksum is written, the old checksum stands beside it: whoever reads it then is refused.

        Args:
            source: where the bytes come from. Whatever it raises ends the upload and is raised again.
            target: the object.

        Raises:
            ToolboxError: when S3 does not take it, or holds something else afterwards.
        """
        reader = _HashingReader(source, self._most_bytes)
        try:
            self._client.upload_fileobj(
                cast("IO[bytes]", reader),
                target.bucket,
                target.key,
                ExtraArgs={"ChecksumAlgorithm": "SHA256"},
                Config=self._transfer,
            )
            head = self._client.head_object(Bucket=target.bucket, Key=target.key)
            if head["ContentLength"] != reader.size_bytes:
                raise ToolboxError(
                    f"{target} has {head['ContentLength']} bytes, {reader.size_bytes} were sent: somebody else wrote it"
                    " at the same time, or the storage is broken. It has no checksum and counts as incomplete."
                )
            sha256 = reader.digest.hexdigest()
            line = f"{sha256}  {target.key.rsplit('/', 1)[-1]}\n".encode()
            self._client.put_object(
                Bucket=target.bucket, Key=target.checksum.key, Body=line, ChecksumAlgorithm="SHA256"
            )
        except (ClientError, BotoCoreError, Boto3Error) as error:
            raise _refusal(target, error, "It was not stored.") from None
        return Stored(str(target), head.get("VersionId"), reader.size_bytes, sha256)

    def expected_sha256(self, source: Location) -> str:
        """Return the SHA-256 that stands beside an object.

        Raises:
            ToolboxError: when there is none, or it is unreadable.
        """
        try:
            answer = self._client.get_object(Bucket=source.bucket, Key=source.checksum.key)
            text = answer["Body"].read(1024).decode("ascii", "replace")
        except self._client.exceptions.NoSuchKey:
            raise ToolboxError(
                f"{source} has no checksum ({source.checksum} does not exist), so it was never completed, or is not"
                " ours. It was not read. If you know its SHA-256, give it with --sha256."
            ) from None
        except (ClientError, BotoCoreError) as error:
            raise _refusal(source.checksum, error, "Nothing was read.") from None
        found = re.match(r"[0-9a-f]{64}(?=\s)", text)
        if found is None:
            raise ToolboxError(
                f"{source.checksum} does not begin with a SHA-256. Nothing was read: look who wrote it."
            )
        return found[0]

    def get(self, source: Location, target: IO[bytes], sha256: str) -> Stored:
        """Write an object's bytes to a stream, in order, and hold them to a checksum.

        Args:
            source: the object.
            target: where the bytes go. They are there before they are known to be right.
            sha256: what they must hash to, in hexadecimal.

        Raises:
            ToolboxError: when S3 does not give it, or gave something else.
        """
        writer = _HashingWriter(target)
        try:
            head = self._client.head_object(Bucket=source.bucket, Key=source.key)
            version_id = head.get("VersionId")
            self._client.download_fileobj(
                source.bucket, source.key, cast("IO[bytes]", writer), Config=self._transfer,
                ExtraArgs={"VersionId": version_id} if version_id else {},
            )  # fmt: skip
        except (ClientError, BotoCoreError, Boto3Error, HTTPClientError) as error:
            raise _refusal(source, error, "It was not read to its end.") from None
        found = writer.digest.hexdigest()
        if found != sha256:
            raise ToolboxError(
                f"{source} is damaged: its SHA-256 is {found}, it should be {sha256}. Throw away what was read, and"
                " take an earlier version or another copy."
            )
        return Stored(str(source), version_id, writer.size_bytes, found)


def _refusal(place: Location, error: Exception, consequence: str) -> ToolboxError:
    return ToolboxError(
        f"S3 refused {place}: {str(error).rstrip('.')}. {consequence} Look at the bucket's name and region, and at what"
        " this job's role may do."
    )
