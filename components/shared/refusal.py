"""The refusal of a value: what is wrong, what it would cause, and what to write instead.

Every validator raises the same error, so that the stack file's reader can show all four parts of a good message
(where comes from the position in the file) and never the value of a secret.
"""

from pydantic_core import PydanticCustomError

REFUSAL = "slipway_refusal"
"""The pydantic error type of a refusal; its context holds `what`, `why` and `remedy`, and `at` for a rule over
fields."""


def refuse(what: str, *, why: str, remedy: str, at: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """Make the error that a validator raises.

    Args:
        what: what is wrong, in one clause; never the value of a secret.
        why: the consequence that the mistake would have had.
        remedy: what to write instead.
        at: for a rule over several fields, the keys to point at, below the validated section and as written in the
            stack file.
    """
    return PydanticCustomError(
        REFUSAL, "{what}", {"what": what, "why": why, "remedy": remedy, "at": list(at)}
    )
