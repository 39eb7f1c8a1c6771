"""gunicorn's settings: `gunicorn -c python:api.gunicorn_conf api.wsgi:app`.

Threads and not processes carry the load: a request mostly waits, for an upload or for a job. Each
process has a pool of 24 database connections, so more threads than that would wait for each other.
"""

import gc
import os

bind = os.environ.get("PIXELMILL_BIND", "127.0.0.1:8080")
workers = int(os.environ.get("PIXELMILL_API_PROCESSES", "2"))
worker_class = "gthread"
threads = int(os.environ.get("PIXELMILL_API_THREADS", "24"))

# Connections to database, storage and Redis are opened in each process, never shared across a fork.
preload_app = False

# Of a whole worker that answers nothing any more; a slow upload or a held answer does not count.
timeout = 120
# What a stopping process gives its requests: a held answer (60 s) comes to its end.
graceful_timeout = 75
keepalive = 30

# It would lie in the home folder, where several installations of one user would share it.
control_socket_disable = True

# Request lines and headers of a size that no honest client needs are refused.
limit_request_line = 8190
limit_request_fields = 100


def post_worker_init(_: object) -> None:
    """Leave what lives as long as the process out of every later collection of garbage."""
    gc.freeze()


# The application logs each request, without its query: gunicorn's own access log would keep that.
accesslog = None
errorlog = "-"
loglevel = os.environ.get("PIXELMILL_LOG_LEVEL", "info")
