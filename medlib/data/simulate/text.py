"""Practice dialogues from a small grammar.

For each of the 20 sections there are questions of the doctor and answers of the
patient, with slots that are filled at random. A dialogue belongs to the section from
which its turns come; now and then a turn strays in from another section, and small
talk opens or closes it. So the label is known, and no single word settles it always.
Nothing here was said by a patient.
"""

from __future__ import annotations

import re

import numpy as np

# Dialogues of each section in the official files, in the order of `TURNS`.
COUNTS: dict[str, tuple[int, ...]] = {
    "train": (
        351,
        282,
        118,
        77,
        63,
        60,
        60,
        54,
        34,
        23,
        19,
        15,
        11,
        8,
        8,
        6,
        5,
        3,
        2,
        2,
    ),
    "val": (22, 20, 4, 4, 8, 4, 11, 7, 4, 1, 1, 2, 3, 3, 1, 1, 1, 1, 1, 1),
    "test1": (45, 53, 14, 11, 7, 12, 17, 10, 11, 5, 1, 1, 1, 4, 1, 1, 1, 1, 3, 1),
    "test2": (47, 37, 32, 13, 8, 8, 10, 9, 10, 5, 2, 4, 7, 1, 1, 2, 1, 1, 1, 1),
}
STRAY = 0.15  # share of turns that come from another section
SLOTS: dict[str, tuple[str, ...]] = {
    "relative": ("mother", "father", "sister", "brother", "grandmother", "uncle"),
    "illness": ("diabetes", "asthma", "heart disease", "high blood pressure", "gout"),
    "drug": ("metformin", "lisinopril", "aspirin", "insulin", "ibuprofen", "statins"),
    "symptom": ("chest pain", "a cough", "headaches", "dizziness", "nausea", "fever"),
    "part": ("knee", "back", "shoulder", "stomach", "left foot", "neck"),
    "operation": ("tonsils", "appendix", "gallbladder", "hip", "hernia", "cataract"),
    "time": ("two days ago", "last week", "a month ago", "this morning", "in March"),
    "job": ("teacher", "nurse", "driver", "farmer", "clerk", "cook"),
    "number": ("two", "three", "five", "ten", "twenty", "forty"),
    "vaccine": ("flu shot", "tetanus shot", "measles vaccine", "pneumonia vaccine"),
    "picture": ("X-ray", "CT scan", "MRI", "ultrasound"),
    "value": ("sugar", "potassium", "white count", "cholesterol"),
}
TURNS: dict[str, tuple[tuple[str, str], ...]] = {
    "FAM/SOCHX": (
        ("Does anyone in your family have {illness}?", "Yes, my {relative} does."),
        ("Do you smoke or drink?", "I smoked for {number} years, no alcohol."),
        ("What do you do for work?", "I am a {job}, and I live with my {relative}."),
    ),
    "GENHX": (
        ("When did the {symptom} start?", "It started {time} and got worse."),
        ("How would you describe it?", "It comes and goes, mostly in my {part}."),
        ("How old are you?", "I am {number} years old and never had this before."),
        ("Does anything make it better?", "Rest helps, but it woke me at night."),
    ),
    "PASTMEDICALHX": (
        ("Any medical conditions in the past?", "I was diagnosed with {illness}."),
        ("Have you been in hospital before?", "Yes, for {illness} {time}."),
    ),
    "CC": (
        ("What brings you in today?", "I have {symptom}."),
        ("What is the main problem?", "My {part} hurts."),
    ),
    "PASTSURGICAL": (
        ("Have you had any surgeries?", "They took out my {operation}."),
        ("When was the operation on your {operation}?", "That surgery was {time}."),
    ),
    "ALLERGY": (
        ("Are you allergic to anything?", "Yes, {drug} gives me a rash."),
        ("Any allergies to medicine?", "No known allergies."),
    ),
    "ROS": (
        ("Any {symptom}?", "No."),
        ("Have you noticed any {symptom} or weight loss?", "No, none of that."),
        ("Any trouble with your vision or hearing?", "No, those are fine."),
    ),
    "MEDICATIONS": (
        ("What medicines do you take?", "I take {drug} and {drug} every day."),
        ("What is the dose of your {drug}?", "One tablet, {number} milligrams."),
    ),
    "ASSESSMENT": (
        ("I think this is {illness}, and it is under control.", "That is good."),
        ("Your {illness} is stable, your {part} needs time.", "I understand."),
    ),
    "EXAM": (
        ("Let me listen to your heart and lungs.", "Okay."),
        ("I will press on your {part}. Is it tender?", "A little."),
    ),
    "DIAGNOSIS": (
        ("So the diagnosis is {illness}.", "I was afraid of that."),
        ("The tests confirm {illness}.", "Is it serious?"),
    ),
    "DISPOSITION": (
        ("You can go home today, in stable condition.", "Great."),
        ("You will be discharged to your {relative}.", "Thank you."),
    ),
    "PLAN": (
        ("We will start {drug} and see you in {number} weeks.", "Sounds good."),
        ("I will refer you to physical therapy for your {part}.", "Fine with me."),
    ),
    "EDCOURSE": (
        ("In the emergency room we gave you {drug}.", "I felt better after that."),
        ("You were watched in the emergency department overnight.", "Yes."),
    ),
    "IMMUNIZATIONS": (
        ("Are your vaccinations up to date?", "I had my {vaccine} {time}."),
        ("Did you get the {vaccine}?", "Yes, all shots are up to date."),
    ),
    "IMAGING": (
        ("The {picture} of your {part} looks normal.", "What a relief."),
        ("We saw no fracture on the {picture}.", "Good."),
    ),
    "GYNHX": (
        ("When was your last period?", "It was {time}, they are regular."),
        ("How many pregnancies have you had?", "{number}, with {number} children."),
    ),
    "PROCEDURES": (
        ("We did a biopsy of your {part}.", "How did it go?"),
        ("The catheter was placed {time}.", "I remember the procedure."),
    ),
    "OTHER_HISTORY": (
        ("Did you travel lately?", "I was abroad {time}."),
        ("Anything else in your history?", "I was exposed to dust at work."),
    ),
    "LABS": (
        ("Your {value} came back high.", "What does the blood test mean?"),
        ("The lab results show a normal {value}.", "Good."),
    ),
}
SLOT = re.compile(r"{(\w+)}")
OPENINGS = (("Hello, how are you?", "Fine, thanks."), ("Good morning.", "Hi, doctor."))


