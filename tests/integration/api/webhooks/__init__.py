"""Webhook endpoints and deliveries over HTTP, sent to real servers on this machine."""
