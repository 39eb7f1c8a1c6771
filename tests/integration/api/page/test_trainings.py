"""A training on the page: how far it is, its curves, what came of it."""

from jobs.base.bootstrap import Ground
from jobs.tables import Training
from tests.integration.api.callers import Caller
from tests.integration.api.jobs.test_trainings import PROGRESS, train
from tests.integration.api.page.visitors import Visitor


def test_a_training_is_listed_shown_with_its_curves_and_cancelled(
    visitor: Visitor, caller: Caller, ground: Ground
) -> None:
    training = train(caller)["id"]
    assert f"/trainings/{training}" in visitor.get("/trainings").text
    path = f"/trainings/{training}"
    assert "not begun to learn" in visitor.get(path).text
    with ground.database.write() as session:
        session.get_one(Training, training).progress = PROGRESS
    shown = visitor.get(path)
    assert shown.text.count("<polyline") == 4
    assert "Accuracy over 1 epochs: learning 0.8000 at the end, held out 0.9000" in shown.text
    assert "epoch 1 of 20" in shown.text
    fragment = visitor.get(path, headers={"HX-Request": "true"}).text
    assert "<html" not in fragment
    assert 'data-every="3"' in fragment
    assert visitor.send(f"{path}/cancel").location == f"{path}?done=cancelling"
    assert "Cancelled" in visitor.get(path).text
