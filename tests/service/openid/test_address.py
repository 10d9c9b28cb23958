"""Which address a provider vouches for: each provider guards another claim."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.settings import OpenId, Staff, Web
from service.openid.address import school_address
from service.openid.errors import NotVouchedFor
from service.web.openid import domains_of
from tests.service.web.school_pages import LEE, RIVERA, URL, settings_of

TENANT = "00000000-1111-2222-3333-444444444444"
FOREIGN = "9188040d-6c67-4c5b-b112-36a304b66dad"
GOOGLE = OpenId(issuer="https://accounts.google.com", client_id="x", name="Google")
MICROSOFT = OpenId(issuer=f"https://login.microsoftonline.com/{TENANT}/v2.0", client_id="x", name="Microsoft")
OTHER = OpenId(issuer="https://sso.maple.example/realms/staff", client_id="x", name="Maple")
MAPLE = frozenset({"maple.example"})
AT_GOOGLE: dict[str, Any] = {"sub": "1", "email": RIVERA, "email_verified": True, "hd": "maple.example"}
AT_MICROSOFT: dict[str, Any] = {"sub": "1", "tid": TENANT, "oid": "o", "preferred_username": RIVERA}
AT_OTHER: dict[str, Any] = {"sub": "1", "email": RIVERA, "email_verified": True}


def without(claims: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in claims.items() if key != name}


@pytest.mark.parametrize(
    ("openid", "claims"),
    [
        (GOOGLE, AT_GOOGLE),
        (GOOGLE, AT_GOOGLE | {"email": "RIVERA@Maple.Example", "hd": "Maple.Example"}),
        (MICROSOFT, AT_MICROSOFT),
        (MICROSOFT, AT_MICROSOFT | {"preferred_username": "Rivera@maple.example", "acct": 0}),
        (MICROSOFT, AT_MICROSOFT | {"idp": f"https://sts.windows.net/{TENANT}/"}),
        (OTHER, AT_OTHER),
    ],
)
def test_an_account_of_the_school_s_has_the_school_s_address(openid: OpenId, claims: dict[str, Any]) -> None:
    assert school_address(claims, openid, MAPLE) == RIVERA


@pytest.mark.parametrize(
    ("openid", "claims"),
    [
        # A private Google account, made with the school's address as its name.
        (GOOGLE, without(AT_GOOGLE, "hd")),
        (GOOGLE, AT_GOOGLE | {"hd": "oak.example"}),
        (GOOGLE, AT_GOOGLE | {"hd": ["maple.example"]}),
        (GOOGLE, AT_GOOGLE | {"email_verified": False}),
        (GOOGLE, without(AT_GOOGLE, "email_verified")),
        # Somebody of another tenant who wrote the address of a teacher into their own profile.
        (MICROSOFT, AT_MICROSOFT | {"tid": FOREIGN}),
        (MICROSOFT, without(AT_MICROSOFT, "tid")),
        # Who has the address in `email` alone: in a tenant anybody with the right may write it there.
        (MICROSOFT, AT_MICROSOFT | {"preferred_username": "student@maple.onmicrosoft.example", "email": RIVERA}),
        (MICROSOFT, without(AT_MICROSOFT, "preferred_username") | {"email": RIVERA, "email_verified": True}),
        # Guests, in the two ways that Microsoft says so.
        (MICROSOFT, AT_MICROSOFT | {"idp": f"https://sts.windows.net/{FOREIGN}/"}),
        (MICROSOFT, AT_MICROSOFT | {"idp": "live.com"}),
        (MICROSOFT, AT_MICROSOFT | {"idp": 7}),
        (MICROSOFT, AT_MICROSOFT | {"acct": 1}),
        (MICROSOFT, AT_MICROSOFT | {"acct": "1"}),
        (OTHER, AT_OTHER | {"email_verified": "true"}),
        (OTHER, AT_OTHER | {"email_verified": 1}),
        (OTHER, AT_OTHER | {"email": [RIVERA]}),
        (OTHER, AT_OTHER | {"email": "rivera@oak.example"}),
        (OTHER, AT_OTHER | {"email": "rivera@maple.example.oak.example"}),
        (OTHER, AT_OTHER | {"email": "rivera@oak.example\n@maple.example"}),
        (OTHER, AT_OTHER | {"email": "r\u0131vera@maple.example"}),
        (OTHER, AT_OTHER | {"email": "@maple.example"}),
        (OTHER, AT_OTHER | {"email": "rivera"}),
        (OTHER, AT_OTHER | {"email": "x" * 400 + "@maple.example"}),
        (OTHER, {"sub": "1"}),
    ],
)
def test_an_address_that_nobody_vouches_for_is_not_taken(openid: OpenId, claims: dict[str, Any]) -> None:
    with pytest.raises(NotVouchedFor) as refused:
        school_address(claims, openid, MAPLE)
    assert "@" not in str(refused.value)


def test_gmail_s_own_addresses_are_google_s_to_vouch_for() -> None:
    claims = {"sub": "1", "email": "rivera@gmail.com", "email_verified": True}
    assert school_address(claims, GOOGLE, frozenset({"gmail.com"})) == "rivera@gmail.com"
    with pytest.raises(NotVouchedFor):
        school_address(claims, GOOGLE, MAPLE)


def test_a_claim_that_the_school_chose_is_taken_as_it_is() -> None:
    adfs = OTHER.model_copy(update={"address_from": "upn"})
    assert school_address({"sub": "1", "upn": RIVERA}, adfs, MAPLE) == RIVERA
    with pytest.raises(NotVouchedFor):
        school_address(AT_OTHER, adfs, MAPLE)


@given(
    st.dictionaries(st.sampled_from([*AT_GOOGLE, *AT_MICROSOFT, "idp", "acct"]), st.none() | st.text() | st.floats())
)
def test_whatever_a_token_says_there_is_an_address_of_the_school_s_or_a_refusal(claims: dict[str, Any]) -> None:
    for openid in (GOOGLE, MICROSOFT, OTHER):
        try:
            found = school_address(claims, openid, MAPLE)
        except NotVouchedFor:
            continue
        assert found.endswith("@maple.example")


@pytest.mark.parametrize(
    "path", ["common/v2.0", "organizations/v2.0", "consumers/v2.0", "maple.example/v2.0", TENANT, f"{TENANT}/v2.0/", ""]
)
def test_only_one_tenant_of_microsoft_s_may_be_named(path: str) -> None:
    for host in ("login.microsoftonline.com", "Login.MicrosoftOnline.com", "login.microsoftonline.us"):
        with pytest.raises(ValidationError, match="TENANT"):
            OpenId(issuer=f"https://{host}/{path}", client_id="x", name="Microsoft")


def test_the_domains_are_the_staff_s_own_unless_others_are_named() -> None:
    elsewhere = (Staff(address="kim@oak.example", name="Kim", role="leader"),)
    assert domains_of(settings_of(staff=elsewhere)) == {"maple.example", "oak.example"}
    named = settings_of(web=Web(url=URL, openid=OTHER.model_copy(update={"domains": ("@Elm.Example",)})))
    assert domains_of(named) == {"elm.example"}
    assert LEE.endswith("@maple.example")
