"""`python -m slipway`: the command, where its script is not on the path."""

from slipway.cli.main import main

main()
