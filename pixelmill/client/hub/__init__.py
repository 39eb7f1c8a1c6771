"""Models of the Hugging Face hub, fetched by whoever has internet, and pushed from there.

    timm/resnet18.a1_in1k ─► references ─► listing: commit, files, sizes, digests
                                              │
    record, weights ◄── settings, parts ◄── fetching: room on the disk, download, digests

The library huggingface_hub speaks to the hub (library.py) and is imported when something is pulled,
not before. Nothing of a repository is run, and pickles are not fetched.
"""

from pixelmill.client.hub.listing import HubModel
from pixelmill.client.hub.pulling import pulled
from pixelmill.client.hub.references import Reference, read_reference

__all__ = ["HubModel", "Reference", "pulled", "read_reference"]
