"""No score brings a forbidden drug into a list, and silence is an alarm."""

import dataclasses
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from medlib.data import drug_classes
from medlib.data.drug_classes import CLASSES, CONDITIONS, Rule
from medlib.models.recommend import recommend
from medlib.models.recommend.safety import (
    REMOVED,
    SafeLists,
    SafetyAlarm,
    SafetyFilter,
    UnsafeList,
    interaction_rate,
)

NAMES = [
    "Warfarin 5 mg",
    "Ibuprofen 400 mg",
    "Ketorolac 30 mg IV",
    "Metformin",
    "Acetaminophen",
    "Zaubertrank",
    "Bag",
]
WARFARIN, IBUPROFEN, KETOROLAC, METFORMIN, PARACETAMOL, UNKNOWN, BAG = range(7)
FILTER = SafetyFilter(NAMES)
NOBODY = {"drugs_now": None, "conditions": None}


def listed(scores, n=7, of=FILTER, drugs_now=(), conditions=(), **more):
    """Return what one patient is shown, and the report."""
    made = of.lists(
        np.atleast_2d(np.asarray(scores, dtype=float)),
        drugs_now=[list(drugs_now)],
        conditions=[list(conditions)],
        n=n,
        **more,
    )
    return [int(item) for item in made.ranked[0] if item >= 0], made


def rising(*best):
    """Return scores that rank the items in this order, the others after them."""
    scores = np.linspace(0, 0.1, len(NAMES))
    for place, item in enumerate(best):
        scores[item] = 10 - place
    return scores


# Lists


@pytest.mark.parametrize(
    ("item", "patient", "rule", "other", "place"),
    [
        (
            WARFARIN,
            {"drugs_now": ["Naproxen"]},
            "warfarin_nsaid",
            "naproxen",
            "drugs now",
        ),
        (
            METFORMIN,
            {"conditions": ["severe_renal_failure"]},
            "metformin_renal_failure",
            "severe_renal_failure",
            "condition",
        ),
    ],
)
def test_an_infinite_score_does_not_pass(item, patient, rule, other, place):
    scores = np.zeros(len(NAMES))
    scores[item] = np.inf
    shown, made = listed(scores, **patient)
    assert item not in shown and PARACETAMOL in shown
    line = made.removed[made.removed["item"] == item].iloc[0]
    expected = {each.id: each for each in FILTER.rules}[rule]
    assert (line["rule"], line["with"], line["place"]) == (rule, other, place)
    assert (line["name"], line["why"]) == (NAMES[item], expected.kind)
    assert line["severity"] == expected.severity
    assert (line["reason"], line["source"]) == (expected.reason, expected.source)


def test_of_two_that_clash_the_better_stays():
    for first, second in ((WARFARIN, IBUPROFEN), (IBUPROFEN, WARFARIN)):
        shown, made = listed(rising(first, second))
        assert shown[0] == first and second not in shown
        line = made.removed[made.removed["item"] == second].iloc[0]
        assert line["place"] == "list" and line["rule"] == "warfarin_nsaid"
    # Two NSAIDs do not clash, and warfarin meets both.
    shown, made = listed(rising(IBUPROFEN, KETOROLAC, WARFARIN))
    assert shown[:2] == [IBUPROFEN, KETOROLAC] and WARFARIN not in shown
    lost = made.removed[made.removed["item"] == WARFARIN]
    assert lost["with"].tolist() == ["ibuprofen", "ketorolac"]


def test_every_reason_is_reported():
    shown, made = listed(
        rising(IBUPROFEN),
        drugs_now=["Coumadin", "Apixaban"],
        conditions=["heart_failure", "gastrointestinal_bleeding"],
    )
    assert IBUPROFEN not in shown
    lost = made.removed[made.removed["item"] == IBUPROFEN]
    assert set(lost["rule"]) == {
        "warfarin_nsaid",
        "doac_nsaid",
        "nsaid_heart_failure",
        "nsaid_gi_bleeding",
    }
    assert tuple(made.removed.columns) == REMOVED


def test_what_lies_below_the_list_is_no_removal():
    _, made = listed(rising(PARACETAMOL), n=1, drugs_now=["Warfarin"])
    assert made.removed.empty


