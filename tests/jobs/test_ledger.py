"""The account of a job, computed from counts: every sum by hand."""

from bonito_local.jobs.ledger import Count, ledger

COUNTS = [
    ("ynqa", "accepted", "", 5),
    ("ynqa", "rejected", "asks nothing", 2),
    ("exqa", "accepted", "", 3),
    ("exqa", "rejected", "not in the passage", 4),
    ("exqa", "failed", "asks nothing", 1),
    ("exqa", "rejected", "asks nothing", 1),
    ("exqa", "pending", "", 7),
]


def test_totals_over_all_tasks_and_of_one() -> None:
    made = ledger(COUNTS)
    assert (made.planned, made.accepted, made.pending) == (23, 8, 7)
    assert made.total("rejected") == 7
    assert made.total("rejected", "exqa") == 5
    assert made.total("rejected", "qa") == made.total("duplicate") == 0
    assert made.tasks() == ["ynqa", "exqa"]  # as they were counted, each once


def test_reasons_are_summed_over_tasks_by_outcome_most_frequent_first() -> None:
    assert ledger(COUNTS).reasons() == [
        Count("", "rejected", "not in the passage", 4),
        Count("", "rejected", "asks nothing", 3),
        Count("", "failed", "asks nothing", 1),
    ]


def test_as_plain_data() -> None:
    none = {"unparseable": 0, "duplicate": 0}
    assert ledger(COUNTS).as_json() == {
        "planned": 23,
        "outcomes": {"accepted": 8, "rejected": 7, "failed": 1, "pending": 7, **none},
        "tasks": {
            "ynqa": {"accepted": 5, "rejected": 2, "failed": 0, "pending": 0, **none},
            "exqa": {"accepted": 3, "rejected": 5, "failed": 1, "pending": 7, **none},
        },
        "reasons": [
            {"outcome": "rejected", "reason": "not in the passage", "samples": 4},
            {"outcome": "rejected", "reason": "asks nothing", "samples": 3},
            {"outcome": "failed", "reason": "asks nothing", "samples": 1},
        ],
    }


def test_a_job_without_samples() -> None:
    made = ledger([])
    assert (made.planned, made.tasks(), made.reasons()) == (0, [], [])
