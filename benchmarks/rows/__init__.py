"""Each measures one row of the table, or one thing that is measured by itself."""
