"""One typed table: which streams there are, who publishes which event, and who consumes it.

Streams, consumers, credentials, `docs/events.md` and `contracts/asyncapi.yaml` all follow from this table.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts import crisis, hotline, matching, registry
from contracts.base import Event

SERVICES = ("registry", "matching", "crisis", "reporting")

HOTLINE_GATEWAY = "crisis"
"""The service that takes a hotline's event over HTTP and puts it on the hotline's stream."""


@dataclass(frozen=True)
class Stream:
    """A log, kept for `days`; refuses when full, and forgets nothing before its time.

    A stream of schedules is the exception: the broker allows no refusal there, and what is due is kept in the services'
    databases anyway.
    """

    name: str
    subjects: tuple[str, ...]
    days: int
    max_bytes: int
    schedules: bool = False
    deletable: bool = False


@dataclass(frozen=True)
class Declared:
    """One event type: its model, the stream that keeps it, who publishes and who consumes it."""

    event: type[Event]
    stream: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]


GIB = 1024**3

# The log is what statistics are rebuilt from, and hotline records are kept for at least three years (国卫办疾控函
# 〔2021〕15号); 1,187 days are three years and three months. What is personal stays sealed in it.
LOG_DAYS = 1187

STREAMS = {
    stream.name: stream
    for stream in (
        Stream("HOTLINE", ("xinqiao.hotline.>",), LOG_DAYS, 8 * GIB),
        Stream("REGISTRY", ("xinqiao.registry.>",), LOG_DAYS, 4 * GIB),
        Stream("MATCHING", ("xinqiao.matching.>",), LOG_DAYS, 8 * GIB),
        Stream("CRISIS", ("xinqiao.crisis.>",), LOG_DAYS, 16 * GIB),
        Stream("TIMERS", ("xinqiao.timers.>",), 30, 1 * GIB, schedules=True),
        Stream("DEAD", ("xinqiao.dead.>",), LOG_DAYS, 2 * GIB, deletable=True),
        Stream(
            "ADVISORIES",
            ("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>", "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>"),
            90,
            GIB // 4,
        ),
    )
}


def _declare(event: type[Event], producers: tuple[str, ...], *consumers: str) -> Declared:
    return Declared(event, event.context().upper(), producers, consumers)


EVENTS: tuple[Declared, ...] = (
    _declare(hotline.RiskFlagged, ("hotline", HOTLINE_GATEWAY), "crisis"),
    _declare(hotline.CheckInMissed, ("hotline", HOTLINE_GATEWAY), "crisis"),
    _declare(hotline.PostPublished, ("hotline", HOTLINE_GATEWAY), "crisis"),
    _declare(registry.DivisionsListed, ("registry",), "crisis", "matching", "reporting"),
    _declare(registry.OrganisationRegistered, ("registry",), "crisis"),
    _declare(registry.VolunteerRegistered, ("registry",), "matching"),
    _declare(registry.DutyRostered, ("registry",), "matching"),
    _declare(registry.ConsentRecorded, ("registry",)),
    _declare(registry.VolunteersMerged, ("registry",), "matching"),
    _declare(registry.VolunteersSplit, ("registry",), "matching"),
    _declare(registry.PlaceRegistered, ("registry",)),
    _declare(registry.PlaceChecked, ("registry",)),
    _declare(registry.PlaceNominated, ("registry",)),
    _declare(registry.EnrolmentRecorded, ("registry",)),
    _declare(registry.OrganisationSized, ("registry",)),
    _declare(registry.DivisionLocated, ("registry",)),
    _declare(registry.StreetLeadNamed, ("registry",)),
    _declare(registry.QualificationRecorded, ("registry",)),
    _declare(registry.InsuranceRecorded, ("registry",)),
    _declare(registry.SupportRecorded, ("registry",)),
    _declare(registry.CourseOffered, ("registry",)),
    _declare(registry.TrainingSessionMoved, ("registry",)),
    _declare(registry.TrainingRecorded, ("registry",)),
    _declare(registry.TrainingPlanned, ("registry",)),
    _declare(registry.LedgerItemMoved, ("registry",)),
    _declare(registry.CapacitySurveyAsked, ("registry",)),
    _declare(registry.CapacityAnswered, ("registry",)),
    _declare(registry.ServiceRecorded, ("registry",)),
    _declare(registry.ServiceAssigned, ("registry",)),
    _declare(registry.StarsMoved, ("registry",)),
    _declare(registry.HonourMoved, ("registry",)),
    _declare(registry.IncentiveListed, ("registry",)),
    _declare(registry.IncentiveRedeemed, ("registry",)),
    _declare(registry.ComplaintMoved, ("registry",)),
    _declare(registry.RecruitmentMoved, ("registry",)),
    _declare(registry.ApplicationMoved, ("registry",)),
    _declare(registry.CampaignReported, ("registry",)),
    _declare(registry.TeamRegistered, ("registry",)),
    _declare(registry.HelpLent, ("registry",)),
    _declare(registry.AgreementSigned, ("registry",)),
    _declare(registry.ProviderRegistered, ("registry",)),
    _declare(registry.OrganisationsRelated, ("registry",)),
    _declare(registry.CampusUnitRegistered, ("registry",)),
    _declare(registry.SchoolVisited, ("registry",)),
    _declare(registry.ResourceListed, ("registry",)),
    _declare(registry.CommunityCheckedIn, ("registry",)),
    _declare(registry.LibraryItemListed, ("registry",)),
    _declare(registry.LibraryCopyMoved, ("registry",)),
    _declare(registry.LibraryLoanMoved, ("registry",)),
    _declare(registry.GuidedReadingMoved, ("registry",)),
    _declare(registry.LibraryHandedOn, ("registry",)),
    _declare(registry.RosterWritten, ("registry",)),
    _declare(registry.AvailabilityTold, ("registry",)),
    _declare(registry.SwapMoved, ("registry",)),
    _declare(registry.HandOverNoted, ("registry",)),
    _declare(registry.GridRegistered, ("registry",)),
    _declare(registry.OrganisationsTutored, ("registry",)),
    _declare(registry.ActivityPlanMoved, ("registry",)),
    _declare(registry.ChildRecordMoved, ("registry",)),
    _declare(registry.MarriageSessionMoved, ("registry",)),
    _declare(registry.ProjectStaffed, ("registry",)),
    _declare(crisis.CaseOpened, ("crisis",), "reporting"),
    _declare(crisis.FlagJoined, ("crisis",), "reporting"),
    _declare(crisis.RiskRaised, ("crisis",), "reporting"),
    _declare(crisis.RiskLowered, ("crisis",), "reporting"),
    _declare(crisis.CaseAcknowledged, ("crisis",), "reporting"),
    _declare(crisis.AcknowledgementOverdue, ("crisis",), "reporting"),
    _declare(crisis.EmergencyServiceCalled, ("crisis",), "reporting"),
    _declare(crisis.EmergencyContactConfirmed, ("crisis",), "reporting"),
    _declare(crisis.ResponderRequested, ("crisis",), "matching"),
    _declare(crisis.ResponderReleased, ("crisis",), "matching"),
    _declare(crisis.ReferralMoved, ("crisis",), "reporting"),
    _declare(crisis.FollowUpsPlanned, ("crisis",), "reporting"),
    _declare(crisis.FollowUpDue, ("crisis",), "reporting"),
    _declare(crisis.FollowUpKept, ("crisis",), "reporting"),
    _declare(crisis.FollowUpMissed, ("crisis",), "reporting"),
    _declare(crisis.CaseClosed, ("crisis",), "reporting"),
    _declare(crisis.CaseTransferred, ("crisis",)),
    _declare(crisis.IncidentDeclared, ("crisis",)),
    _declare(crisis.IncidentLevelChanged, ("crisis",)),
    _declare(crisis.IncidentClosed, ("crisis",)),
    _declare(crisis.IncidentTeamsRequested, ("crisis",)),
    _declare(crisis.CriticalIncidentReported, ("crisis",)),
    _declare(crisis.CriticalIncidentOverdue, ("crisis",)),
    _declare(crisis.CriticalIncidentAcknowledged, ("crisis",)),
    _declare(crisis.HopCalled, ("crisis",)),
    _declare(crisis.HopReceived, ("crisis",)),
    _declare(crisis.HopOverdue, ("crisis",)),
    _declare(crisis.CampaignMoved, ("crisis",)),
    _declare(crisis.ScreeningTaken, ("crisis",)),
    _declare(crisis.SupervisionGapFound, ("crisis",)),
    _declare(crisis.SupervisionGapFilled, ("crisis",)),
    _declare(crisis.HandOverOverdue, ("crisis",)),
    _declare(crisis.CallOutPartyCalled, ("crisis",)),
    _declare(crisis.CallOutPartyConfirmed, ("crisis",)),
    _declare(crisis.CasesMerged, ("crisis",), "reporting"),
    _declare(crisis.CaseSplit, ("crisis",), "reporting"),
    _declare(crisis.CaseReopened, ("crisis",), "reporting"),
    _declare(crisis.MandatoryReportRequired, ("crisis",), "reporting"),
    _declare(crisis.MandatoryReportMade, ("crisis",), "reporting"),
    _declare(crisis.SelfTestTaken, ("crisis",)),
    _declare(crisis.PostOverdue, ("crisis",)),
    _declare(crisis.ProgrammeBegun, ("crisis",)),
    _declare(crisis.ProgrammeEnded, ("crisis",)),
    _declare(matching.ResponderOffered, ("matching",), "crisis", "reporting"),
    _declare(matching.OfferAccepted, ("matching",), "crisis", "registry", "reporting"),
    _declare(matching.OfferDeclined, ("matching",), "reporting"),
    _declare(matching.OfferExpired, ("matching",), "reporting"),
    _declare(matching.CoordinatorCalled, ("matching",), "crisis", "reporting"),
)

BY_KEY: dict[tuple[str, int], Declared] = {(d.event.TYPE, d.event.VERSION): d for d in EVENTS}


@dataclass(frozen=True)
class Consumer:
    """A durable pull consumer: one for each service and stream, so that a service reads a log in its order."""

    service: str
    stream: str
    subjects: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.service}-{self.stream.lower()}"


def stream_of(subject: str) -> str:
    """The stream that keeps an event's subject, ``xinqiao.<context>.…``."""
    return subject.split(".", 2)[1].upper()


