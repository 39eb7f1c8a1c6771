"""What a package of an operator's own networks must hold to, checked: `pixelmill.testing`.

    package ─► architectures ─► loaded, as a worker loads them ─► checks ─► faults, one line each

Imports runtime and what it stands on.
"""
