import keras
import pytest
from keras import layers

from stridednet.models.conv_unit import Style
from stridednet.models.fire import build_fire, fire_module

AS_PUBLISHED = Style(batch_norm=False)


# Table 1 of arXiv:1602.07360, "# parameters before pruning"; weights and biases.
@pytest.mark.parametrize(
    ("channels", "squeeze", "expand", "published"),
    [
        (96, 16, 64, 11_920),  # fire2
        (128, 16, 64, 12_432),  # fire3
        (128, 32, 128, 45_344),  # fire4
        (256, 32, 128, 49_440),  # fire5
        (256, 48, 192, 104_880),  # fire6
        (384, 48, 192, 111_024),  # fire7
        (384, 64, 256, 188_992),  # fire8
        (512, 64, 256, 197_184),  # fire9
    ],
)
def test_modules_have_the_published_parameters(channels: int, squeeze: int, expand: int, published: int) -> None:
    by_hand = channels * squeeze + squeeze + squeeze * expand + expand + 9 * squeeze * expand + expand
    assert by_hand == published
    inputs = keras.Input((13, 13, channels))
    model = keras.Model(inputs, fire_module(inputs, squeeze, expand, expand, style=AS_PUBLISHED))
    assert model.count_params() == published
    assert model.output_shape == (None, 13, 13, 2 * expand)


def test_the_default_module_is_fire2() -> None:
    inputs = keras.Input((55, 55, 96))
    assert keras.Model(inputs, fire_module(inputs, style=AS_PUBLISHED)).count_params() == 11_920


def test_downsampling_is_late_and_by_pooling() -> None:
    model = build_fire(96, 96, 3, 4)
    ends = [model.get_layer(f"stage{stage}_module2_concat").output.shape[1:] for stage in (1, 2, 3)]
    assert ends == [(48, 48, 64), (24, 24, 128), (12, 12, 256)]
    strided = [layer for layer in model.layers if isinstance(layer, layers.Conv2D) and layer.strides != (1, 1)]
    assert [layer.name for layer in strided] == ["stem"]
    squeezes = [layer.filters for layer in model.layers if layer.name.endswith("_squeeze")]
    assert squeezes == [8, 8, 16, 16, 32, 32]
