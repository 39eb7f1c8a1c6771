"""Evaluations: jobs over labelled items, whose answers are then held against the labels.

    POST /v1/evaluations ──► items listed, each with its truth ──► run as any job's
                                                                      │ over
                              GET /v1/jobs/{id}/evaluation ◄── figures (jobs.aftercare.evaluation)

What is true of an item is read while the items are listed (jobs.kinds.evaluation).
"""

from jobs.base.bootstrap import Ground
from jobs.intake.submission import Idempotency, Submission, find_earlier, new_job, store_job
from jobs.tables import Evaluation, Job


def submit_evaluation(
    ground: Ground,
    submission: Submission,
    truth_file_id: str | None,
    idempotency: Idempotency | None = None,
) -> tuple[Job, bool]:
    """Store an evaluation; gives its job, and False for that of an earlier, equal request."""
    earlier = find_earlier(ground, submission.tenant_id, idempotency)
    if earlier is not None:
        return earlier, False
    job = new_job(submission)
    row = Evaluation(
        job_id=job.id,
        tenant_id=job.tenant_id,
        model_name=job.model_name,
        model_version=job.model_version,
        truth_file_id=truth_file_id,
    )
    return store_job(ground, job, [], idempotency, submission.completion_window_s, [row])
