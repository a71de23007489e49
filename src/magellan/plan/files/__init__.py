"""Steps that change files, each byte-exact on its way back: contents, permission bits, times, links, empty folders."""