def make(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw practice dialogues, as many of each section as in the official files.

    Returns
    -------
    dict of str to ndarray of object
        ``{split}_dialogue`` and ``{split}_header`` for the splits train, val, test1
        and test2, shape (n,) each.
    """
    made: dict[str, np.ndarray] = {}
    for split, counts in COUNTS.items():
        headers = rng.permutation(np.repeat(np.array(list(TURNS), object), counts))
        made[f"{split}_header"] = headers
        texts = [_dialogue(rng, header) for header in headers]
        made[f"{split}_dialogue"] = np.array(texts, object)
    return made


def _dialogue(rng: np.random.Generator, header: str) -> str:
    """Draw the turns of one dialogue and fill their slots."""
    turns = []
    if rng.random() < 0.3:
        turns.append(OPENINGS[rng.integers(len(OPENINGS))])
    most = 9 if header == "GENHX" else 4
    for _ in range(rng.integers(1, most + 1)):
        # The first turn is always of the section itself.
        astray = len(turns) > 1 and rng.random() < STRAY
        pool = TURNS[rng.choice(list(TURNS)) if astray else header]
        turns.append(pool[rng.integers(len(pool))])

    def fill(match: re.Match[str]) -> str:
        values = SLOTS[match[1]]
        return values[rng.integers(len(values))]

    lines = [
        f"{speaker}: {SLOT.sub(fill, said)}"
        for turn in turns
        for speaker, said in zip(("Doctor", "Patient"), turn, strict=True)
    ]
    return "\n".join(lines)
