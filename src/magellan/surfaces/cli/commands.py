"""The commands: their words, their help lines and an example each. Nothing else has to know a new one."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A row of the table below."""

    words: str  # as typed after `magellan`, e.g. "data import"
    help: str  # one line
    example: str  # one line a reader can type in the reference workspace

    @property
    def function_name(self) -> str:
        """The name of the command's module, and of the function in it."""
        return self.words.replace(" ", "_")


START: Final = "Start here"
DATA: Final = "Archived bars"
BACKTEST: Final = "Backtest"
REGIME: Final = "Market regimes"
SERVE: Final = "HTTP API"
EXCHANGE: Final = "Paper exchange"
LEDGER: Final = "Ledger"
OPERATE: Final = "Operations"
SHIP: Final = "Releases"
TRADE: Final = "Trade"
MIGRATE: Final = "Restructure"

COMMANDS: Final[dict[str, tuple[Command, ...]]] = {
    START: (
        Command(
            words="demo",
            help="Run the reference strategies on sample data and open the gates' verdict.",
            example="magellan demo",
        ),
        Command(
            words="init",
            help="Make a workspace: settings, stages, sample data.",
            example="magellan init my-trading",
        ),
        Command(
            words="new",
            help="Write a new strategy that works, with its tests.",
            example="magellan new strategy opening_gap",
        ),
        Command(
            words="doctor",
            help="Check this machine and workspace, and say what to mend.",
            example="magellan doctor",
        ),
    ),
    DATA: (
        Command(
            words="data import",
            help="Import Parquet and CSV files of bars into the archive.",
            example="magellan data import ~/bars/*.parquet",
        ),
        Command(
            words="data fetch",
            help="Download bars from Alpaca, Polygon or Yahoo.",
            example="magellan data fetch --vendor alpaca --from 2024-01-02 --to 2024-06-28 AMC",
        ),
        Command(
            words="data check",
            help="Report on quality: gaps, duplicates, bad prints, halts, unexplained jumps.",
            example="magellan data check ANCHOR",
        ),
        Command(
            words="data list",
            help="Show the catalogue of archived bars.",
            example="magellan data list",
        ),
        Command(
            words="data rebuild",
            help="Make the catalogue again from the archived files.",
            example="magellan data rebuild",
        ),
        Command(
            words="data actions",
            help="Show the table of corporate actions.",
            example="magellan data actions",
        ),
        Command(
            words="data split",
            help="Record a split.",
            example="magellan data split NVDA --on 2024-06-10 --ratio 10:1",
        ),
        Command(
            words="data dividend",
            help="Record a cash dividend.",
            example="magellan data dividend AAPL --on 2024-02-09 --amount 0.24",
        ),
        Command(
            words="data confirm",
            help="Confirm that a jump in prices is genuine news.",
            example="magellan data confirm SAVA --at 2024-11-25T13:00Z --reason 'trial failed' --by jane",
        ),
        Command(
            words="data forget",
            help="Take a row out of the table of corporate actions.",
            example="magellan data forget split NVDA --on 2024-06-10",
        ),
    ),
    BACKTEST: (
        Command(
            words="backtest",
            help="Replay a strategy over archived bars and write a report.",
            example="magellan backtest bear_trap --from 2025-10-01 --to 2025-12-31",
        ),
        Command(
            words="compare",
            help="Show two runs side by side.",
            example="magellan compare last",
        ),
        Command(
            words="sweep",
            help="Run a grid or a random sample of parameter sets on all cores.",
            example="magellan sweep daily_trend --grid rsi_period=10,14,21",
        ),
        Command(
            words="walkforward",
            help="Choose parameters on one window, judge them on the next, and roll on.",
            example="magellan walkforward daily_trend --grid rsi_period=10,14,21",
        ),
        Command(
            words="replay",
            help="Replay a run and compare decisions; or prove that nothing looks ahead.",
            example="magellan replay bear_trap --check-lookahead",
        ),
        Command(
            words="gate",
            help="Gather evidence on a strategy and answer open or shut, with reasons.",
            example="magellan gate bear_trap",
        ),
    ),
    REGIME: (
        Command(
            words="regime show",
            help="Show in which regime a market is, how sure that is, and why.",
            example="magellan regime show LIMPET --timeframe 1Min",
        ),
        Command(
            words="regime analyze",
            help="Label a history without looking ahead, and sum it up.",
            example="magellan regime analyze --generated eq3",
        ),
        Command(
            words="regime evaluate",
            help="Measure the labels: beside an oracle, on data without regimes, and in money.",
            example="magellan regime evaluate --seeds 3",
        ),
        Command(
            words="regime workbook new",
            help="Write a fresh workbook: every value with its range and meaning.",
            example="magellan regime workbook new regime.xlsx",
        ),
        Command(
            words="regime workbook check",
            help="Find every mistake in a workbook, by sheet and cell.",
            example="magellan regime workbook check regime.xlsx",
        ),
        Command(
            words="regime workbook import",
            help="Turn a workbook of version 4.0.0 into one of ours, and name what was dropped.",
            example="magellan regime workbook import old.xlsx --out regime.xlsx",
        ),
        Command(
            words="regime workbook diff",
            help="Show what differs between two workbooks.",
            example="magellan regime workbook diff regime.xlsx regime.toml",
        ),
        Command(
            words="regime workbook schema",
            help="Show the JSON Schema of the TOML and JSON forms.",
            example="magellan regime workbook schema --out regime.schema.json",
        ),
    ),
    SHIP: (
        Command(
            words="release key",
            help="Make the key that signs your releases, or show its public half.",
            example="magellan release key",
        ),
        Command(
            words="release build",
            help="Build a release: strategy, config and engine as one signed file that cannot change.",
            example="magellan release build bear_trap",
        ),
        Command(
            words="release list",
            help="List releases, oldest first.",
            example="magellan release list bear_trap",
        ),
        Command(
            words="release show",
            help="Show what a release is made of.",
            example="magellan release show bear_trap",
        ),
        Command(
            words="release diff",
            help="Show what differs between two releases.",
            example="magellan release diff bear_trap",
        ),
        Command(
            words="release verify",
            help="Read releases byte for byte, and check who signed them.",
            example="magellan release verify",
        ),
        Command(
            words="release prune",
            help="Remove old releases that no session ever ran.",
            example="magellan release prune bear_trap --yes",
        ),
        Command(
            words="soak",
            help="Show how far a release is from its next stage, criterion by criterion.",
            example="magellan soak bear_trap",
        ),
        Command(
            words="pipeline run",
            help="Validate a strategy, test it on archived data, deploy it, and look at what runs then.",
            example="magellan pipeline run bear_trap --to test --yes",
        ),
        Command(
            words="pipeline github",
            help="Write the workflow by which GitHub Actions runs the pipeline.",
            example="magellan pipeline github --branch main",
        ),
        Command(
            words="freeze show",
            help="Show the windows in which nothing is deployed to prod.",
            example="magellan freeze show --days 60",
        ),
        Command(
            words="freeze check",
            help="Say whether a strategy may be deployed to prod now.",
            example="magellan freeze check bear_trap --at '2026-01-23 14:30'",
        ),
        Command(
            words="freeze override",
            help="Let a hot fix of one strategy through a freeze, on record.",
            example="magellan freeze override bear_trap --by jane --reason 'its stop is never sent'",
        ),
        Command(
            words="deploy",
            help="Let a release trade in a stage, in place of the one that trades there now.",
            example="magellan deploy bear_trap --to test --yes",
        ),
        Command(
            words="promote",
            help="Let a release go on to the next stage: judged, approved, deployed and watched.",
            example="magellan promote bear_trap --by jane --why 'soaked for two weeks' --yes",
        ),
        Command(
            words="rollback",
            help="Let an earlier release trade again: code, config and engine.",
            example="magellan rollback bear_trap --to prod --yes",
        ),
        Command(
            words="deployments",
            help="Show what each target runs now, by its own word.",
            example="magellan deployments",
        ),
        Command(
            words="host start",
            help="Start the local target's supervisor and all that was deployed here.",
            example="magellan host start",
        ),
        Command(
            words="host stop",
            help="End the local target's supervisor and all that it keeps, in order.",
            example="magellan host stop",
        ),
        Command(
            words="lease keep",
            help="Let a stage's hosts enter only while this runs and reaches them.",
            example="magellan lease keep --to prod",
        ),
        Command(
            words="lease end",
            help="Let a stage's hosts enter without a lease again.",
            example="magellan lease end --to prod",
        ),
        Command(
            words="host prepare",
            help="Make a machine ready to be a target that is reached over SSH.",
            example="magellan host prepare tokyo",
        ),
        Command(
            words="host check",
            help="Look at a host: clock, disk, packages, units, rights, firewall, SSH.",
            example="magellan host check tokyo",
        ),
        Command(
            words="host serve",
            help="Answer a controller's calls, as a target that is reached over SSH.",
            example="magellan host serve tokyo",
        ),
        Command(
            words="host files",
            help="Show every file that is generated for a target of the kind compose or aws.",
            example="magellan host files aws1",
        ),
        Command(
            words="host document",
            help="Store the Systems Manager document through which a target takes calls.",
            example="magellan host document aws1 --yes",
        ),
        Command(
            words="host call",
            help="Answer one call of a controller that reaches this host through AWS.",
            example="magellan host call aws1 armed --id 0... --before 1700000000 --question eyJ... --content none",
        ),
        Command(
            words="host health",
            help="Say whether an instance on this machine is well, by its own word.",
            example="magellan host health test-bear_trap-1f3a90c2d4e5",
        ),
        Command(
            words="instance",
            help="Be one instance of a release; a target's supervisor starts it.",
            example="magellan instance test-bear_trap-1f3a90c2d4e5",
        ),
    ),
    TRADE: (
        Command(
            words="run",
            help="Trade a strategy: dry, on a local exchange, on paper, or live.",
            example="magellan run bear_trap --account local",
        ),
        Command(
            words="status",
            help="Show an account: positions, orders, profit, breakers, health.",
            example="magellan status --account local",
        ),
        Command(
            words="halt",
            help="Enter nothing from now on; what is held stays, with its protection.",
            example="magellan halt --account local --by jane --reason 'the feed looks wrong'",
        ),
        Command(
            words="resume",
            help="Let entries in again, and reset the breakers that tripped.",
            example="magellan resume --account local --by jane --reason 'the feed was repaired'",
        ),
        Command(
            words="flatten",
            help="Cancel every order and leave every position, with or without a session.",
            example="magellan flatten --account local --by jane --reason 'leaving for the weekend'",
        ),
        Command(
            words="watch",
            help="Watch over a session, and raise the alarm when it goes silent.",
            example="magellan watch --account local",
        ),
        Command(
            words="broker login",
            help="Log in to a broker in a browser, and keep the login for sessions.",
            example="magellan broker login robinhood",
        ),
        Command(
            words="broker logout",
            help="Forget a broker's login on this machine.",
            example="magellan broker logout robinhood",
        ),
    ),
    OPERATE: (
        Command(
            words="secrets list",
            help="List the secrets that magellan.toml names, with their age. Never a value.",
            example="magellan secrets list",
        ),
        Command(
            words="secrets check",
            help="Check that every secret is there and not overdue.",
            example="magellan secrets check",
        ),
        Command(
            words="secrets rotate",
            help="Put new values of secrets in place; sessions that run miss no beat.",
            example="magellan secrets rotate ALPACA_API_KEY ALPACA_API_SECRET < new_pair",
        ),
        Command(
            words="backup create",
            help="Back the workspace up: incremental, encrypted, to a folder, an SSH host or S3.",
            example="magellan backup create",
        ),
        Command(
            words="backup list",
            help="List the backups at their destination.",
            example="magellan backup list",
        ),
        Command(
            words="backup verify",
            help="Read every backup back, and restore the newest one into a folder that is thrown away.",
            example="magellan backup verify",
        ),
        Command(
            words="backup follow",
            help="Keep a second copy of the ledger elsewhere that follows within a second.",
            example="magellan backup follow",
        ),
        Command(
            words="backup schedule",
            help="Write systemd timers that make backups at their hour.",
            example="magellan backup schedule --out units",
        ),
        Command(
            words="restore",
            help="Bring a workspace back from a backup.",
            example="magellan restore --into ~/trading-restored",
        ),
        Command(
            words="drill rollback",
            help="Rehearse a roll-back and the way forward again, and record how long they took.",
            example="magellan drill rollback bear_trap --to test --yes",
        ),
        Command(
            words="drill restore",
            help="Rehearse the restore, and record how long it took.",
            example="magellan drill restore",
        ),
        Command(
            words="metrics show",
            help="Measure how everything stands, in Prometheus's text format.",
            example="magellan metrics show",
        ),
        Command(
            words="metrics serve",
            help="Serve the metrics on this machine, for Prometheus.",
            example="magellan metrics serve --port 9464",
        ),
        Command(
            words="metrics files",
            help="Write alert rules for Prometheus and a dashboard for Grafana.",
            example="magellan metrics files --out monitoring",
        ),
        Command(
            words="notify test",
            help="Send a test message through the channels of magellan.toml.",
            example="magellan notify test",
        ),
        Command(
            words="notify outbox",
            help="Show what waits for each channel, and why.",
            example="magellan notify outbox",
        ),
    ),
    MIGRATE: (
        Command(
            words="migrate scan",
            help="Look through a Python project: what is in it, what is broken, what belongs where.",
            example="magellan migrate scan ~/old-bots",
        ),
        Command(
            words="migrate plan",
            help="Propose where each file should go, as a mapping to edit.",
            example="magellan migrate plan ~/old-bots",
        ),
        Command(
            words="migrate apply",
            help="Move files as a mapping says, and rewrite every name of theirs.",
            example="magellan migrate apply --mapping migration_mapping.json ~/old-bots",
        ),
        Command(
            words="migrate merge",
            help="Merge the same package, grown in two trees, without losing a definition.",
            example="magellan migrate merge ~/old-bots/strategies ~/bots/strategies",
        ),
        Command(
            words="migrate workspace",
            help="Bring an old workspace into dev/, test/ and prod/, configs and units included.",
            example="magellan migrate workspace ~/old-workspace",
        ),
        Command(
            words="migrate verify",
            help="Compare a project before and after a migration.",
            example="magellan migrate verify --tests ~/old-bots",
        ),
        Command(
            words="migrate rollback",
            help="Take a migration back, to the byte.",
            example="magellan migrate rollback ~/old-bots",
        ),
        Command(
            words="migrate shims list",
            help="Show what keeps old import paths working.",
            example="magellan migrate shims list ~/old-bots",
        ),
        Command(
            words="migrate shims remove",
            help="Take shims away that have expired, or that are named.",
            example="magellan migrate shims remove --dir ~/old-bots",
        ),
    ),
    SERVE: (
        Command(
            words="serve",
            help="Serve the HTTP API: status, halt and resume, backtests, regimes.",
            example="magellan serve --port 8932",
        ),
        Command(
            words="token issue",
            help="Issue or rotate a token of the HTTP API.",
            example="magellan token issue dashboard --scopes read,operate",
        ),
        Command(
            words="token list",
            help="List tokens: whose they are, and what they may do.",
            example="magellan token list",
        ),
        Command(
            words="token revoke",
            help="Let a token open nothing from now on.",
            example="magellan token revoke dashboard",
        ),
    ),
    EXCHANGE: (
        Command(
            words="exchange",
            help="Serve a paper exchange that speaks Alpaca's protocol.",
            example="magellan exchange --port 8931 --symbols AAPL,MSFT --generated",
        ),
    ),
    LEDGER: (
        Command(
            words="audit list",
            help="Show the accounts of the ledger, what our book holds, and the newest changes.",
            example="magellan audit list",
        ),
        Command(
            words="audit verify",
            help="Check that nothing recorded was changed, removed, added or moved.",
            example="magellan audit verify",
        ),
        Command(
            words="audit sign",
            help="Sign where the chains end, for a copy that is kept elsewhere.",
            example="magellan audit sign",
        ),
        Command(
            words="audit script",
            help="Write the program that checks the chains without Magellan.",
            example="magellan audit script --out verify_audit.py",
        ),
        Command(
            words="audit show",
            help="Show entries, or changes, as they were written.",
            example="magellan audit show changes --last 50",
        ),
        Command(
            words="audit trades",
            help="Show trades, and what they say together.",
            example="magellan audit trades --from 2026-01-02 --symbol AMC --outcome loss",
        ),
        Command(
            words="audit day",
            help="Sum up one date.",
            example="magellan audit day 2026-01-20",
        ),
        Command(
            words="audit export",
            help="Write trades, orders, executions, decisions, entries or changes to a file.",
            example="magellan audit export trades --out trades.parquet",
        ),
    ),
}

