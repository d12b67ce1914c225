"""The sections `slipway:aws` and `slipway:budget`."""

from typing import Annotated

from pydantic import Field, StringConstraints

from components.shared.section import Section

Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
AccountId = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]


class Aws(Section):
    """Where the managed parts stand."""

    region: Region = Field(
        description="AWS region, such as eu-central-1; stated here, so that AWS_REGION changes nothing."
    )
    account_id: AccountId = Field(
        description="The account's 12 digits, in quotes; another account is refused."
    )


class Budget(Section):
    """What a month may cost."""

    monthly_usd: int = Field(ge=1, le=1_000_000, description="Infrastructure, US dollars a month.")
    llm_monthly_eur: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Language models, euros a month."
    )
