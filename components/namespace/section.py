"""The section `slipway:app`: what the application is called and whose it is."""

from typing import Annotated

from pydantic import Field, StringConstraints

from components.shared.names import Name
from components.shared.section import Section


class App(Section):
    """The application."""

    name: Name = Field(description="Name of the application; begins the names of what is made for it.")
    owner: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")] = (
        Field(description="Team that is asked about it, as a label's value, such as platform-team.")
    )
    namespace: Name | None = Field(
        default=None,
        description="Kubernetes namespace; the name and the environment (alfred-prod) where left out.",
    )
