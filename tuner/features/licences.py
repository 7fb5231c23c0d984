"""What the licence of a backbone's weights says, in words; imports no torch.

Names are SPDX identifiers where there is one, else those that the Hugging Face hub uses. Licences that ask for no more
than credit and a copy of themselves are not commented on. This is a hint, no legal advice.
"""

UNKNOWN = "unknown"
"""The licence of weights whose source names none."""

_PERMISSIVE = frozenset({"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "isc", "cc0-1.0", "cc-by-4.0"})
_NON_COMMERCIAL = ("-nc", "noncommercial", "non-commercial", "apple-amlr", "seer-license")
LONGEST = 200  # characters of a licence's name


def licence_note(licence: str | None) -> str:
    """One sentence that people should know of the licence, or nothing.

    Args:
        licence: of the weights; None for a backbone without pre-trained weights.
    """
    name = (licence or "").strip().lower()
    if licence is None or name in _PERMISSIVE:
        return ""
    if name in ("", UNKNOWN):
        return "the backbone's weights name no licence: ask their author before models made with them are passed on"
    if any(part in name for part in _NON_COMMERCIAL):
        return f"the backbone's weights are under {licence}, which forbids commercial use"
    return (
        f"the backbone's weights are under {licence}, which has terms of its own: read them before models made with "
        "them are used commercially or passed on"
    )