def test_unknown_items_are_withheld_or_marked():
    scores = rising(UNKNOWN)
    shown, made = listed(scores)
    assert UNKNOWN not in shown and made.unchecked.empty
    line = made.removed[made.removed["item"] == UNKNOWN].iloc[0]
    assert line["why"] == "unchecked" and line["source"] == ""
    lax = SafetyFilter(NAMES, unchecked="show")
    shown, made = listed(scores, of=lax)
    assert shown[0] == UNKNOWN
    assert made.unchecked.values.tolist() == [[0, UNKNOWN, "Zaubertrank"]]
    ranked = np.array([[UNKNOWN]])
    assert lax.verify(ranked, **NOBODY) == 1
    with pytest.raises(UnsafeList, match="not known to the table"):
        FILTER.verify(ranked, **NOBODY)


def test_clashes_that_stand_are_reported_and_nothing_is_taken_away():
    shown, made = listed(
        rising(PARACETAMOL),
        drugs_now=["Warfarin", "Ibuprofen", "Rätselmittel"],
        conditions=["heart_failure"],
    )
    assert set(made.standing["rule"]) == {"warfarin_nsaid", "nsaid_heart_failure", ""}
    assert (made.standing["item"] == -1).all()
    assert made.standing["why"].value_counts()["unchecked"] == 1
    assert PARACETAMOL in shown and METFORMIN in shown
    assert not set(shown) & {WARFARIN, IBUPROFEN, KETOROLAC}


def test_without_a_rule_the_lists_are_those_of_recommend():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 4, (40, 12)).astype(float)  # many ties
    scores[rng.random(scores.shape) < 0.1] = -np.inf
    known = sparse.csr_array((rng.random(scores.shape) < 0.2).astype("f4"))
    names = sorted(drug_classes.UNCLASSED.split())[:12]
    made = SafetyFilter(names).lists(scores, known=known, **NOBODY, n=20)
    assert (made.ranked == recommend(scores, known, n=20)).all()
    assert made.removed.empty and len(made) == 40
    assert made.ranked.shape == (40, 20) and (made.ranked[:, 12:] == -1).all()


def test_ties_go_to_the_smaller_column():
    shown, _ = listed(np.zeros(len(NAMES)))
    assert shown == [WARFARIN, METFORMIN, PARACETAMOL, BAG]


def test_drugs_of_now_as_an_array_or_as_what_is_known():
    now = sparse.csr_array(np.eye(1, len(NAMES), WARFARIN, dtype="f4"))
    scores = np.ones((1, len(NAMES)))
    by_names = FILTER.lists(scores, drugs_now=[[NAMES[0]]], conditions=None)
    by_array = FILTER.lists(scores, drugs_now=now, conditions=None)
    as_known = FILTER.lists(scores, drugs_now=None, conditions=None, known=now)
    assert (by_names.ranked == by_array.ranked).all()
    assert WARFARIN not in as_known.ranked and IBUPROFEN not in as_known.ranked
    assert set(as_known.removed["place"]) == {"drugs now", ""}
    # A drug of the past that is not taken now does not clash.
    past = FILTER.lists(scores, drugs_now=[[]], conditions=None, known=now)
    assert IBUPROFEN in past.ranked and WARFARIN not in past.ranked


