"""What breaks stacks, and who looks what was lost."""
