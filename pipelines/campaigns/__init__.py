"""Campaigns that try many faulty inputs and interruptions."""
