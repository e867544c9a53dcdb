"""Runs from Python with what runs from the command line have."""
