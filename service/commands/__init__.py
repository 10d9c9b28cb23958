"""One module per `alliance` command, or family of commands. Each offers `register(app)`."""
