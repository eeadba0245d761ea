"""Names, codes and rules mean what they say, on made-up and on real lists."""

import csv
import dataclasses
import doctest
import os
import re
from pathlib import Path

import pandas as pd
import pytest

from medlib.data import cases, drug_classes
from medlib.data.drug_classes import (
    CLASSES,
    CONDITIONS,
    acting,
    check_rules,
    classes_of,
    classes_of_ingredient,
    conditions_of,
    conditions_of_text,
    coverage,
    read_rules,
    recognise,
    rules,
)

DATA = Path(os.environ.get("MEDLIB_DATA_DIR", "absent"))
MIMIC, EICU = DATA / "mimic-iv-demo-2.2", DATA / "eicu-demo-2.0.1"


def test_examples_in_docstrings():
    assert doctest.testmod(drug_classes).failed == 0


# Names


@pytest.mark.parametrize(
    ("name", "ingredients", "classes"),
    [
        ("LASIX", ["furosemide"], {"loop_diuretic"}),
        ("FUROSEMIDE 40 MG PO TABS", ["furosemide"], {"loop_diuretic"}),
        ("MEDICATION//Ketorolac (Toradol)", ["ketorolac"], {"nsaid"}),
        (
            "HYDROcodone-Acetaminophen 5mg",
            ["acetaminophen", "hydrocodone"],
            {"opioid"},
        ),
        ("glyburide-metformin", ["glyburide", "metformin"], None),
        ("Insulin Glargine", ["insulin"], {"insulin"}),
        ("warfarin", ["warfarin"], {"warfarin"}),
    ],
)
def test_names_as_hospitals_write_them(name, ingredients, classes):
    found = recognise(name)
    assert list(found.ingredients) == ingredients and found.status == "classed"
    assert found.name == name and not found.local
    if classes is not None:
        assert classes_of(name) >= classes
    assert classes_of(name) == frozenset(
        of for each in ingredients for of in classes_of_ingredient(each)
    )


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("Acetaminophen", "known"),
        ("Bag", "supply"),
        ("0.9% Sodium Chloride", "supply"),
        ("Sodium Chloride 0.9%  Flush", "supply"),
        ("syringe", "supply"),
        ("SW", "supply"),
        ("Zaubertrank", "unmatched"),
        ("Novelmab in 100 mL NS", "unmatched"),
        ("C0042", "unmatched"),
        ("", "unmatched"),
        ("8.2 mL", "supply"),
    ],
)
def test_no_class_no_drug_and_no_idea_are_three_things(name, status):
    found = recognise(name)
    assert found.status == status and found.classes == frozenset()
    assert bool(found.ingredients) == (status == "known")


def test_only_whole_words_count():
    assert recognise("prewarfarinoid").status == "unmatched"
    assert recognise("Warfarin5").ingredients == ("warfarin",)


def test_local_forms_are_known_but_in_no_class():
    for name in ("Erythromycin 0.5% Ophth Oint", "Heparin Flush", "Vancomycin Oral"):
        found = recognise(name)
        assert found.local and found.ingredients and not found.classes
        assert acting(name) == ()
    assert recognise("Ketoconazole 2% shampoo").local
    # Ointment with nitroglycerin and eye drops with timolol act in the whole body.
    assert classes_of("Nitroglycerin 2% ointment") == {"nitrate"}
    assert "nonselective_beta_blocker" in classes_of("Timolol ophth drops")
    assert acting("Vancomycin 1 g IV") == ("vancomycin",)


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("Warfarin 5 mg tablet by mouth daily", "warfarin"),
        ("Fentanyl citrate 200 mcg lozenge", "opioid"),
        ("Butorphanol nasal spray", "opioid"),
        ("Ketorolac nasal spray", "nsaid"),
        ("Diazepam rectal gel, enema", "benzodiazepine"),
        ("Vancomycin 1 g IV at hemodialysis", "vancomycin"),
        ("Cosopt eye drops", "nonselective_beta_blocker"),
    ],
)
def test_no_word_of_form_hides_what_acts_in_the_whole_body(name, of):
    assert of in classes_of(name)


