import keras
import pytest
from keras import layers

from stridednet.models.conv_unit import Style
from stridednet.models.inception import build_inception, inception_module

AS_PUBLISHED = Style(batch_norm=False)


def _parameters(channels: int, ones: int, r3: int, threes: int, r5: int, fives: int, pooled: int) -> int:
    weights = channels * (ones + r3 + r5 + pooled) + 9 * r3 * threes + 25 * r5 * fives
    return weights + ones + r3 + threes + r5 + fives + pooled


def test_the_default_module_is_googlenets_3a() -> None:
    # Table 1 of arXiv:1409.4842: 28x28x192 -> 28x28x256, "159K" there: 163,328 weights are 159.5 times 1,024.
    by_hand = _parameters(192, 64, 96, 128, 16, 32, 32)
    assert by_hand == 163_696
    assert (by_hand - 368) // 1024 == 159
    inputs = keras.Input((28, 28, 192))
    model = keras.Model(inputs, inception_module(inputs, style=AS_PUBLISHED))
    assert model.output_shape == (None, 28, 28, 256)
    assert model.count_params() == by_hand


@pytest.mark.parametrize(
    ("channels", "widths", "published"),
    [(256, (128, 128, 192, 32, 96, 64), 380), (480, (192, 96, 208, 16, 48, 64), 364)],
)
def test_modules_3b_and_4a(channels: int, widths: tuple[int, ...], published: int) -> None:
    inputs = keras.Input((14, 14, channels))
    model = keras.Model(inputs, inception_module(inputs, *widths, style=AS_PUBLISHED))
    assert model.count_params() == _parameters(channels, *widths)
    assert model.output_shape[-1] == widths[0] + widths[2] + widths[4] + widths[5]
    weights = model.count_params() - sum(widths)
    # "380K" and "364K" in the same table: the weights give 379.0 and 366.75 times 1,024.
    assert weights / 1024 == pytest.approx(published, rel=0.01)


def test_four_branches_are_concatenated() -> None:
    inputs = keras.Input((8, 8, 6))
    model = keras.Model(inputs, inception_module(inputs, name="m"))
    joined = model.get_layer("m_concat")
    assert [tensor.shape[-1] for tensor in joined.input] == [64, 128, 32, 32]
    kernels = {layer.name: layer.kernel_size[0] for layer in model.layers if isinstance(layer, layers.Conv2D)}
    assert kernels == {
        "m_1x1": 1, "m_3x3_reduce": 1, "m_3x3": 3, "m_5x5_reduce": 1, "m_5x5": 5, "m_pool_1x1": 1,
    }  # fmt: skip


def test_a_stage_of_128_has_the_modules_of_the_paper() -> None:
    model = build_inception(96, 96, 3, 4)
    joined = model.get_layer("stage3_module2_concat")
    assert [tensor.shape[1:] for tensor in joined.input] == [(6, 6, 64), (6, 6, 128), (6, 6, 32), (6, 6, 32)]
    assert sum(isinstance(layer, layers.Concatenate) for layer in model.layers) == 6
    fewer = build_inception(32, 32, 3, 4, filters=(1,), modules=1)  # every branch has at least one filter
    assert fewer.get_layer("stage1_module1_concat").output.shape[-1] == 4
