"""What a simulated hospital knows: problems, drugs, measurements, columns of tables.

`medlib.data.simulate.records` draws from it. Names of diagnoses, treatments and drugs
are medical words in the form of the real tables; no patient's data were used.
"""

from __future__ import annotations

# Problem: risk, share of the stays, admission diagnosis, code of APACHE, diagnoses with
# ICD codes, treatments, drugs. Items carry the slope of their rate in the severity.
PROBLEMS: tuple[tuple[float, float, str, str, dict, dict, dict], ...] = (
    (
        0.7, 0.16, "Infections|Sepsis, pulmonary", "SEPSISPULM",
        {
            "infectious diseases|systemic infections|sepsis|severe sepsis":
                ("995.92, R65.20", 0.6),
            "pulmonary|pulmonary infections|pneumonia|community-acquired":
                ("486, J18.9", 0.0),
            "cardiovascular|shock / hypotension|septic shock": ("785.52, R65.21", 0.9),
        },
        {
            "infectious diseases|medications|antibacterials|vancomycin": 0.2,
            "infectious diseases|cultures|blood": 0.1,
            "cardiovascular|shock|vasopressors|norepinephrine > 0.1 micrograms/kg/min":
                1.0,
        },
        {"VANCOMYCIN": 0.2, "PIPERACILLIN-TAZOBACTAM": 0.2, "HYDROCORTISONE": 0.6},
    ),
    (
        -0.9, 0.15, "Cardiovascular|Infarction, acute myocardial", "AMI",
        {
            "cardiovascular|chest pain / ASHD|acute coronary syndrome":
                ("410.71, I21.4", 0.1),
            "cardiovascular|ventricular disorders|congestive heart failure":
                ("428.0, I50.9", 0.5),
        },
        {
            "cardiovascular|myocardial ischemia|antiplatelet agent|aspirin": -0.1,
            "cardiovascular|myocardial ischemia|beta blocker": -0.3,
            "cardiovascular|consultations|Cardiology consultation": 0.1,
        },
        {"ASPIRIN": -0.2, "CLOPIDOGREL": -0.2, "METOPROLOL": -0.4, "HEPARIN": 0.1},
    ),
    (
        0.3, 0.14, "Neurologic|CVA, cerebrovascular accident/stroke", "CVASTROKE",
        {
            "neurologic|disorders of vasculature|stroke|ischemic stroke":
                ("434.91, I63.9", 0.2),
            "neurologic|altered mental status / pain|coma": ("780.01, R40.20", 1.0),
        },
        {
            "neurologic|ICH/ cerebral infarct|antiplatelet agents": -0.2,
            "neurologic|procedures / diagnostics|head CT scan": 0.2,
            "neurologic|consultations|Neurology consultation": 0.1,
        },
        {"LABETALOL": 0.1, "ATORVASTATIN": -0.3, "LEVETIRACETAM": 0.3},
    ),
    (
        0.1, 0.14, "Respiratory|Emphysema/bronchitis", "EMPHYSBRON",
        {
            "pulmonary|respiratory failure|acute respiratory failure":
                ("518.81, J96.00", 0.6),
            "pulmonary|obstructive diseases|COPD": ("491.20, J44.9", 0.0),
        },
        {
            "pulmonary|medications|bronchodilator|beta-agonist": 0.1,
            "pulmonary|ventilation and oxygenation|mechanical ventilation": 1.0,
            "pulmonary|medications|glucocorticoid administration": 0.1,
        },
        {"ALBUTEROL": 0.1, "METHYLPREDNISOLONE": 0.2, "AZITHROMYCIN": 0.0},
    ),
    (
        -1.6, 0.12, "Metabolic/Endocrine|Diabetic ketoacidosis", "DKA",
        {
            "endocrine|glucose metabolism|DKA": ("250.13, E10.10", 0.2),
            "renal|electrolyte imbalance|hypokalemia": ("276.8, E87.6", 0.2),
        },
        {
            "endocrine|glucose metabolism|insulin|continuous infusion": 0.1,
            "renal|electrolyte correction|potassium": 0.2,
        },
        {"INSULIN REGULAR": 0.1, "POTASSIUM CHLORIDE": 0.1, "SALINE 0.9%": 0.1},
    ),
    (
        -0.2, 0.15, "Gastrointestinal|Bleeding, upper GI", "UGIBLEED",
        {
            "gastrointestinal|GI bleeding / PUD|upper GI bleeding":
                ("578.9, K92.2", 0.2),
            "hematology|bleeding and red blood cell disorders|anemia":
                ("285.9, D64.9", 0.3),
        },
        {
            "gastrointestinal|medications|stress ulcer treatment|pantoprazole": 0.0,
            "hematology|red blood cell disorders|blood product|packed red blood cells":
                0.6,
            "gastrointestinal|consultations|Gastroenterology consultation": 0.1,
        },
        {"PANTOPRAZOLE": 0.0, "OCTREOTIDE": 0.3},
    ),
    (
        -1.3, 0.14, "Cardiovascular|CABG alone, bypass grafting", "CABG",
        {
            "cardiovascular|cardiac surgery|s/p CABG": ("V45.81, Z95.1", 0.0),
            "cardiovascular|arrhythmias|atrial fibrillation": ("427.31, I48.0", 0.4),
        },
        {
            "cardiovascular|arrhythmias|antiarrhythmics|amiodarone": 0.4,
            "surgery|tubes and catheters|chest tube": 0.1,
            "cardiovascular|non-operative procedures|pacemaker|temporary": 0.3,
        },
        {"CEFAZOLIN": 0.0, "AMIODARONE": 0.4, "FUROSEMIDE": 0.2},
    ),
)  # fmt: skip
# What any stay may have: rate at mean severity, slope, and for diagnoses the codes.
COMMON_DIAGNOSES = {
    "renal|disorder of kidney|acute renal failure": ("584.9, N17.9", 0.25, 0.8),
    "cardiovascular|shock / hypotension|hypotension": ("458.9, I95.9", 0.25, 0.7),
    "cardiovascular|ventricular disorders|hypertension": ("401.9, I10", 0.5, -0.2),
    "endocrine|glucose metabolism|diabetes mellitus": ("", 0.4, 0.0),
    "hematology|coagulation disorders|coagulopathy": ("286.9, D68.9", 0.1, 0.8),
}
COMMON_TREATMENTS = {
    "pulmonary|ventilation and oxygenation|oxygen therapy (< 40%)": (0.6, -0.3),
    "pulmonary|ventilation and oxygenation|mechanical ventilation": (0.3, 0.9),
    "cardiovascular|shock|vasopressors|vasopressin": (0.08, 1.1),
    "renal|dialysis|C V V H D": (0.03, 1.1),
    "cardiovascular|vascular disorders|VTE prophylaxis|compression boots": (0.6, 0.0),
    "gastrointestinal|nutrition|enteral feeds": (0.2, 0.5),
}
COMMON_DRUGS = {
    "ACETAMINOPHEN": (1.0, -0.2), "ENOXAPARIN": (0.6, -0.1), "PROPOFOL": (0.3, 0.7),
    "FENTANYL": (0.5, 0.5), "NOREPINEPHRINE": (0.15, 1.1), "ONDANSETRON": (0.6, -0.2),
    "MORPHINE": (0.4, 0.3), "MAGNESIUM SULFATE": (0.5, 0.2),
}  # fmt: skip
CARE_PLANS = {
    "Ventilation//Ventilated - with daily extubation evaluation": (0.25, 0.9),
    "Ventilation//Spontaneous - adequate": (0.7, -0.6),
    "Care Limitation//Full therapy": (0.8, -0.1),
    "Care Limitation//Do not resuscitate": (0.06, 0.8),
    "Activity//HOB 30 degrees": (0.5, 0.2),
}
HISTORIES = {
    "Organ Systems/Cardiovascular (R)/Hypertension Requiring Treatment": (0.6, 0.1),
    "Organ Systems/Pulmonary/COPD": (0.3, 0.1),
    "Organ Systems/Endocrine (R)/Insulin Dependent Diabetes": (0.25, 0.0),
    "Organ Systems/Renal  (R)/Renal Insufficiency": (0.2, 0.3),
}
DYING = (
    "cardiovascular|cardiac arrest|cardiac arrest",
    "neurologic|altered mental status / pain|brain death",
)
# Physiology: mean, sd, slope in the severity, share that is missing, decimals.
PHYSIOLOGY = {
    "urine": (1700, 700, -450, 0.5, 1), "wbc": (11, 4, 2, 0.3, 1),
    "temperature": (36.6, 0.6, -0.15, 0.1, 1), "respiratoryrate": (24, 9, 4, 0.03, 0),
    "sodium": (138, 4, 0.5, 0.25, 0), "heartrate": (98, 22, 9, 0.02, 0),
    "meanbp": (72, 20, -9, 0.03, 0), "ph": (7.36, 0.07, -0.04, 0.8, 3),
    "hematocrit": (33, 6, -1, 0.3, 1), "creatinine": (1.4, 0.6, 0.4, 0.25, 2),
    "albumin": (3.0, 0.5, -0.25, 0.6, 1), "pao2": (95, 35, -10, 0.8, 0),
    "pco2": (41, 9, 1, 0.8, 0), "bun": (26, 13, 8, 0.25, 0),
    "glucose": (160, 60, 12, 0.2, 0), "bilirubin": (0.9, 0.4, 0.3, 0.65, 1),
    "fio2": (50, 18, 8, 0.8, 0),
}  # fmt: skip
# What the official tables hold, in their order.
EICU_COLUMNS = {
    "patient": (
        "patientunitstayid patienthealthsystemstayid gender age ethnicity hospitalid "
        "wardid apacheadmissiondx admissionheight hospitaladmittime24 "
        "hospitaladmitoffset hospitaladmitsource hospitaldischargeyear "
        "hospitaldischargetime24 hospitaldischargeoffset hospitaldischargelocation "
        "hospitaldischargestatus unittype unitadmittime24 unitadmitsource "
        "unitvisitnumber unitstaytype admissionweight dischargeweight "
        "unitdischargetime24 unitdischargeoffset unitdischargelocation "
        "unitdischargestatus uniquepid"
    ),
    "hospital": "hospitalid numbedscategory teachingstatus region",
    "apachePatientResult": (
        "apachepatientresultsid patientunitstayid physicianspeciality "
        "physicianinterventioncategory acutephysiologyscore apachescore apacheversion "
        "predictedicumortality actualicumortality predictediculos actualiculos "
        "predictedhospitalmortality actualhospitalmortality predictedhospitallos "
        "actualhospitallos preopmi preopcardiaccath ptcawithin24h unabridgedunitlos "
        "unabridgedhosplos actualventdays predventdays unabridgedactualventdays"
    ),
    "apacheApsVar": (
        "apacheapsvarid patientunitstayid intubated vent dialysis eyes motor verbal "
        "meds urine wbc temperature respiratoryrate sodium heartrate meanbp ph "
        "hematocrit creatinine albumin pao2 pco2 bun glucose bilirubin fio2"
    ),
    "apachePredVar": (
        "apachepredvarid patientunitstayid sicuday saps3day1 saps3today "
        "saps3yesterday gender teachtype region bedcount admitsource graftcount meds "
        "verbal motor eyes age admitdiagnosis thrombolytics diedinhospital aids "
        "hepaticfailure lymphoma metastaticcancer leukemia immunosuppression cirrhosis "
        "electivesurgery activetx readmit ima midur ventday1 oobventday1 oobintubday1 "
        "diabetes managementsystem var03hspxlos pao2 fio2 ejectfx creatinine "
        "dischargelocation visitnumber amilocation day1meds day1verbal day1motor "
        "day1eyes day1pao2 day1fio2"
    ),
    "diagnosis": (
        "diagnosisid patientunitstayid activeupondischarge diagnosisoffset "
        "diagnosisstring icd9code diagnosispriority"
    ),
    "treatment": (
        "treatmentid patientunitstayid treatmentoffset treatmentstring "
        "activeupondischarge"
    ),
    "medication": (
        "medicationid patientunitstayid drugorderoffset drugstartoffset "
        "drugivadmixture drugordercancelled drugname drughiclseqno dosage routeadmin "
        "frequency loadingdose prn drugstopoffset gtc"
    ),
    "admissionDx": (
        "admissiondxid patientunitstayid admitdxenteredoffset admitdxpath admitdxname "
        "admitdxtext"
    ),
    "pastHistory": (
        "pasthistoryid patientunitstayid pasthistoryoffset pasthistoryenteredoffset "
        "pasthistorynotetype pasthistorypath pasthistoryvalue pasthistoryvaluetext"
    ),
    "carePlanGeneral": (
        "cplgeneralid patientunitstayid activeupondischarge cplitemoffset cplgroup "
        "cplitemvalue"
    ),
    "vitalAperiodic": (
        "vitalaperiodicid patientunitstayid observationoffset noninvasivesystolic "
        "noninvasivediastolic noninvasivemean paop cardiacoutput cardiacinput svr svri "
        "pvr pvri"
    ),
}
MIMIC_COLUMNS = {
    "hosp/patients": "subject_id gender anchor_age anchor_year anchor_year_group dod",
    "hosp/admissions": (
        "subject_id hadm_id admittime dischtime deathtime admission_type "
        "admit_provider_id admission_location discharge_location insurance language "
        "marital_status race edregtime edouttime hospital_expire_flag"
    ),
    "hosp/diagnoses_icd": "subject_id hadm_id seq_num icd_code icd_version",
    "hosp/procedures_icd": "subject_id hadm_id seq_num chartdate icd_code icd_version",
    "hosp/labevents": (
        "labevent_id subject_id hadm_id specimen_id itemid order_provider_id charttime "
        "storetime value valuenum valueuom ref_range_lower ref_range_upper flag "
        "priority comments"
    ),
    "hosp/d_labitems": "itemid label fluid category",
    "hosp/d_icd_diagnoses": "icd_code icd_version long_title",
    "hosp/prescriptions": (
        "subject_id hadm_id pharmacy_id poe_id poe_seq order_provider_id starttime "
        "stoptime drug_type drug formulary_drug_cd gsn ndc prod_strength form_rx "
        "dose_val_rx dose_unit_rx form_val_disp form_unit_disp doses_per_24_hrs route"
    ),
    "icu/icustays": (
        "subject_id hadm_id stay_id first_careunit last_careunit intime outtime los"
    ),
}
# Laboratory items of MIMIC-IV: number, unit, mean, sd, slope.
LABS = {
    "Creatinine": (50912, "mg/dL", 1.3, 0.5, 0.5),
    "Lactate": (50813, "mmol/L", 1.8, 0.6, 0.7),
    "Sodium": (50983, "mEq/L", 138, 4, 0.5),
    "Urea Nitrogen": (51006, "mg/dL", 24, 10, 8),
    "White Blood Cells": (51301, "K/uL", 10, 3, 1.5),
    "Hemoglobin": (51222, "g/dL", 10.5, 1.5, -0.4),
    "Platelet Count": (51265, "K/uL", 210, 70, -20),
}