@pytest.mark.parametrize(
    ("name", "ingredients"),
    [
        ("Roxanol 20 mg/mL", ["morphine"]),
        ("VITAMIN D 50,000 UNITS", ["cholecalciferol"]),
        ("D50W", ["dextrose_concentrated"]),
        ("TMP/SMX DS", ["sulfamethoxazole", "trimethoprim"]),
        ("Actoplus Met 15-850", ["metformin", "pioglitazone"]),
        ("Lispro sliding scale", ["insulin"]),
        ("Zestoretic", ["hydrochlorothiazide", "lisinopril"]),
    ],
)
def test_brands_and_look_alikes(name, ingredients):
    assert list(recognise(name).ingredients) == ingredients


def test_classes_are_no_wider_than_their_sources():
    assert not classes_of("Thioguanine") and not classes_of("Heparin")
    assert not classes_of("Aspirin") and not classes_of("Pravastatin")
    assert "hypoglycaemic_antimicrobial" not in classes_of("Trimethoprim")
    assert "antipsychotic_or_antiemetic" not in classes_of("Quetiapine")
    assert classes_of("Azithromycin") == {"macrolide", "qt_prolonging"}


@pytest.mark.parametrize("name", [None, 3, float("nan")])
def test_a_name_is_text(name):
    with pytest.raises(ValueError, match="as text"):
        recognise(name)


def test_coverage_counts_rows_and_names():
    found = coverage(
        ["Warfarin", "Warfarin", "Bag", "Elixir", "Elixir", "Tylenol", None]
    )
    assert found.rows == {"classed": 2, "known": 1, "supply": 1, "unmatched": 2}
    assert found.names == {"classed": 1, "known": 1, "supply": 1, "unmatched": 1}
    assert found.unmatched.to_dict() == {"Elixir": 2}
    assert found.unmatched_share == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="names is empty"):
        coverage([None])
    with pytest.raises(ValueError, match="the text 'Warfarin'"):
        coverage("Warfarin")


def test_the_lists_are_of_one_piece():
    classed = {name for listed in CLASSES.values() for name in listed.split()}
    for name in (*classed, *drug_classes.UNCLASSED.split()):
        assert recognise(name).ingredients == (name,), name
    assert not classed & set(drug_classes.UNCLASSED.split())
    # A brand stands for ingredients that exist.
    every = classed | set(drug_classes.UNCLASSED.split())
    for brand, means in drug_classes.ALIASES.items():
        assert set(means.split("+")) <= every, brand
        assert set(means.split("+")) <= set(recognise(brand).ingredients), brand


def test_the_columns_of_the_diabetes_set():
    unknown = [d for d in cases.DRUGS if recognise(d).status == "unmatched"]
    assert len(cases.DRUGS) == 23 and sorted(unknown) == ["citoglipton", "examide"]
    assert classes_of("metformin-pioglitazone") == {"metformin", "thiazolidinedione"}


@pytest.mark.skipif(not MIMIC.is_dir(), reason="MIMIC-IV demo is not here")
def test_prescriptions_of_mimic_are_recognised():
    path = next(MIMIC.glob("hosp/prescriptions*"))
    found = coverage(pd.read_csv(path, usecols=["drug"])["drug"])
    assert found.rows["unmatched"] == 0, found.unmatched
    assert sum(found.rows.values()) == 18_087 and sum(found.names.values()) == 631
    assert found.rows["classed"] > 5_000 and found.rows["supply"] > 4_000


@pytest.mark.skipif(not EICU.is_dir(), reason="eICU demo is not here")
def test_medication_of_eicu_is_recognised():
    path = next(EICU.glob("medication*"))
    names = pd.read_csv(path, usecols=["drugname"])["drugname"]
    found = coverage(names)
    assert found.rows["unmatched"] == 0, found.unmatched
    assert sum(found.rows.values()) == names.notna().sum() == 44_943


@pytest.mark.skipif(not EICU.is_dir(), reason="eICU demo is not here")
def test_admission_diagnoses_of_eicu():
    path = next(EICU.glob("admissionDx*"))
    texts = pd.read_csv(path)["admitdxpath"].drop_duplicates()
    found = {
        name: [t for t in texts if name in conditions_of_text([t])]
        for name in CONDITIONS
    }
    for name in ("severe_renal_failure", "heart_failure", "asthma", "seizure_disorder"):
        assert found[name], name
    assert all("GI" in text for text in found["gastrointestinal_bleeding"])
    assert not any("see GI" in text for text in found["gastrointestinal_bleeding"])


# Conditions


