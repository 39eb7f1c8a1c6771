"""Files of models that tests make, of every source."""
