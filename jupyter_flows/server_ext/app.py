"""What Jupyter loads: ``jupyter_flows`` as a server extension."""

from __future__ import annotations

import logging
from typing import Any

from jupyter_server._tz import utcnow
from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, Float, Int, Unicode

from ..engine.places import store_url
from ..engine.service import Engine
from ..engine.worker import Worker
from . import provisioner
from .handlers import tornado_routes
from .service import FlowsService


class FlowsApp(ExtensionApp):
    """Durable flows: hosts a worker and answers REST and events under /flows/v1/."""

    name = "jupyter_flows"
    description = __doc__
    load_other_extensions = True

    store = Unicode(
        "",
        help="The URL of the store: sqlite:///PATH or postgresql://USER@HOST/DATABASE. By default what "
        "JUPYTER_FLOWS_STORE says, else an SQLite file in Jupyter's data directory.",
    ).tag(config=True)
    slots = Int(2, min=0, help="How many flows compute at once; 0: this server runs none.").tag(config=True)
    sleep_max_seconds = Float(
        60.0, min=0, help="How long an execution that waits keeps its kernel, in seconds."
    ).tag(config=True)

    savepoint_retention = Int(
        None,
        allow_none=True,
        min=1,
        help="How many of its newest automatic savepoints an execution keeps whose flow does not say it (its "
        'metadata: {"jupyter_flows": {"savepoint_retention": N}}). Named ones stay. By default all stay.',
    ).tag(config=True)

    fork_kernels = Bool(
        True,
        help="Fork the kernels of notebooks from a process that has made their imports: they are there in a "
        "fraction of the time. It costs that process, about 60 MB.",
    ).tag(config=True)

    service: FlowsService | None = None

    def initialize_settings(self) -> None:
        assert self.serverapp is not None
        # What the engine logs goes where the server's log goes, as Jupyter does it with Tornado's.
        logging.getLogger("jupyter_flows").parent = self.log
        self.service = FlowsService(
            store_url(self.store),
            self.serverapp.root_dir,
            self.log,
            make_worker=self._worker if self.slots else None,
            on_activity=self._note_activity,
        )
        self.settings["jupyter_flows_service"] = self.service

    def initialize_handlers(self) -> None:
        self.handlers.extend(tornado_routes())

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:  # noqa: ARG002
        assert self.service is not None
        self.service.start()
        if self.fork_kernels:
            provisioner.prepare()

    async def stop_extension(self) -> None:
        if self.service is not None:
            await self.service.stop()
        provisioner.close()

    def _worker(self, engine: Engine) -> Worker:
        return Worker(
            engine,
            slots=self.slots,
            sleep_max_seconds=self.sleep_max_seconds,
            savepoint_retention=self.savepoint_retention,
        )

    def _note_activity(self) -> None:
        # A setting of such a name keeps idle cullers from stopping the server.
        assert self.serverapp is not None
        self.serverapp.web_app.settings["jupyter_flows_last_activity"] = utcnow()