@pytest.mark.parametrize(
    ("code", "version", "expected"),
    [
        ("428.0", 9, {"heart_failure"}),
        ("4280", 9, {"heart_failure"}),
        ("I50.9", 10, {"heart_failure"}),
        ("i509", 10, {"heart_failure"}),
        ("250.12", 9, {"metabolic_acidosis"}),
        ("E11.10", 10, {"metabolic_acidosis"}),
        ("585.3", 9, {"kidney_disease"}),
        ("585.6", 9, {"kidney_disease", "severe_renal_failure"}),
        ("585", 9, {"kidney_disease", "severe_renal_failure"}),
        ("N18.3", 10, {"kidney_disease"}),
        ("N18.6", 10, {"kidney_disease", "severe_renal_failure"}),
        ("Z99.2", 10, {"kidney_disease", "severe_renal_failure"}),
        ("403.90", 9, {"kidney_disease"}),
        ("403.91", 9, {"kidney_disease", "severe_renal_failure"}),
        ("404.93", 9, {"kidney_disease", "severe_renal_failure", "heart_failure"}),
        ("404.91", 9, {"kidney_disease", "heart_failure"}),
        ("I13.0", 10, {"kidney_disease", "heart_failure"}),
        ("578.9", 9, {"gastrointestinal_bleeding"}),
        ("531.40", 9, {"gastrointestinal_bleeding"}),
        ("531.70", 9, set()),  # an ulcer that does not bleed
        ("K25.4", 10, {"gastrointestinal_bleeding"}),
        ("K25.7", 10, set()),
        ("493.90", 9, {"asthma"}),
        ("J45.909", 10, {"asthma"}),
        ("276.7", 9, {"hyperkalaemia"}),
        ("E87.5", 10, {"hyperkalaemia"}),
        ("345.90", 9, {"seizure_disorder"}),
        ("G40.909", 10, {"seizure_disorder"}),
        ("332.0", 9, {"parkinsons_disease"}),
        ("G20", 10, {"parkinsons_disease"}),
        ("358.00", 9, {"myasthenia_gravis"}),
        ("G70.00", 10, {"myasthenia_gravis"}),
        ("Z49.31", 10, {"kidney_disease", "severe_renal_failure"}),
        ("Z91.15", 10, {"kidney_disease", "severe_renal_failure"}),
        ("585.9", 9, {"kidney_disease"}),
        ("E13.22", 10, {"kidney_disease"}),
        ("535.41", 9, {"gastrointestinal_bleeding"}),
        ("535.40", 9, set()),
        ("562.12", 9, {"gastrointestinal_bleeding"}),
        ("562.10", 9, set()),
        ("K57.31", 10, {"gastrointestinal_bleeding"}),
        ("K57.30", 10, set()),
        ("I85.11", 10, {"gastrointestinal_bleeding"}),
        ("I85.10", 10, set()),
        ("780.39", 9, {"seizure_disorder"}),
        ("780.31", 9, set()),  # of fever
        ("R56.9", 10, {"seizure_disorder"}),
        ("R56.00", 10, set()),
        ("332.1", 9, set()),  # parkinsonism of another cause, as G21
        ("G21.11", 10, set()),
        ("E08.10", 10, {"metabolic_acidosis"}),
        ("I97.130", 10, {"heart_failure"}),
        ("428.31", 9, {"heart_failure"}),
        ("42", 9, set()),  # 042 without its zero
        ("401.9", 9, set()),
        ("E11.9", 10, set()),
    ],
)
def test_diagnosis_codes(code, version, expected):
    assert conditions_of([code], version) == expected


def test_codes_are_joined_and_missing_ones_left_out():
    found = conditions_of(["4280", None, float("nan"), " 49390 "], 9)
    assert found == {"heart_failure", "asthma"}
    assert conditions_of([], 10) == frozenset()
    assert conditions_of_text([None]) == frozenset()
    with pytest.raises(ValueError, match="the text 'CHF'"):
        conditions_of_text("CHF")


@pytest.mark.skipif(not (DATA / "icd10cm").is_dir(), reason="ICD-10-CM is not here")
def test_conditions_against_the_titles_of_icd_10():
    path = next((DATA / "icd10cm").glob("icd10cm-order*"))
    titles = pd.read_csv(path, index_col="code", keep_default_na=False)["long"]
    bleeds = titles[titles.str.contains("with (?:rectal )?(?:bleeding|hemorrhage)")]
    bleeds = bleeds[bleeds.index.str.match("K[2-6]|I85")]
    assert len(bleeds) > 40
    for name, chosen in {
        "gastrointestinal_bleeding": bleeds.index,
        "heart_failure": titles.index[
            titles.str.contains(r"with heart failure|\(congestive\) heart failure")
        ],
        "metabolic_acidosis": titles.index[titles.str.contains("with ketoacidosis")],
        "severe_renal_failure": titles.index[
            titles.str.contains(r"kidney disease, stage [45]|^Acute kidney failure")
        ],
    }.items():
        assert len(chosen) > 5
        for code in chosen:
            assert name in conditions_of([code], 10), (code, titles[code])
    for code in titles.index[titles.str.contains("without (?:bleeding|hemorrhage)")]:
        found = conditions_of([code], 10)
        assert "gastrointestinal_bleeding" not in found, (code, titles[code])


