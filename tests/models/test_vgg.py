import keras
import pytest
from keras import layers

from stridednet.models.conv_unit import Style
from stridednet.models.vgg import build_vgg, vgg_block

AS_PUBLISHED = Style(batch_norm=False)


def test_five_blocks_have_the_parameters_of_vgg16() -> None:
    # Network D of arXiv:1409.1556: sum of 9 * in * out + out over its 13 convolutions.
    pairs = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256), (256, 512)] + [
        (512, 512)
    ] * 5
    by_hand = sum(9 * before * after + after for before, after in pairs)
    assert by_hand == 14_714_688
    x = inputs = keras.Input((224, 224, 3))
    for filters, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        x = vgg_block(x, filters, convolutions, style=AS_PUBLISHED)
    assert x.shape == (None, 7, 7, 512)
    assert keras.Model(inputs, x).count_params() == by_hand


def test_only_3x3_convolutions_pooling_and_increasing_filters() -> None:
    model = build_vgg(96, 96, 3, 4)
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    assert {(layer.kernel_size, layer.strides) for layer in convolutions} == {((3, 3), (1, 1))}
    assert [layer.filters for layer in convolutions] == [16, 32, 32, 64, 64, 128, 128]
    pools = [layer for layer in model.layers if isinstance(layer, layers.MaxPooling2D)]
    assert [layer.output.shape[1] for layer in pools] == [48, 24, 12, 6]


@pytest.mark.parametrize("convolutions", [1, 3])
def test_the_number_of_convolutions_and_units(convolutions: int) -> None:
    model = build_vgg(16, 12, 1, 2, filters=(4, 8), convolutions=convolutions, dense_units=5)
    assert sum(isinstance(layer, layers.Conv2D) for layer in model.layers) == 1 + 2 * convolutions
    assert model.get_layer("dense").units == 5
    assert model.input_shape == (None, 12, 16, 1)
