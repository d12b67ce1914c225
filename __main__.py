"""What `pulumi up` and `pulumi preview` run."""

import pulumi

from stacks.config.problems import SettingsError
from stacks.program import run

try:
    run()
except SettingsError as error:
    # The engine shows a RunError as its text alone; a traceback would bury the place in the stack file.
    raise pulumi.RunError(f"this stack cannot be used:\n{error.text()}") from None
