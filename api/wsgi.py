"""The entry for `flask --app api.wsgi`; the API is served by `python -m api.front`."""

from api.app import create_app
from jobs.base.bootstrap import open_ground
from jobs.base.private_files import keep_files_private
from jobs.base.settings import load_settings_or_exit

keep_files_private()
app = create_app(open_ground(load_settings_or_exit()))
