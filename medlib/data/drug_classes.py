"""Which drug a name means, the classes it is in, and the rules between classes.

Hospitals write drug names freely: ``LASIX``, ``FUROSEMIDE 40 MG PO TABS``, ``100 ML -
POTASSIUM CHLORIDE 20 MEQ/100ML IV SOLN``. A name is recognised by the ingredients that
it holds as whole words, whatever strength, form and packing stand around them.

The lists were written for the names of the MIMIC-IV demo, of the eICU demo and of
``uci-diabetes-130``. They are no formulary, and the rules are no clinical reference: a
few well-documented ones, so that a lesson can show what a filter does and what it
misses. Many of their sources studied people of 65 or more; the rules do not ask the
age. A real system reads a maintained, licensed knowledge base.

>>> sorted(classes_of("Warfarin 5 mg tablet"))
['warfarin']
>>> recognise("Bag").status, recognise("Zaubertrank").status
('supply', 'unmatched')
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import pandas as pd

RULES = Path(__file__).with_name("drug_rules.csv")
INTERACTION, CONTRAINDICATION = "interaction", "contraindication"
SEVERITIES = ("contraindicated", "avoid", "monitor")
Status = Literal["classed", "known", "supply", "unmatched"]

# Classes that rules name, and their ingredients. Aspirin is no member of `nsaid`: the
# sources of its rules speak of other NSAIDs.
CLASSES: dict[str, str] = {
    "ace_inhibitor": (
        "benazepril captopril enalapril enalaprilat fosinopril lisinopril moexipril "
        "perindopril quinapril ramipril trandolapril"
    ),
    "allopurinol": "allopurinol",
    "amiodarone": "amiodarone",
    "antipsychotic_or_antiemetic": (
        "aripiprazole asenapine brexpiprazole cariprazine chlorpromazine droperidol "
        "fluphenazine haloperidol iloperidone loxapine lurasidone metoclopramide "
        "olanzapine paliperidone perphenazine pimozide prochlorperazine promethazine "
        "risperidone thioridazine thiothixene trifluoperazine ziprasidone"
    ),
    "arb": (
        "azilsartan candesartan eprosartan irbesartan losartan olmesartan telmisartan "
        "valsartan"
    ),
    "benzodiazepine": (
        "alprazolam chlordiazepoxide clobazam clonazepam clorazepate diazepam "
        "estazolam flurazepam lorazepam midazolam oxazepam temazepam triazolam"
    ),
    "beta_blocker": (
        "acebutolol atenolol betaxolol bisoprolol carvedilol esmolol labetalol "
        "metoprolol nadolol nebivolol pindolol propranolol sotalol timolol"
    ),
    "bupropion": "bupropion",
    "carbapenem": "doripenem ertapenem imipenem meropenem",
    "clopidogrel": "clopidogrel",
    "colchicine": "colchicine",
    "cyp3a4_statin": "atorvastatin lovastatin simvastatin",
    "digoxin": "digoxin",
    "direct_oral_anticoagulant": "apixaban dabigatran edoxaban rivaroxaban",
    "fluconazole": "fluconazole",
    "fluoroquinolone": (
        "ciprofloxacin delafloxacin gemifloxacin levofloxacin moxifloxacin norfloxacin "
        "ofloxacin"
    ),
    "gemfibrozil": "gemfibrozil",
    "glyburide": "glyburide",
    # The sources of sulfamethoxazole studied co-trimoxazole, not trimethoprim alone.
    "hypoglycaemic_antimicrobial": (
        "ciprofloxacin clarithromycin levofloxacin metronidazole sulfamethoxazole"
    ),
    "insulin": "insulin",
    "linezolid": "linezolid",
    "lithium": "lithium",
    "loop_diuretic": "bumetanide ethacrynate furosemide torsemide",
    "lovastatin": "lovastatin",
    "macrolide": "azithromycin clarithromycin erythromycin",
    "macrolide_cyp3a4": "clarithromycin erythromycin",
    "meperidine": "meperidine",
    "metformin": "metformin",
    "nitrate": "nitroglycerin isosorbide",
    "nondihydropyridine": "diltiazem verapamil",
    "nonselective_beta_blocker": (
        "carvedilol labetalol nadolol pindolol propranolol sotalol timolol"
    ),
    "nsaid": (
        "celecoxib diclofenac etodolac flurbiprofen ibuprofen indomethacin ketoprofen "
        "ketorolac meloxicam nabumetone naproxen oxaprozin piroxicam sulindac"
    ),
    "omeprazole": "esomeprazole omeprazole",
    "opioid": (
        "alfentanil buprenorphine butorphanol codeine dihydrocodeine fentanyl "
        "hydrocodone hydromorphone levorphanol meperidine methadone morphine "
        "nalbuphine opium oxycodone oxymorphone pentazocine remifentanil sufentanil "
        "tapentadol tramadol"
    ),
    "pde5_inhibitor": "avanafil sildenafil tadalafil vardenafil",
    "piperacillin": "piperacillin",
    "potassium_sparing_diuretic": "amiloride eplerenone spironolactone triamterene",
    "qt_prolonging": (
        "amiodarone azithromycin chlorpromazine citalopram clarithromycin disopyramide "
        "dofetilide droperidol erythromycin haloperidol ibutilide levofloxacin "
        "methadone moxifloxacin ondansetron pentamidine pimozide procainamide "
        "quinidine sotalol thioridazine ziprasidone"
    ),
    "ras_inhibitor": (
        "benazepril captopril enalapril enalaprilat fosinopril lisinopril moexipril "
        "perindopril quinapril ramipril trandolapril azilsartan candesartan eprosartan "
        "irbesartan losartan olmesartan telmisartan valsartan"
    ),
    "repaglinide": "repaglinide",
    "serotonergic_antidepressant": (
        "citalopram desvenlafaxine duloxetine escitalopram fluoxetine fluvoxamine "
        "levomilnacipran milnacipran paroxetine sertraline venlafaxine vilazodone"
    ),
    "serotonergic_opioid": "meperidine methadone tapentadol tramadol",
    "simvastatin": "simvastatin",
    "spironolactone": "spironolactone",
    "ssri": (
        "citalopram escitalopram fluoxetine fluvoxamine paroxetine sertraline "
        "vilazodone"
    ),
    # Erythromycin is weaker, and cyclosporine acts by a transporter too; the label of
    # simvastatin names both.
    "strong_cyp3a4_inhibitor": (
        "atazanavir clarithromycin cobicistat cyclosporine darunavir erythromycin "
        "fosamprenavir indinavir itraconazole ketoconazole lopinavir nefazodone "
        "nelfinavir posaconazole ritonavir saquinavir telithromycin voriconazole"
    ),
    "sulfamethoxazole": "sulfamethoxazole",
    "sulfonylurea": (
        "acetohexamide chlorpropamide gliclazide glimepiride glipizide glyburide "
        "tolazamide tolbutamide"
    ),
    "thiazolidinedione": "pioglitazone rosiglitazone troglitazone",
    # Not thioguanine: the rule's source speaks of these two.
    "thiopurine": "azathioprine mercaptopurine",
    "trimethoprim": "trimethoprim",
    "valproate": "valproate",
    "vancomycin": "vancomycin",
    "warfarin": "warfarin",
}

# Ingredients that no rule asks for: known, and nothing to check. Several words: with _.
UNCLASSED = """
abacavir acarbose acetaminophen acetazolamide acetylcysteine acyclovir adenosine albumin
albuterol alendronate alfuzosin alprostadil alteplase aluminum_hydroxide amantadine
amikacin amino_acids aminocaproic_acid aminophylline amitriptyline amlodipine
ammonium_lactate amoxicillin amphetamine amphotericin ampicillin anastrozole
anidulafungin antithymocyte aprepitant argatroban armodafinil artificial_tears
ascorbic_acid aspirin atomoxetine atovaquone atracurium atropine avibactam azacitidine
aztreonam bacitracin baclofen barium_sulfate beclomethasone belladonna bendamustine
benzocaine benzonatate benztropine betamethasone bethanechol bevacizumab bicalutamide
bisacodyl bismuth bivalirudin bleomycin bortezomib brimonidine bromocriptine budesonide
bupivacaine buspirone busulfan butalbital cabergoline caffeine calamine calcitonin
calcitriol calcium_acetate calcium_carbonate calcium_chloride calcium_citrate
calcium_gluconate camphor canagliflozin cangrelor capecitabine caphosol capsaicin
carbamazepine carbamide_peroxide carbidopa carboplatin carboxymethylcellulose
carisoprodol caspofungin cefadroxil cefazolin cefdinir cefepime cefixime cefotaxime
cefotetan cefoxitin cefpodoxime cefprozil ceftaroline ceftazidime ceftriaxone cefuroxime
cepacol cephalexin cetirizine cetylpyridinium charcoal chlorhexidine chloroprocaine
chlorothiazide chlorpheniramine chlorthalidone cholecalciferol cholestyramine ciclopirox
cilostazol cinacalcet cisatracurium cisplatin citric_acid cladribine clavulanate
clevidipine clindamycin clobetasol clofarabine clomipramine clonidine clotrimazole
clozapine cocaine colesevelam colestipol colistimethate collagenase conivaptan
corticotropin cosyntropin cromolyn cyanocobalamin cyclobenzaprine cyclophosphamide
cyproheptadine cytarabine dacarbazine dactinomycin dalbavancin dalteparin dantrolene
dapagliflozin dapsone daptomycin darbepoetin dasatinib daunorubicin decitabine
deferoxamine denosumab desipramine desloratadine desmopressin dexamethasone
dexmedetomidine dexmethylphenidate dextran dextromethorphan dextrose_concentrated
diatrizoate dicloxacillin dicyclomine diethylpropion diphenhydramine diphenoxylate
dipyridamole disulfiram dobutamine docetaxel docusate dolutegravir donepezil dopamine
dornase dorzolamide doxazosin doxepin doxercalciferol doxorubicin doxycycline dronabinol
dulaglutide dutasteride efavirenz eltrombopag empagliflozin emtricitabine enfuvirtide
enoxaparin entacapone entecavir ephedrine epinephrine epirubicin epoetin epoprostenol
eptifibatide ergocalciferol ergotamine erlotinib estradiol estrogens eszopiclone
etanercept ethambutol ethinyl etomidate etoposide exemestane exenatide ezetimibe
factor_viii famciclovir famotidine fat_emulsion febuxostat felodipine fenofibrate
fenoldopam ferric_gluconate ferrous_gluconate ferrous_sulfate fexofenadine fidaxomicin
filgrastim finasteride fish_oil flecainide fludarabine fludrocortisone flumazenil
fluocinonide fluorescein fluorouracil fluticasone folic_acid fomepizole fondaparinux
formoterol fosaprepitant foscarnet fosfomycin fosphenytoin gabapentin galantamine
ganciclovir gemcitabine gentamicin gentian ginkgo glatiramer glucagon glucosamine
glutamine glycerin glycopyrrolate goserelin granisetron guaifenesin guanfacine
hemorrhoidal heparin hepatitis_b_vaccine homatropine hyaluronidase hydralazine
hydrochlorothiazide hydrocortisone hydrophilic_ointment hydroxychloroquine hydroxyurea
hydroxyzine hyoscyamine ibandronate ibrutinib icatibant idarubicin ifosfamide imatinib
imipramine immune_globulin indapamide indigotindisulfonate indocyanine infliximab
influenza_vaccine iodixanol iohexol iopamidol ioversol ipilimumab ipratropium irinotecan
iron_dextran iron_sucrose isavuconazonium isoniazid isoproterenol isradipine ivabradine
ivermectin ketamine lacosamide lactase lactobacillus lactulose lamivudine lamotrigine
lanolin lansoprazole lanthanum latanoprost leflunomide lenalidomide letrozole leucovorin
leuprolide levalbuterol levetiracetam levocarnitine levocetirizine levodopa
levothyroxine lidocaine linaclotide linagliptin liothyronine liraglutide
lisdexamfetamine loperamide loratadine magnesium_chloride magnesium_citrate
magnesium_hydroxide magnesium_oxide magnesium_sulfate mannitol maraviroc meclizine
medroxyprogesterone megestrol melatonin melphalan memantine menthol mepivacaine
mesalamine mesna metaxalone methimazole methocarbamol methotrexate methylcellulose
methyldopa methylene_blue methylergonovine methylnaltrexone methylphenidate
methylprednisolone methyltestosterone metolazone micafungin miconazole midodrine
miglitol milrinone mineral_oil minocycline minoxidil mirtazapine misoprostol mitomycin
mitoxantrone modafinil mometasone montelukast multivitamin mupirocin mycophenolate
nafcillin naloxone naltrexone nateglinide neomycin neostigmine nesiritide niacin
nicardipine nicotine nifedipine nimodipine nitazoxanide nitric_oxide nitrofurantoin
nitroprusside nivolumab norepinephrine norethindrone nortriptyline nystatin octreotide
oseltamivir ostomy oxacillin oxaliplatin oxandrolone oxcarbazepine oxybutynin
oxymetazoline oxytocin paclitaxel palonosetron pamidronate pancrelipase pancuronium
pantoprazole papaverine paricalcitol pegfilgrastim pembrolizumab penicillin
pentobarbital pentoxifylline peramivir perflutren permethrin petrolatum phenazopyridine
phenelzine phenobarbital phenol phentolamine phenylephrine phenytoin phosphorus
physostigmine phytonadione pilocarpine pimavanserin plerixafor pneumococcal_vaccine
polycarbophil polyethylene_glycol polymyxin potassium_acetate potassium_bicarbonate
potassium_chloride potassium_citrate potassium_iodide potassium_phosphate pramipexole
pramoxine prasugrel pravastatin praziquantel prazosin prednisolone prednisone pregabalin
primaquine primidone probenecid procaine progesterone propafenone proparacaine propofol
propylthiouracil protamine prothrombin_complex pseudoephedrine psyllium pyrazinamide
pyridostigmine pyridoxine pyrimethamine quetiapine quinine rabeprazole racepinephrine
raloxifene raltegravir ramelteon ranitidine ranolazine rasburicase regadenoson
remdesivir ribavirin rifabutin rifampin rifaximin rilpivirine riluzole risedronate
rituximab rivastigmine rocuronium romiplostim ropinirole ropivacaine rosuvastatin
rufinamide ruxolitinib sacubitril salicylic_acid saliva_substitute salmeterol salsalate
saxagliptin scopolamine selegiline selenium semaglutide senna sevelamer
silver_sulfadiazine simethicone sirolimus sitagliptin sodium_acetate sodium_bicarbonate
sodium_chloride_hypertonic sodium_chloride_nasal sodium_citrate sodium_fluoride
sodium_glycerophosphate sodium_phosphate sodium_polystyrene_sulfonate sodium_thiosulfate
sofosbuvir solifenacin sorafenib streptomycin succinylcholine sucralfate sugammadex
sulbactam sulfadiazine sulfasalazine sumatriptan sunitinib tacrolimus tamoxifen
tamsulosin tazobactam tenecteplase tenofovir terazosin terbinafine terbutaline
teriparatide testosterone tetanus tetracaine tetracycline theophylline thiamine
thioguanine thrombin thyroid thyrotropin tiagabine ticagrelor ticarcillin tigecycline
tinzaparin tiotropium tirofiban tizanidine tobramycin tocilizumab tolterodine tolvaptan
topiramate topotecan tranexamic_acid travoprost trazodone treprostinil tretinoin
triamcinolone trihexyphenidyl trimethobenzamide trospium tuberculin ulipristal
umeclidinium urea ursodiol valacyclovir valganciclovir varenicline vasopressin
vecuronium vedolizumab venetoclax vigabatrin vinblastine vincristine vinorelbine
vitamin_a vitamin_b_complex vitamin_e vorinostat witch_hazel zafirlukast zaleplon
zidovudine zinc_oxide zinc_sulfate zoledronic_acid zolmitriptan zolpidem zonisamide
"""

# Other names of ingredients: brands, short forms, other spellings. A + joins two.
ALIASES: dict[str, str] = {
    "abilify": "aripiprazole",
    "accuneb": "albuterol",
    "activase": "alteplase",
    "actos": "pioglitazone",
    "adalat": "nifedipine",
    "adenocard": "adenosine",
    "advair": "fluticasone+salmeterol",
    "advil": "ibuprofen",
    "afrin": "oxymetazoline",
    "aldactone": "spironolactone",
    "alum": "aluminum_hydroxide",
    "ambien": "zolpidem",
    "ambisome": "amphotericin",
    "amicar": "aminocaproic_acid",
    "ancef": "cefazolin",
    "androgel": "testosterone",
    "anusol": "hemorrhoidal",
    "apap": "acetaminophen",
    "acetamin": "acetaminophen",
    "apresoline": "hydralazine",
    "aquaphor": "petrolatum",
    "aranesp": "darbepoetin",
    "aricept": "donepezil",
    "artificial tear": "artificial_tears",
    "asa": "aspirin",
    "ativan": "lorazepam",
    "atrovent": "ipratropium",
    "augmentin": "amoxicillin+clavulanate",
    "avapro": "irbesartan",
    "avelox": "moxifloxacin",
    "azactam": "aztreonam",
    "bactrim": "sulfamethoxazole+trimethoprim",
    "bactroban": "mupirocin",
    "barium": "barium_sulfate",
    "bayer": "aspirin",
    "benadryl": "diphenhydramine",
    "bengay": "menthol",
    "benicar": "olmesartan",
    "biotene": "saliva_substitute",
    "brevibloc": "esmolol",
    "brilinta": "ticagrelor",
    "bumex": "bumetanide",
    "buminate": "albumin",
    "buspar": "buspirone",
    "calan": "verapamil",
    "calcium carb": "calcium_carbonate",
    "cancidas": "caspofungin",
    "cardene": "nicardipine",
    "cardizem": "diltiazem",
    "cardura": "doxazosin",
    "catapres": "clonidine",
    "cathflo": "alteplase",
    "celebrex": "celecoxib",
    "celexa": "citalopram",
    "cellcept": "mycophenolate",
    "cepastat": "phenol",
    "cephulac": "lactulose",
    "cerebyx": "fosphenytoin",
    "chloraseptic": "phenol",
    "chronulac": "lactulose",
    "cipro": "ciprofloxacin",
    "citrucel": "methylcellulose",
    "claritin": "loratadine",
    "clavulanic acid": "clavulanate",
    "cleocin": "clindamycin",
    "cleviprex": "clevidipine",
    "cogentin": "benztropine",
    "colace": "docusate",
    "combivent": "albuterol+ipratropium",
    "compazine": "prochlorperazine",
    "cordarone": "amiodarone",
    "coreg": "carvedilol",
    "corlopam": "fenoldopam",
    "cortef": "hydrocortisone",
    "coumadin": "warfarin",
    "cozaar": "losartan",
    "creon": "pancrelipase",
    "crestor": "rosuvastatin",
    "cubicin": "daptomycin",
    "cyclosporin": "cyclosporine",
    "cymbalta": "duloxetine",
    "ddavp": "desmopressin",
    "decadron": "dexamethasone",
    "definity": "perflutren",
    "deltasone": "prednisone",
    "dexamethasone sod phosphate": "dexamethasone",
    "dexamethasone sodium phosphate": "dexamethasone",
    "demadex": "torsemide",
    "demerol": "meperidine",
    "depakote": "valproate",
    "depacon": "valproate",
    "depakene": "valproate",
    "desyrel": "trazodone",
    "diabeta": "glyburide",
    "diamox": "acetazolamide",
    "diflucan": "fluconazole",
    "digox": "digoxin",
    "dilantin": "phenytoin",
    "dilaudid": "hydromorphone",
    "diovan": "valsartan",
    "diprivan": "propofol",
    "ditropan": "oxybutynin",
    "divalproex": "valproate",
    "duragesic": "fentanyl",
    "dulcolax": "bisacodyl",
    "duoneb": "albuterol+ipratropium",
    "ecotrin": "aspirin",
    "effexor": "venlafaxine",
    "effient": "prasugrel",
    "elavil": "amitriptyline",
    "eliquis": "apixaban",
    "entresto": "sacubitril+valsartan",
    "epogen": "epoetin",
    "esidrix": "hydrochlorothiazide",
    "ethacrynic acid": "ethacrynate",
    "eucerin": "hydrophilic_ointment",
    "exparel": "bupivacaine",
    "fe sulfate": "ferrous_sulfate",
    "feosol": "ferrous_sulfate",
    "flagyl": "metronidazole",
    "fleet enema": "sodium_phosphate",
    "fleets": "sodium_phosphate",
    "flexeril": "cyclobenzaprine",
    "flomax": "tamsulosin",
    "flonase": "fluticasone",
    "florinef": "fludrocortisone",
    "flovent": "fluticasone",
    "folate": "folic_acid",
    "gastrografin": "diatrizoate",
    "gastroview": "diatrizoate",
    "geodon": "ziprasidone",
    "glibenclamide": "glyburide",
    "glucagen": "glucagon",
    "glucophage": "metformin",
    "glucotrol": "glipizide",
    "glutose": "dextrose_concentrated",
    "glycolax": "polyethylene_glycol",
    "golytely": "polyethylene_glycol",
    "haldol": "haloperidol",
    "hctz": "hydrochlorothiazide",
    "hibiclens": "chlorhexidine",
    "humalog": "insulin",
    "humulin": "insulin",
    "hydrocodon": "hydrocodone",
    "hydrocerin": "hydrophilic_ointment",
    "hydrodiuril": "hydrochlorothiazide",
    "hyzaar": "losartan+hydrochlorothiazide",
    "imdur": "isosorbide",
    "imodium": "loperamide",
    "inderal": "propranolol",
    "infuvite": "multivitamin",
    "integrilin": "eptifibatide",
    "intralipid": "fat_emulsion",
    "intropin": "dopamine",
    "invanz": "ertapenem",
    "isordil": "isosorbide",
    "isovue": "iopamidol",
    "januvia": "sitagliptin",
    "k phos": "potassium_phosphate",
    "phos-nak": "potassium_phosphate+sodium_phosphate",
    "k-dur": "potassium_chloride",
    "k-tab": "potassium_chloride",
    "kayciel": "potassium_chloride",
    "kayexalate": "sodium_polystyrene_sulfonate",
    "kcentra": "prothrombin_complex",
    "kcl": "potassium_chloride",
    "keflex": "cephalexin",
    "kenalog": "triamcinolone",
    "keppra": "levetiracetam",
    "ketalar": "ketamine",
    "klonopin": "clonazepam",
    "klor-con": "potassium_chloride",
    "konsyl": "psyllium",
    "lactinex": "lactobacillus",
    "lamictal": "lamotrigine",
    "lanoxin": "digoxin",
    "lantus": "insulin",
    "lasix": "furosemide",
    "levaquin": "levofloxacin",
    "levemir": "insulin",
    "levophed": "norepinephrine",
    "levothroid": "levothyroxine",
    "lexapro": "escitalopram",
    "lexiscan": "regadenoson",
    "librium": "chlordiazepoxide",
    "lidoderm": "lidocaine",
    "lioresal": "baclofen",
    "lipids": "fat_emulsion",
    "lipitor": "atorvastatin",
    "lomotil": "diphenoxylate+atropine",
    "lopid": "gemfibrozil",
    "lopressor": "metoprolol",
    "lortab": "hydrocodone+acetaminophen",
    "losec": "omeprazole",
    "lovenox": "enoxaparin",
    "luvox": "fluvoxamine",
    "lyrica": "pregabalin",
    "maalox": "aluminum_hydroxide+magnesium_hydroxide",
    "macrobid": "nitrofurantoin",
    "magox": "magnesium_oxide",
    "mag-ox": "magnesium_oxide",
    "mag ox": "magnesium_oxide",
    "mag/alum hydroxide": "aluminum_hydroxide+magnesium_hydroxide",
    "magnesium sulf": "magnesium_sulfate",
    "magnesium hydrox": "magnesium_hydroxide",
    "mag hydroxide": "magnesium_hydroxide",
    "mag sulfate": "magnesium_sulfate",
    "maxipime": "cefepime",
    "medrol": "methylprednisolone",
    "merrem": "meropenem",
    "mestinon": "pyridostigmine",
    "metamucil": "psyllium",
    "micronase": "glyburide",
    "milk of magnesia": "magnesium_hydroxide",
    "minipress": "prazosin",
    "miralax": "polyethylene_glycol",
    "mobic": "meloxicam",
    "mom": "magnesium_hydroxide",
    "morphin": "morphine",
    "motrin": "ibuprofen",
    "moviprep": "polyethylene_glycol",
    "ms contin": "morphine",
    "mucinex": "guaifenesin",
    "mucomyst": "acetylcysteine",
    "multi-vitamin": "multivitamin",
    "multivitamins": "multivitamin",
    "mvi": "multivitamin",
    "mylanta": "aluminum_hydroxide+magnesium_hydroxide",
    "narcan": "naloxone",
    "naprosyn": "naproxen",
    "nahco3": "sodium_bicarbonate",
    "sodium bicarb": "sodium_bicarbonate",
    "nasonex": "mometasone",
    "neosporin": "neomycin+polymyxin+bacitracin",
    "neostigimine": "neostigmine",
    "neo-synephrine": "phenylephrine",
    "nephrocaps": "vitamin_b_complex",
    "neupogen": "filgrastim",
    "neurontin": "gabapentin",
    "neutra-phos": "potassium_phosphate+sodium_phosphate",
    "nexium": "esomeprazole",
    "nexterone": "amiodarone",
    "nicoderm": "nicotine",
    "nimbex": "cisatracurium",
    "nipride": "nitroprusside",
    "nitro-bid": "nitroglycerin",
    "nitro-dur": "nitroglycerin",
    "nitrostat": "nitroglycerin",
    "nitroquick": "nitroglycerin",
    "nitro": "nitroglycerin",
    "ntg": "nitroglycerin",
    "norco": "hydrocodone+acetaminophen",
    "normodyne": "labetalol",
    "norvasc": "amlodipine",
    "novolog": "insulin",
    "novolin": "insulin",
    "nubain": "nalbuphine",
    "ofirmev": "acetaminophen",
    "omeprazole-bicarbonate": "omeprazole",
    "omnipaque": "iohexol",
    "optiray": "ioversol",
    "oxy ir": "oxycodone",
    "oxycontin": "oxycodone",
    "pacerone": "amiodarone",
    "paracetamol": "acetaminophen",
    "parenteral nutrition": "amino_acids",
    "paxil": "paroxetine",
    "pepcid": "famotidine",
    "percocet": "oxycodone+acetaminophen",
    "peridex": "chlorhexidine",
    "periogard": "chlorhexidine",
    "pethidine": "meperidine",
    "phenergan": "promethazine",
    "phoslo": "calcium_acetate",
    "pitressin": "vasopressin",
    "plasbumin": "albumin",
    "plavix": "clopidogrel",
    "pnu-immune": "pneumococcal_vaccine",
    "pneumococcal": "pneumococcal_vaccine",
    "pneumovax": "pneumococcal_vaccine",
    "polycitra": "potassium_citrate",
    "potassium acid phosphate": "potassium_phosphate",
    "potassium chl": "potassium_chloride",
    "potassium cl": "potassium_chloride",
    "potassium phos": "potassium_phosphate",
    "pot chloride": "potassium_chloride",
    "pradaxa": "dabigatran",
    "pravachol": "pravastatin",
    "precedex": "dexmedetomidine",
    "prevacid": "lansoprazole",
    "prilosec": "omeprazole",
    "primaxin": "imipenem",
    "prinivil": "lisinopril",
    "procardia": "nifedipine",
    "procrit": "epoetin",
    "prograf": "tacrolimus",
    "proscar": "finasteride",
    "protonix": "pantoprazole",
    "proventil": "albuterol",
    "prozac": "fluoxetine",
    "pulmicort": "budesonide",
    "pyridium": "phenazopyridine",
    "ranexa": "ranolazine",
    "readi-cat": "barium_sulfate",
    "refresh": "artificial_tears",
    "reglan": "metoclopramide",
    "remeron": "mirtazapine",
    "renagel": "sevelamer",
    "renvela": "sevelamer",
    "requip": "ropinirole",
    "restoril": "temazepam",
    "rho d": "immune_globulin",
    "risperdal": "risperidone",
    "ritalin": "methylphenidate",
    "robaxin": "methocarbamol",
    "robinul": "glycopyrrolate",
    "robitussin": "guaifenesin",
    "rocephin": "ceftriaxone",
    "romazicon": "flumazenil",
    "roxicodone": "oxycodone",
    "salbutamol": "albuterol",
    "sandostatin": "octreotide",
    "sarna": "camphor",
    "scopace": "scopolamine",
    "senokot-s": "senna+docusate",
    "senokot": "senna",
    "sennosides": "senna",
    "senna-s": "senna+docusate",
    "septra": "sulfamethoxazole+trimethoprim",
    "seroquel": "quetiapine",
    "simeth": "simethicone",
    "sinemet": "carbidopa+levodopa",
    "singulair": "montelukast",
    "slow-mag": "magnesium_chloride",
    "sod bicarb": "sodium_bicarbonate",
    "sodium polystyrene": "sodium_polystyrene_sulfonate",
    "solu-cortef": "hydrocortisone",
    "solu-medrol": "methylprednisolone",
    "solumedrol": "methylprednisolone",
    "spiriva": "tiotropium",
    "sps": "sodium_polystyrene_sulfonate",
    "sublimaze": "fentanyl",
    "sulfameth": "sulfamethoxazole",
    "symbicort": "budesonide+formoterol",
    "synthroid": "levothyroxine",
    "tamiflu": "oseltamivir",
    "tegretol": "carbamazepine",
    "tenormin": "atenolol",
    "tessalon": "benzonatate",
    "tiazac": "diltiazem",
    "topamax": "topiramate",
    "toprol": "metoprolol",
    "toradol": "ketorolac",
    "tpn": "amino_acids",
    "trandate": "labetalol",
    "transderm-scop": "scopolamine",
    "tricor": "fenofibrate",
    "truvada": "emtricitabine+tenofovir",
    "tucks": "witch_hazel",
    "tylenol": "acetaminophen",
    "tums": "calcium_carbonate",
    "ultram": "tramadol",
    "unasyn": "ampicillin+sulbactam",
    "valium": "diazepam",
    "valproic acid": "valproate",
    "vancocin": "vancomycin",
    "vaseline": "petrolatum",
    "vasotec": "enalapril",
    "venofer": "iron_sucrose",
    "ventolin": "albuterol",
    "versed": "midazolam",
    "vfend": "voriconazole",
    "vicodin": "hydrocodone+acetaminophen",
    "visipaque": "iodixanol",
    "vistaril": "hydroxyzine",
    "vitamin b-1": "thiamine",
    "vitamin b1": "thiamine",
    "vitamin b-12": "cyanocobalamin",
    "vitamin b12": "cyanocobalamin",
    "vitamin c": "ascorbic_acid",
    "vitamin d": "cholecalciferol",
    "vitamin d2": "ergocalciferol",
    "vitamin d3": "cholecalciferol",
    "vitamin k": "phytonadione",
    "vitamins": "multivitamin",
    "wellbutrin": "bupropion",
    "xanax": "alprazolam",
    "xarelto": "rivaroxaban",
    "xopenex": "levalbuterol",
    "xylocaine": "lidocaine",
    "zanaflex": "tizanidine",
    "zantac": "ranitidine",
    "zaroxolyn": "metolazone",
    "zemuron": "rocuronium",
    "zestril": "lisinopril",
    "zetia": "ezetimibe",
    "zithromax": "azithromycin",
    "zocor": "simvastatin",
    "zofran": "ondansetron",
    "zoloft": "sertraline",
    "zosyn": "piperacillin+tazobactam",
    "zovirax": "acyclovir",
    "zyloprim": "allopurinol",
    "zyprexa": "olanzapine",
    "zyvox": "linezolid",
    # Other brands of drugs that are in a class.
    "accupril": "quinapril",
    "actiq": "fentanyl",
    "actoplus met": "pioglitazone+metformin",
    "adcirca": "tadalafil",
    "admelog": "insulin",
    "adrenaline": "epinephrine",
    "aldactazide": "spironolactone+hydrochlorothiazide",
    "aleve": "naproxen",
    "altace": "ramipril",
    "altoprev": "lovastatin",
    "amaryl": "glimepiride",
    "anaprox": "naproxen",
    "apidra": "insulin",
    "aplenzin": "bupropion",
    "arthrotec": "diclofenac+misoprostol",
    "aspart": "insulin",
    "atacand": "candesartan",
    "avandamet": "rosiglitazone+metformin",
    "avandia": "rosiglitazone",
    "avinza": "morphine",
    "azor": "amlodipine+olmesartan",
    "basaglar": "insulin",
    "betapace": "sotalol",
    "biaxin": "clarithromycin",
    "bidil": "isosorbide+hydralazine",
    "butrans": "buprenorphine",
    "bystolic": "nebivolol",
    "caduet": "amlodipine+atorvastatin",
    "caldolor": "ibuprofen",
    "capoten": "captopril",
    "cartia": "diltiazem",
    "cialis": "tadalafil",
    "ciclosporin": "cyclosporine",
    "clinoril": "sulindac",
    "co-trimoxazole": "sulfamethoxazole+trimethoprim",
    "colcrys": "colchicine",
    "combigan": "brimonidine+timolol",
    "contrave": "bupropion+naltrexone",
    "corgard": "nadolol",
    "corvert": "ibutilide",
    "cosopt": "dorzolamide+timolol",
    "cotrimoxazole": "sulfamethoxazole+trimethoprim",
    "daypro": "oxaprozin",
    "degludec": "insulin",
    "detemir": "insulin",
    "dolophine": "methadone",
    "doribax": "doripenem",
    "duetact": "pioglitazone+glimepiride",
    "dyazide": "triamterene+hydrochlorothiazide",
    "edarbi": "azilsartan",
    "eskalith": "lithium",
    "exforge": "amlodipine+valsartan",
    "factive": "gemifloxacin",
    "feldene": "piroxicam",
    "fetzima": "levomilnacipran",
    "floxin": "ofloxacin",
    "fortamet": "metformin",
    "frusemide": "furosemide",
    "gengraf": "cyclosporine",
    "glargine": "insulin",
    "glucovance": "glyburide+metformin",
    "glulisine": "insulin",
    "glumetza": "metformin",
    "glyceryl trinitrate": "nitroglycerin",
    "glynase": "glyburide",
    "imuran": "azathioprine",
    "indocin": "indomethacin",
    "inspra": "eplerenone",
    "invega": "paliperidone",
    "isoptin": "verapamil",
    "jantoven": "warfarin",
    "janumet": "sitagliptin+metformin",
    "jentadueto": "linagliptin+metformin",
    "kadian": "morphine",
    "kaletra": "lopinavir+ritonavir",
    "latuda": "lurasidone",
    "levitra": "vardenafil",
    "lispro": "insulin",
    "lithobid": "lithium",
    "lodine": "etodolac",
    "lotensin": "benazepril",
    "lotrel": "amlodipine+benazepril",
    "mavik": "trandolapril",
    "maxzide": "triamterene+hydrochlorothiazide",
    "metaglip": "glipizide+metformin",
    "mevacor": "lovastatin",
    "micardis": "telmisartan",
    "midamor": "amiloride",
    "mitigare": "colchicine",
    "monopril": "fosinopril",
    "neoral": "cyclosporine",
    "nizoral": "ketoconazole",
    "noradrenaline": "norepinephrine",
    "noroxin": "norfloxacin",
    "norvir": "ritonavir",
    "noxafil": "posaconazole",
    "nucynta": "tapentadol",
    "opana": "oxymorphone",
    "orap": "pimozide",
    "paxlovid": "ritonavir",
    "percodan": "oxycodone+aspirin",
    "prandimet": "repaglinide+metformin",
    "prandin": "repaglinide",
    "prinzide": "lisinopril+hydrochlorothiazide",
    "pristiq": "desvenlafaxine",
    "purinethol": "mercaptopurine",
    "relafen": "nabumetone",
    "revatio": "sildenafil",
    "rifampicin": "rifampin",
    "roxanol": "morphine",
    "sandimmune": "cyclosporine",
    "savaysa": "edoxaban",
    "savella": "milnacipran",
    "smx-tmp": "sulfamethoxazole+trimethoprim",
    "smx/tmp": "sulfamethoxazole+trimethoprim",
    "sporanox": "itraconazole",
    "sprix": "ketorolac",
    "suboxone": "buprenorphine+naloxone",
    "subutex": "buprenorphine",
    "sulfatrim": "sulfamethoxazole+trimethoprim",
    "suxamethonium": "succinylcholine",
    "symbyax": "fluoxetine+olanzapine",
    "synjardy": "empagliflozin+metformin",
    "tarka": "trandolapril+verapamil",
    "tenoretic": "atenolol+chlorthalidone",
    "thorazine": "chlorpromazine",
    "tikosyn": "dofetilide",
    "tmp-smx": "sulfamethoxazole+trimethoprim",
    "tmp/smx": "sulfamethoxazole+trimethoprim",
    "toujeo": "insulin",
    "tresiba": "insulin",
    "tylox": "oxycodone+acetaminophen",
    "ultracet": "tramadol+acetaminophen",
    "vaseretic": "enalapril+hydrochlorothiazide",
    "verelan": "verapamil",
    "viagra": "sildenafil",
    "viibryd": "vilazodone",
    "vimovo": "naproxen+esomeprazole",
    "voltaren": "diclofenac",
    "vytorin": "ezetimibe+simvastatin",
    "xigduo": "dapagliflozin+metformin",
    "zebeta": "bisoprolol",
    "zegerid": "omeprazole",
    "zestoretic": "lisinopril+hydrochlorothiazide",
    "ziac": "bisoprolol+hydrochlorothiazide",
    "zyban": "bupropion",
}
# Strong sugar and salt solutions are drugs; plain ones carry drugs (see _CARRIER).
PATTERNS: dict[str, str] = {
    r"d(?:extrose)?\W{0,2}50\b|d50w?|dextrose.{0,20}\b(?:4|5)0\s?%": (
        "dextrose_concentrated"
    ),
    r"(?:glucose|dextrose).{0,25}(?:gel|chew|liq|tab|bq|oral)": "dextrose_concentrated",
    r"glucose(?!.{0,8}test)": "dextrose_concentrated",
    r"sodium chloride.{0,6}nasal|ocean nasal": "sodium_chloride_nasal",
    r"(?:23\.4|(?<![\d.])3)\s?% sodium chloride|sodium chloride 3%|hypertonic": (
        "sodium_chloride_hypertonic"
    ),
    r"potassium (?:&|and) sodium phosphates?": "potassium_phosphate",
    r"influenza (?:virus )?vacc?(?:ine)?|fluzone": "influenza_vaccine",
    r"hepatitis b vaccine": "hepatitis_b_vaccine",
    r"insulin\w*": "insulin",
}
# What is no drug by itself: packing, water, plain fluids that carry something else. A
# name is a supply only if nothing but these and words of form and amount is in it, so
# that an unknown drug "in 100 mL NS" stays unknown.
_CARRIER = re.compile(
    r"(?<![a-z])(?:sodium chlor(?:ide)?|sodium chl|sodium cl|nacl|saline|nss?|sw|soln?|"
    r"dext(?:rose)?|d\s?5(?:w|ns|lr)?|d10w?|d5 ?1/[24]ns|lr|"
    r"lactated? ringer'?s?|ringer'?s|ringers|lactated|water|plasma-?\s?lyte(?:-?\w)?|"
    r"normosol|isotonic|iso-osmotic|bag|vial|syringe|cassette|flush\w*|solution|"
    r"mini bag|prismasate|prismasol|citrate dextrose)(?![a-z])"
)
_FORM_WORDS = """
acd adde adv bacteriostatic base blue bolus cadd change chemo choose click cont crrt
each excel flex for half in infusion inj injection iv lock lok lvp mbp mini ml
normal of orthopedic pb peripheral pf plus prefill rinse solp sso sterile syrg to
viaflo yellow
"""
_FORM = frozenset(_FORM_WORDS.split())
# A form that acts where it is put, or that only keeps a catheter open. Its ingredients
# are known, but no rule of a class holds for it.
_LOCAL = re.compile(
    r"(?<![a-z])(?:ophth\w*|eye|otic|ear|cream|crm|oint\w*|lotion|jelly|topical|top|"
    r"shampoo|nasal|nares|mouthwash|mouth\W{0,2}(?:rinse|throat)|dry mouth|rinse|"
    r"vag\w*|enema|flush|lock|dwell|priming|lozenge|dental|irrigation|crrt|"
    r"catheter clearance|hemodialysis)(?![a-z])|"
    r"vancomycin oral|vancomycin.{0,12}\bpo\b"
)
# What is sprayed into the nose or sucked can act in the whole body (ketorolac does),
# and a drug that is given at a haemodialysis does. For what is in no class it does not
# matter.
_ABSORBED = re.compile(r"(?<![a-z])(?:nasal|nares|lozenge|hemodialysis|crrt)(?![a-z])")
# These act in the whole body from any form: nitroglycerin ointment, eye drops with a
# beta-blocker, a lozenge with fentanyl.
_SYSTEMIC_ANYWAY = frozenset(
    {
        "nitroglycerin",
        "timolol",
        "betaxolol",
        *CLASSES["opioid"].split(),
        *CLASSES["benzodiazepine"].split(),
    }
)


@dataclass(frozen=True)
class Recognised:
    """What a name was read as.

    Attributes
    ----------
    name : str
        As it was given.
    ingredients : tuple of str
        Generic names, in alphabetical order, each once.
    classes : frozenset of str
        Keys of `CLASSES`; none for a local form.
    status : {"classed", "known", "supply", "unmatched"}
        ``"classed"``: in a class that rules name. ``"known"``: a drug that no rule
        speaks of. ``"supply"``: no drug, such as a bag or plain saline.
        ``"unmatched"``: the lists do not have it, so nothing is known about it.
    local : bool
        A cream, eye drops, a catheter lock: acts where it is put.
    acting : tuple of str
        The ingredients to which rules of classes apply: of a local form those alone
        that act in the whole body all the same.
    """

    name: str
    ingredients: tuple[str, ...]
    classes: frozenset[str]
    status: Status
    local: bool = False
    acting: tuple[str, ...] = ()


@dataclass(frozen=True)
class Coverage:
    """How much of a list of names is recognised.

    Attributes
    ----------
    rows : dict of str to int
        Names, as often as they occur, by status.
    names : dict of str to int
        Different names by status.
    unmatched : Series of int
        The unmatched names with their counts, the most frequent first.
    """

    rows: dict[str, int]
    names: dict[str, int]
    unmatched: pd.Series

    @property
    def unmatched_share(self) -> float:
        """The share of all rows that is unmatched."""
        return self.rows["unmatched"] / max(sum(self.rows.values()), 1)


@dataclass(frozen=True)
class Rule:
    """One rule of the table.

    Attributes
    ----------
    id : str
        Its name.
    kind : {"interaction", "contraindication"}
        Between two classes, or of a class in a condition.
    first : str
        A class.
    second : str
        A class, or a condition of `CONDITIONS`.
    severity : {"contraindicated", "avoid", "monitor"}
        How the source speaks: must not be given, is to be avoided, is given with care.
        A source that only counted harm makes it ``"monitor"``.
    reason : str
        In one sentence.
    source : str
        Authors, title, year and DOI, or the regulator's communication.
    """

    id: str
    kind: str
    first: str
    second: str
    severity: str
    reason: str
    source: str


@dataclass(frozen=True)
class Condition:
    """A condition that rules name.

    Attributes
    ----------
    icd9, icd10 : str
        Regular expressions for the begin of a code without its dot.
    text : str
        A regular expression for the text of an eICU admission diagnosis.
    """

    icd9: str
    icd10: str
    text: str


CONDITIONS: dict[str, Condition] = {
    # 585 alone was chronic renal failure until 585.1 to 585.9 came in October 2005. A
    # set that cuts codes to three digits has milder stages under it too.
    "severe_renal_failure": Condition(
        r"583[67]|584|585$|585[456]|586|V451|V56|403[019]1|404[019][23]",
        r"N17|N18[456]|N19|Z49|Z992|Z9115|I120|I1311|I132",
        r"renal failure|renal \(kidney\) failure|dialysis",
    ),
    "kidney_disease": Condition(
        r"583[67]|58[456]|403|404|V451|V56",
        r"N1[789]|I12|I13|Z49|Z992|Z9115|E(?:0[89]|1[013])22",
        r"renal failure|renal insufficiency|renal \(kidney\) failure|dialysis",
    ),
    "heart_failure": Condition(
        r"428|39891|402[019]1|404[019][13]",
        r"I50|I110|I13[02]|I0981|I9713",
        r"heart failure|\bchf\b|cardiogenic shock",
    ),
    # Ulcers, gastritis, diverticula, varices, … count if the code says that they bleed.
    "gastrointestinal_bleeding": Condition(
        r"578|53[1-4][0246]|53021|5307|53082|535[0-7]1|5378[34]|562[01][23]|5693|"
        r"5698[56]|4560|45620",
        r"K92[012]|K2[5-8][0246]|K20[89]1|K2101|K2211|K226|K29\d1|K31811|K3182|"
        r"K5[01]\d11|K5521|K57\d[13]|K625|I85[01]1",
        r"bleeding[,-] ?(?:other |upper |lower )?gi\b",
    ),
    "asthma": Condition(r"493", r"J45", r"asthma"),
    "hyperkalaemia": Condition(r"2767", r"E875", r"hyperkal"),
    # 276.2 and E87.2 do not tell a metabolic acidosis from one of the breath.
    "metabolic_acidosis": Condition(
        r"2762|2491|2501",
        r"E872|E(?:0[89]|1[0-4])1",
        r"ketoacidosis|metabolic acid",
    ),
    # A seizure without the name of a disease counts; one of fever does not.
    "seizure_disorder": Condition(
        r"345|7803(?![12])", r"G40|R56[19]", r"seizure|epilep"
    ),
    "parkinsons_disease": Condition(r"3320|332$", r"G20", r"parkinson"),
    "myasthenia_gravis": Condition(r"3580", r"G700", r"myasthenia"),
}
# Some sets drop the zeros that an ICD-9 code begins with, so 8 is 008.
_ICD9 = re.compile(r"\d{1,5}|V\d{2,4}|E\d{3,4}")
_ICD10 = re.compile(r"[A-Z]\d[0-9A-Z]{1,5}")


def _written(name: str) -> str:
    """Return a pattern for an ingredient's name; a space may be a hyphen."""
    words = re.split(r"[ _-]+", name)
    return r"[\s_-]+".join(re.escape(word) for word in words)


