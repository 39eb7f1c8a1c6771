"""What an installation stands on, looked at for real: `python -m jobs.checkup`, and /readyz.

Imports presence, tables and base.
"""
