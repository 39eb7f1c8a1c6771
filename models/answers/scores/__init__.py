"""How good answers are, held against what is true: of classes, boxes and pixels."""