@cache
def _tables() -> tuple[
    re.Pattern, dict[str, tuple[str, ...]], dict[str, frozenset[str]]
]:
    """Return the pattern of all names, what each means, and classes by ingredient."""
    members: dict[str, set[str]] = {}
    for name, listed in CLASSES.items():
        for ingredient in listed.split():
            members.setdefault(ingredient, set()).add(name)
    meaning = {name: (name,) for name in (*members, *UNCLASSED.split())}
    meaning |= {name: tuple(to.split("+")) for name, to in ALIASES.items()}
    meaning = {re.sub(r"[_-]", " ", name): to for name, to in meaning.items()}
    # The longest name first, so that a part of a name never wins over the whole.
    ordered = sorted(meaning, key=lambda name: (-len(name), name))
    pattern = re.compile(
        rf"(?<![a-z])(?:{'|'.join(_written(name) for name in ordered)})(?![a-z])"
    )
    classes = {name: frozenset(of) for name, of in members.items()}
    return pattern, meaning, classes


# Vitamin D, 50,000 units, is no strong sugar solution.
_PATTERNS = {
    re.compile(rf"(?<![a-z])(?<!vitamin[ -])(?<!vit[ -])(?:{pattern})"): ingredient
    for pattern, ingredient in PATTERNS.items()
}


