"""What operators read and do over HTTP: figures, readiness, the view over all tenants."""
