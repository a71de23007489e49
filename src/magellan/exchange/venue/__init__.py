"""The venue: accounts, orders and matching as one pure object (`venue.py`); `wire.py` has what goes in and out."""
