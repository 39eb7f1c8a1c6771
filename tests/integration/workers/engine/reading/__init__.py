"""Items on their way from storage, hosts and archives."""
