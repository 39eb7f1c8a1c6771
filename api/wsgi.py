"""The entry for `flask --app api.wsgi`; the API is served by `python -m api.front`."""

from api.app import create_app
from jobs.private_files import keep_files_private

keep_files_private()
app = create_app()
