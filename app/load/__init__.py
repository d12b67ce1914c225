"""A load generator for the application: people who read, write and listen, and a check that nothing was lost.

`python -m load --help`. It is a tool for tests and for trying a stack; the image does not hold it.
"""