@cache
def recognise(name: str) -> Recognised:
    """Return what a drug's name means.

    All known ingredients of a name are found, and a part of it that is not known is
    passed over: ``amlodipine-novelmab`` is read as amlodipine. A name of which no part
    is known is unmatched.

    Parameters
    ----------
    name : str
        As a hospital writes it, or an item's code that holds the name.

    Raises
    ------
    ValueError
        If the name is not text.
    """
    if not isinstance(name, str):
        raise ValueError(f"name is {name!r}; a drug's name as text is needed")
    text = name.lower()
    pattern, meaning, classes_by_ingredient = _tables()
    found: set[str] = set()
    for special, ingredient in _PATTERNS.items():
        text, count = special.subn(" ", text)
        if count:
            found.add(ingredient)
    for match in pattern.finditer(text):
        found.update(meaning[re.sub(r"[\s_-]+", " ", match[0])])
    local = bool(_LOCAL.search(name.lower()))
    acting = found
    if local:
        absorbed = bool(_ABSORBED.search(name.lower()))
        acting = found & (
            classes_by_ingredient.keys() if absorbed else _SYSTEMIC_ANYWAY
        )
    classes = frozenset(
        of for each in acting for of in classes_by_ingredient.get(each, ())
    )
    if found:
        status: Status = "classed" if classes else "known"
    else:
        status = "supply" if _is_supply(text) else "unmatched"
    return Recognised(
        name,
        tuple(sorted(found)),
        classes,
        status,
        local and bool(found),
        tuple(sorted(acting)),
    )


