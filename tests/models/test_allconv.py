import keras
from keras import layers

from stridednet.models.allconv import allconv_block, allconv_head, build_allconv
from stridednet.models.conv_unit import Style

AS_PUBLISHED = Style(batch_norm=False)


def test_two_blocks_and_the_head_are_all_cnn_c() -> None:
    # Table 2 of arXiv:1412.6806, for CIFAR-10; "1.4 M" parameters there.
    threes = [(3, 96), (96, 96), (96, 96), (96, 192), (192, 192), (192, 192), (192, 192)]
    by_hand = sum(9 * before * after + after for before, after in threes) + (192 * 192 + 192) + (192 * 10 + 10)
    assert by_hand == 1_369_738
    inputs = keras.Input((32, 32, 3))
    x = allconv_block(allconv_block(inputs, 96, style=AS_PUBLISHED), 192, style=AS_PUBLISHED)
    assert x.shape == (None, 8, 8, 192)
    x = layers.GlobalAveragePooling2D()(allconv_head(x, 192, style=AS_PUBLISHED))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
    assert model.count_params() == by_hand


def test_downsampling_is_by_strides_only() -> None:
    model = build_allconv(96, 96, 3, 4)
    kinds = {type(layer) for layer in model.layers}
    assert not kinds & {layers.MaxPooling2D, layers.AveragePooling2D, layers.Flatten}
    strided = [layer for layer in model.layers if isinstance(layer, layers.Conv2D) and layer.strides == (2, 2)]
    assert [layer.name for layer in strided] == ["stem", "stage1_conv3", "stage2_conv3", "stage3_conv3"]
    assert [layer.output.shape[1:] for layer in strided] == [(48, 48, 16), (24, 24, 32), (12, 12, 64), (6, 6, 128)]
    assert [layer.name for layer in model.layers if isinstance(layer, layers.Dense)] == ["probabilities"]
