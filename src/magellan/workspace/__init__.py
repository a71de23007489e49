"""The user's side: a folder with strategies in stages dev, test and prod, their configs, archived bars."""
