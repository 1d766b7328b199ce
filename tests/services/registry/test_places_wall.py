"""The page for a place's wall: what has to be posted is on it, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

from tests.services.registry.places_support import COUNTY, organisation, person, place, staffed
from tests.services.registry.support import Registry
from tests.services.registry.trainings_support import qualified

HOURS = [{"weekday": 1, "opens": "08:30", "closes": "12:00"}, {"weekday": 1, "opens": "14:00", "closes": "17:30"}]
RULES = [{"title": "接待工作制度", "text": "首问负责。\n来访登记。"}]
FEES = [{"item": "个体咨询", "yuan": "200", "unit": "50分钟"}]


class Reading(HTMLParser):
    """Tags, attributes and text of a page, as a browser would find them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_a_centre_posts_fees_qualifications_rules_hours_and_the_hotline(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await place(
            client,
            type="centre",
            division=COUNTY,
            tier="county",
            hours=HOURS,
            rules=RULES,
            fees=FEES,
            address="示例路1号",
        )
        who = await person(client, 7)
        await staffed(client, ident, who, certificate=True, on_wall=True)
        await qualified(client, who, "counsellor", registry)
        answer = await client.get(f"/v1/places/{ident}/wall")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    text = Reading(answer.text).text
    for words in (
        "12356",
        "08:30—12:00、14:00—17:30",
        "接待工作制度",
        "首问负责。",
        "200.00 元/50分钟",
        "心理咨询师",
        "专职",
        "有",
    ):
        assert words in text, words
    assert "尚未登记" not in text


async def test_a_station_posts_no_fees_and_a_centre_without_them_says_so(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        station = (await client.get(f"/v1/places/{await place(client)}/wall")).text
        bare = await place(client, type="centre", division=COUNTY, tier="county")
        free = await place(client, type="centre", division=COUNTY, tier="county", fees=[])
        assert "收费" not in station
        assert "（尚未登记）" in (await client.get(f"/v1/places/{bare}/wall")).text.split("收费标准")[1]
        assert "全部免费" in (await client.get(f"/v1/places/{free}/wall")).text


async def test_names_are_masked_until_someone_prints_them_and_the_printing_is_logged(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await place(client)
        await staffed(client, ident, await person(client, 1, "张示例"), on_wall=True)
        await staffed(client, ident, await person(client, 2, "李不愿"))
        gone = await person(client, 3, "王离开")
        await staffed(client, ident, gone, on_wall=True)
        await client.post(f"/v1/volunteers/{gone}/erase", json={"reason": "本人要求"})
        seen = await client.get(f"/v1/places/{ident}/wall")
        assert "张示例" not in seen.text
        printed = await client.post(f"/v1/places/{ident}/wall", json={"reason": "上墙公示"})
        assert (await client.post(f"/v1/places/{ident}/wall", json={"reason": ""})).json()["field"] == "body.reason"
    assert "张示例" in printed.text
    for page in (seen.text, printed.text):
        assert "李不愿" not in page
        assert "王离开" not in page
        assert "000-0000" not in page
        assert page.count("（未署名）") == 1
    rows = await registry.database.find("audit_log", {"action": "place.wall_printed"})
    assert [(row["subject"], row["reason"]) for row in rows] == [(ident, "上墙公示")]
    async with registry.client(COUNTY, "statistician") as client:
        assert (await client.post(f"/v1/places/{ident}/wall", json={"reason": "上墙公示"})).status_code == 403


async def test_whatever_is_written_is_text_on_the_page_and_never_markup(registry: Registry) -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(2)>&amp;'
    async with registry.client(COUNTY) as client:
        host = await organisation(client, f"机构{evil}", "government")
        ident = await place(
            client,
            name=f"驿站{evil}",
            address=evil,
            organisation_id=host,
            rules=[{"title": evil, "text": f"</p>{evil}"}],
        )
        answer = await client.get(f"/v1/places/{ident}/wall")
    page = Reading(answer.text)
    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    assert not [name for name in page.attributes if name.startswith("on") or name in ("style", "href", "src")]
    assert page.text.count("<script>alert(1)</script>") == 6


async def test_the_page_runs_nothing_and_fetches_nothing(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        answer = await client.get(f"/v1/places/{await place(client)}/wall")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.S)
    assert f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" in policy
    assert "@page" in style
    assert answer.headers["cache-control"] == "no-store"
