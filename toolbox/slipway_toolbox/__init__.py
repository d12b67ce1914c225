"""The platform's own jobs, in one image: PostgreSQL's client programs, S3, and checks of a database.

`python -m slipway_toolbox COMMAND`. Each command prints one JSON object, or one sentence that says what is wrong.
"""
