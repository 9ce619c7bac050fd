from rich.console import Console

from stridednet.conv2d.measured import MeasuredClaim, MeasuredSweep, Measurement
from stridednet.conv2d.parameters import PARAMETERS
from stridednet.pages import forest, ranking

NAMES = [parameter.name for parameter in PARAMETERS]


def _claim(parameter: str, *effects: tuple[str, float, float]) -> MeasuredClaim:
    """Return a claim whose variants have these effects, differences in points, and ratios of time."""
    rows = tuple(
        Measurement(
            data="four classes",
            variant=("model.stem_kernel=5", "model.stem_kernel=7")[place],
            expected="",
            verdict="",
            effect=effect,  # type: ignore[arg-type]
            within_margin=effect == "same",
            accuracy=0.9,
            difference=points / 100,
            low=points / 100 - 0.005,
            high=points / 100 + 0.005,
            loss_difference=0.0,
            loss_low=0.0,
            loss_high=0.0,
            trials=8,
            pictures=100,
            parameter_ratio=1.0,
            time_ratio=time,
        )
        for place, (effect, points, time) in enumerate(effects)
    )
    sweep = MeasuredSweep("four classes", 0.9, 1.0, ("a",), "2026-11-30", rows)
    return MeasuredClaim("kernel_size", "a.", parameter, "fast", (), 0.01, (sweep,))


CLAIMS = [
    _claim("padding", ("same", 0.1, 0.9), ("undecided", 0.4, 1.0)),
    _claim("strides", ("higher", 1.5, 0.6)),
    _claim("filters", ("same", 0.0, 2.0), ("same", 0.0, 1.0)),
    _claim("dilation_rate", ("lower", -2.0, 1.0), ("higher", 0.8, 3.0)),
]


def test_the_largest_certain_effect_comes_first_then_costs_then_what_is_not_measured() -> None:
    ranked = ranking.ranking(claims=CLAIMS)
    order = ["dilation_rate", "strides", "filters", "padding"]
    assert [one.parameter.name for one in ranked] == order + [name for name in NAMES if name not in order]
    assert [(one.accuracy, one.time) for one in ranked[:5]] == [
        ("-2.0", "x1.00"),
        ("+1.5", "x0.60"),
        ("same", "x2.00"),
        ("undecided", "x0.90"),
        ("", ""),
    ]
    assert ranked[-1].text() == "Not measured yet."


def _printed(width: int, claims: list[MeasuredClaim]) -> list[str]:
    console = Console(width=width, no_color=True, force_terminal=False)
    with console.capture() as capture:
        for line in forest.chart(width, forest.forest_rows(claims)):
            console.print(line, soft_wrap=True)
    return capture.get().splitlines()


def test_the_chart_shows_every_measurement_in_its_place() -> None:
    wide = _printed(100, [_claim("dilation_rate", ("lower", -2.0, 1.0), ("same", 0.0, 3.0))])
    assert wide[0] == "● four classes   higher  lower  same  undecided"
    first, second = wide[2], wide[3]
    assert first.startswith("5x5 instead of 3x3 in the first layer")
    assert first.endswith("-2.0  x1.00")
    assert second.endswith("+0.0  x3.00")
    # -2 points is as far left of 0 as the axis has room; the interval is 1 point wide.
    zero = second.index("●")
    assert first.index("●") < first.index("│") == zero
    assert first.index("━") < first.index("●") < first.rindex("━") < zero
    assert wide[-1].split() == ["-2", "-1", "0", "+1"]
    assert wide[-1].index("0") == zero


def test_the_chart_fits_any_terminal() -> None:
    for width in (60, 80, 120):
        lines = _printed(width, CLAIMS)
        assert max(map(len, lines)) <= width
        assert not any(line.endswith(" ") for line in lines)


def test_nothing_measured_is_said_so() -> None:
    assert _printed(80, []) == ["Nothing has been measured yet."]
