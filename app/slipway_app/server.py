"""gunicorn's settings: `gunicorn -c python:slipway_app.server`. It runs uvicorn in WEB_CONCURRENCY processes.

Read by the process that minds the others, before any of them imports the application. A missing setting ends
it here, with exit code 2, and not in a loop of dying children.
"""

import os
import shutil
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
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            raise SystemExit(Arbiter.WORKER_BOOT_ERROR)


def _empty_folder_for_metrics() -> str:
    """Return a folder without figures of an earlier run: counters of dead processes would be added up."""
    named = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    folder = Path(named) if named else Path(tempfile.gettempdir()) / f"slipway-metrics-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink()
    return str(folder)


# prometheus_client chooses between one and many processes when it is imported: the children inherit this.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _empty_folder_for_metrics()

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
    """Remove the figures."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
