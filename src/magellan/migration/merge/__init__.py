"""Two versions of a package made one, definition by definition; every definition of either side is accounted for."""