def test_no_patient_and_no_drug():
    made = FILTER.lists(np.zeros((0, len(NAMES))), **NOBODY, n=3)
    assert made.ranked.shape == (0, 3) and made.removed.empty
    now = sparse.csr_array((0, len(NAMES)), dtype="f4")
    assert FILTER.lists(np.zeros((0, 7)), drugs_now=now, conditions=[]).ranked.size == 0
    shown, _ = listed(np.full(len(NAMES), -np.inf))
    assert shown == []
    assert FILTER.verify(made, **NOBODY) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": np.full((1, 7), np.nan)}, "NaN"),
        ({"scores": np.zeros((1, 6))}, "shape"),
        ({"scores": np.zeros(7)}, "shape"),
        ({"n": 0}, "at least 1"),
        ({"conditions": [["gout"]]}, "no rule knows"),
        ({"conditions": ["asthma"]}, "holds text"),
        ({"drugs_now": ["Warfarin"]}, "holds text"),
        ({"drugs_now": [["Warfarin", None]]}, "None; names as text"),
        ({"drugs_now": [[3.5]]}, "3.5; names as text"),
        ({"drugs_now": [None]}, "None; a list of names"),
        ({"conditions": [None]}, "None; a list of names"),
        ({"conditions": [["N18.6"]]}, "conditions_of"),
        ({"drugs_now": [[], []]}, "2 entries"),
        ({"conditions": []}, "0 entries"),
        ({"known": sparse.csr_array((2, 7))}, "rows"),
        ({"known": sparse.csr_array((1, 6))}, "6"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    given = {"scores": np.zeros((1, 7)), "drugs_now": [[]], "conditions": [[]]}
    with pytest.raises(ValueError, match=message):
        FILTER.lists(**(given | change))


def test_drugs_of_now_and_conditions_cannot_be_forgotten():
    with pytest.raises(TypeError):
        FILTER.lists(np.zeros((1, 7)))


@pytest.mark.parametrize(
    ("items", "more", "message"),
    [
        ([], {}, "items is empty"),
        (["Warfarin", None], {}, "as text"),
        ("Warfarin", {}, "a list of names"),
        (["Warfarin"], {"rules": []}, "rules is empty"),
        (["Warfarin"], {"unchecked": "pass"}, "'withhold' or 'show'"),
    ],
)
def test_a_filter_needs_names(items, more, message):
    with pytest.raises(ValueError, match=message):
        SafetyFilter(items, **more)


# Lists come from the filter alone


def test_safe_lists_cannot_be_made_elsewhere():
    _, made = listed(np.ones(len(NAMES)))
    frame = pd.DataFrame()
    with pytest.raises(TypeError, match=r"SafetyFilter\.lists"):
        SafeLists(np.array([[WARFARIN]]), frame, frame, frame)
    with pytest.raises(TypeError, match=r"SafetyFilter\.lists"):
        dataclasses.replace(made, ranked=np.array([[WARFARIN, IBUPROFEN]]))
    with pytest.raises(ValueError, match="read-only"):
        made.ranked[0, 0] = IBUPROFEN
    for array in (made.ranked, made.ranked.view()):
        with pytest.raises(ValueError, match="cannot set WRITEABLE"):
            array.setflags(write=True)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.ranked = np.array([[WARFARIN, IBUPROFEN]])


@pytest.mark.parametrize(
    ("items", "now", "state", "rule"),
    [
        ([WARFARIN, PARACETAMOL, IBUPROFEN], [], [], "warfarin_nsaid"),
        ([PARACETAMOL, WARFARIN], ["Toradol"], [], "warfarin_nsaid"),
        ([-1, METFORMIN], [], ["metabolic_acidosis"], "metformin_acidosis"),
    ],
)
def test_verify_finds_each_kind_of_breach(items, now, state, rule):
    source = {r.id: r.source for r in FILTER.rules}[rule]
    ranked = np.array([[PARACETAMOL] * len(items), items])
    with pytest.raises(UnsafeList) as caught:
        FILTER.verify(ranked, drugs_now=[[], now], conditions=[[], state])
    assert rule in str(caught.value) and source in str(caught.value)
    assert str(caught.value).startswith("patient 1")


def test_verify_refuses_what_is_no_list():
    for ranked in (np.array([[0.0]]), np.array([0]), np.array([[7]]), np.array([[-2]])):
        with pytest.raises(ValueError, match="ranked"):
            FILTER.verify(ranked, **NOBODY)
    with pytest.raises(ValueError, match="2 entries"):
        FILTER.verify(np.array([[0]]), drugs_now=[[], []], conditions=None)


def everything():
    """Return one name for each ingredient that is in a class, with a few others."""
    classed = {name for listed in CLASSES.values() for name in listed.split()}
    return [*sorted(classed), "acetaminophen", "Zaubertrank", "Bag"]


ALL = SafetyFilter(everything())


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    states=st.lists(st.sampled_from(sorted(CONDITIONS)), max_size=4),
)
def test_no_scores_make_an_unsafe_list(seed, states):
    rng = np.random.default_rng(seed)
    names = everything()
    now = [list(rng.choice(names, size=rng.integers(0, 6))) for _ in range(4)]
    scores = rng.normal(size=(4, len(names)))
    scores[rng.random(scores.shape) < 0.1] = np.inf
    patients = {"drugs_now": now, "conditions": [states] * 4}
    made = ALL.lists(scores, **patients, n=15)
    assert ALL.verify(made, **patients) == (made.ranked >= 0).sum()
    # Nothing is lost without a word: above the last that is shown, all are accounted
    # for.
    for row, items in enumerate(made.ranked):
        order = np.argsort(-scores[row], kind="stable")
        shown = items[items >= 0]
        until = (
            np.flatnonzero(order == shown[-1])[0] if len(shown) == 15 else len(order)
        )
        lost = set(order[:until].tolist()) - set(shown.tolist())
        reported = made.removed[made.removed["patient"] == row]
        assert lost == set(reported["item"])


