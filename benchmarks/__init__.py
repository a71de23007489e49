"""Speed and memory of Magellan, measured side by side with its peers. Start with README.md in this folder."""
