"""What callers get to see of a training."""

from sqlalchemy.orm import Session

from api.jobs.views import (
    Counts,
    JobErrors,
    ModelRef,
    Queue,
    WebhookView,
    skipped_view,
    times_of,
)
from api.trainings.schemas import TrainingError, TrainingProgress, TrainingView
from jobs.base.states import Outcome
from jobs.queue.forecast import forecast
from jobs.tables import Job, ModelVersion, Training
from jobs.versions.names import shown_name

# Where no turn came so far as to say what was wrong.
_UNKNOWN = TrainingError(
    code="internal_error",
    message="The training could not be run in several tries; the operator's logs say why.",
)


def training_view(session: Session, job: Job, training: Training) -> TrainingView:
    """Show a training."""
    times = times_of(job)
    del times["finalizing_at"]
    recipe = dict(job.params)
    return TrainingView(
        id=job.id,
        status=job.status,
        outcome=job.outcome,
        status_reason=job.status_reason,
        errors=JobErrors(data=job.errors) if job.errors else None,
        error=_error(job, training),
        name=shown_name(job.model_name),
        model=_model(session, job, training),
        architecture=recipe.pop("architecture"),
        params=recipe,
        progress=TrainingProgress(**training.progress) if training.progress else None,
        priority=job.priority,
        request_counts=Counts(**job.request_counts),
        skipped=skipped_view(job),
        # How long it takes hangs on when it stops to get better, so no time is promised.
        queue=Queue(position=forecast(session, job).position, eta_seconds=None),
        completion_window=job.completion_window,
        delete_inputs=job.delete_inputs,
        input_file_id=job.input_file_id,
        metadata=job.metadata_,
        webhook=WebhookView(**job.webhook) if job.webhook else None,
        **times,
    )


def _error(job: Job, training: Training) -> TrainingError | None:
    if training.error is not None:
        return TrainingError(**training.error)
    return _UNKNOWN if job.outcome is Outcome.FAILED else None


def _model(session: Session, job: Job, training: Training) -> ModelRef | None:
    if training.model_version is None:
        return None
    version = session.get(ModelVersion, (job.model_name, training.model_version))
    if version is None:
        return None
    name = shown_name(version.name)
    return ModelRef(name=name, version=version.version, digest=version.digest)
