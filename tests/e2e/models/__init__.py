"""Networks of every source, through a whole stack."""
