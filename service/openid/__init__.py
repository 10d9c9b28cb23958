"""OpenID Connect: whom a provider such as Google or Microsoft vouches for, and how far that is believed."""
