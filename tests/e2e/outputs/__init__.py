"""Jobs from bucket to bucket, on whole stacks."""