def timer_subject(service: str) -> str:
    """Where a service's due timers arrive."""
    return f"xinqiao.timers.{service}.due"


def schedule_subject(service: str, second: int) -> str:
    """Where the wake-up for one second of the epoch is set; setting it again replaces it."""
    return f"xinqiao.timers.{service}.at.{second}"


def dead_subject(service: str, stream: str) -> str:
    return f"xinqiao.dead.{service}.{stream.lower()}"


def consumers_of(service: str) -> tuple[Consumer, ...]:
    """The consumers that a service reads from, its timers included.

    The hotline's stream is read whole, so that an unknown type or version becomes a dead letter and not a silence.
    """
    by_stream: dict[str, list[str]] = {}
    for declared in EVENTS:
        if service in declared.consumers:
            by_stream.setdefault(declared.stream, []).append(declared.event.subject_for("*"))
    if service == HOTLINE_GATEWAY:
        by_stream["HOTLINE"] = ["xinqiao.hotline.>"]
    if service in TIMED:
        by_stream["TIMERS"] = [timer_subject(service)]
    return tuple(Consumer(service, stream, tuple(subjects)) for stream, subjects in by_stream.items())


TIMED = ("crisis", "matching", "registry")
"""The services that set timers."""


def events_of(service: str) -> tuple[Declared, ...]:
    """What a service publishes."""
    return tuple(d for d in EVENTS if service in d.producers)


def publishable_subjects(service: str) -> list[str]:
    """The subjects that a service may publish events to."""
    return [d.event.subject_for("*") for d in events_of(service)]


def hotline_subjects(county: str) -> list[str]:
    """The subjects that the credential of a hotline of this county may publish to: any version, its own county.

    A hotline that is ahead of us may publish a version that we do not know: it is kept, and becomes a dead letter.
    """
    own = [d.event.TYPE for d in EVENTS if "hotline" in d.producers]
    return [f"xinqiao.{kind}.*.{county}" for kind in dict.fromkeys(own)]
