"""Imports tried in processes of their own, shut off from the machine as far as the kernel lets us without root."""
