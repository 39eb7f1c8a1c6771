"""What must hold, a folder a kind: unit, contract, integration, odd, e2e, faults, bombs."""
