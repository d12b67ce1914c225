"""A program whose output is stored while it runs: `put s3://... -- pg_dump ...`.

A pipe hides whether the program before it failed. Here the end of the output counts as the end only after the
program has ended with 0; otherwise the upload is broken off.
"""

import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from slipway_toolbox.errors import ToolboxError

STOP_SECONDS = 10.0
"""How long a program may take to end after SIGTERM, when its output is no longer wanted."""


class Producer:
    """Runs a program and reads what it prints; its messages go where ours go."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start the program.

        Args:
            command: the program and its arguments; no shell is involved.

        Raises:
            ToolboxError: when it cannot be started.
        """
        self._name = command[0]
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)  # noqa: S603
        except OSError as error:
            raise ToolboxError(
                f"{self._name} cannot be started: {error.strerror}. Nothing was stored."
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.terminate()
        if self._process.poll() is None:
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def terminate(self) -> None:
        """Ask the program to end. Whoever waits in `read` for its output goes on then."""
        if self._process.poll() is None:
            self._process.terminate()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; none once the program has printed all and ended with 0.

        Raises:
            ToolboxError: when it ended with anything else.
        """
        stream = self._process.stdout
        data = stream.read(size) if stream else b""
        if not data and size != 0 and (code := self._process.wait()) != 0:
            ended = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
            raise ToolboxError(
                f"{self._name} {ended}. What it had printed was not stored, since it is incomplete: see its own message"
                " above."
            )
        return data
