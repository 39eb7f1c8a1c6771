"""What is new in a watched folder, and how a listing is put in order."""
