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
    """Turns the container's times into the film's; what it gives is in whole microseconds."""

    def __init__(self, start_ms: float, usual_ms: float, *, may_jump: bool) -> None:
        """start_ms: the container's time at which the film begins. usual_ms: between frames."""
        self._start_ms, self._distance_ms, self._may_jump = start_ms, usual_ms, may_jump
        self._at_ms = self._end_ms = 0.0
        self._stamp_ms: float | None = None

    @property
    def at_ms(self) -> float:
        """When the last frame so far is shown."""
        return round(self._at_ms, 3)

    @property
    def end_ms(self) -> float:
        """Until when it is."""
        return round(self._end_ms, 3)

    def note(self, stamp_ms: float | None, duration_ms: float) -> float:
        """Give the time of the next frame, which the container shows at `stamp_ms`, if it says.

        duration_ms: how long the container says that it is shown; 0 where it does not.
        """
        if self._stamp_ms is None:
            self._stamp_ms = self._start_ms if stamp_ms is None else stamp_ms
            self._at_ms = max(0.0, self._stamp_ms - self._start_ms)
        else:
            self._at_ms = self._next(stamp_ms)
        self._end_ms = self._at_ms + (duration_ms if duration_ms > 0 else self._distance_ms)
        return self.at_ms

    def _next(self, stamp_ms: float | None) -> float:
        following = self._at_ms + self._distance_ms
        if stamp_ms is None or self._stamp_ms is None:
            return following
        step, self._stamp_ms = stamp_ms - self._stamp_ms, stamp_ms
        if step < -_BACK_MS or (self._may_jump and step > _AHEAD_MS):
            self._start_ms = stamp_ms - following
            return following
        at_ms = stamp_ms - self._start_ms
        # Half a microsecond is what is left of a fraction of the time base.
        if at_ms <= self._at_ms + 0.0005:
            return following
        self._distance_ms = at_ms - self._at_ms
        return at_ms