def _is_supply(text: str) -> bool:
    """Return whether words of packing, plain fluids, form and amount are all there is.

    Words of one and two letters are units and abbreviations, and say nothing.
    """
    rest, carriers = _CARRIER.subn(" ", text)
    words = set(re.findall(r"[a-z]{3,}", rest)) - _FORM
    return not words and (carriers > 0 or bool(set(re.findall("[a-z]+", text)) & _FORM))


def classes_of(name: str) -> frozenset[str]:
    """Return the classes of a drug's name: none if no rule speaks of it, or unmatched.

    `recognise` tells these two apart.
    """
    return recognise(name).classes


def classes_of_ingredient(ingredient: str) -> frozenset[str]:
    """Return the classes of a generic name as `recognise` gives it."""
    return _tables()[2].get(ingredient, frozenset())


def acting(name: str) -> tuple[str, ...]:
    """Return the ingredients of a name to which rules apply; see `Recognised`."""
    return recognise(name).acting


def coverage(names: Iterable[str]) -> Coverage:
    """Return how many of the names are recognised; a missing name is left out.

    Parameters
    ----------
    names : iterable of str
        One a prescription.

    Raises
    ------
    ValueError
        If there is no name, or one is given that is not in a list.
    """
    counts = Counter(name for name in _several("names", names) if not pd.isna(name))
    if not counts:
        raise ValueError("names is empty; give the names of prescribed drugs")
    statuses = ("classed", "known", "supply", "unmatched")
    rows, different = dict.fromkeys(statuses, 0), dict.fromkeys(statuses, 0)
    unmatched = {}
    for name, count in counts.items():
        status = recognise(name).status
        rows[status] += count
        different[status] += 1
        if status == "unmatched":
            unmatched[name] = count
    listed = pd.Series(unmatched, dtype="int64", name="rows")
    return Coverage(rows, different, listed.sort_values(ascending=False, kind="stable"))


