"""`python -m load`: see `--help`."""

import asyncio
import json
import sys
from pathlib import Path

import uvloop

from load.options import parse
from load.report import as_json, as_text, errors
from load.run import NotReadyError, run, say


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    options = parse()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            recorder = runner.run(run(options, say))
    except NotReadyError as error:
        say(f"{options.url}: the load could not begin. {error}")
        return 2
    except KeyboardInterrupt:
        say("interrupted before the load began")
        return 2
    if options.json:
        Path(options.json).write_text(json.dumps(as_json(options, recorder), indent=1) + "\n")
    sys.stdout.write(as_text(recorder) + "\n")
    return 1 if errors(recorder) else 0


if __name__ == "__main__":
    sys.exit(main())
