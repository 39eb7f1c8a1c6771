"""Streams of events: what they begin with, what they tell, and what they cost."""
