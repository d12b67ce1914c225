"""What a person reads when a job could not do its work: one sentence each for what, why it matters and what to do."""


class ToolboxError(Exception):
    """A job that failed for a reason that has a remedy. Its text never holds a secret."""
