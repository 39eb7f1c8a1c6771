"""Facts of made-up files, as they are examined."""

from models.onnx_models.examination.facts import Facts, Port

FLOAT = "tensor(float)"
COCO = tuple(f"thing {number}" for number in range(80))


def facts(
    *outputs,
    taken=(None, 3, None, None),
    size=(640, 640),
    declared=None,
    dtypes=None,
    called=None,
    kind=FLOAT,
    **metadata,
):
    """A file with one input, tried with a picture of `size`, and outputs of these shapes."""
    dtypes = dtypes or [FLOAT] * len(outputs)
    called = called or [f"output{place}" for place in range(len(outputs))]
    declared = declared or [(None, *shape[1:]) for shape in outputs]
    return Facts(
        inputs=(Port("images", kind, tuple(taken)),),
        outputs=tuple(map(Port, called, dtypes, declared)),
        blank=(taken[0] or 1, taken[1] or 3, *size),
        given=tuple(outputs),
        metadata=metadata,
    )


def ultralytics(*outputs, count=80, task="detect", imgsz="[640, 640]", said="YOLOv8n", **more):
    """A file with the metadata that Ultralytics writes."""
    return facts(
        *outputs,
        description=f"Ultralytics {said} model trained on coco.yaml",
        author="Ultralytics",
        license="AGPL-3.0 License (https://ultralytics.com/license)",
        names=str({number: f"thing {number}" for number in range(count)}),
        task=task,
        imgsz=imgsz,
        stride="32",
        batch="1",
        **more,
    )


def port(*shape, dtype=FLOAT, count=1):
    """A detector that is fed otherwise."""
    inputs = tuple(Port(f"images{place}", dtype, shape) for place in range(count))
    return Facts(inputs=inputs, outputs=(Port("output0", FLOAT, (1, 84, 8400)),))


def metadata(**told):
    return Facts(
        inputs=(Port("images", FLOAT, (1, 3, 640, 640)),),
        outputs=(Port("output0", FLOAT, (1, 84, 8400)),),
        metadata=told,
    )
