"""Settings: which mode a run is in, and with which keys."""
