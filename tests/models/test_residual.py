import keras
import numpy as np
import pytest
from keras import layers

from stridednet.models.conv_unit import Style
from stridednet.models.residual import bottleneck, build_residual

AS_PUBLISHED = Style(batch_norm=False)


def test_a_bottleneck_has_the_parameters_of_resnet_50() -> None:
    # Figure 5 of arXiv:1512.03385: 256 channels -> 1x1, 64 -> 3x3, 64 -> 1x1, 256, without biases.
    by_hand = 256 * 64 + 9 * 64 * 64 + 64 * 256
    assert by_hand == 69_632
    inputs = keras.Input((56, 56, 256))
    plain = keras.Model(inputs, bottleneck(inputs, 64, style=AS_PUBLISHED))
    assert plain.output_shape == (None, 56, 56, 256)
    assert plain.count_params() == by_hand
    # Batch normalization adds four numbers per channel: scale, offset, mean and variance.
    assert keras.Model(inputs, bottleneck(inputs, 64)).count_params() == by_hand + 4 * (64 + 64 + 256)


@pytest.mark.parametrize(("channels", "strides", "projected"), [(32, 1, False), (32, 2, True), (16, 1, True)])
def test_the_shortcut_is_the_identity_where_possible(channels: int, strides: int, projected: bool) -> None:
    inputs = keras.Input((9, 9, channels))
    model = keras.Model(inputs, bottleneck(inputs, 8, strides, name="block"))
    side = 9 if strides == 1 else 5
    assert model.output_shape == (None, side, side, 32)
    convolutions = {layer.name: layer for layer in model.layers if isinstance(layer, layers.Conv2D)}
    assert ("block_shortcut" in convolutions) == projected
    assert not any(layer.use_bias for layer in convolutions.values())
    assert [convolutions[f"block_{name}"].kernel_size[0] for name in ("reduce", "conv", "expand")] == [1, 3, 1]
    assert convolutions["block_conv"].strides == (strides, strides)


def test_with_zero_weights_a_bottleneck_is_the_identity_and_a_relu() -> None:
    inputs = keras.Input((4, 4, 8))
    model = keras.Model(inputs, bottleneck(inputs, 2, style=AS_PUBLISHED, name="block"))
    model.get_layer("block_expand").set_weights([np.zeros((1, 1, 2, 8))])
    images = np.random.default_rng(0).standard_normal((2, 4, 4, 8)).astype(np.float32)
    assert np.array_equal(model.predict_on_batch(images), np.maximum(images, 0))


def test_stages_and_blocks() -> None:
    model = build_residual(96, 96, 3, 4)
    ends = [model.get_layer(f"stage{stage}_block2_activation").output.shape[1:] for stage in (1, 2, 3)]
    assert ends == [(24, 24, 128), (12, 12, 256), (6, 6, 512)]
    assert sum(isinstance(layer, layers.Add) for layer in model.layers) == 6
    assert sum(isinstance(layer, layers.Add) for layer in build_residual(32, 32, 3, 4, blocks=1).layers) == 3
