"""`python -m slipway_app.frontend`: serves the frontend on PORT until SIGTERM, and then ends in order.

First it goes on serving and sends its clients away, while the cluster takes it out of service; then it
finishes what is open. So a rollout loses no request.
"""

import asyncio
import signal
from types import FrameType

import uvicorn
import uvloop

from slipway_app import logs
from slipway_app.frontend.app import create_app
from slipway_app.settings import FrontendSettings, load
from slipway_app.sockets import MAX_FRAME_BYTES

DRAIN_SECONDS = 5
"""As long as the API does: services stop sending here within a second or two, ingresses a little later."""
FINISH_SECONDS = 30
"""How long open requests may take after that; with the drain, less than the pod's grace period of 45 s."""


class DrainingServer(uvicorn.Server):
    """A server that, told to end, drains before it stops accepting. Told twice, it ends at once.

    Args:
        config: uvicorn's configuration.
        draining: set when it is told to end.
    """

    def __init__(self, config: uvicorn.Config, draining: asyncio.Event) -> None:
        super().__init__(config)
        self._draining = draining
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  # uvicorn's signature
        """Begin to drain; uvicorn calls this at SIGTERM and SIGINT."""
        if self._draining.is_set() or sig == signal.SIGINT:
            self.should_exit = True
        # Called by the interpreter between two steps of the loop, which has to be woken.
        self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        self._draining.set()
        self._loop.call_later(DRAIN_SECONDS, self._stop)

    def _stop(self) -> None:
        self.should_exit = True


async def main() -> None:
    """Serve until told to end."""
    settings = load(FrontendSettings)
    logs.configure(settings, "frontend")
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host="0.0.0.0",  # noqa: S104  # inside a pod
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        ws_max_size=MAX_FRAME_BYTES,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    await DrainingServer(config, app.state.draining).serve()


if __name__ == "__main__":
    uvloop.run(main())
