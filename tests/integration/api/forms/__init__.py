"""Results in every form, as the libraries read them that are made for it."""
