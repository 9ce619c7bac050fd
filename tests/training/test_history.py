from hypothesis import given
from hypothesis import strategies as st

from stridednet.training.history import EpochRow, from_csv, to_csv

numbers = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 10**9)
rows = st.builds(
    EpochRow, epoch=counts, loss=numbers, accuracy=numbers,
    val_loss=st.none() | numbers, val_accuracy=st.none() | numbers,
    learning_rate=numbers, steps=counts, images=counts, seconds=numbers, val_seconds=numbers,
)  # fmt: skip


@given(st.lists(rows, max_size=4))
def test_csv_keeps_every_number_exactly(history: list[EpochRow]) -> None:
    assert from_csv(to_csv(history)) == history
