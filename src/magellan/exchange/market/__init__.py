"""The market that the paper exchange shows, as a function of the instant that is asked about.

    market.py         the one door: bars, prices, quotes, sessions, instants, assets, halts, actions

    bar_source.py, generated_bars.py    where bars come from: an archive, or a name, a seed and a date
    shift.py, shown_calendar.py         archived sessions on other dates; sessions around the clock
    trading_hours.py                    which session an instant lies in
    trading_day.py, live_bar.py         one day's bars in the spans in which they trade; the price's path through one
    tape.py, spread.py                  the trades inside a bar, and the quote around a price
    bar_span.py, shown_bars.py          Alpaca's timeframes, and closed bars put together into them
    published_bar.py                    a day's bars prepared for the stream
    adjustment.py, price_band.py        bars on today's basis; Limit Up-Limit Down
    option_contract.py, option_pricing.py, option_board.py    generated options around a share

What is documented by Alpaca, what was observed, and what is ours is said where it is decided.
"""
