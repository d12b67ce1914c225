"""The `slipway` command: arguments and printing. What it does lies in the packages beside it."""
