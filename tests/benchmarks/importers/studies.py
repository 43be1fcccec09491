"""Files as Optuna writes them: a journal and a database of the same two studies."""

import json
import sqlite3
from contextlib import closing

LOG = {"name": "FloatDistribution", "attributes": {"low": 1e-5, "high": 0.1, "log": True}}
WHOLE = {"name": "IntDistribution", "attributes": {"low": 2, "high": 9, "step": 1}}
OLD = {"name": "DiscreteUniformDistribution", "attributes": {"low": 0, "high": 1, "q": 0.5}}


def choices(*values):
    return {"name": "CategoricalDistribution", "attributes": {"choices": [*values]}}


START = "2024-05-01T10:00:00"
# State, parameters as (name, stored number, distribution), values, end, attribute.
FIRST = [
    ("COMPLETE", [("lr", 0.01, LOG), ("depth", 3.0, WHOLE), ("opt", 1, choices("sgd", None))],
     [0.5], "2024-05-01T10:01:30", "=cmd"),
    ("COMPLETE", [("lr", 0.001, LOG), ("depth", 4.0, WHOLE), ("opt", 0, choices("sgd", None)),
                  ("nesterov", 1, choices(True, False)), ("layers", 0.5, OLD)],
     [0.25], "2024-05-01T10:00:10", "x\x1b[1m"),
    ("PRUNED", [("lr", 0.1, LOG)], [9.0], "2024-05-01T10:00:01", None),
    ("FAIL", [("lr", 0.05, LOG)], None, "2024-05-01T10:00:01", None),
    ("RUNNING", [("lr", 0.02, LOG)], None, None, None),
    ("WAITING", [], None, None, None),
    ("COMPLETE", [("lr", 0.03, LOG)], [float("inf")], "2024-05-01T10:00:02", None),
]  # fmt: skip
SECOND = [
    ("COMPLETE", [("x", float(number), LOG)], [number, -number], "2024-05-01T10:00:01", None)
    for number in range(3)
]
STUDIES = {"first": ([1], FIRST), "second": ([2, 1], SECOND)}
DIRECTIONS = {1: "MINIMIZE", 2: "MAXIMIZE"}
STATES = ("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING")


def journal_entries(studies=("first", "second")):
    """The entries of a journal; the trials of two workers alternate."""
    worker = {"worker_id": "w-1"}
    entries, waiting = [], []
    entries += [
        {"op_code": 0, **worker, "study_name": name, "directions": STUDIES[name][0]}
        for name in studies
    ]
    trial = 0
    for number, name in enumerate(studies):
        for state, parameters, values, end, note in STUDIES[name][1]:
            made = {"op_code": 4, **worker, "study_id": number, "datetime_start": START}
            if state == "WAITING":
                made |= {"state": 4, "datetime_start": None, "params": {}, "distributions": {}}
            entries.append(made)
            of = {**worker, "trial_id": trial}
            for key, stored, kind in parameters:
                entries.append(
                    {"op_code": 5, **of, "param_name": key, "param_value_internal": stored,
                     "distribution": json.dumps(kind)}
                )  # fmt: skip
            entries.append({"op_code": 7, **of, "step": 0, "intermediate_value": 1.0})
            entries.append({"op_code": 9, **of, "system_attr": {"fixed_params": {"lr": 1}}})
            if note is not None:
                entries.append({"op_code": 8, **of, "user_attr": {"note": note}})
            if end is not None:
                waiting.append(
                    {"op_code": 6, **of, "state": STATES.index(state), "values": values,
                     "datetime_complete": end}
                )  # fmt: skip
            # The next trial is made before this one ends.
            if len(waiting) > 1:
                entries.append(waiting.pop(0))
            trial += 1
    entries += waiting
    # What comes after the end of a trial counts for nothing.
    entries.append({"op_code": 6, **worker, "trial_id": 0, "state": 3, "values": None})
    return entries


def write_journal(path, studies=("first", "second")):
    lines = [json.dumps(entry, separators=(",", ":")) for entry in journal_entries(studies)]
    path.write_text("\n".join(lines) + "\n")
    return path


TABLES = """
CREATE TABLE studies (study_id INTEGER PRIMARY KEY, study_name VARCHAR(512) NOT NULL);
CREATE TABLE study_directions (study_direction_id INTEGER PRIMARY KEY, direction VARCHAR(8),
    study_id INTEGER, objective INTEGER);
CREATE TABLE study_system_attributes (study_system_attribute_id INTEGER PRIMARY KEY,
    study_id INTEGER, "key" VARCHAR(512), value_json TEXT);
CREATE TABLE trials (trial_id INTEGER PRIMARY KEY, number INTEGER, study_id INTEGER,
    state VARCHAR(8), datetime_start DATETIME, datetime_complete DATETIME);
CREATE TABLE trial_params (param_id INTEGER PRIMARY KEY, trial_id INTEGER, param_name VARCHAR(512),
    param_value FLOAT, distribution_json TEXT);
CREATE TABLE trial_values (trial_value_id INTEGER PRIMARY KEY, trial_id INTEGER,
    objective INTEGER, value FLOAT, value_type VARCHAR(7));
CREATE TABLE trial_user_attributes (trial_user_attribute_id INTEGER PRIMARY KEY,
    trial_id INTEGER, "key" VARCHAR(512), value_json TEXT);
"""


def write_database(path, studies=("first", "second"), after=""):
    with closing(sqlite3.connect(path)) as database:
        database.executescript(TABLES)
        trial = 0
        for number, name in enumerate(studies, start=1):
            directions, trials = STUDIES[name]
            put(database, "studies", number, name)
            for objective, direction in enumerate(directions):
                put(database, "study_directions", None, DIRECTIONS[direction], number, objective)
            for place, (state, parameters, values, end, note) in enumerate(trials):
                trial += 1
                start = None if state == "WAITING" else START.replace("T", " ")
                ended = end and end.replace("T", " ")
                put(database, "trials", trial, place, number, state, start, ended)
                for key, stored, kind in parameters:
                    put(database, "trial_params", None, trial, key, stored, json.dumps(kind))
                for objective, value in enumerate(values or []):
                    kind = "INF_POS" if value == float("inf") else "FINITE"
                    stored = None if kind == "INF_POS" else value
                    put(database, "trial_values", None, trial, objective, stored, kind)
                if note is not None:
                    put(database, "trial_user_attributes", None, trial, "note", json.dumps(note))
        database.executescript(after)
        database.commit()
    return path


def put(database, table, *row):
    marks = ", ".join("?" * len(row))
    database.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - our own words
