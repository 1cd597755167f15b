"""The way from an app's URL through the log-in and back, and out again."""
import urllib.parse

import pytest

from harness import apps




@pytest.fixture
def shop(make_deployment):
    """A deployment with a wildcard, a workspace, and two apps in it."""
    made = make_deployment("--wildcard-access-url", "*." + apps.DOMAIN)
    made.ws = made.workspace()
    made.apps = [apps.App(), apps.App()]
    made.urls = [f"http://{apps.host_of(made, app.port, made.ws)}/" for app in made.apps]
    yield made
    for app in made.apps:
        app.close()


def test_a_person_lands_on_the_app_with_the_query_intact(shop):
    browser = apps.Browser(shop)
    answer = browser.log_in(shop.urls[0] + "a?b=c%20d&e=%2F", shop.admin)
    assert answer.status_code == 200
    assert answer.url == shop.urls[0] + "a?b=c%20d&e=%2F"
    assert answer.json()["path"] == "/a?b=c%20d&e=%2F"
    sent = [name.lower() for name, _ in answer.json()["headers"]]
    assert "cookie" not in sent

    second = browser.get(shop.urls[1])
    assert second.status_code == 200 and second.json()["path"] == "/"
    assert browser.get(shop.url + "/api/v1/me").json()["user"]["name"] == shop.admin.name


def test_a_wrong_password_is_told_and_counted(shop):
    browser = apps.Browser(shop)
    page = browser.get(shop.urls[0])
    for _ in range(3):
        wrong = browser.submit(page, user=shop.admin.name, password="not it at all")
        assert wrong.status_code == 401
        assert 'role="alert"' in wrong.text and "wrong" in wrong.text
    codes = [browser.submit(page, user=shop.admin.name, password="x").status_code
             for _ in range(40)]
    assert 429 in codes


def test_logging_out_ends_the_apps_at_once(shop):
    browser = apps.Browser(shop)
    browser.log_in(shop.urls[0], shop.admin)
    assert browser.get(shop.urls[0]).status_code == 200
    out = browser.post("/logout")
    assert out.url == shop.url + "/login"
    for url in shop.urls:
        after = browser.get(url, allow_redirects=False)
        assert after.status_code == 303 and "auth-redirect" in after.headers["Location"]


def test_the_hand_over_is_good_once_and_for_its_host(shop):
    browser = apps.Browser(shop)
    browser.log_in(shop.urls[0], shop.admin)
    answer = browser.get(shop.url + "/api/v1/applications/auth-redirect",
                         params={"redirect_uri": shop.urls[1] + "x"}, allow_redirects=False)
    location = answer.headers["Location"]
    assert location.startswith(shop.urls[1] + "x?adit_hand_over=")
    stranger = apps.Browser(shop)
    elsewhere = location.replace(shop.urls[1], shop.urls[0])
    assert stranger.get(elsewhere, allow_redirects=False).status_code == 400
    assert stranger.get(location, allow_redirects=False).status_code == 303
    assert apps.Browser(shop).get(location, allow_redirects=False).status_code == 400


@pytest.mark.parametrize("uri", [
    "http://evil.test/", "//evil.test/", "https:\\\\evil.test", "/\\evil.test", "/x",
    "http://{host}@evil.test/", "http://evil.test#@{host}/", "http://{host}\\.evil.test/",
    "http://{host}.evil.test/", "JaVaScRiPt:alert(1)", "http://{host}/\r\nX: y",
    "http://{host}/\tx",
    "http://adit.example.test/", "http://u:p@{host}/", "ftp://{host}/", "", "http://127.0.0.1/",
    "{scheme}//evil.test/",
])
def test_nothing_leads_off_the_deployment(shop, uri):
    browser = apps.Browser(shop)
    browser.log_in(shop.urls[0], shop.admin)
    host = urllib.parse.urlsplit(shop.urls[0]).netloc
    uri = uri.replace("{host}", host).replace("{scheme}", "http:")
    answer = browser.get(shop.url + "/api/v1/applications/auth-redirect",
                         params={"redirect_uri": uri}, allow_redirects=False)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_a_mixed_case_scheme_stays_with_the_deployment(shop):
    browser = apps.Browser(shop)
    browser.log_in(shop.urls[0], shop.admin)
    answer = browser.get(shop.url + "/api/v1/applications/auth-redirect",
                         params={"redirect_uri": shop.urls[0].replace("http", "HtTp")},
                         allow_redirects=False)
    assert answer.headers["Location"].startswith(shop.urls[0])


@pytest.mark.parametrize("to", ["//evil.test/", "/\\evil.test", "http://evil.test/", "evil",
                                "/\r\nX: y", "\\\\evil.test"])
def test_the_log_in_page_leads_nowhere_else_either(shop, to):
    browser = apps.Browser(shop)
    page = browser.get(shop.url + "/login", params={"next": to})
    done = browser.submit(page, user=shop.admin.name, password=shop.admin.password)
    assert done.url.startswith(shop.url + "/")


def test_forms_of_other_sites_are_refused(shop):
    browser = apps.Browser(shop)
    browser.log_in(shop.urls[0], shop.admin)
    for origin in ("http://evil.test", shop.urls[0].rstrip("/"), "null"):
        for path in ("/login", "/logout"):
            answer = browser.request("POST", shop.url + path, data={"user": "a", "password": "b"},
                                     headers={"Origin": origin}, allow_redirects=False)
            assert answer.status_code == 403
    assert browser.request("POST", shop.url + "/logout").status_code == 403
    assert browser.get(shop.url + "/api/v1/me").json()["user"]["name"] == shop.admin.name
