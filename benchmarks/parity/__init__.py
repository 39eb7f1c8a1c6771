"""Whether networks of others answer here as they do at their authors': `make model-parity`."""
