"""The database's tables, as they came to be, and what each service may do with them."""
