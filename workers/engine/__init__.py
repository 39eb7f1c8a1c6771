"""What runs beside the device: from a leased shard to a committed segment.

engine ──claim──► shard ──► reader ──► decoder ──► batcher ──► device
▲         bytes      samples     batches      │
└───────────── outputs of each chunk ◄────────┘
│
└─ post-process ─► segment ─► commit

engine.py       claims shards and runs them until there is none; owns the threads
places.py       how many shards run at a time, and whose
hold.py         a leased shard while it runs: told to stop, seen to move, waiting out the store
shard.py        one shard's way through the stages below, and its commit
stages.py       what all shards of a process pass through
chunk.py        a run of items of one shard: what is passed from stage to stage
reader.py       items → bytes: range reads, archive members, URLs
decoder.py      bytes → samples, in threads; a bad item costs itself
batcher.py      chunks of any shards → batches for the lanes of one device
device.py       networks on the device within a memory budget; halving of batches that fail
video_run.py    one video's way: spooled, decoded, inferred window after window
spool.py        an item's bytes in a private file
windows.py      frames → windows
clips.py        the answers so far, in little memory
checkpoints.py  the place that a long video has reached, for the next attempt
overlays.py     results drawn over images and frames, where a job wants them drawn
loading.py      a version → a network that runs; what was registered is tried out
training.py     one turn of a training
images.py       the images that it learns from
keeper.py       renews the leases, hears of cancels, ends a process that has stalled
"""
