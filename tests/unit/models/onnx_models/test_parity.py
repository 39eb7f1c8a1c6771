"""The rows of `make model-parity` for heads of ONNX files, and for exported files, hold."""

import pytest

from benchmarks.parity.onnx_heads import exports
from benchmarks.parity.onnx_heads.rows import rows_of
from models.onnx_models.reading.heads.table import HEADS


def fallen(rows):
    return [
        f"{row.name}: {row.measure.name} {row.worst:.3g}, two pictures {row.apart:.3g}"
        for row in rows
        if not row.holds
    ]


@pytest.mark.parametrize("name", HEADS)
def test_a_head_reads_what_a_decoder_reads_that_is_not_ours(name):
    rows = list(rows_of(name))
    assert rows
    assert fallen(rows) == []


@pytest.mark.parametrize("name", exports.EXPORTS)
def test_a_file_that_torch_exports_answers_as_its_network(name):
    rows = list(exports.EXPORTS[name]())
    assert rows
    assert fallen(rows) == []


def test_a_score_that_is_off_by_a_hundredth_would_show():
    head = HEADS["yolo"]

    def spoilt(outputs, size, options):
        found = decode(outputs, size, options)
        return [{**each, "scores": each["scores"] * 0.99} for each in found]

    decode = head.decode
    object.__setattr__(head, "decode", spoilt)
    try:
        assert [row.measure.name for row in rows_of("yolo") if not row.holds] == [
            "confidence of boxes"
        ]
    finally:
        object.__setattr__(head, "decode", decode)
