"""The application: everything of the HTTP face, put together."""

from importlib.metadata import PackageNotFoundError, version
from threading import BoundedSemaphore

from apiflask import APIFlask

from api.auth import SCHEME, protect
from api.commands import keys
from api.current import EXTENSION
from api.listener import LISTENER, Listener
from api.logs import configure_logging, log_requests
from api.openapi import add_components
from api.parsing import refuse_nul
from api.problems import handle_errors
from api.rate_limits import limit_requests
from api.routes.aliases import aliases
from api.routes.audit import audit
from api.routes.children import children
from api.routes.docs import docs
from api.routes.files import files
from api.routes.health import health
from api.routes.jobs import jobs
from api.routes.models import models
from api.routes.predictions import predictions
from api.routes.results import results
from api.routes.shadows import shadows
from api.routes.trainings import refuse_trainings, trainings
from api.security_headers import harden
from api.waiting import HELD, MOST_HELD
from jobs.bootstrap import Ground, open_ground
from jobs.settings import KIB, Settings, load_settings


def create_app(ground: Ground | None = None) -> APIFlask:
    """Make the application on a ground floor, by default the one that the settings name."""
    configure_logging()
    ground = ground or open_ground(load_settings())
    # No static folder: it would be one more route, and an open one.
    app = APIFlask(
        __name__,
        title="Pixelmill",
        version=installed_version(),
        docs_path=None,
        json_errors=False,
        static_folder=None,  # type: ignore[arg-type]  # as in Flask
    )
    app.extensions[EXTENSION] = ground
    app.extensions[HELD] = BoundedSemaphore(MOST_HELD)
    app.extensions[LISTENER] = Listener(ground.settings.redis_url)
    _configure(app, ground.settings)
    log_requests(app)
    harden(app)
    handle_errors(app)
    app.before_request(refuse_nul)
    protect(app)
    app.before_request(refuse_trainings)
    limit_requests(app, ground.settings)
    _add_routes(app)
    return app


def installed_version() -> str:
    """Give Pixelmill's version."""
    try:
        return version("pixelmill")
    except PackageNotFoundError:
        return "unknown"


def _configure(app: APIFlask, settings: Settings) -> None:
    app.config.update(
        # Room for the lines between the parts of a multipart body.
        MAX_CONTENT_LENGTH=settings.max_body_bytes + 64 * KIB,
        SECURITY_SCHEMES={SCHEME: {"type": "http", "scheme": "bearer"}},
        AUTO_OPERATION_ID=True,
        # Otherwise whoever comes first would choose the server's name for all, by its Host header.
        AUTO_SERVERS=False,
        AUTO_404_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's default provider
    add_components(app)


def _add_routes(app: APIFlask) -> None:
    for blueprint in (health, docs, files, predictions, trainings):
        app.register_blueprint(blueprint)
    for blueprint in (models, aliases, shadows, audit):
        app.register_blueprint(blueprint)
    # The same calls under the name that clients of OpenAI's Batch API know.
    for name in ("jobs", "batches"):
        app.register_blueprint(jobs, name=name, url_prefix=f"/v1/{name}")
        app.register_blueprint(children, name=f"{name}_children", url_prefix=f"/v1/{name}")
        app.register_blueprint(results, name=f"{name}_results", url_prefix=f"/v1/{name}")
    app.cli.add_command(keys)
