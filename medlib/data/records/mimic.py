"""MIMIC-IV: which of its columns become events, and its cohort.

A subject is a patient. Dates are shifted by one interval per patient into the years
2100 to 2200, so the time between two events of one patient is true and nothing else
about a date is (Johnson et al. 2023, doi:10.1038/s41597-022-01899-x). Ages above 89
are published as 91.

Codes follow the MIMIC-IV conventions of the MEDS pipelines: ``LAB//item//unit``,
``DIAGNOSIS//ICD//version//code``. Diagnoses are billing codes that are assigned after
discharge; they carry the time of discharge and are useless for anything before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ibis

from medlib.data.records import tables
from medlib.data.records.streams import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

REQUIRED = "patients"
SUBJECT = "subject_id"
UNIQUE = {
    "patients": ("subject_id",),
    "admissions": ("hadm_id",),
    "icustays": ("stay_id",),
}
COHORT = ("admissions", "icustays")  # the tables that a cohort needs
TIME = tables.moment  # how a time is read
PATIENTS = "subject_id gender anchor_age anchor_year dod"
ADMISSIONS = "subject_id hadm_id admittime dischtime deathtime hospital_expire_flag"
STAYS = "subject_id hadm_id stay_id first_careunit intime outtime"
NEEDED = {
    "patients": set(PATIENTS.split()),
    "admissions": set(ADMISSIONS.split()),
    "icustays": set(STAYS.split()),
}
# A time that begins with @ is no column of the table: @discharge is the end of the
# admission, @end:column the end of the day that a column without time of day names.
SOURCES = (
    Source(
        "admissions",
        "HOSPITAL_ADMISSION//{admission_type}//{admission_location}",
        ("admittime",),
        key="hadm_id",
        ends="dischtime",
    ),
    Source("admissions", "HOSPITAL_DISCHARGE//{discharge_location}", ("dischtime",)),
    Source("admissions", "ED_REGISTRATION", ("edregtime",), ends="edouttime"),
    Source("admissions", "RACE//{race}", ("admittime",)),
    Source("admissions", "INSURANCE//{insurance}", ("admittime",)),
    Source(
        "icustays",
        "ICU_ADMISSION//{first_careunit}",
        ("intime",),
        key="stay_id",
        ends="outtime",
    ),
    Source("icustays", "ICU_DISCHARGE//{last_careunit}", ("outtime",)),
    Source(
        "transfers",
        "TRANSFER//{eventtype}//{careunit}",
        ("intime",),
        key="transfer_id",
        ends="outtime",
    ),
    Source("services", "SERVICE//{curr_service}", ("transfertime",)),
    Source(
        "diagnoses_icd", "DIAGNOSIS//ICD//{icd_version}//{icd_code}", ("@discharge",)
    ),
    Source("drgcodes", "DRG//{drg_type}//{drg_code}", ("@discharge",)),
    Source(
        "procedures_icd",
        "PROCEDURE//ICD//{icd_version}//{icd_code}",
        ("@end:chartdate",),
    ),
    Source("hcpcsevents", "HCPCS//{hcpcs_cd}", ("@end:chartdate",)),
    Source(
        "labevents",
        "LAB//{itemid}//{valueuom}",
        ("charttime", "storetime"),
        key="labevent_id",
        value="valuenum",
    ),
    Source(
        "prescriptions", "MEDICATION//START//{drug!u}", ("starttime",), ends="stoptime"
    ),
    Source(
        "emar",
        "MEDICATION//{event_txt}//{medication!u}",
        ("charttime", "storetime"),
        key="emar_id",
    ),
    Source("poe", "ORDER//{order_type}//{order_subtype}", ("ordertime",), key="poe_id"),
    Source(
        "microbiologyevents",
        "MICROBIOLOGY//{spec_type_desc}//{test_name}//{org_name}",
        ("@end:chartdate", "charttime", "storetime"),
        key="microevent_id",
    ),
    Source(
        "omr",
        "OMR//{result_name}",
        ("@end:chartdate",),
        value="result_value",
    ),
    # An amount is known when all of it has run in.
    Source(
        "inputevents",
        "INPUT//{itemid}//{amountuom}",
        ("endtime", "storetime"),
        value="amount",
    ),
    Source(
        "outputevents",
        "OUTPUT//{itemid}//{valueuom}",
        ("charttime", "storetime"),
        value="value",
    ),
    Source(
        "procedureevents",
        "PROCEDURE//{itemid}",
        ("starttime", "storetime"),
        ends="endtime",
    ),
)


def subjects(opened: Mapping[str, ir.Table]) -> ir.Table:
    """Return one row per patient."""
    patients = opened["patients"]
    return patients.select(subject_id=tables.identifier(patients.subject_id))


def discharges(opened: Mapping[str, ir.Table]) -> ir.Table:
    """Return the time of discharge by admission, both as text."""
    admissions = opened["admissions"]
    return admissions.select(hadm_id="hadm_id", discharge="dischtime")


def known(joined: ir.Table, source: Source) -> ir.TimestampColumn:
    """Return when each row was known: the latest of its times, NULL if one is bad."""
    times, bad = [], ibis.literal(False)
    for name in source.times:
        column = "discharge" if name == "@discharge" else name.removeprefix("@end:")
        value = tables.moment(joined[column])
        bad = bad | (value.isnull() & tables.clean(joined[column]).notnull())
        if name.startswith("@end:"):
            day = value.truncate("D").cast("timestamp")
            value = day + ibis.interval(days=1) - ibis.interval(seconds=1)
        times.append(value)
    if len(times) > 1 and source.times[0] == "@end:chartdate":
        # The day counts only where no time of day is given.
        times = [ibis.coalesce(times[1], times[0]), *times[2:]]
    latest = ibis.greatest(*times) if len(times) > 1 else times[0]
    return ibis.ifelse(bad, ibis.null("timestamp"), latest)


def further(opened: Mapping[str, ir.Table]) -> list[ir.Table]:
    """Return the events that need a rule of their own: birth, gender and death."""
    patients = opened["patients"]
    year = tables.minutes(patients.anchor_year) - tables.minutes(patients.anchor_age)
    born = (year.cast("string") + ibis.literal("-01-01")).try_cast("timestamp")
    rows = patients.select(
        "gender",
        subject_id=tables.identifier(patients.subject_id),
        born=born,
        died=tables.moment(patients.dod)
        + ibis.interval(days=1)
        - ibis.interval(seconds=1),
    )
    if "admissions" in opened:
        admissions = opened["admissions"]
        deaths = admissions.group_by(
            subject_id=tables.identifier(admissions.subject_id)
        ).aggregate(death=tables.moment(admissions.deathtime).min())
        rows = rows.left_join(deaths, "subject_id").drop("subject_id_right")
        rows = rows.mutate(died=ibis.coalesce(rows.death, rows.died))

    def events(time: str, code: ir.StringValue) -> ir.Table:
        return rows.filter(rows[time].notnull()).select(
            "subject_id",
            time=rows[time].cast("timestamp(6)"),
            code=code,
            numeric_value=ibis.null("float32"),
        )

    return [
        events("born", ibis.literal("MEDS_BIRTH")),
        events("born", tables.label(rows, "GENDER//{gender}")),
        events("died", ibis.literal("MEDS_DEATH")),
    ]


def impossible(name: str, rows: ir.Table) -> dict[tuple[str, str, str], Any]:
    """Return counts of what cannot be in the tables of stays."""
    out = "not in the cohort"
    if name == "patients":
        year, age = tables.minutes(rows.anchor_year), tables.minutes(rows.anchor_age)
        death = tables.clean(rows.dod).notnull() & tables.moment(rows.dod).isnull()
        return {
            ("anchor_year", "year of birth cannot be told", "no birth, no gender"): (
                (year - age).isnull().sum()
            ),
            ("dod", "time cannot be read", "no death unless in hospital"): death.sum(),
        }
    if name == "admissions":
        admitted, left = tables.moment(rows.admittime), tables.moment(rows.dischtime)
        flag = tables.clean(rows.hospital_expire_flag)
        died = tables.clean(rows.deathtime).notnull()
        return {
            ("dischtime", "discharge before admission", out): (left < admitted).sum(),
            ("hospital_expire_flag", "outcome not recorded", out): (
                ~flag.isin(["0", "1"]).fill_null(False)
            ).sum(),
            ("deathtime", "contradicts hospital_expire_flag", "the flag counts"): (
                died != (flag == "1")
            ).sum(),
        }
    if name == "icustays":
        entered, left = tables.moment(rows.intime), tables.moment(rows.outtime)
        return {("outtime", "discharge before admission", out): (left < entered).sum()}
    return {}


def candidates(
    opened: Mapping[str, ir.Table], hours: int, *, apache_set: bool
) -> ir.Table:
    """Return every ICU stay with its index time and, where it is left out, the reason.

    See `medlib.data.records.Records.cohort` for the definition and the columns.
    """
    if apache_set:
        raise ValueError("MIMIC-IV has no APACHE IVa predictions; leave apache_set out")
    stays, admissions = opened["icustays"], opened["admissions"]
    patients = opened["patients"]
    rows = stays.select(
        subject_id=tables.identifier(stays.subject_id),
        stay_id=tables.identifier(stays.stay_id),
        hadm_id=tables.identifier(stays.hadm_id),
        unit=tables.clean(stays.first_careunit),
        begin=tables.moment(stays.intime),
        left=tables.moment(stays.outtime),
    )
    # A stay without its admission or patient stays, and has a reason to be left out.
    rows = rows.left_join(
        admissions.select(
            hadm_id=tables.identifier(admissions.hadm_id),
            discharge=tables.moment(admissions.dischtime),
            death=tables.moment(admissions.deathtime),
            flag=tables.clean(admissions.hospital_expire_flag),
        ),
        "hadm_id",
    ).drop("hadm_id_right")
    rows = rows.left_join(
        patients.select(
            subject_id=tables.identifier(patients.subject_id),
            gender=tables.clean(patients.gender),
            offset=tables.minutes(patients.anchor_age)
            - tables.minutes(patients.anchor_year),
        ),
        "subject_id",
    ).drop("subject_id_right")
    # Where death and discharge are both given they may differ by minutes.
    outcome = ibis.coalesce(rows.death, rows.discharge)
    end = ibis.least(rows.left, outcome)
    index = rows.begin + ibis.interval(hours=hours)
    reason = ibis.cases(
        (rows.begin.isnull() | end.isnull(), "times cannot be read"),
        (end < rows.begin, "leaves before it begins"),
        (~rows.flag.isin(["0", "1"]).fill_null(False), "outcome not recorded"),
        (end <= index, "left or died before"),
        else_=ibis.null(str),
    )
    return rows.select(
        subject_id=rows.subject_id,
        stay_id=rows.stay_id,
        patient_id=rows.subject_id.cast("string"),
        hospital_id=ibis.literal(0).cast("int64"),
        unit=rows.unit,
        age=(rows.begin.year() + rows.offset).cast("float64"),
        gender=rows.gender,
        admission_time=rows.begin.cast("timestamp(6)"),
        index_time=index.cast("timestamp(6)"),
        outcome_time=outcome.cast("timestamp(6)"),
        died=(rows.flag == "1"),
        apache=ibis.null("float64"),
        reason=reason,
    )
