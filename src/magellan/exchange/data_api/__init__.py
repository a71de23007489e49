"""Market data as Alpaca serves it: REST answers and stream messages, as pure functions of a market and an instant.

data_api.py           the door: a path, a query, an instant and an entitlement to a reply
entitlement.py        what a subscription may see
query.py              reading parameters, and refusing the ones that make no sense
error_catalogue.json  every error body, each marked observed, documented or ours
page.py               pages over several symbols
series.py             bars, quotes and trades of one symbol between two instants, as rows
stocks.py, crypto.py, options.py, corporate_actions.py, screener.py, reference_data.py    the endpoints
stream/               messages, their encodings, and the protocol of the data streams
"""
