"""Every answer of the market data API against Alpaca's own OpenAPI document of it."""

import orjson
import pytest
from jsonschema import Draft202012Validator

from exchange.data_api.asking import ACTIONS, EVERY_ENDPOINT, body
from exchange.market.sample_market import at
from lab.alpaca_specs import alpaca_spec
from magellan.exchange.data_api.data_api import ENDPOINTS


@pytest.fixture(scope="module")
def document():
    return alpaca_spec("market-data-api.json")


def operation(document, path):
    endpoint = next(each for each in ENDPOINTS if each.pattern.fullmatch(path))
    return endpoint, document["paths"][endpoint.path]["get"]


@pytest.mark.parametrize(("path", "query"), EVERY_ENDPOINT, ids=[path for path, _ in EVERY_ENDPOINT])
def test_an_answer_keeps_to_the_published_schema(document, path, query):
    _, described = operation(document, path)
    schema = described["responses"]["200"]["content"]["application/json"]["schema"]
    answer = orjson.loads(orjson.dumps(body(path, query)))
    Draft202012Validator(schema | {"components": document["components"]}).validate(answer)


@pytest.mark.parametrize(("path", "query"), EVERY_ENDPOINT, ids=[path for path, _ in EVERY_ENDPOINT])
def test_an_answer_is_not_empty_where_there_is_something_to_say(document, path, query):
    silent = ("/v1beta1/news", "/v1beta1/forex", "/v1beta1/fixed_income")
    answer = body(path, query)
    content = [each for name, each in answer.items() if name not in ("next_page_token", "symbol")]
    assert path.startswith(silent) or any(content)


def test_rows_carry_no_field_that_alpaca_does_not_know(document):
    schemas = document["components"]["schemas"]
    for path, query, group, name in (
        ("/v2/stocks/bars", {"symbols": "AAA", "timeframe": "1Hour"}, "bars", "stock_bar"),
        ("/v2/stocks/quotes", {"symbols": "AAA", "limit": 3}, "quotes", "stock_quote"),
        ("/v2/stocks/trades", {"symbols": "AAA", "limit": 3}, "trades", "stock_trade"),
        ("/v1beta3/crypto/us/trades", {"symbols": "BTC/USD", "limit": 3}, "trades", "crypto_trade"),
        ("/v1beta3/crypto/us/quotes", {"symbols": "BTC/USD", "limit": 3}, "quotes", "crypto_quote"),
    ):
        for rows in body(path, query)[group].values():
            assert all(set(row) <= set(schemas[name]["properties"]) for row in rows)
            assert all(set(row) >= set(schemas[name]["required"]) for row in rows)


def test_every_published_path_is_served_but_the_event_stream(document):
    published = {path for path, described in document["paths"].items() if "get" in described}
    assert published - {endpoint.path for endpoint in ENDPOINTS} == {"/v1beta1/events/corporate-actions"}
    assert {endpoint.path for endpoint in ENDPOINTS} <= published


def test_every_published_parameter_is_known(document):
    shared = document["components"]["parameters"]
    for endpoint in ENDPOINTS:
        described = document["paths"][endpoint.path]
        listed = [*described.get("parameters", []), *described["get"].get("parameters", [])]
        parameters = [shared[each["$ref"].rsplit("/", 1)[1]] if "$ref" in each else each for each in listed]
        names = {each["name"] for each in parameters if each["in"] == "query"}
        assert endpoint.parameters == names, endpoint.path


def test_all_kinds_of_corporate_actions_keep_to_the_schema(document):
    later_ns = at(ACTIONS[1].effective_at.date(), 12)
    answer = body("/v1/corporate-actions", {"start": "2025-07-01"}, now_ns=later_ns)
    assert set(answer["corporate_actions"]) == {"forward_splits", "reverse_splits", "cash_dividends"}
    schema = document["components"]["schemas"]["corporate_actions_resp"]
    Draft202012Validator(schema | {"components": document["components"]}).validate(answer)
