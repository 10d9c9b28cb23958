"""Where a mailbox's password comes from."""

import pytest

from config import ConfigError, password_for
from config.settings import MailboxSettings

BOX = MailboxSettings(address="r.rivera@maple.example", teacher="Ms. Rivera")
NAME = "ALLIANCE_PASSWORD_R_RIVERA_MAPLE_EXAMPLE"


def test_the_variable_is_named_after_the_address():
    password = password_for(BOX, {NAME: "open sesame"})
    assert password is not None
    assert password.get_secret_value() == "open sesame"


def test_password_env_names_another_variable():
    box = BOX.model_copy(update={"password_env": "RIVERA"})
    password = password_for(box, {"RIVERA": "x", NAME: "y"})
    assert password is not None
    assert password.get_secret_value() == "x"


def test_without_a_variable_there_is_no_password():
    assert password_for(BOX, {}) is None
    assert password_for(BOX, {NAME: ""}) is None


@pytest.mark.parametrize("content", ["pass word ", "pass word \n", "pass word \r\n"])
def test_a_file_may_hold_it_and_its_last_line_break_does_not_count(tmp_path, content):
    file = tmp_path / "secret"
    file.write_bytes(content.encode())
    password = password_for(BOX, {f"{NAME}_FILE": str(file)})
    assert password is not None
    assert password.get_secret_value() == "pass word "


def test_both_the_variable_and_the_file_are_refused_without_showing_either(tmp_path):
    with pytest.raises(ConfigError, match="not both") as error:
        password_for(BOX, {NAME: "sesame", f"{NAME}_FILE": str(tmp_path / "secret")})
    assert "sesame" not in str(error.value)
    assert NAME in str(error.value)


@pytest.mark.parametrize("content", [None, b"", b"\n", b"one\ntwo\n", b"\xff\xfe"])
def test_a_file_that_holds_no_single_line_of_text_is_a_clear_error(tmp_path, content):
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        password_for(BOX, {f"{NAME}_FILE": str(file)})
    assert f"{NAME}_FILE" in str(error.value)
    assert str(file) in str(error.value)
    assert "two" not in str(error.value)
