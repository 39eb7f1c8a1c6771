"""What of a film was missing or patched up, counted frame by frame."""

from dataclasses import dataclass


@dataclass(slots=True)
class Damage:
    """Counts; `is_cut` says that the file ends before the place that it names as its end.

    is_short: fewer frames or seconds came out than the container states.
    unread: pieces of the file that made no sense to the container's reader. failed: packets that
    gave no frame but an error. patched: frames of which the decoder says that it made up parts.
    """

    is_cut: bool = False
    is_short: bool = False
    unread: int = 0
    failed: int = 0
    patched: int = 0

    def told(self, decoded: int, stated: int, until_ms: float) -> str | None:
        """Word it: of `stated` frames (0: nobody says) `decoded` came out; None without damage."""
        if not (self.is_cut or self.is_short or self.unread or self.failed or self.patched):
            return None
        of_how_many = f" of {stated:,}" if stated > decoded else ""
        verb = "is" if self.patched == 1 else "are"
        patched = f"; {self.patched:,} of them {verb} damaged" if self.patched else ""
        return (
            f"The video is truncated or damaged: {decoded:,} frames{of_how_many} could be decoded, "
            f"up to {until_ms / 1000:.1f} s{patched}."
        )
