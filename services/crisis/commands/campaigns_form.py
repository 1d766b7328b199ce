"""What a tablet loads while it has a network, to work without one."""

from __future__ import annotations

from typing import Any

from chassis.auth import Caller
from chassis.tx import Document
from services.crisis.commands.campaigns import own_sites
from services.crisis.domain.instruments.definition import Condition, Rule
from services.crisis.office import Office


def form(campaign: Document, caller: Caller, office: Office) -> dict[str, Any]:
    """All that a tablet needs to work without a network: sites, questions with their answers, and what to say."""
    policy = office.campaigns.of(campaign["policy"])
    code, _, _ = campaign["questionnaire"].partition("@")
    questionnaire = policy.questionnaires[code]
    blocks = [
        {"block": name, "title": title, "items": [_item(item.id, item.label, item.answers) for item in items]}
        for name, title, items in (
            ("basic", "基本信息", questionnaire.basic),
            ("literacy", "心理健康素养", questionnaire.literacy),
            ("needs", "需求", questionnaire.needs),
        )
    ]
    assessment = {"block": "assessment", "title": "认知与心理健康评估", "instruments": _assessment(campaign, office)}
    page = policy.page
    return {
        "campaign_id": campaign["_id"],
        **{name: campaign[name] for name in ("title", "kind", "state", "starts", "ends", "questionnaire", "host")},
        "heading": questionnaire.title,
        "sites": [
            {"code": site["code"], "name": site["name"], "batches": sorted(site["batches"])}
            for site in own_sites(campaign, caller).values()
        ],
        "eligibility": campaign["eligibility"],
        "adult_age": policy.entry.adult_age,
        "blocks": [blocks[0], assessment, *blocks[1:]],
        "unanswered": {"refused": "拒绝回答", "unknown": "不知道", "not_asked": "未问"},
        "consent": {"text": page.consent_text, "guardian_text": page.guardian_text},
        "safety": {"title": page.safety_title, "steps": page.safety_steps, "calls": page.safety_calls},
        "services": {"education": "科普宣传", "intervention": "必要干预", "referral": "转诊推荐"},
        "rows_together": page.rows_together,
        "policy": policy.version,
    }


def _item(ident: str, label: str, answers: dict[str, str]) -> dict[str, Any]:
    return {
        "id": ident,
        "label": label,
        "answers": [{"value": code, "label": words} for code, words in answers.items()],
    }


def _assessment(campaign: Document, office: Office) -> list[dict[str, Any]]:
    """The instruments with what each item allows, the words where the operator has a licence for them, and which
    answers are unsafe: the tablet has to know without a network.
    """
    found = []
    for one in campaign["instruments"]:
        definition = office.instruments.get(one["instrument"], one["variant"], one["version"])
        texts = office.instruments.texts(definition)
        found.append(
            {
                **one,
                "title": definition.title,
                "about": definition.about,
                "introduction": texts.introduction if texts else None,
                "items": [
                    {
                        "id": item.id,
                        "label": texts.items.get(item.id) if texts else None,
                        "kind": item.of.kind.value,
                        "answers": [{"value": option.value, "label": option.label} for option in item.of.options],
                        "least": item.least,
                        "most": item.most,
                        "skipped_if": _condition(item.of.skipped_if),
                    }
                    for item in definition.by_id.values()
                ],
                "unsafe": [[_condition(each) for each in rule.when] for rule in definition.rules if _asks(rule)],
            }
        )
    return found


def _asks(rule: Rule) -> bool:
    """Whether a rule finds an answer unsafe; one about totals waits for the result."""
    return rule.safety and bool(rule.when) and rule.total_above is None and rule.factor_above is None


def _condition(condition: Condition | None) -> dict[str, Any] | None:
    return {"item": condition.item, "is": condition.is_, "from": condition.from_} if condition else None
