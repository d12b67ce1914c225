"""Requests and limits of a container, as every section that runs something declares them."""

from typing import Self

from pydantic import Field, model_validator

from components.shared.quantities import Cpu, Memory, parse_cpu, parse_memory
from components.shared.refusal import refuse
from components.shared.section import Section


class Amounts(Section):
    """CPU and memory of one container."""

    cpu: Cpu = Field(description="CPU in millicores (`250m`) or cores (`1`).")
    memory: Memory = Field(description="Memory with its unit, such as `512Mi`.")

    @property
    def cpu_millicores(self) -> int:
        """The CPU in thousandths of a core."""
        return parse_cpu(self.cpu)

    @property
    def memory_mebibytes(self) -> int:
        """The memory in mebibytes."""
        return parse_memory(self.memory)


class Resources(Section):
    """What a container asks for and what it may take; both are required, since the scheduler and the HPA need them."""

    requests: Amounts = Field(description="What the scheduler reserves; the HPA's percentages are of this.")
    limits: Amounts = Field(description="What the container may take; above the memory limit it is killed.")

    @model_validator(mode="after")
    def _requests_within_limits(self) -> Self:
        for name, wanted, allowed in (
            ("cpu", self.requests.cpu_millicores, self.limits.cpu_millicores),
            ("memory", self.requests.memory_mebibytes, self.limits.memory_mebibytes),
        ):
            if wanted > allowed:
                raise refuse(
                    f"the request of {name} is above its limit",
                    why="Kubernetes refuses such a pod.",
                    remedy=f"Raise `limits.{name}` or lower `requests.{name}`.",
                    at=("requests", name),
                )
        return self
