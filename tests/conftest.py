"""What holds for all tiers."""

import signal


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs that tests start, even where this run is a shell's background job.

    A shell starts those with SIGINT ignored, their children inherit that, and a test that interrupts one would wait.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
