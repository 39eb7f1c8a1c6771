"""Neural networks: what exists, how a record and some bytes become a network, and how it runs.

The walk of one image through this package::

    bytes ──media──> format, size ──decode──> upright uint8 pixels ──tasks/…: prepare──> sample
          samples ──tasks/…: infer──> batches on the device, normalised ──> network ──> outputs
          outputs ──tasks/…: postprocess──> predictions (plain JSON data)
          predictions, bytes ──drawing──> a picture of the result
          predictions, frames of a video ──contact_sheet──> one too

Of a video, every frame that is looked at is prepared, and steps of some frames each go the same way
with what the network remembers of the frames before (tasks/video_classification.py).

`catalog` needs neither torch nor OpenCV and is the only room that `api` may import. Nothing here
knows a database, a storage or a job.
"""
