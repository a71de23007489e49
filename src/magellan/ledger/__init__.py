"""What happened to an account, entry by entry, and the book that follows from it. Pure: no file, no clock."""
