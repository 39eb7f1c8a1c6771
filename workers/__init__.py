"""What runs beside the device: leased shards, errands, and strangers' bytes behind walls."""
