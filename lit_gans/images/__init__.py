"""Pictures: their shapes, reading and writing them, grids and sheets of them."""
