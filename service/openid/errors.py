"""What can go wrong between these pages and an OpenID provider. No text holds a code, a token or a secret."""


class OpenIdError(Exception):
    """Signing in did not work out."""


class NotSetUp(OpenIdError):
    """The client secret is not there."""


class ProviderDown(OpenIdError):
    """The provider does not answer, or not as an OpenID provider does."""


class TokenRefused(OpenIdError):
    """What the provider sent is not what was asked for, or cannot be believed."""


class NotVouchedFor(OpenIdError):
    """The provider knows the account, but does not vouch that its address is the school's."""
