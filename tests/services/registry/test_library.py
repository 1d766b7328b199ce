"""The library's resources: what each kind must tell, who sees them, how they are handed on and counted."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.clock import local_day, now
from services.registry.domain.library import read_link, read_pseudonym
from services.registry.domain.library_labels import CODE_LISTS, PROBLEMS
from tests.services.registry.library_support import COUNTY, ELSEWHERE, TOWN, audio, copy, item, told, video
from tests.services.registry.places_support import organisation, place
from tests.services.registry.support import Registry


async def test_a_resource_is_written_once_and_told_with_its_names(registry: Registry) -> None:
    ident = str(uuid.uuid4())
    body = video(title="亲子沟通的技巧", tags=["parenting", "family_communication"])
    async with registry.client(COUNTY) as client:
        first = await client.put(f"/v1/library/items/{ident}", json=body)
        assert (first.status_code, first.json()["revision"]) == (201, 1)
        again = await client.put(f"/v1/library/items/{ident}", json=body)
        assert (again.status_code, again.json()["revision"]) == (200, 1)
        changed = await client.put(f"/v1/library/items/{ident}", json={**body, "title": "亲子沟通"})
        assert changed.json()["revision"] == 2
        shown = (await client.get(f"/v1/library/items/{ident}")).json()
    assert (shown["kind_label"], shown["licence_label"]) == ("视频", "提供单位同意公益免费使用")
    assert shown["problem_groups"] == ["adaptive", "developmental"]
    assert "terms" not in shown


async def test_the_problems_have_the_three_groups_of_the_papers(registry: Registry) -> None:
    async with registry.client(COUNTY, "volunteer") as client:
        codes = (await client.get("/v1/library/codes")).json()
    assert codes["lists"]["problem_groups"] == {
        "developmental": "发展性",
        "adaptive": "适应性",
        "disorder": "障碍性",
    }
    assert set(codes["problem_groups"].values()) == {"developmental", "adaptive", "disorder"}
    assert codes["problem_groups"].keys() == codes["lists"]["problems"].keys() == PROBLEMS.keys()


WRONG = [
    (told(provider=None), "provider_id"),
    (told(shelf=None), "link"),
    (told(audiences=[]), "body.audiences"),
    (told(audiences=["public", "public"]), "body.audiences"),
    (told(licence="mine"), "body.licence"),
    (told(licence="by_permission"), "licence_note"),
    (told(kind="tape"), "body.kind"),
    (told(tags=["boredom"]), "body.tags.0"),
    (told(title=" \u3000 "), "body.title"),
    (told(settings=["commute"]), "settings"),
    (told(training=["group_counselling"]), "training"),
    (told(language="fr"), "body.language"),
    (told(provider_id=str(uuid.uuid4())), "provider_id"),
    (told(division="370812999"), "division"),
    (told(borrower="张示例"), "body.borrower"),
    (told(description="字" * 2001), "body.description"),
    (video(tags=[]), "tags"),
    (audio(purposes=[]), "purposes"),
    (told(kind="training_base"), "place_id"),
]


async def test_what_a_kind_must_tell_is_asked_for_by_field(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        for body, field in WRONG:
            answer = await client.put(f"/v1/library/items/{uuid.uuid4()}", json=body)
            assert (answer.status_code, answer.json()["field"]) == (422, field)
        assert (await client.get("/v1/library/items")).json()["items"] == []


async def test_a_training_base_is_a_registered_site_that_offers_counselling(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        site = await place(client, type="training_base", tier=None)
        station = await place(client)
        base = {"kind": "training_base", "shelf": None}
        offers = {"training": ["group_counselling", "individual_counselling"]}
        ident = await item(client, **base, **offers, title="示例心理培训基地", place_id=site)
        for wrong, field in (
            ({**base, **offers, "place_id": station}, "place_id"),
            ({**base, "place_id": site}, "training"),
            ({**base, **offers, "place_id": str(uuid.uuid4())}, "place_id"),
        ):
            answer = await client.put(f"/v1/library/items/{uuid.uuid4()}", json=told(**wrong))
            assert (answer.status_code, answer.json()["field"]) == (422, field)
        listed = (await client.get("/v1/library/items", params={"kind": "training_base"})).json()["items"]
        no_copy = {"item_id": ident, "division": TOWN, "shelf": "示例书架"}
        assert (await client.put(f"/v1/library/copies/{uuid.uuid4()}", json=no_copy)).status_code == 409
    assert [(one["id"], one["place_id"], one["training"]) for one in listed] == [(ident, site, offers["training"])]


async def test_what_a_county_has_is_shared_downward_and_nowhere_else(registry: Registry) -> None:
    async with registry.client() as client:
        city = await item(client, division="3708", title="市级读本")
        county = await item(client, title="县级读本")
        town = await item(client, division=TOWN, title="镇级读本")
        await item(client, division=ELSEWHERE, title="外地读本")
    async with registry.client(COUNTY, "volunteer") as client:
        listed = (await client.get("/v1/library/items")).json()["items"]
        assert {one["id"] for one in listed} == {city, county, town}
        own = (await client.get("/v1/library/items", params={"division": TOWN})).json()["items"]
        assert [one["id"] for one in own] == [town]
        assert (await client.get("/v1/library/items", params={"division": ELSEWHERE})).status_code == 404
    async with registry.client(TOWN) as client:
        assert (await client.get(f"/v1/library/items/{county}")).status_code == 200
        change = await client.put(f"/v1/library/items/{county}", json=told(division=TOWN, title="改名"))
        assert change.status_code == 404
        assert (await client.put(f"/v1/library/items/{uuid.uuid4()}", json=told())).status_code == 404
    async with registry.client(ELSEWHERE) as client:
        assert (await client.get(f"/v1/library/items/{county}")).status_code == 404
        assert (await client.post(f"/v1/library/items/{county}/opened", json={})).status_code == 404


NOT_FOR = [
    ("PUT", "items/{}", ("coordinator", "volunteer", "statistician")),
    ("GET", "items", ("operator", "hotline", "auditor")),
    ("GET", "search?q=失眠", ("operator", "hotline", "auditor")),
    ("GET", "use?month=2026-11", ("volunteer", "community_worker")),
    ("GET", "items/{}/use", ("volunteer", "community_worker")),
    ("PUT", "handed-on/{}", ("volunteer", "statistician")),
    ("GET", "handed-on", ("volunteer",)),
    ("PUT", "copies/{}", ("volunteer", "statistician")),
    ("POST", "copies/{}/state", ("volunteer", "statistician")),
    ("GET", "copies", ("operator",)),
    ("PUT", "loans/{}", ("volunteer", "statistician")),
    ("POST", "loans/{}/due", ("volunteer", "statistician")),
    ("GET", "loans", ("volunteer", "statistician", "duty_officer")),
    ("PUT", "guides/{}", ("operator", "auditor")),
    ("GET", "guides", ("operator", "auditor")),
    ("POST", "guides/{}/state", ("volunteer", "statistician")),
]


async def test_each_route_has_its_roles(registry: Registry) -> None:
    for method, path, roles in NOT_FOR:
        for role in roles:
            async with registry.client(COUNTY, role) as client:
                answer = await client.request(method, f"/v1/library/{path.format(uuid.uuid4())}", json={})
                assert answer.status_code == 403, (path, role)


async def test_lists_are_filtered_and_paged_in_a_stable_order(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        provider = await organisation(client, "示例医院", "hospital")
        sleep = await item(client, **audio(title="助眠音乐", tags=["insomnia"], provider_id=provider, language="none"))
        await item(client, **video(title="压力管理"))
        await item(client, title="老年读本", audiences=["elderly"], tags=["loneliness"])
        for params in (
            {"kind": "audio"},
            {"purpose": "sleep"},
            {"setting": "rest"},
            {"licence": "cc_by"},
            {"language": "none"},
            {"tag": "insomnia"},
            {"tag": "disorder"},
            {"provider_id": provider},
        ):
            listed = (await client.get("/v1/library/items", params=params)).json()["items"]
            assert [one["id"] for one in listed] == [sleep], params
        for wrong in ({"kind": "x"}, {"audience": "$ne"}, {"tag": "x"}, {"licence": "x"}, {"after": "!"}):
            answer = await client.get("/v1/library/items", params=wrong)
            assert (answer.status_code, answer.json()["field"]) == (422, next(iter(wrong)))
        seen: list[str] = []
        after: dict[str, str] = {}
        while True:
            page = (await client.get("/v1/library/items", params={"sort": "title", "limit": 1, **after})).json()
            seen += [one["title"] for one in page["items"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
            by_id = await client.get("/v1/library/items", params={"sort": "id", **after})
            assert (by_id.status_code, by_id.json()["field"]) == (422, "after")
    assert seen == sorted(["助眠音乐", "压力管理", "老年读本"])


async def test_what_is_withdrawn_is_neither_listed_nor_opened(registry: Registry) -> None:
    ident = str(uuid.uuid4())
    async with registry.client(COUNTY) as client:
        await client.put(f"/v1/library/items/{ident}", json=told(title="失眠读本"))
        await client.put(f"/v1/library/items/{ident}", json=told(title="失眠读本", active=False))
        assert (await client.get("/v1/library/items")).json()["items"] == []
        assert (await client.get("/v1/library/search", params={"q": "失眠"})).json()["items"] == []
        assert len((await client.get("/v1/library/items", params={"active": False})).json()["items"]) == 1
        assert (await client.post(f"/v1/library/items/{ident}/opened", json={})).status_code == 409


async def test_a_resource_that_has_copies_keeps_its_kind(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await item(client)
        await copy(client, ident)
        answer = await client.put(f"/v1/library/items/{ident}", json=told(kind="e_resource"))
        assert (answer.status_code, answer.json()["field"]) == (409, "kind")


GOOD_LINKS = [
    "https://video.example.org/a?b=c#d",
    "https://示例.中国/视频",
    "https://xn--fiqs8s.example.com:8443/",
    "https://8.8.8.8/x",
]
BAD_LINKS = [
    "http://video.example.org/",
    "ftp://video.example.org/",
    "javascript:alert(1)",
    "//video.example.org/",
    "https://",
    "https:///x",
    "https://localhost/x",
    "https://library/x",
    "https://files.corp.internal/x",
    "https://nas.local/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f.0x1/",
    "https://10.0.0.8/",
    "https://172.16.3.4/",
    "https://192.168.1.1:8443/",
    "https://169.254.169.254/latest",
    "https://100.64.0.1/",
    "https://0.0.0.0/",
    "https://224.0.0.1/",
    "https://[::1]/",
    "https://[fd00::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[2002:0a00:0001::]/",
    "https://[::1/",
    "https://user:secret@video.example.org/",
    "https://video.example.org@127.0.0.1/",
    "https://video.example.org:99999/",
    "https://video.example.org\\@127.0.0.1/",
    "https://video .example.org/",
    "https://video.example.org/\x00",
    "https://-bad-.example.org/",
    "https://１２７.０.０.１/",
    f"https://video.example.org/{'a' * 1000}",
]


def test_a_link_is_https_to_a_public_host() -> None:
    for link in GOOD_LINKS:
        assert read_link(link) == link
    for link in BAD_LINKS:
        with pytest.raises(ValueError):
            read_link(link)


async def test_a_bad_link_is_refused_by_its_field(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        for link in ("http://video.example.org/", "https://10.0.0.8/", "https://[::1/"):
            answer = await client.put(f"/v1/library/items/{uuid.uuid4()}", json=video(link=link))
            assert (answer.status_code, answer.json()["field"]) == (422, "body.link")


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_whatever_stands_for_a_link_is_taken_or_refused(text: str) -> None:
    for candidate in (text, f"https://{text}", f"https://{text}.example.org/"):
        try:
            assert read_link(candidate).startswith("https://")
        except ValueError:
            pass


def test_a_reader_s_number_is_no_telephone_and_no_identity_number() -> None:
    assert read_pseudonym("R-0012") == "R-0012"
    for text in ("13800000000", "R13800000000", "370812199001010000", "张示例", "R 1", "", "R"):
        with pytest.raises(ValueError):
            read_pseudonym(text)


def _handed(item_id: str, **fields: Any) -> dict[str, Any]:
    day = local_day(now()).isoformat()
    return {"item_id": item_id, "division": TOWN, "on": day, "channel": "broadcast", "setting": "commute", **fields}


async def test_recordings_handed_on_are_logged_with_channel_and_occasion(registry: Registry) -> None:
    async with registry.client(COUNTY, "registrar", subject="keeper-1") as client:
        ident = await item(client, **audio())
        office = await organisation(client, "示例单位", "other")
        entry = str(uuid.uuid4())
        body = _handed(ident, organisation_id=office, copies=3)
        assert (await client.put(f"/v1/library/handed-on/{entry}", json=body)).status_code == 201
        again = await client.put(f"/v1/library/handed-on/{entry}", json=body)
        assert (again.status_code, again.json()["by"]) == (200, "keeper-1")
        other = await client.put(f"/v1/library/handed-on/{entry}", json={**body, "copies": 4})
        assert other.status_code == 409
        [row] = (await client.get("/v1/library/handed-on", params={"item_id": ident})).json()["items"]
        assert (row["channel"], row["setting"], row["organisation_id"], row["copies"]) == (
            "broadcast",
            "commute",
            office,
            3,
        )
        [use] = (await client.get(f"/v1/library/items/{ident}/use")).json()["items"]
        assert (use["division"], use["handed_on"], use["opened"]) == (TOWN, 1, 0)
    async with registry.client(ELSEWHERE) as client:
        assert (await client.get("/v1/library/handed-on", params={"item_id": ident})).json()["items"] == []
        answer = await client.put(f"/v1/library/handed-on/{uuid.uuid4()}", json=_handed(ident, division=ELSEWHERE))
        assert answer.status_code == 404


async def test_only_material_whose_rights_allow_it_is_handed_on(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        allowed = await item(client, **audio(licence="by_permission", licence_note="仅限本县公益播放"))
        for licence in ("reserved", "on_site", "unknown"):
            ident = await item(client, **audio(licence=licence))
            answer = await client.put(f"/v1/library/handed-on/{uuid.uuid4()}", json=_handed(ident))
            assert (answer.status_code, answer.json()["reason"]) == (409, "licence")
        book = await item(client, licence="cc_by")
        answer = await client.put(f"/v1/library/handed-on/{uuid.uuid4()}", json=_handed(book))
        assert (answer.status_code, answer.json()["reason"]) == (409, "wrong_kind")
        assert (await client.put(f"/v1/library/handed-on/{uuid.uuid4()}", json=_handed(allowed))).status_code == 201
        tomorrow = (local_day(now()) + timedelta(days=1)).isoformat()
        for wrong, field in (
            ({"on": tomorrow}, "on"),
            ({"organisation_id": str(uuid.uuid4())}, "organisation_id"),
            ({"channel": "pigeon"}, "body.channel"),
            ({"copies": 0}, "body.copies"),
        ):
            answer = await client.put(f"/v1/library/handed-on/{uuid.uuid4()}", json=_handed(allowed, **wrong))
            assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_use_is_counted_by_month_and_division_and_never_by_person(registry: Registry) -> None:
    month = local_day(now()).isoformat()[:7]
    async with registry.client(COUNTY) as client:
        ident = await item(client, **video())
    for division, times in ((COUNTY, 2), (TOWN, 3)):
        async with registry.client(division, "volunteer", subject="reader-secret") as client:
            for _ in range(times):
                answer = await client.post(f"/v1/library/items/{ident}/opened", json={})
                assert answer.json()["link"] == "https://video.example.org/one"
    async with registry.client(COUNTY, "volunteer") as client:
        for outside, status in (({"division": ELSEWHERE}, 404), ({"division": "37"}, 404), ({"person": "x"}, 422)):
            answer = await client.post(f"/v1/library/items/{ident}/opened", json=outside)
            assert answer.status_code == status
    async with registry.client(COUNTY, "statistician") as client:
        use = (await client.get(f"/v1/library/items/{ident}/use")).json()["items"]
        assert [(row["month"], row["division"], row["opened"]) for row in use] == [(month, COUNTY, 2), (month, TOWN, 3)]
        whole = (await client.get("/v1/library/use", params={"month": month})).json()["items"]
        assert [(row["division"], row["kind"], row["opened"]) for row in whole] == [
            (TOWN, "video", 3),
            (COUNTY, "video", 2),
        ]
        assert (await client.get("/v1/library/use", params={"month": "2026-13"})).status_code == 422
    async with registry.client(TOWN, "statistician") as client:
        use = (await client.get(f"/v1/library/items/{ident}/use")).json()["items"]
        assert [row["division"] for row in use] == [TOWN]
        assert (await client.get("/v1/library/use", params={"month": month, "division": COUNTY})).status_code == 404
    kept = [
        *await registry.database.find("library_use", {}),
        *await registry.database.find("library_use_divisions", {}),
    ]
    assert "reader-secret" not in str(kept)


async def test_the_library_tells_the_bus_codes_and_counts_and_no_words(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await item(client, **audio())
        await client.post(f"/v1/library/items/{ident}/opened", json={})
        await client.put(f"/v1/library/handed-on/{uuid.uuid4()}", json=_handed(ident))
    rows = await registry.database.find("outbox", {})
    kinds = [row["headers"]["ce-type"] for row in rows]
    assert kinds == ["registry.library_item_listed", "registry.library_handed_on"]  # an opening is nobody's business
    told = "".join(row["body"] if isinstance(row["body"], str) else row["body"].decode() for row in rows)
    for words in ("示例", "https://", "registrar-1"):
        assert words not in told


def test_every_code_has_a_name_in_chinese() -> None:
    for name, words in CODE_LISTS.items():
        for code, label in words.items():
            assert any("\u4e00" <= sign <= "\u9fff" for sign in label), (name, code)
