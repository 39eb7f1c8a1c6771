"""When frames are shown, in milliseconds from the film's beginning.

Times of frames are the container's. What no film means is mended: a frame without a time, or with
one that does not come after the last, follows it at the usual distance; where times start anew (two
MPEG streams joined into one file, a recording across midnight) the film goes on.
"""

# Times that go back by more are a new beginning; less is a frame out of order.
_BACK_MS = 500.0

# Containers that may start anew also jump ahead; FFmpeg's own tool draws the line here
# (`-dts_delta_threshold`). Elsewhere a frame may be shown for days.
_AHEAD_MS = 10_000.0


class Clock:
    """Turns the container's times into the film's."""

    def __init__(self, start_ms: float, usual_ms: float, *, may_jump: bool) -> None:
        """start_ms: the container's time at which the film begins. usual_ms: between frames."""
        self.at_ms, self.end_ms = 0.0, 0.0
        self._start_ms, self._distance_ms, self._may_jump = start_ms, usual_ms, may_jump
        self._last_ms: float | None = None

    def note(self, stamp_ms: float | None, duration_ms: float) -> float:
        """Give the time of the next frame, which the container shows at `stamp_ms`, if it says."""
        is_first, before = self._last_ms is None, self.at_ms
        at_ms = self._placed(stamp_ms)
        if not is_first and at_ms > before and stamp_ms is not None:
            self._distance_ms = at_ms - before
        self.at_ms = at_ms
        self.end_ms = at_ms + (duration_ms if duration_ms > 0 else self._distance_ms)
        return at_ms

    def _placed(self, stamp_ms: float | None) -> float:
        following = self.at_ms + self._distance_ms
        if self._last_ms is None:
            self._last_ms = stamp_ms if stamp_ms is not None else self._start_ms
            return max(0.0, self._last_ms - self._start_ms)
        if stamp_ms is None:
            return following
        step, self._last_ms = stamp_ms - self._last_ms, stamp_ms
        if step < -_BACK_MS or (self._may_jump and step > _AHEAD_MS):
            self._start_ms = stamp_ms - following
        at_ms = stamp_ms - self._start_ms
        # Whole microseconds: what is left of a fraction of the time base is noise.
        return round(at_ms, 3) if at_ms > self.at_ms else following
