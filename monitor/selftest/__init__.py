"""Sends two known crops along the whole way from the inbox to the sinks, and says how far each of them came."""
