"""The bare run under the preview's own conditions, which makes the bar harder to hold.

    python -m bench.quick PLAN

The preview pauses Python's search for reference cycles and registers in place; so does this, from the first import on.
"""

import gc
import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    gc.disable()
    # Imported now: the SDK's modules are what the search for cycles would go through.
    import_module("bench.bare").main(Path(sys.argv[1]), direct=True)