GROUPS: Final[dict[str, tuple[str, str]]] = {
    # word: (panel, help line)
    "data": (DATA, "Import, fetch, check and list archived bars."),
    "audit": (LEDGER, "Read, check and export what was recorded."),
    "drill": (OPERATE, "Rehearse what must work when it is needed."),
    "metrics": (OPERATE, "Measure, serve, and write rules and a dashboard."),
    "backup": (OPERATE, "Make, list, verify and schedule backups."),
    "notify": (OPERATE, "Test the ways to people, and see what waits for them."),
    "secrets": (OPERATE, "List, check and rotate secrets."),
    "broker": (TRADE, "Log in to brokers that are opened with a login."),
    "regime": (REGIME, "Read the market's regime, and configure the model."),
    "regime workbook": (REGIME, "Make, check, import and compare regime workbooks."),
    "migrate": (MIGRATE, "Restructure a Python project: scan, plan, apply, verify, take it back."),
    "migrate shims": (MIGRATE, "List and remove what keeps old import paths working."),
    "pipeline": (SHIP, "The way of a change, from its check to what runs then, as one command."),
    "freeze": (SHIP, "When nothing goes to where real money trades."),
    "token": (SERVE, "Issue, list and revoke tokens of the HTTP API."),
    "release": (SHIP, "Build, list, compare and verify releases."),
    "lease": (SHIP, "Let hosts enter only while somebody reaches them."),
    "host": (SHIP, "Make hosts ready, and start and stop what is deployed on them."),
}
