"""What callers may send to have a network trained, and what they get to see of it."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StrictBool

from api.jobs.schemas import Webhook
from api.jobs.views import Counts, JobErrors, ModelRef, Queue, Skipped, WebhookView
from api.web.schemas import FileId, MetadataKey, MetadataValue, Strict, Window, check_window
from api.web.views import Page
from jobs.base.states import JobStatus, Outcome
from models.training.recipes import Recipe

TrainingId = Annotated[str, Field(pattern=r"^trn_[0-9a-z]{26}$")]


class TrainingParams(Recipe):
    """The recipe, all but its architecture."""


class TrainingCreate(Strict):
    """A training: a data set, and the name of the model that gets a version more."""

    input_file_id: FileId = Field(
        description="An uploaded zip, tar or tar.gz with a folder for each class."
    )
    name: str = Field(
        min_length=1, max_length=255, description="One of your own models, such as `my/cats`."
    )
    architecture: str = Field(
        "digits", description="`digits`, or a classifier of torchvision: `torchvision/resnet18`."
    )
    params: dict[str, Any] | None = Field(
        None, description="The rest of the recipe, see TrainingParams: epochs, batch, …"
    )
    priority: Literal["high", "normal", "low"] = "low"
    metadata: dict[MetadataKey, MetadataValue] | None = Field(None, max_length=16)
    webhook: Webhook | None = None
    completion_window: Annotated[Window, AfterValidator(check_window)] | None = None
    delete_inputs: StrictBool = False


class TrainingListQuery(Strict):
    """Which trainings to list, newest first."""

    after: TrainingId | None = None
    limit: int = Field(20, ge=1, le=100)


class Epoch(BaseModel):
    """What one pass over the data set came to; loss and accuracy of an image, 0 to 1."""

    epoch: int
    training_loss: float
    training_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float


class ImageCounts(BaseModel):
    """The images to learn from, those held out, and those of both that cannot be used."""

    training: int
    validation: int
    skipped: int


class SkippedImage(BaseModel):
    """A file that cannot be used."""

    name: str
    message: str


class TrainingProgress(BaseModel):
    """How far a training is, as its last turn left it.

    `confusion` counts held out images of the best epoch: a row a true class, a column a found one,
    in the order of `labels`; null before the first epoch, and for more than 100 classes.
    """

    epoch: int
    epochs: int
    step: int = Field(description="Steps of the running epoch that are done.")
    steps: int = Field(description="Steps of an epoch.")
    best_epoch: int | None
    history: list[Epoch]
    labels: list[str]
    confusion: list[list[int]] | None
    images: ImageCounts
    skipped: list[SkippedImage] = Field(description="The first of them.")


class TrainingError(BaseModel):
    """Why nothing came of a training."""

    code: str
    message: str


class TrainingView(BaseModel):
    """A training at the moment of the answer; `model` is the version that came of it."""

    id: str
    object: Literal["training"] = "training"
    status: JobStatus
    outcome: Outcome | None
    status_reason: str | None
    errors: JobErrors | None
    error: TrainingError | None
    name: str
    model: ModelRef | None
    architecture: str
    params: dict[str, Any]
    progress: TrainingProgress | None
    priority: str
    request_counts: Counts
    skipped: Skipped
    queue: Queue
    created_at: int
    in_progress_at: int | None
    last_progress_at: int | None
    completed_at: int | None
    failed_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    expired_at: int | None
    expires_at: int
    completion_window: str | None
    delete_inputs: bool
    input_file_id: str | None
    metadata: dict[str, str]
    webhook: WebhookView | None


class TrainingList(Page[TrainingView]):
    """Trainings, newest first."""


class TrainingDeleted(BaseModel):
    """A receipt: nobody sees the training any more; the model's version stays."""

    id: str
    object: Literal["training"] = "training"
    deleted: Literal[True] = True
    deleted_at: int
    erased_at: int | None = Field(description="Null while something is still to be erased.")
