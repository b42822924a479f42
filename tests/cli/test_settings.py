"""Settings come from options, else the environment, else defaults; every fault is named at once."""

from pathlib import Path

import pytest

from opsbook.settings import InvalidSetting, Settings, data_folder, parse_address


def settings(environ=None, **given):
    return Settings.from_env(["books/starter"], environ=environ or {}, **given)


def test_without_anything_said_a_server_listens_on_this_machine_alone():
    plain = settings()
    assert plain.listen == ("127.0.0.1", 8420)
    assert plain.loopback
    assert plain.database is None
    assert plain.step_user == "nobody"


def test_an_option_beats_the_environment_and_the_environment_beats_the_default():
    environ = {"OPSBOOK_LISTEN": "127.0.0.1:1111", "OPSBOOK_DATA": "/srv/a"}
    assert settings(environ).listen == ("127.0.0.1", 1111)
    assert settings(environ).data == Path("/srv/a")
    assert settings(environ, listen="127.0.0.1:2222").listen == ("127.0.0.1", 2222)
    assert settings(environ, data="/srv/b").data == Path("/srv/b")


def test_an_empty_variable_counts_as_unset():
    empty = {"OPSBOOK_LISTEN": "", "OPSBOOK_DATABASE": "", "OPSBOOK_STEP_USER": ""}
    assert settings(empty) == settings()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8420", ("127.0.0.1", 8420)),
        ("localhost:0", ("localhost", 0)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("9000", ("127.0.0.1", 9000)),
        ("[::1]:8420", ("::1", 8420)),
        ("ops.example:8420", ("ops.example", 8420)),
    ],
)
def test_an_address_is_read(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "here", "127.0.0.1", "127.0.0.1:", ":", "::1:80", "a:b:1", "host:70000", "http://a:1"],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match=r"HOST:PORT|65535"):
        parse_address(text)


def test_every_bad_setting_is_named_with_its_source_and_value():
    with pytest.raises(InvalidSetting) as refused:
        settings({"OPSBOOK_DATABASE": "mysql://root:geheim@db/x"}, listen="nowhere")
    assert "--listen: 'nowhere'" in refused.value.message
    assert "OPSBOOK_DATABASE: 'mysql'" in refused.value.message


@pytest.mark.parametrize("url", ["mysql://u:geheim@h/d", "u:geheim@h", "sqlite://"])
def test_a_bad_database_url_is_not_repeated_since_it_may_hold_a_password(url):
    with pytest.raises(InvalidSetting) as refused:
        settings(database=url)
    assert "geheim" not in str(refused.value)


def test_the_data_folder_is_absolute_and_may_begin_at_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert data_folder("~/ops") == Path("/home/someone/ops")
    assert data_folder(None, {}).is_absolute()


@pytest.mark.parametrize(("host", "alone"), [("127.0.0.1:1", True), ("0.0.0.0:1", False)])
def test_it_is_known_whether_other_machines_reach_the_server(host, alone):
    assert settings(listen=host).loopback is alone
