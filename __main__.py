"""What `pulumi up` and `pulumi preview` run."""

import sys

from stacks.config.problems import SettingsError
from stacks.program import run

try:
    run()
except SettingsError as error:
    # The engine shows what stands on stderr; a traceback would bury the place in the stack file.
    sys.stderr.write(f"{error.text()}\n")
    sys.exit(2)
