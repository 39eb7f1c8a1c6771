"""What came in a body, as files that stay."""

from api.bodies.intake import FormIntake, RawIntake, current_intake
from api.bodies.parts import Part, Parts
from api.current import ground, tenant_id
from jobs.inputs.files import adopt_file, store_file
from jobs.tables import File


def body_parts() -> Parts:
    """Give the parts of the request's multipart body."""
    intake = current_intake()
    assert isinstance(intake, FormIntake), "another body is refused before it is read"
    return intake.parts


def body_part() -> Part:
    """Give the whole of the request's raw body."""
    intake = current_intake()
    assert isinstance(intake, RawIntake), "another body is refused before it is read"
    assert intake.part is not None, "the body is whole when a view is called"
    return intake.part


def keep_as_file(part: Part, filename: str, purpose: str, lifetime_s: int | None = None) -> File:
    """Make a part one of the tenant's files; one that lies in storage already is not copied.

    Raises InvalidRequest for an empty one and TooLarge; nothing is left then.
    """
    if part.blob is None:
        return store_file(ground(), tenant_id(), filename, purpose, part.chunks(), lifetime_s)
    blob, digest = part.blob.take(), part.blob.sha256
    return adopt_file(
        ground(), tenant_id(), filename, purpose, blob, part.length, digest, lifetime_s
    )
