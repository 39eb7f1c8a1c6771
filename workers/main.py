"""What `celery -A workers.main` opens."""

from workers.app import create_app

app = create_app()
