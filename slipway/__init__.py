"""The tool around the program: preview without an engine, policy, operation, and the `slipway` command."""