def conditions_of(codes: Iterable[str], version: int) -> frozenset[str]:
    """Return the conditions of `CONDITIONS` that diagnosis codes stand for.

    A code is matched by its begin; dots do not matter. A missing code is left out. Most
    diagnoses are no condition that a rule names, so an empty answer is common.

    Parameters
    ----------
    codes : iterable of str
        For example ``"428.0"``, ``"4280"`` or ``"I50.9"``.
    version : {9, 10}
        ICD-9-CM or ICD-10-CM; the same code can mean two things.

    Raises
    ------
    ValueError
        If the version is neither, a code has not the shape of one, or one code is given
        as text and not in a list.
    """
    if version not in (9, 10):
        raise ValueError(
            f"version is {version!r}; it is 9 (ICD-9-CM) or 10 (ICD-10-CM)"
        )
    shape = _ICD9 if version == 9 else _ICD10
    found = set()
    for code in _several("codes", codes):
        if pd.isna(code):
            continue
        plain = str(code).strip().upper().replace(".", "")
        if not shape.fullmatch(plain):
            raise ValueError(
                f"codes holds '{code}', which is not an ICD-{version}-CM code; was the "
                "version confused?"
            )
        for name, condition in CONDITIONS.items():
            pattern = condition.icd9 if version == 9 else condition.icd10
            if re.match(pattern, plain):
                found.add(name)
    return frozenset(found)


