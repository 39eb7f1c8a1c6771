"""A job in a notebook: what it shows, and that nothing strange in it becomes HTML."""

from pixelmill import Job


def shown(say, **members):
    return Job.from_raw(say.job(**members).body)._repr_html_()


def test_a_running_job_shows_its_bar_its_counts_and_the_time_to_go(say):
    queue = {"position": 1, "eta_seconds": 75.2}
    found = shown(say, total=2000, completed=1200, failed=3, queue=queue)
    assert 'max="2000" value="1203"' in found
    assert "1,203 of 2,000, 3 failed" in found
    assert "0:01:15" in found


def test_a_job_that_is_over_shows_its_outcome_and_no_time(say):
    queue = {"position": None, "eta_seconds": 0}
    found = shown(say, status="completed", completed=10, outcome="succeeded", queue=queue)
    assert "digits@1: succeeded" in found
    assert "to go" not in found


def test_an_empty_job_has_a_bar_too(say):
    assert 'max="1" value="0"' in shown(say, total=0, status="validating")


def test_what_others_named_is_no_html(say):
    found = shown(say, id="<script>", status="failed", status_reason="<img src=x>")
    assert "<script>" not in found
    assert "<img" not in found
