"""What is proved and measured on a machine with a GPU and little else installed."""
