"""What runs beside the device: from a leased shard to a committed segment.

engine ──claim──► shard ──► reader ──► decoder ──► batcher ──► device
▲         bytes      samples     batches      │
└───────────── outputs of each chunk ◄────────┘
│
└─ post-process ─► segment ─► commit

engine.py   claims shards and runs them until there is none; owns the threads
shard.py    one shard's way through the stages below, and its commit
chunk.py    a run of items of one shard: what is passed from stage to stage
reader.py   items → bytes: range reads, archive members, URLs
decoder.py  bytes → samples, in threads; a bad item costs itself
batcher.py  chunks of any shards → batches for one device thread
device.py   networks on the device within a memory budget; halving of batches that fail
overlays.py draws results over their images, where a job wants them drawn
loading.py  a version → a network that runs; what was registered is tried out
training.py one turn of a training
images.py   the images that it learns from
keeper.py   renews the leases, hears of cancels, ends a process that has stalled
"""
