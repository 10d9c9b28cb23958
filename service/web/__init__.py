"""The web pages for the staff: who comes in, what they see, and a record of both."""
