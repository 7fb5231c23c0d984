"""How a program ended is said in words, and its gap never looks smaller than it is."""

import dataclasses

import pytest

from tests import ledgers
from tuner.qpm.program_info import ProgramInfo
from tuner.report import proof

PROGRAMS = [ProgramInfo.from_json(program) for program in ledgers.PROGRAMS]


def test_the_clock_is_named():
    assert [proof.sentence(p) for p in PROGRAMS] == [
        "proven optimal",
        "within the gap asked for, gap 0.4 %",
        "stopped by the clock, gap 1.3 %",
    ]
    interrupted = dataclasses.replace(PROGRAMS[2], status="interrupted")
    assert proof.sentence(interrupted) == "stopped by the clock, gap 1.3 %"
    assert [proof.by_the_clock(p) for p in (*PROGRAMS, interrupted, None)] == [False, False, True, True, False]


def test_what_is_unknown_is_blank():
    for unknown in (None, ProgramInfo()):
        assert [proof.sentence(unknown), proof.gap(unknown), proof.short(unknown)] == [""] * 3
        assert proof.figure(unknown, "bound") == ""
    assert proof.sentence(ProgramInfo(status="deadline")) == "stopped by the clock, no gap proven"
    assert proof.sentence(ProgramInfo(status="deadline", gap=float("inf"))) == "stopped by the clock, no gap proven"
    assert proof.sentence(ProgramInfo(status="effort", gap=0.5)) == "stopped by its limit of effort, gap 50 %"
    assert proof.sentence(ProgramInfo(status="new", gap=0.5)) == "new, gap 50 %"


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (0.0, "0"),
        (1e-16, "0"),
        (1e-8, "<0.001"),
        (0.00012, "0.012"),
        (0.004, "0.4"),
        (0.0126, "1.3"),
        (0.0996, "10"),
        (2.5, "250"),
    ],
)
def test_gaps_in_percent(share, told):
    assert proof.gap(ProgramInfo(gap=share)) == told


def test_many_programs_in_a_line():
    assert proof.overview([*PROGRAMS, PROGRAMS[0], None, dataclasses.replace(PROGRAMS[2], gap=0.02)]) == (
        "programs: 2 optimal, 1 within gap (gap up to 0.4 %), 2 by clock (gap up to 2 %)"
    )
    assert proof.overview([None, None]) == ""
