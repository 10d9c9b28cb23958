"""The record of what was seen, decided and delivered. Identifiers, times and counts; never a message's text."""
