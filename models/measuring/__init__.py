"""How good networks are: measures, the figures of the shipped ones, and the cards with them."""
