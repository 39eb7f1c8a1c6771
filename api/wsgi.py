"""The entry for gunicorn and for `flask --app api.wsgi`."""

from api.app import create_app

app = create_app()
