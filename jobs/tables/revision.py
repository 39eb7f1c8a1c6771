"""Which migration made the tables that this code reads."""

# Held against the head of the migrations by a test: `jobs` knows no migration.
HEAD = "0024"
