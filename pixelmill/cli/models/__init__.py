"""Commands about models: pushed, pulled, listed, evaluated, moved between names."""
