"""The tools of Robinhood's server that we use: names, fields and types, as it lists them (November 2026).

Every answer has `data` and `guide`. A field that may be null says so; no object has fields beside those named.
"""

from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"type": "boolean"}
MAYBE_TEXT: Final[Schema] = {"type": ["null", "string"]}


def fields(required: dict[str, Schema], **optional: Schema) -> Schema:
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
        "additionalProperties": False,
    }


def texts(names: str) -> dict[str, Schema]:
    return dict.fromkeys(names.split(), TEXT)


def maybe(schema: Schema) -> Schema:
    return schema | {"type": ["null", schema["type"]]}


def many(items: Schema) -> Schema:
    return {"type": ["null", "array"], "items": items}


def answer(data: Schema) -> Schema:
    return fields({"data": data, "guide": TEXT})


_ACCOUNT = texts("account_number")
_EXECUTION = fields(texts("id price quantity timestamp fees"))
_ORDER = fields(
    {
        **texts("id instrument_id symbol side type state"),
        "quantity": MAYBE_TEXT,
        **texts("cumulative_quantity"),
        **dict.fromkeys(("price", "stop_price", "average_price"), MAYBE_TEXT),
        **texts("fees"),
        "dollar_based_amount": maybe(fields(texts("amount currency_code"))),
        **texts("time_in_force market_hours trigger placed_agent created_at"),
        "last_transaction_at": MAYBE_TEXT,
        "executions": many(_EXECUTION),
    },
    reject_reason=TEXT,
)
_QUOTE = fields(
    {
        **texts("symbol last_trade_price venue_last_trade_time"),
        "last_non_reg_trade_price": MAYBE_TEXT,
        "venue_last_non_reg_trade_time": MAYBE_TEXT,
        **texts("adjusted_previous_close previous_close"),
        "previous_close_date": MAYBE_TEXT,
        **texts("bid_price venue_bid_time ask_price venue_ask_time"),
        "has_traded": FLAG,
        "state": TEXT,
    }
)
_LOTS = many(fields(texts("open_lot_id quantity")))
_ORDER_TERMS = texts("quantity dollar_amount limit_price stop_price time_in_force market_hours") | {
    "tax_lots": _LOTS
}
_VALUES = (
    "total_value equity_value options_value futures_value event_contracts_value crypto_value cash "
    "pending_deposits mutual_funds_value fixed_income_value currency"
)
_HELD = (
    "symbol quantity intraday_quantity shares_available_for_sells shares_held_for_sells "
    "shares_held_for_stock_grants shares_held_for_options_events shares_held_for_asset_transfer "
    "shares_pending_from_options_events type"
)

# name: (what it takes, what it tells)
OFFICIAL: Final[dict[str, tuple[Schema, Schema]]] = {
    "get_accounts": (
        {"type": "object", "additionalProperties": False},
        answer(
            fields(
                {
                    "accounts": many(
                        maybe(
                            fields(
                                {
                                    **texts("account_number rhs_account_number type brokerage_account_type"),
                                    "is_default": FLAG,
                                    "agentic_allowed": FLAG,
                                    **texts("option_level state"),
                                    "deactivated": FLAG,
                                    "permanently_deactivated": FLAG,
                                },
                                **texts(
                                    "rhc_account_number unsettled_funds nickname management_type affiliate"
                                ),
                            )
                        )
                    )
                }
            )
        ),
    ),
    "get_portfolio": (
        fields(_ACCOUNT),
        answer(
            fields(
                texts(_VALUES)
                | {
                    "buying_power": maybe(
                        fields(
                            texts("buying_power unleveraged_buying_power display_currency"),
                            intraday_buying_power=MAYBE_TEXT,
                            off_intraday_buying_power=MAYBE_TEXT,
                        )
                    )
                },
                crypto_buying_power=maybe(fields(texts("buying_power"))),
            )
        ),
    ),
    "get_equity_positions": (
        fields(_ACCOUNT, cursor=TEXT),
        answer(
            fields({"positions": many(maybe(fields(texts(_HELD), average_buy_price=MAYBE_TEXT)))}, next=TEXT)
        ),
    ),
    "get_equity_orders": (
        fields(_ACCOUNT, **texts("order_id state symbol created_at_gte placed_agent cursor")),
        answer(fields({"orders": many(maybe(_ORDER))}, next=TEXT)),
    ),
    "get_equity_tradability": (
        fields(_ACCOUNT | {"symbols": many(TEXT)}),
        answer(
            fields(
                {
                    "results": many(
                        fields(
                            {
                                "symbol": TEXT,
                                "tradeable": FLAG,
                                "extended_hours_fractional_tradability": FLAG,
                            },
                            **texts("name simple_name state country fractional_tradability"),
                            **texts("all_day_tradability twenty_four_seven_tradability"),
                            **texts("short_selling_tradability internal_halt_reason internal_halt_details"),
                            internal_halt_sessions=many(TEXT),
                            **texts("internal_halt_start_time internal_halt_end_time"),
                            account_type_tradabilities=many(
                                fields(texts("account_type account_type_tradability"))
                            ),
                        )
                    )
                },
                not_found=many(TEXT),
            )
        ),
    ),
    "review_equity_order": (
        fields(texts("account_number symbol side type"), **_ORDER_TERMS),
        answer(
            fields(
                texts("symbol side type") | {"order_checks": {"type": "object"}, "quote_data": maybe(_QUOTE)},
                **texts("quantity dollar_amount limit_price stop_price market_data_disclosure"),
            )
        ),
    ),
    "place_equity_order": (
        fields(texts("account_number symbol side type"), **_ORDER_TERMS, ref_id=TEXT),
        answer(fields({}, order=maybe(_ORDER))),
    ),
    "cancel_equity_order": (
        fields(texts("account_number order_id")),
        answer(fields({"accepted": FLAG})),
    ),
}
