"""The settings that gunicorn is started with."""

import gc

from gunicorn.config import Config

from api import gunicorn_conf


def test_what_lives_as_long_as_an_api_process_is_left_out_of_collections() -> None:
    config = Config()
    # Gunicorn takes only hooks that it knows, with as many parameters as it will give.
    config.set("post_worker_init", gunicorn_conf.post_worker_init)
    frozen = gc.get_freeze_count()
    try:
        config.post_worker_init(None)
        assert gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()
