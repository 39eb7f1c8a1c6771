"""DETR's outputs: a row a query, of which none is thinned out."""
