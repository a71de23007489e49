"""How often files are put where the authors of well-organised projects put them, once the folders are taken away."""
