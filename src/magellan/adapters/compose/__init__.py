"""Instances as containers: an image for each release, a compose file for each instance."""
