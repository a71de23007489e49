"""Wiring: an account at Robinhood, its login, and what the ledger knows of its orders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import httpx2

    from magellan.adapters.robinhood.broker import RobinhoodBroker
    from magellan.adapters.robinhood.login import LoginPlace
    from magellan.adapters.robinhood.order_names import SentOrder
    from magellan.ports.ledger import Ledger
    from magellan.trading.account import AccountSnapshot
    from magellan.trading.session import ExchangeCalendar
    from magellan.workspace.broker_account import BrokerAccount
    from magellan.workspace.workspace import Workspace

_ANSWER_S: Final = 10.0
_WITHOUT_ANSWER: Final = timedelta(days=2)  # for which an order without an answer is looked for


def robinhood_broker(
    account: BrokerAccount,
    workspace: Workspace,
    ledger: Ledger,
    *,
    calendar: ExchangeCalendar | None = None,
    answer_s: float = _ANSWER_S,
) -> RobinhoodBroker:
    """The broker of an account at Robinhood.

    Raises: FixInput where nobody has logged in, or the extra is not installed.
    """
    from magellan.adapters.robinhood import access
    from magellan.adapters.robinhood.broker import RobinhoodBroker
    from magellan.adapters.robinhood.login import KeptLogin, kept_auth
    from magellan.usecases.named_account import ledger_name
    from magellan.wiring.market import calendar_of

    name = ledger_name(account)

    def auth() -> httpx2.Auth:
        kept = KeptLogin(login_place(account, workspace))
        return kept_auth(access.SERVER, kept, account=_name_of(account, workspace))

    auth()  # a login that is missing is said before anything is opened
    return RobinhoodBroker(
        access.RobinhoodAccess(
            account_number=account.number,
            places_orders=account.takes_orders,
            server=access.SERVER,
            answer_s=answer_s,
        ),
        auth,
        calendar or calendar_of("XNYS"),
        lambda: recorded_orders(ledger, name),
    )


def recorded_orders(ledger: Ledger, account: str) -> Iterator[SentOrder]:
    """The orders that an account's ledger meant to send, with what is known of each.

    Not those that were declined or never arrived, and of those without an answer only the newest: what became of an
    older one, a session or a person has settled by other means.
    """
    from magellan.adapters.robinhood.order_names import SentOrder
    from magellan.ledger.entries import AnswerIs, AnswerTo, OrderAnswered, OrderEventSeen, OrderIntended

    found: dict[str, SentOrder] = {}
    kinds = {OrderIntended.kind, OrderAnswered.kind, OrderEventSeen.kind}
    for entry in ledger.entries(account, kinds=kinds):
        match entry.payload:
            case OrderIntended(request=request):
                found[request.client_order_id] = SentOrder(request=request, sent_at=entry.at)
                continue
            case OrderAnswered(client_order_id=name, to=AnswerTo.SUBMIT, answer=AnswerIs.REFUSED):
                found.pop(name, None)
                continue
            case OrderAnswered(client_order_id=name, answer=AnswerIs.ABSENT):
                found.pop(name, None)
                continue
            case OrderAnswered(order=order) | OrderEventSeen(order=order):
                pass
        if order is not None and order.client_order_id in found:
            known = found[order.client_order_id]
            found[order.client_order_id] = replace(
                known, broker_order_id=order.broker_order_id, is_open=not order.status.is_terminal
            )
    newest = max((each.sent_at for each in found.values()), default=None)
    for sent in found.values():
        assert newest is not None, "there is one"
        if sent.broker_order_id is not None or newest - sent.sent_at <= _WITHOUT_ANSWER:
            yield sent


async def log_in(
    account: BrokerAccount,
    workspace: Workspace,
    *,
    port: int,
    within_s: float,
    show: Callable[[str], Awaitable[None]],
) -> AccountSnapshot:
    """Ask a person for consent, keep the login, and prove that it opens the account.

    show: given the address at which a person consents. port: that the browser comes back to; 0: any.
    Raises: FixInput where consent is refused, or the login does not show the account; TryAgain where nobody consents in
    time, or Robinhood does not answer.
    """
    from magellan.adapters.robinhood import access
    from magellan.adapters.robinhood.broker import RobinhoodBroker
    from magellan.adapters.robinhood.consent import ConsentCallback
    from magellan.adapters.robinhood.login import new_login
    from magellan.wiring.market import calendar_of

    async with ConsentCallback(port) as callback:
        login = new_login(
            access.SERVER,
            login_place(account, workspace),
            callback_url=callback.url,
            show=show,
            consented=lambda: callback.answer(within_s),
        )
        broker = RobinhoodBroker(
            access.RobinhoodAccess(
                account_number=account.number,
                places_orders=False,
                server=access.SERVER,
                answer_s=within_s + _ANSWER_S,
                attempts=1,
            ),
            lambda: login.provider,
            calendar_of("XNYS"),
        )
        try:
            found = await broker.account()
            login.keep()
            return found
        finally:
            await broker.close()


def login_place(account: BrokerAccount, workspace: Workspace) -> LoginPlace:
    """Where an account's login is kept: as its `keys.source` says, and by default in a file of its owner's."""
    from magellan.adapters.robinhood.login_place import LoginFile, LoginInStore
    from magellan.wiring.secrets import secret_stores

    source = account.keys.source
    if source == "environment":
        return LoginFile(workspace.state_folder / "logins" / f"robinhood-{account.number}.json")
    store = next(each for each in secret_stores(workspace) if each.source == source)
    return LoginInStore(store, f"/magellan/robinhood/{account.number}/LOGIN")


def _name_of(account: BrokerAccount, workspace: Workspace) -> str:
    """What magellan.toml calls it."""
    accounts = workspace.settings.accounts.items()
    return next((name for name, each in accounts if each == account), account.number)