@pytest.mark.parametrize(
    ("codes", "version", "message"),
    [
        (["4280"], 11, "version is 11"),
        (["4280"], "9", "version is '9'"),
        (["I509"], 9, "confused"),
        (["4280"], 10, "confused"),
        (["?"], 9, "not an ICD-9"),
        ("4280", 10, "the text '4280'"),
        ("4280", 9, r"give a list, \['4280'\]"),  # '4', '2', … could be codes
    ],
)
def test_codes_of_the_other_version_are_refused(codes, version, message):
    with pytest.raises(ValueError, match=message):
        conditions_of(codes, version)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CHF, congestive heart failure", {"heart_failure"}),
        ("Bleeding, GI-location unknown", {"gastrointestinal_bleeding"}),
        ("Bleeding-upper GI, surgery for", {"gastrointestinal_bleeding"}),
        ("Hemorrhage (for gastrointestinal bleeding GI-see GI system)", set()),
        ("Renal failure, acute", {"severe_renal_failure", "kidney_disease"}),
        ("Diabetic ketoacidosis", {"metabolic_acidosis"}),
        ("Asthma", {"asthma"}),
        ("Seizures (primary-no structural brain disease)", {"seizure_disorder"}),
        ("Sepsis, pulmonary", set()),
    ],
)
def test_admission_diagnoses_in_words(text, expected):
    assert conditions_of_text([text]) == expected


# Rules


def test_every_rule_has_its_source():
    assert len(rules()) >= 20
    for rule in rules():
        assert re.search(r"\b(19|20)\d\d\b|DailyMed", rule.source), rule.id
        named = re.search(r"doi:10\.\d{4,}/\S+|FDA|EMEA|\w+ \d+:\d+", rule.source)
        assert named or rule.source.count(",") >= 3, rule.id
        assert rule.reason.endswith(".") and ". " not in rule.reason
    assert {rule.kind for rule in rules()} == {"interaction", "contraindication"}


def test_no_rule_is_surer_than_its_source():
    # What rests on counts of harm alone asks for care; a label or a list of drugs to
    # avoid can say more.
    severity = {rule.id: rule.severity for rule in rules()}
    for name in ("digoxin_macrolide", "warfarin_fluconazole", "macrolide_statin"):
        assert severity[name] == "monitor"
    # The label forbids starting it in NYHA classes III and IV, which no code tells.
    assert severity["glitazone_heart_failure"] == "avoid"
    for rule in rules():
        if rule.severity == "contraindicated":
            assert re.search("FDA|EMEA|GlaxoSmithKline|Cheitlin", rule.source), rule.id


def test_no_class_and_no_condition_is_without_a_rule():
    named = {rule.first for rule in rules()} | {rule.second for rule in rules()}
    assert named == set(CLASSES) | set(CONDITIONS)


RULE = rules()[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "warning"}, "has the kind 'warning'"),
        ({"first": "opioids"}, "names the class 'opioids'"),
        ({"second": "asthma"}, "'asthma' as its second"),
        ({"kind": "contraindication"}, "as its second"),
        ({"severity": "bad"}, "has the severity 'bad'"),
        ({"reason": ""}, "lacks a reason or a source"),
        ({"source": ""}, "lacks a reason or a source"),
    ],
)
def test_rules_that_cannot_fire_are_refused(change, message, tmp_path):
    wrong = dataclasses.replace(RULE, **change)
    with pytest.raises(ValueError, match=message):
        check_rules([wrong])
    path = tmp_path / "rules.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in dataclasses.fields(RULE)])
        writer.writeheader()
        writer.writerow(dataclasses.asdict(wrong))
    with pytest.raises(ValueError, match=message):
        read_rules(path)


def test_a_rule_is_there_once():
    with pytest.raises(ValueError, match="is there twice"):
        check_rules([RULE, RULE])
