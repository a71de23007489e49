"""Generated markets: bars that the product owns, the same bytes for a seed, with every defect on demand.

Nothing here is history. What is realistic about these bars, what is not, and what each defect looks like is
told in docs/guides/generated-data.md.

    market.py        what to generate: symbol, style, range, timeframe, hours, defects
    style.py         the numbers behind "large cap", "small cap", "index" and "thin"
    generate.py      a market's description to its rows
    chance.py        random numbers as a function of seed, name and day
    factor.py        daily shocks whose size comes in clusters and whose drift comes in moods
    session.py       where each session opens and closes, how rough and how busy it is
    wild_day.py      days on which a small cap crashes, is flushed to new lows, and may be reclaimed
    day_shape.py     how a session's variance and volume spread over its minutes
    minute_path.py   sessions to minutes: path, wicks, volume, minutes without a trade
    rows.py          columns that need not be sound, which `Bars` must be
    defect.py        what can be wrong with bars, and how to do it to sound ones
    sample.py        the sample that `magellan init` and `magellan demo` work on
    small_market.py  a few bars for a test, in microseconds
"""
