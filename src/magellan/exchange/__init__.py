"""The local paper exchange: Alpaca's wire protocols over archived or generated bars, with faults.

    market/     the market that is shown: bars, path prices, quotes, sessions, halts, corporate actions
    data_api/   every answer of the market data API and every message of its streams, as pure functions
    venue/      accounts, orders and matching: every answer of the trading API, as one pure object
    server/     sockets, clocks, faults, the control API and its page

Nothing in market/, data_api/ and venue/ knows a clock or a socket: time comes in as nanoseconds, chance as a seed.
"""
