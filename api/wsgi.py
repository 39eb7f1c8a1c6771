"""The entry for `flask --app api.wsgi`; the API is served by `python -m api.front`."""

from api.app import create_app

app = create_app()
