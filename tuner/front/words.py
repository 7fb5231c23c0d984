"""Numbers and names as text, the same in a pick's reason, the picture and the report."""


def name(metric: str) -> str:
    """A metric or parameter as a reader sees it: `n_features_used` is "features used"."""
    return metric.removeprefix("n_").replace("_", " ")


def number(value: float, unit: str = "%") -> str:
    """A value without its unit: one decimal for percent, three significant digits or an integer otherwise."""
    if unit == "%":
        return f"{value:.1f}"
    return f"{value:.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:.3g}"


def value(value: float, unit: str) -> str:
    """A value with its unit: "78.4 %", "30"."""
    return f"{number(value, unit)} {unit}".strip()


def gap(one: float, other: float, unit: str) -> str:
    """The difference of two values, rounded once: "0.6 percentage points", "12"."""
    return amount(abs(one - other), unit)


def amount(difference: float, unit: str) -> str:
    """A difference with its unit; differences of percentages are percentage points."""
    if unit != "%":
        return value(difference, unit)
    text = number(difference, unit)
    if text == "0.0" and difference > 0:
        return "less than 0.1 percentage points"
    return f"{text} {unit_of_difference(unit, text)}"


def unit_of_difference(unit: str, number: str) -> str:
    """The unit behind a difference: that of percentages is in percentage points, and one of them is a point."""
    return unit if unit != "%" else "percentage point" if number == "1.0" else "percentage points"


def counted(n: int, what: str) -> str:
    """`1 trial`, `3 trials`."""
    return f"{n} {what if n == 1 else f'{what}s'}"


def signed(value: float) -> str:
    """A contribution to a score, signed and never rounded to zero: +2.10, −0.31, −0.002."""
    text = f"{value:+.2f}" if abs(value) >= 0.005 else f"{value:+.1g}" if value else "0"
    return text.replace("-", "−")


def listing(items: list[str]) -> str:
    """`a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def clauses(pairs: list[tuple[str, str]]) -> str:
    """Verbs with their objects; each verb appears once, where it came first: `gives up a and b, and gains c`."""
    objects: dict[str, list[str]] = {}
    for verb, what in pairs:
        objects.setdefault(verb, []).append(what)
    phrases = [f"{verb} {listing(whats)}" for verb, whats in objects.items()]
    if len(phrases) > 1 and any(len(whats) > 1 for whats in objects.values()):  # a comma, since "and" is in them
        return f"{', '.join(phrases[:-1])}, and {phrases[-1]}"
    return listing(phrases)


def duration(seconds: float) -> str:
    """A time span in its two leading units: 8.2 s, 41 min, 3 h 20 min, 2 d 4 h."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
