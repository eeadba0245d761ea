"""The eICU database: which of its columns become events, and its cohort.

A subject is one ICU stay (``patientunitstayid``), not one patient. The tables tie
events to stays by minutes since the stay's admission, and of a hospital stay only the
year of its end is published (Pollard et al. 2018, doi:10.1038/sdata.2018.178), so
several stays of one patient cannot be put on one axis of time. The patient
(``uniquepid``) is kept in the cohort: splits go by patient.

There are no dates either. The axis is artificial: a stay begins on 1 January of the
year in which the patient left the hospital, at its true time of day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ibis

from medlib.data.records import tables
from medlib.data.records.streams import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

REQUIRED = "patient"
SUBJECT = "patientunitstayid"
UNIQUE = {"patient": (SUBJECT,), "apachePatientResult": (SUBJECT, "apacheversion")}
COHORT = ("patient",)  # the tables that a cohort needs
TIME = tables.minutes  # how a time is read
DAY = 1440  # minutes
OVER_89 = 90.0  # what "> 89" is read as; the ages above are not published
# What patient and apachePatientResult must hold beside what the sources name.
PATIENT = (
    "patientunitstayid uniquepid hospitalid age gender unittype unitadmittime24 "
    "hospitaldischargeyear unitdischargeoffset hospitaldischargeoffset "
    "unitdischargestatus hospitaldischargestatus"
)
SCORES = "patientunitstayid apacheversion predictedhospitalmortality"
NEEDED = {
    "patient": set(PATIENT.split()),
    "apachePatientResult": set(SCORES.split()),
}
APS = (
    "intubated vent dialysis eyes motor verbal meds urine wbc temperature "
    "respiratoryrate sodium heartrate meanbp ph hematocrit creatinine albumin pao2 "
    "pco2 bun glucose bilirubin fio2"
)
# apachePredVar also holds diedinhospital, dischargelocation and the days in hospital.
# Only what is known by the end of the first day is named here.
PREDICTORS = (
    "aids hepaticfailure lymphoma metastaticcancer leukemia immunosuppression "
    "cirrhosis electivesurgery activetx readmit thrombolytics ventday1 oobventday1 "
    "oobintubday1 diabetes graftcount ejectfx"
)
VITALS = (
    "noninvasivesystolic noninvasivediastolic noninvasivemean paop cardiacoutput "
    "cardiacinput svr svri pvr pvri"
)
FLOWSHEET = "flowsheet|Flowsheet Cell Labels|"
NOTES = "notes/Progress Notes/"

# A time that begins with @ is no column: @admission and @day, the end of the first day
# or, where the stay is shorter, the minute before its end.
SOURCES = (
    Source("patient", "ICU_ADMISSION//{unittype}", ("@admission",)),
    Source("patient", "ICU_ADMITTED_FROM//{unitadmitsource}", ("@admission",)),
    Source("patient", "ICU_STAY_TYPE//{unitstaytype}", ("@admission",)),
    Source("patient", "GENDER//{gender}", ("@admission",)),
    Source("patient", "ETHNICITY//{ethnicity}", ("@admission",)),
    Source(
        "patient",
        "PATIENT//{column}",
        ("@admission",),
        wide=("admissionweight", "admissionheight"),
    ),
    Source(
        "patient", "HOSPITAL_ADMISSION//{hospitaladmitsource}", ("hospitaladmitoffset",)
    ),
    Source(
        "patient", "ICU_DISCHARGE//{unitdischargelocation}", ("unitdischargeoffset",)
    ),
    Source(
        "patient",
        "HOSPITAL_DISCHARGE//{hospitaldischargelocation}",
        ("hospitaldischargeoffset",),
    ),
    Source(
        "diagnosis",
        "DIAGNOSIS//{diagnosisstring}",
        ("diagnosisoffset",),
        key="diagnosisid",
    ),
    Source(
        "treatment",
        "TREATMENT//{treatmentstring}",
        ("treatmentoffset",),
        key="treatmentid",
    ),
    # A cancelled order stays: that it would be cancelled was not known yet.
    Source(
        "medication",
        "MEDICATION//{drughiclseqno|drugname!u}",
        ("drugstartoffset", "drugorderoffset"),
        key="medicationid",
        ends="drugstopoffset",
    ),
    Source(
        "admissiondrug",
        "HOME_MEDICATION//{drughiclseqno|drugname!u}",
        ("drugoffset", "drugenteredoffset"),
        key="admissiondrugid",
    ),
    Source(
        "admissionDx",
        "ADMISSION_DIAGNOSIS//{admitdxpath}",
        ("admitdxenteredoffset",),
        key="admissiondxid",
        drop="admission diagnosis|",
    ),
    Source(
        "pastHistory",
        "HISTORY//{pasthistorypath}",
        ("pasthistoryoffset", "pasthistoryenteredoffset"),
        key="pasthistoryid",
        drop=NOTES + "Past History/",
    ),
    Source(
        "infusiondrug",
        "INFUSION//{drugname}",
        ("infusionoffset",),
        key="infusiondrugid",
        value="drugrate",
    ),
    Source(
        "allergy",
        "ALLERGY//{allergytype}//{allergyname!u}",
        ("allergyoffset", "allergyenteredoffset"),
        key="allergyid",
    ),
    Source(
        "respiratoryCare",
        "AIRWAY//{airwaytype}",
        ("respcarestatusoffset",),
        key="respcareid",
    ),
    Source(
        "respiratoryCharting",
        "RESPIRATORY//{respchartvaluelabel}",
        ("respchartoffset", "respchartentryoffset"),
        key="respchartid",
        value="respchartvalue",
        text=True,
    ),
    Source(
        "physicalExam",
        "EXAM//{physicalexampath}",
        ("physicalexamoffset",),
        key="physicalexamid",
        value="physicalexamtext",
        drop=NOTES + "Physical Exam/",
    ),
    Source(
        "nurseCare",
        "NURSE_CARE//{cellattributepath}",
        ("nursecareoffset", "nursecareentryoffset"),
        key="nursecareid",
        value="cellattributevalue",
        text=True,
        drop=FLOWSHEET + "Nursing Care|",
    ),
    Source(
        "nurseAssessment",
        "NURSE_ASSESSMENT//{cellattributepath}",
        ("nurseassessoffset", "nurseassessentryoffset"),
        key="nurseassessid",
        value="cellattributevalue",
        text=True,
        drop=FLOWSHEET + "Nursing Assessment|",
    ),
    Source(
        "carePlanGeneral",
        "CARE_PLAN//{cplgroup}//{cplitemvalue}",
        ("cplitemoffset",),
        key="cplgeneralid",
    ),
    Source(
        "carePlanGoal",
        "CARE_GOAL//{cplgoalcategory}//{cplgoalvalue}",
        ("cplgoaloffset",),
        key="cplgoalid",
    ),
    Source(
        "carePlanEOL",
        "CARE_PLAN//End of life discussion",
        ("cpleolsaveoffset", "cpleoldiscussionoffset"),
        key="cpleolid",
    ),
    Source(
        "carePlanInfectiousDisease",
        "INFECTION//{infectdiseasesite}//{infectdiseaseassessment}",
        ("cplinfectdiseaseoffset",),
        key="cplinfectid",
    ),
    Source(
        "carePlanCareProvider",
        "CARE_PROVIDER//{specialty}",
        ("careprovidersaveoffset",),
        key="cplcareprovderid",
    ),
    Source(
        "customLab",
        "LAB//{labothername}",
        ("labotheroffset",),
        key="customlabid",
        value="labotherresult",
    ),
    # The organism is known days after the culture was taken, and no table says when.
    Source(
        "microLab",
        "CULTURE_TAKEN//{culturesite}",
        ("culturetakenoffset",),
        key="microlabid",
    ),
    Source(
        "vitalAperiodic",
        "VITAL//{column}",
        ("observationoffset",),
        key="vitalaperiodicid",
        wide=tuple(VITALS.split()),
    ),
    # The worst values of the first day; -1 is missing.
    Source(
        "apacheApsVar",
        "APACHE//{column}",
        ("@day",),
        key="apacheapsvarid",
        wide=tuple(APS.split()),
        missing="-1",
    ),
    Source(
        "apachePredVar",
        "APACHE//{column}",
        ("@day",),
        key="apachepredvarid",
        wide=tuple(PREDICTORS.split()),
        missing="-1",
    ),
    Source("apachePredVar", "APACHE//{admitdiagnosis}", ("@day",)),
)


def subjects(opened: Mapping[str, ir.Table]) -> ir.Table:
    """Return one row per stay: its key, its beginning and the minutes of its end."""
    patient = opened["patient"]
    unit = tables.minutes(patient.unitdischargeoffset)
    hospital = tables.minutes(patient.hospitaldischargeoffset)
    end = ibis.least(unit, hospital)
    return patient.select(
        subject_id=tables.identifier(patient[SUBJECT]),
        begin=_begin(patient),
        end=end,
        hospital_end=hospital,
        # A stay whose end is not known is in no cohort; its day counts as whole.
        day=ibis.least(ibis.literal(DAY), end - 1),
    )


def _begin(patient: ir.Table) -> ir.TimestampColumn:
    year = tables.clean(patient.hospitaldischargeyear)
    time = tables.clean(patient.unitadmittime24)
    return tables.moment(year + ibis.literal("-01-01 ") + time)


def _at(begin: ir.TimestampColumn, minutes: ir.IntegerColumn) -> ir.TimestampColumn:
    return begin + minutes.as_interval("m")


def known(joined: ir.Table, source: Source) -> ir.TimestampColumn:
    """Return when each row was known: the latest of its times, NULL if one is bad."""
    offsets, bad = [], ibis.literal(False)
    for name in source.times:
        if name == "@admission":
            offsets.append(ibis.literal(0))
        elif name == "@day":
            offsets.append(joined.day)
        else:
            value = tables.minutes(joined[name])
            bad = bad | (value.isnull() & tables.clean(joined[name]).notnull())
            offsets.append(value)
    latest = ibis.greatest(*offsets) if len(offsets) > 1 else offsets[0]
    latest = ibis.ifelse(bad, ibis.null("int64"), latest.cast("int64"))
    return _at(joined.begin, latest)


def further(opened: Mapping[str, ir.Table]) -> list[ir.Table]:
    """Return the events that need a rule of their own: age and death."""
    patient = opened["patient"]
    rows = patient.mutate(subject_id=tables.identifier(patient[SUBJECT]))
    rows = rows.inner_join(subjects(opened), "subject_id").filter(
        lambda t: t.begin.notnull()
    )
    ages = rows.select(
        subject_id=rows.subject_id,
        time=rows.begin.cast("timestamp(6)"),
        code=ibis.literal("AGE"),
        numeric_value=age(rows.age).cast("float32"),
    ).filter(lambda t: t.numeric_value.notnull())
    died = tables.clean(rows.hospitaldischargestatus) == "Expired"
    deaths = (
        rows.filter(died)
        .select(
            "subject_id",
            time=_at(rows.begin, rows.hospital_end).cast("timestamp(6)"),
            code=ibis.literal("MEDS_DEATH"),
            numeric_value=ibis.null("float32"),
        )
        .filter(lambda t: t.time.notnull())
    )
    return [ages, deaths]


def age(column: ir.StringColumn) -> ir.FloatingColumn:
    """Return years; ``"> 89"`` is read as 90."""
    over = tables.clean(column) == "> 89"
    return ibis.ifelse(over.fill_null(False), OVER_89, tables.number(column))


def impossible(name: str, rows: ir.Table) -> dict[tuple[str, str, str], Any]:
    """Return counts of what cannot be in the table of stays."""
    unit = tables.minutes(rows.unitdischargeoffset)
    hospital = tables.minutes(rows.hospitaldischargeoffset)
    at_unit = tables.clean(rows.unitdischargestatus)
    at_end = tables.clean(rows.hospitaldischargestatus)
    over = tables.clean(rows.age) == "> 89"
    years = tables.number(rows.age)
    unread = tables.clean(rows.age).notnull() & years.isnull() & ~over
    begin = _begin(rows)
    out, whole = "not in the cohort", "no events and not in the cohort"
    return {
        ("unitdischargeoffset", "discharge before admission", out): (unit < 0).sum(),
        ("hospitaldischargeoffset", "discharge before admission", out): (
            hospital < 0
        ).sum(),
        ("hospitaldischargeoffset", "before unitdischargeoffset", "earlier one ends"): (
            hospital < unit
        ).sum(),
        ("hospitaladmitoffset", "hospital admission after the ICU's", "kept"): (
            tables.minutes(rows.hospitaladmitoffset) > 0
        ).sum(),
        ("unitadmittime24", "time cannot be read", whole): begin.isnull().sum(),
        ("hospitaldischargestatus", "outcome not recorded", out): (
            ~at_end.isin(["Alive", "Expired"]).fill_null(False)
        ).sum(),
        ("hospitaldischargestatus", "alive after death in the unit", out): (
            (at_unit == "Expired") & (at_end == "Alive")
        ).sum(),
        ("age", "> 89", f"read as {OVER_89:.0f}"): over.sum(),
        ("age", "missing", "no age"): tables.clean(rows.age).isnull().sum(),
        ("age", "no number", "no age"): unread.sum(),
    }


def candidates(
    opened: Mapping[str, ir.Table], hours: int, *, apache_set: bool
) -> ir.Table:
    """Return every stay with its index time and, where it is left out, the reason.

    See `medlib.data.records.Records.cohort` for the definition and the columns.
    """
    patient = opened["patient"]
    rows = patient.mutate(subject_id=tables.identifier(patient[SUBJECT]))
    rows = rows.inner_join(subjects(opened), "subject_id")
    if "apachePatientResult" in opened:
        score = opened["apachePatientResult"]
        score = score.filter(tables.clean(score.apacheversion) == "IVa").select(
            subject_id=tables.identifier(score[SUBJECT]),
            apache=tables.number(score.predictedhospitalmortality),
        )
        score = score.filter((score.apache > 0) & (score.apache <= 1))
        rows = rows.left_join(score, "subject_id").drop("subject_id_right")
    else:
        rows = rows.mutate(apache=ibis.null("float64"))
    alive_unit = tables.clean(rows.unitdischargestatus)
    alive = tables.clean(rows.hospitaldischargestatus)
    limit = ibis.literal(60 * hours)
    reason = ibis.cases(
        (rows.begin.isnull() | rows.end.isnull(), "times cannot be read"),
        (rows.end < 0, "leaves before it begins"),
        (~alive.isin(["Alive", "Expired"]).fill_null(False), "outcome not recorded"),
        (
            ((alive_unit == "Expired") & (alive == "Alive")).fill_null(False),
            "dead at the end of the stay, alive at the end of the hospital stay",
        ),
        (
            rows.apache.isnull() if apache_set else rows.end <= limit,
            "no valid APACHE IVa prediction" if apache_set else "left or died before",
        ),
        else_=ibis.null(str),
    )
    index = ibis.least(limit, rows.end - 1) if apache_set else limit
    return rows.select(
        subject_id=rows.subject_id,
        stay_id=rows.subject_id,
        patient_id=tables.clean(rows.uniquepid),
        hospital_id=tables.identifier(rows.hospitalid),
        unit=tables.clean(rows.unittype),
        age=age(rows.age),
        gender=tables.clean(rows.gender),
        admission_time=rows.begin.cast("timestamp(6)"),
        index_time=_at(rows.begin, index.cast("int64")).cast("timestamp(6)"),
        outcome_time=_at(rows.begin, rows.hospital_end).cast("timestamp(6)"),
        died=(alive == "Expired"),
        apache=rows.apache,
        reason=reason,
    )
