"""The application: everything of the HTTP face, put together."""

from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from apiflask import APIFlask
from flask.ctx import RequestContext
from flask.typing import ResponseReturnValue

from api.admin.routes import admin
from api.bodies.admission import admit_bodies
from api.bodies.intake import close_intake
from api.commands import buckets, keys
from api.connections.routes import connections
from api.current import BUCKETS, EXTENSION
from api.files.routes import files
from api.jobs.children import children
from api.jobs.evaluations import evaluations, job_evaluations
from api.jobs.predictions import predictions
from api.jobs.routes import jobs
from api.jobs.shares import shares
from api.live.feed import FEED, Feed
from api.live.routes import events, job_events
from api.metrics.requests import count_requests
from api.metrics.routes import QUEUE_FIGURES, figures
from api.metrics.tracing import trace_requests
from api.models.aliases import aliases
from api.models.audit import audit
from api.models.routes import models
from api.models.shadows import shadows
from api.page.blueprint import show_lost_people
from api.page.table import PAGES
from api.reference.routes import docs
from api.results.routes import results
from api.system.health import health
from api.system.readiness import READINESS, Readiness
from api.trainings.routes import refuse_trainings, trainings
from api.uploads.protocol import honour_override
from api.uploads.routes import uploads
from api.watches.routes import watches
from api.web.auth import SCHEME, protect
from api.web.listener import LISTENER, Listener
from api.web.logs import configure_logging, log_requests
from api.web.openapi import complete
from api.web.parsing import refuse_nul
from api.web.problems import handle_errors
from api.web.rate_limits import limit_requests
from api.web.security_headers import harden
from api.web.waiting import HELD, MOST_HELD, Held, hold_here
from api.webhooks.deliveries import webhook_deliveries
from api.webhooks.endpoints import webhook_endpoints
from api.webhooks.schemas import WebhookBody
from jobs.base.bootstrap import Ground, open_ground
from jobs.base.settings import load_settings
from jobs.base.traces.opening import open_traces
from jobs.buckets.sources import Buckets
from jobs.metrics import metrics
from jobs.metrics.queue_figures import QueueFigures
from jobs.presence.version import installed_version
from jobs.queue.endpoints import PING
from jobs.queue.webhooks import EVENTS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class Application(APIFlask):
    """Answers by steps, which api.front takes; called as plain WSGI, it takes them by itself."""

    def request_context(self, environ: "WSGIEnvironment") -> RequestContext:
        """Take up a request; a proxy may leave its prefix in front of the path, or take it off."""
        prefix = self.extensions[EXTENSION].settings.url_prefix
        path = environ["PATH_INFO"]
        if prefix and (path == prefix or path.startswith(f"{prefix}/")):
            environ["PATH_INFO"] = path.removeprefix(prefix)
        environ["SCRIPT_NAME"] = prefix
        honour_override(environ)
        return super().request_context(environ)

    def call_view(self) -> ResponseReturnValue:
        """Call the view; its answer may be one that is still to come (api.web.waiting.Held)."""
        try:
            return super().dispatch_request()
        finally:
            close_intake()

    def dispatch_request(self) -> ResponseReturnValue:
        """Call the view and wait for its answer, in this thread."""
        answer = self.call_view()
        return hold_here(answer) if isinstance(answer, Held) else answer


def create_app(ground: Ground | None = None) -> Application:
    """Make the application on a ground floor, by default the one that the settings name."""
    configure_logging()
    if ground is None:
        ground = open_ground(load_settings(), open_traces("pixelmill-api", installed_version()))
    # No static folder: it would be one more route, and an open one.
    app = Application(
        __name__,
        title="Pixelmill",
        version=installed_version(),
        docs_path=None,
        json_errors=False,
        static_folder=None,  # type: ignore[arg-type]  # as in Flask
    )
    app.extensions[EXTENSION] = ground
    app.extensions[BUCKETS] = Buckets(ground)
    app.extensions[HELD] = BoundedSemaphore(MOST_HELD)
    app.extensions[FEED] = Feed()
    app.extensions[LISTENER] = Listener(ground.settings.redis_url)
    app.extensions[READINESS] = Readiness(ground, app.extensions[LISTENER])
    app.extensions[QUEUE_FIGURES] = QueueFigures(ground.database)
    metrics.VERSION.labels(installed_version()).set(1)
    _configure(app, ground)
    log_requests(app)
    count_requests(app)
    trace_requests(app)
    harden(app)
    handle_errors(app)
    show_lost_people(app)
    app.before_request(refuse_nul)
    protect(app)
    app.before_request(refuse_trainings)
    limit_requests(app, ground.settings)
    admit_bodies(app)
    _add_routes(app)
    return app


def _configure(app: APIFlask, ground: Ground) -> None:
    app.config.update(
        SECURITY_SCHEMES={SCHEME: {"type": "http", "scheme": "bearer"}},
        AUTO_OPERATION_ID=True,
        # Otherwise whoever comes first would choose the server's name for all, by its Host header.
        AUTO_SERVERS=False,
        AUTO_404_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
    )
    # A redirect to the path without its double slash would name the host that the caller named.
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's default provider
    complete(app, ground.settings.url_prefix, (*EVENTS, PING), WebhookBody)


def _add_routes(app: APIFlask) -> None:
    for blueprint in (health, docs, figures, admin, files, uploads, connections, watches):
        app.register_blueprint(blueprint)
    for blueprint in (predictions, trainings, evaluations, models, aliases, shadows, audit):
        app.register_blueprint(blueprint)
    for blueprint in (events, webhook_endpoints, webhook_deliveries, *PAGES):
        app.register_blueprint(blueprint)
    # The same calls under the name that clients of OpenAI's Batch API know.
    for name in ("jobs", "batches"):
        app.register_blueprint(jobs, name=name, url_prefix=f"/v1/{name}")
        app.register_blueprint(children, name=f"{name}_children", url_prefix=f"/v1/{name}")
        app.register_blueprint(
            job_evaluations, name=f"{name}_evaluations", url_prefix=f"/v1/{name}"
        )
        app.register_blueprint(shares, name=f"{name}_shares", url_prefix=f"/v1/{name}")
        app.register_blueprint(results, name=f"{name}_results", url_prefix=f"/v1/{name}")
        app.register_blueprint(job_events, name=f"{name}_events", url_prefix=f"/v1/{name}")
    app.cli.add_command(keys)
    app.cli.add_command(buckets)
