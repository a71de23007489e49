"""Every name of a moved module or file rewritten: only the bytes of the name change."""
