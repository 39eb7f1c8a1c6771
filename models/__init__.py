"""Neural networks: what exists, how a record and some bytes become a network, and how it runs.

The walk of one image through this package::

    bytes ──media──> format, size ──decode──> upright uint8 pixels ──tasks/…: prepare──> sample
          samples ──tasks/…: infer──> batches on the device, normalised ──> network ──> outputs
          outputs ──tasks/…: postprocess──> predictions (plain JSON data)
          predictions, bytes ──drawing──> a picture of the result

`catalog` needs neither torch nor OpenCV and is the only room that `api` may import. Nothing here
knows a database, a storage or a job.
"""
