"""What the shipped networks learn from: handwritten digits, scenes and films composed of them."""