@pytest.mark.parametrize("rule", ALL.rules, ids=lambda rule: rule.id)
def test_every_rule_fires(rule):
    for drug in CLASSES[rule.first].split():
        if rule.kind == "contraindication":
            found = ALL.findings(drug, conditions=[rule.second])
            assert rule in [each.rule for each in found]
            continue
        for other in CLASSES[rule.second].split():
            found = ALL.findings(drug, drugs_now=[other])
            assert (rule in [each.rule for each in found]) == (drug != other)
            back = ALL.findings(other, listed=[drug])
            assert (rule in [each.rule for each in back]) == (drug != other)


def test_one_text_is_not_read_letter_by_letter():
    for more in ("drugs_now", "listed", "conditions"):
        with pytest.raises(ValueError, match=rf"{more} holds 'Warfarin'"):
            FILTER.findings("Ibuprofen", **{more: "Warfarin"})
    for baskets in ("warfarin", ["warfarin", "ibuprofen"]):
        with pytest.raises(ValueError, match="a list of names"):
            interaction_rate(baskets)


def test_a_mixture_of_two_that_clash_is_never_shown():
    names = ["Midazolam/fentanyl PCA", "Acetaminophen", "fentanyl"]
    mixed = SafetyFilter(names)
    made = mixed.lists(np.array([[np.inf, 1, 0]]), **NOBODY, n=3)
    assert made.ranked.tolist() == [[1, 2, -1]]
    line = made.removed.iloc[0]
    assert (line["rule"], line["place"]) == ("opioid_benzodiazepine", "item")
    with pytest.raises(UnsafeList, match="opioid_benzodiazepine"):
        mixed.verify(np.array([[0]]), **NOBODY)


def test_neither_case_nor_a_second_column_hides_a_drug():
    names = ["WARFARIN", "warfarin", "Coumadin 5 MG PO TABS", "Acetaminophen"]
    twice = SafetyFilter([*names, names[0]])
    scores = np.array([[np.inf, np.inf, 5, 1, np.inf]])
    made = twice.lists(scores, drugs_now=[["ADVIL"]], conditions=None, n=5)
    assert made.ranked.tolist() == [[3, -1, -1, -1, -1]]
    assert set(made.removed["rule"]) == {"warfarin_nsaid"}


def test_rules_of_ones_own():
    rule = Rule("x", "interaction", "insulin", "metformin", "monitor", "None.", "Here.")
    own = SafetyFilter(["Insulin", "Metformin"], [rule])
    assert own.lists(np.array([[1.0, 2.0]]), **NOBODY, n=2).ranked.tolist() == [[1, -1]]
    with pytest.raises(ValueError, match="there twice"):
        SafetyFilter(["Insulin"], [rule, rule])
    wrong = dataclasses.replace(rule, second="metformine")
    with pytest.raises(ValueError, match="'metformine'"):
        SafetyFilter(["Insulin"], [wrong])


def test_no_drug_clashes_with_itself_or_in_a_cream():
    assert not ALL.findings("Ondansetron 4 mg", drugs_now=["Zofran"])
    assert ALL.findings("Erythromycin", drugs_now=["Simvastatin"])
    assert not ALL.findings("Erythromycin ophth oint", drugs_now=["Simvastatin"])


