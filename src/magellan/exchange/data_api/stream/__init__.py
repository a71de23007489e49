"""The data streams: what is sent, how it is encoded, and the protocol of subscribing.

message.py        one message, encoded once for all who get it
frame.py          many messages in one WebSocket message
publication.py    which messages happen at an instant
session.py        one connection: authentication, subscriptions, errors
stream_kind.py    which channels each stream has
"""
