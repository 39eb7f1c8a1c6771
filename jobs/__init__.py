"""The ground floor: what jobs, versions and results are, and how they move on."""
