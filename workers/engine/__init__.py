"""What runs beside the device: from a leased shard to a committed segment.

engine ──claim──► shard ──► reader ──► decoder ──► batcher ──► device
▲         bytes      samples     batches      │
└───────────── outputs of each chunk ◄────────┘
│
└─ post-process ─► segment ─► commit

engine.py    claims shards and runs them until there is none; owns the threads
shard.py     one leased shard: run, written, committed
images.py    its images on their way through the stages below; rows.py what all rows have
stages.py    what all shards of a process pass through
seen.py      what figures and traces tell of a shard; timeline.py when its stages were at work
overlays.py  results drawn over images and frames, where a job wants them drawn
thumbnails.py  their small pictures, where it wants a gallery
holding/     leases and their renewal, places for shards, suspects, rest
reading/     items → bytes: range reads, archive members, URLs; the chunk that passes on
decoding/    bytes → samples, in threads; a bad item costs itself
device/      chunks of any shards → batches; networks within a memory budget; versions tried out
texts.py     texts that a job asks with → what the network makes of them, once for a set
videos/      one video's way: spooled, decoded, inferred window after window, with checkpoints
trainings/   one turn of a training, and the images that it learns from
"""
