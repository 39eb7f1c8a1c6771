"""Every page of the page: a new one is a file in `views` and one line here."""

from api.page.views.access.entrance import entrance
from api.page.views.access.keys import keys
from api.page.views.access.shares import shared, shares
from api.page.views.answers import answers
from api.page.views.compare import compare
from api.page.views.items import items
from api.page.views.job import job_page
from api.page.views.job_list import job_list
from api.page.views.models import models
from api.page.views.new import new
from api.page.views.playground import playground
from api.page.views.trainings import trainings
from api.page.views.webhooks import webhooks
from api.page.views.workers import workers

PAGES = (
    entrance,
    job_list,
    job_page,
    items,
    answers,
    compare,
    new,
    playground,
    models,
    trainings,
    workers,
    webhooks,
    keys,
    shares,
    shared,
)
