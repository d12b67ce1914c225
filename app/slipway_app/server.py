"""gunicorn's settings: `gunicorn -c python:slipway_app.server`. It runs uvicorn in WEB_CONCURRENCY processes.

Read by the process that minds the others, before any of them imports the application. A missing setting ends
it here, with exit code 2, and not in a loop of dying children.
"""

import asyncio
import os
import signal
import tempfile
from pathlib import Path
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker
from uvicorn_worker import UvicornWorker  # pyright: ignore[reportMissingTypeStubs]

from slipway_app import logs
from slipway_app.drain import FINISH_SECONDS, DrainingServer
from slipway_app.settings import ApiSettings, load
from slipway_app.sockets import MAX_FRAME_BYTES

_settings = load(ApiSettings)


class JsonLogger(Logger):
    """gunicorn's log lines, in the format of all others."""

    def setup(self, cfg: Any) -> None:
        """Configure logging; called before anything is logged."""
        self.cfg = cfg
        logs.configure(_settings, "api")


class ApiWorker(UvicornWorker):
    """A process that serves. It drains before it ends."""

    CONFIG_KWARGS: dict[str, Any] = {  # noqa: RUF012  # declared so by the base class
        "loop": "uvloop",
        "http": "httptools",
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": FINISH_SECONDS,
        "ws_max_size": MAX_FRAME_BYTES,
        # Deflate takes about 300 KB a connection, for messages of a few hundred bytes.
        "ws_per_message_deflate": False,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        logs.configure(_settings, "api")  # the base class has put other handlers in place

    async def _serve(self) -> None:
        app: Any = self.wsgi
        self.config.app = app
        server = DrainingServer(self.config, app.state.draining, _settings.drain_seconds)
        # SIGQUIT is how gunicorn passes on an interrupt from the keyboard.
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGQUIT, server.handle_exit, signal.SIGINT, None)
        await server.serve(sockets=self.sockets)
        if not server.started:
            raise SystemExit(Arbiter.WORKER_BOOT_ERROR)


def _forget_figures() -> None:
    """Counters of an earlier run would be added up with those of this one."""
    for file in _figures.glob("*.db"):
        file.unlink()


_figures = Path(
    os.environ.get("PROMETHEUS_MULTIPROC_DIR") or f"{tempfile.gettempdir()}/slipway-metrics-{os.getpid()}"
)
_figures.mkdir(parents=True, exist_ok=True)
_forget_figures()
# prometheus_client chooses between one and many processes when it is imported: the children inherit this.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_figures)

wsgi_app = "slipway_app.api:create_app()"
bind = [f"0.0.0.0:{os.environ.get('PORT', '8000')}"]
workers = _settings.web_concurrency
worker_class = ApiWorker
logger_class = JsonLogger
accesslog = None
# The only folder that may be written in the cluster.
worker_tmp_dir = tempfile.gettempdir()
control_socket_disable = True
# A process whose event loop hangs for this long is replaced.
timeout = 60
graceful_timeout = int(_settings.drain_seconds + FINISH_SECONDS) + 2
# Longer than the 60 s of usual load balancers: the client should be the first to close an idle connection,
# since a request that crosses the server's close on its way is lost.
keepalive = 75


def child_exit(_server: Arbiter, worker: Worker) -> None:
    """Take back the gauges of a process that ended; its counters stay, since what it counted has happened."""
    from prometheus_client import multiprocess  # not before the folder is named

    multiprocess.mark_process_dead(worker.pid)  # pyright: ignore[reportUnknownMemberType]


def on_exit(_server: Arbiter) -> None:
    """Leave nothing behind."""
    _forget_figures()
    if _figures.name == f"slipway-metrics-{os.getpid()}":
        _figures.rmdir()