# The alarm


def by_brute_force(baskets):
    """Return the rate over all pairs of all baskets, from the file of rules."""
    clashing = pairs = 0
    for basket in baskets:
        for one, two in combinations(sorted(set(basket)), 2):
            pairs += 1
            clashing += any(
                rule.kind == "interaction"
                and any(
                    a in CLASSES[rule.first].split()
                    and b in CLASSES[rule.second].split()
                    for a, b in ((one, two), (two, one))
                )
                for rule in drug_classes.rules()
            )
    return clashing, pairs


def test_rate_by_hand():
    baskets = [
        ["warfarin", "ibuprofen", "acetaminophen"],  # 1 of 3
        ["morphine", "lorazepam"],  # 1 of 1
        ["metformin"],
        [],
        ["insulin", "Bag", "metformin", "morphine"],  # 0 of 3: a bag is no drug
    ]
    found = interaction_rate(baskets)
    assert (found.clashing, found.pairs) == (2, 7)
    assert float(found) == found.rate == 2 / 7
    assert found.drugs == 9 and found.unmatched == 0
    assert found.by_rule.to_dict() == {"warfarin_nsaid": 1, "opioid_benzodiazepine": 1}


def test_rate_equals_brute_force():
    rng = np.random.default_rng(1)
    names = np.array([n for n in everything() if n not in ("Zaubertrank", "Bag")])
    there = rng.random((60, len(names))) < 0.1
    baskets = [names[row].tolist() for row in there]
    found = interaction_rate(sparse.csr_array(there.astype("f4")), names)
    assert (found.clashing, found.pairs) == by_brute_force(baskets)
    assert interaction_rate(baskets).rate == found.rate


def test_a_pair_that_breaks_two_rules_is_one_pair():
    pair = interaction_rate([["ciprofloxacin", "glyburide"], ["simvastatin", "x ml"]])
    assert pair.clashing == 1
    both = interaction_rate([["simvastatin", "clarithromycin"]])
    assert both.rate == 1 and both.by_rule.sum() == 2


def test_zero_is_an_alarm():
    with pytest.raises(SafetyAlarm, match="an alarm, not a success") as caught:
        interaction_rate([["acetaminophen", "metformin"]])
    assert "'acetaminophen'" in str(caught.value) and "verify" in str(caught.value)
    with pytest.raises(SafetyAlarm, match="no two together"):
        interaction_rate([["warfarin"], ["ibuprofen"], []])


def test_unknown_codes_are_an_alarm():
    known = [["warfarin", "ibuprofen"]] * 99
    with pytest.raises(SafetyAlarm, match=r"4 of 202 drugs .*\(2.0%\)") as caught:
        interaction_rate([*known, ["C0042", "C0043", "C0044", "C0042", "C0045"]])
    assert "'C0042' (1)" in str(caught.value)
    fine = interaction_rate([*known, ["C0042", "warfarin"]])  # 1 of 200
    assert fine.unmatched == 1 and fine.pairs == 100
    lax = interaction_rate([["warfarin", "ibuprofen", "C1"]], most_unmatched=0.5)
    assert (lax.clashing, lax.pairs) == (1, 3)
    with pytest.raises(SafetyAlarm, match="unknown"):
        interaction_rate([["warfarin", "ibuprofen", "C1"]], most_unmatched=0.3)


@pytest.mark.parametrize(
    ("arguments", "more", "message"),
    [
        (([],), {}, "baskets is empty"),
        ((np.ones((1, 2)),), {}, "items is missing"),
        ((np.ones((1, 2)), ["warfarin"]), {}, "2"),
        (([["warfarin"]],), {"most_unmatched": 1}, "below 1"),
        (([["warfarin"]],), {"most_unmatched": -0.1}, "from 0"),
        (([[3, 4]],), {}, "as text"),
    ],
)
def test_a_rate_needs_baskets_of_names(arguments, more, message):
    with pytest.raises(ValueError, match=message):
        interaction_rate(*arguments, **more)
