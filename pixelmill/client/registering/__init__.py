"""From a file or a folder to a registered version: what is sent, and what it is held against."""