def conditions_of_text(texts: Iterable[str]) -> frozenset[str]:
    """Return the conditions that admission diagnoses of eICU name in words.

    Parameters
    ----------
    texts : iterable of str
        For example ``"CHF, congestive heart failure"``, or its whole path.

    Raises
    ------
    ValueError
        If one text is given, not in a list.
    """
    found = set()
    for text in _several("texts", texts):
        if pd.isna(text):
            continue
        for name, condition in CONDITIONS.items():
            if re.search(condition.text, str(text).lower()):
                found.add(name)
    return frozenset(found)


def _several(name: str, given: Iterable[str]) -> Iterable[str]:
    """Refuse one text, of which every letter would be read as an entry."""
    if isinstance(given, str):
        raise ValueError(f"{name} is the text '{given}'; give a list, ['{given}']")
    return given


@cache
def rules() -> tuple[Rule, ...]:
    """Return the rules of ``drug_rules.csv``.

    Raises
    ------
    ValueError
        As in `read_rules`.
    """
    return read_rules(RULES)


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Return the rules of a file of the same form.

    Parameters
    ----------
    path : Path
        A CSV table with the columns of `Rule`.

    Raises
    ------
    ValueError
        If a rule is there twice, lacks a part, or names a class, a condition, a kind or
        a severity that does not exist.
    """
    with path.open(encoding="utf-8", newline="") as file:
        read = [Rule(**row) for row in csv.DictReader(file)]
    check_rules(read)
    return tuple(read)


def check_rules(given: Iterable[Rule]) -> None:
    """Refuse rules that could never fire, or that say nothing; see `read_rules`."""
    seen = set()
    for rule in given:
        seconds = CLASSES if rule.kind == INTERACTION else CONDITIONS
        problems = (
            (rule.id in seen, "is there twice"),
            (
                rule.kind not in (INTERACTION, CONTRAINDICATION),
                f"has the kind '{rule.kind}'",
            ),
            (rule.first not in CLASSES, f"names the class '{rule.first}'"),
            (rule.second not in seconds, f"names '{rule.second}' as its second"),
            (rule.severity not in SEVERITIES, f"has the severity '{rule.severity}'"),
            (not (rule.reason and rule.source), "lacks a reason or a source"),
        )
        for wrong, what in problems:
            if wrong:
                raise ValueError(
                    f"rule '{rule.id}' {what}; classes and conditions are those of "
                    "medlib.data.drug_classes, each id is used once"
                )
        seen.add(rule.id)
