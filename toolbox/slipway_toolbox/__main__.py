"""The commands: arguments, printing and exit codes; the work is done by the modules beside this one.

Exit code 0: done; 1: could not be done, or a check failed; 2: called wrongly.
"""

import argparse
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from slipway_toolbox.errors import ToolboxError

DEFAULT_TIMEOUT_SECONDS = 60.0


def _versions(_arguments: argparse.Namespace) -> int:
    from slipway_toolbox.versions import versions

    return _print(versions())


def _wait(arguments: argparse.Namespace) -> int:
    from slipway_toolbox.wait import wait_for

    return _print(wait_for(arguments.addresses, arguments.timeout))


def _check_schema(arguments: argparse.Namespace) -> int:
    from slipway_toolbox.schema import check_schema

    url = os.environ.get("DATABASE_URL", "")
    if not url:
        raise ToolboxError(
            "DATABASE_URL is not set, so there is no database to check. Set it to a libpq URL."
        )
    report = check_schema(url, version_table=arguments.version_table)
    _print(report.as_json())
    return 1 if report.problems else 0


def _put(arguments: argparse.Namespace) -> int:
    from slipway_toolbox.producer import Producer
    from slipway_toolbox.storage import Storage

    storage = Storage(part_mib=arguments.part_mib)
    if not arguments.program:
        if sys.stdin.isatty():
            raise ToolboxError(
                "Nothing is piped into `put`. Pipe a file into it, or name a program after `--`."
            )
        return _print(asdict(storage.put(sys.stdin.buffer, arguments.location)))
    with Producer(arguments.program) as producer:
        _on_stop(producer.terminate)
        return _print(asdict(storage.put(producer, arguments.location)))


def _get(arguments: argparse.Namespace) -> int:
    from slipway_toolbox.storage import Storage

    storage = Storage()
    sha256: str = arguments.sha256 or storage.expected_sha256(arguments.location)
    if arguments.output is None:
        storage.get(arguments.location, sys.stdout.buffer, sha256)
        sys.stdout.buffer.flush()
        return 0
    output: Path = arguments.output
    # Beside its final name, so that the last step is a rename: nobody ever sees half a file there.
    part = output.with_name(f".{output.name}.part")
    try:
        with part.open("wb") as file:
            stored = storage.get(arguments.location, file, sha256)
            file.flush()
            os.fsync(file.fileno())
        part.replace(output)
    except OSError as error:
        raise ToolboxError(
            f"{output} could not be written: {error.strerror}. It is as it was before."
        ) from None
    finally:
        part.unlink(missing_ok=True)
    return _print(asdict(stored))


def _print(value: object) -> int:
    json.dump(value, sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 0


def _parsed[T](parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return a parser of an argument whose ValueError becomes the message that argparse prints."""

    def parser(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parser


def _sha256(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError(f"{text!r} is no SHA-256: 64 hexadecimal digits in lower case")
    return text


def _part_mib(text: str) -> int:
    from slipway_toolbox.storage import LARGEST_PART_MIB, SMALLEST_PART_MIB

    if not text.isdigit() or not SMALLEST_PART_MIB <= int(text) <= LARGEST_PART_MIB:
        raise ValueError(f"{text!r}: S3 takes parts of {SMALLEST_PART_MIB} to {LARGEST_PART_MIB} MiB")
    return int(text)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 86_400:
        raise ValueError(f"{text!r} is not between 0 and 86400 seconds")
    return seconds


def _parser() -> argparse.ArgumentParser:
    from slipway_toolbox.storage import PART_MIB, parse_location
    from slipway_toolbox.wait import parse_address

    parser = argparse.ArgumentParser(prog="slipway_toolbox", description="The jobs of the platform.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "versions", help="what is in this image; fails on another PostgreSQL than 16"
    )
    command.set_defaults(run=_versions)

    command = commands.add_parser("wait", help="until servers accept connections")
    command.add_argument("addresses", nargs="+", type=_parsed(parse_address), metavar="HOST:PORT")
    command.add_argument(
        "--timeout", type=_parsed(_seconds), default=DEFAULT_TIMEOUT_SECONDS, metavar="SECONDS",
        help="for all of them together (default: %(default)g)",
    )  # fmt: skip
    command.set_defaults(run=_wait)

    command = commands.add_parser(
        "check-schema", help="revision, row counts, foreign keys and extensions of the database DATABASE_URL"
    )
    command.add_argument("--version-table", default="alembic_version", help="default: %(default)s")
    command.set_defaults(run=_check_schema)

    command = commands.add_parser(
        "put",
        help="stdin, or what the program after `--` prints, into S3",
        usage="%(prog)s s3://BUCKET/KEY [-- PROGRAM ...]",
    )
    command.add_argument("location", type=_parsed(parse_location), metavar="s3://BUCKET/KEY")
    command.add_argument(
        "--part-mib", type=_parsed(_part_mib), default=PART_MIB, metavar="MIB",
        help="size of a part; 10000 of them are the most that S3 takes (default: %(default)s)",
    )  # fmt: skip
    command.set_defaults(run=_put)

    command = commands.add_parser("get", help="an object of S3 to stdout or a file; fails when it is damaged")
    command.add_argument("location", type=_parsed(parse_location), metavar="s3://BUCKET/KEY")
    command.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="appears only when it is right; on stdout, see the exit code",
    )
    command.add_argument(
        "--sha256", type=_parsed(_sha256), metavar="HEX", help="instead of what stands beside the object"
    )
    command.set_defaults(run=_get)
    return parser


def _on_stop(action: Callable[[], None]) -> None:
    """Let SIGTERM do what Ctrl-C does, after an action: an upload is broken off and cleaned up on the way out."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        action()
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)


def main(argv: Sequence[str]) -> int:
    """Run one command; return the exit code.

    Args:
        argv: the arguments; what follows `--` is a program for `put` to run.
    """
    own, program = list(argv), list[str]()
    if "--" in own:
        own, program = own[: own.index("--")], own[own.index("--") + 1 :]
    parser = _parser()
    arguments = parser.parse_args(own)
    if program and arguments.run is not _put:
        parser.error("only `put` takes a program after `--`")
    arguments.program = program
    _on_stop(lambda: None)
    try:
        return arguments.run(arguments)
    except ToolboxError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except BrokenPipeError:
        sys.stderr.write("Whoever read the output has ended before its end.\n")
        # Python flushes stdout once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped; nothing that looks complete was left behind.\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
