"""YOLO's outputs: cells of grids with or without anchors, and what exporters choose among them."""
