"""Start alpaca-mcp-server 2.4.0 with its trading address replaced; it reads none from its environment.

MAGELLAN_EXCHANGE holds the address; the data address is the server's own variable, DATA_API_URL.
"""

import os
import sys

from alpaca_mcp_server import cli, server

server.TRADING_API_BASE_URLS["paper"] = os.environ["MAGELLAN_EXCHANGE"]
os.environ["DATA_API_URL"] = os.environ["MAGELLAN_EXCHANGE"]
sys.exit(cli.main())
