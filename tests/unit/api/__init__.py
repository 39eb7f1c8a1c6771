"""Pure parts of the HTTP face."""
