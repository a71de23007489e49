"""The command line. `app.py` is the door; each command is a file of its own."""
