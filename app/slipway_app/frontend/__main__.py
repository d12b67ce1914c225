"""`python -m slipway_app.frontend`: serves the frontend on PORT until SIGTERM; drains as the API does."""

import uvicorn
import uvloop

from slipway_app import logs, telemetry
from slipway_app.drain import FINISH_SECONDS, DrainingServer
from slipway_app.frontend.app import create_app
from slipway_app.settings import FrontendSettings, load
from slipway_app.sockets import MAX_FRAME_BYTES

DRAIN_SECONDS = 5
"""As long as the API does: services stop sending here within a second or two, ingresses a little later."""
KEEP_ALIVE_SECONDS = 75
"""Longer than the 60 s of usual load balancers: the one that sends should be the first to close."""


async def main() -> None:
    """Serve until told to end."""
    settings = load(FrontendSettings)
    logs.configure(settings, "frontend")
    telemetry.configure(settings, "frontend")
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host="0.0.0.0",  # noqa: S104  # inside a pod
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        ws_max_size=MAX_FRAME_BYTES,
        ws_per_message_deflate=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    await DrainingServer(config, app.state.draining, DRAIN_SECONDS).serve()


if __name__ == "__main__":
    uvloop.run(main())
