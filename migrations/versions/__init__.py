"""One file a change of the tables, in the order in which they were made."""
