"""Results of real jobs in every form, as docs/results.md tells of them."""
