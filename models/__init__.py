"""Neural networks: what exists, how a record and some bytes become a network, and how it runs.

The walk of one image through this package::

    bytes ──media──> format, size ──decode──> upright uint8 pixels ──preprocess──> uint8 sample
          samples ──collate──> batch on the device ──normalise──> network ──> outputs
          outputs ──tasks/…──> predictions (plain JSON data)

`catalog` needs neither torch nor OpenCV and is the only room that `api` may import. Nothing here
knows a database, a storage or a job.
"""
