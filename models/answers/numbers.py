"""Numbers of networks as people write them: 0.001, and not 0.0010000000474974513.

Networks compute in float32. As float64, which Python's floats and JSON's readers are, such a number
is written with seventeen digits of which the last nine say nothing.
"""

from typing import Any

import numpy as np
import torch


def shortest(numbers: torch.Tensor) -> Any:
    """Give a tensor as (nested lists of) floats with the fewest digits that still name its float32.

    Each is the same number again as a float32.
    """
    array = numbers.detach().to("cpu", torch.float32).contiguous().numpy()
    if not array.ndim or not np.isfinite(array).all():
        # JSON has no word for what is not finite, and the printer takes no single number.
        flat = [float(str(each)) for each in array.reshape(-1)]
        return np.array(flat).reshape(array.shape).tolist()
    # The quickest printer of float32 that there is here; a machine that only measures has it not.
    import orjson

    return orjson.loads(orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY))
