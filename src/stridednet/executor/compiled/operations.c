/* Functions of the executor for what PyTorch does in many passes over memory. Plain C11, with OpenMP where available.
 *
 * Compiled on the machine where they run, by stridednet/executor/compiled/library.py. Sums are computed in the same
 * order for any number of threads, so that the result is the same.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* How (rows, channels) is divided: into parts, each of whole wide rows. A wide row is as many rows as have some hundred
 * values, so that short loops over few channels become long ones. */
struct partition {
    int64_t total, width, step, parts;
};

enum { WIDE = 256, MOST_PARTS = 64 };

static struct partition partition_of(int64_t rows, int64_t channels) {
    int64_t width = channels * (channels < WIDE ? WIDE / channels : 1);
    int64_t wide_rows = (rows * channels + width - 1) / width;
    int64_t each = (wide_rows + MOST_PARTS - 1) / MOST_PARTS;
    struct partition cut = {rows * channels, width, each * width, (wide_rows + each - 1) / each};
    return cut;
}

static int64_t part_start(const struct partition *cut, int64_t part) { return part * cut->step; }

static int64_t part_length(const struct partition *cut, int64_t part) {
    int64_t left = cut->total - part * cut->step;
    return left < cut->step ? left : cut->step;
}

/* Add the two sums of a channel over all parts and all of its positions in a wide row. */
static void combine(const struct partition *cut, const float *partial, int64_t channels, int64_t channel, double *first,
                    double *second) {
    *first = *second = 0;
    for (int64_t part = 0; part < cut->parts; part++) {
        const float *sums = partial + 2 * part * cut->width;
        for (int64_t j = channel; j < cut->width; j += channels) {
            *first += sums[j];
            *second += sums[cut->width + j];
        }
    }
}

/* Normalization as a linear function, slope * x + intercept, for each position in a wide row. */
static void lines_of(const struct partition *cut, int64_t channels, const float *scale, const float *offset,
                     const float *mean, const float *inverse, float *slope, float *intercept) {
    for (int64_t j = 0; j < cut->width; j++) {
        int64_t c = j % channels;
        slope[j] = scale[c] * inverse[c];
        intercept[j] = offset[c] - mean[c] * slope[j];
    }
}

static inline float float_of(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

/* Round to the nearest bfloat16, ties to even. */
static inline uint16_t bfloat16_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return value != value ? 0x7fc0 : (uint16_t)rounded; /* rounding up a NaN could make a number of it */
}

/* What dropout multiplies a value by. The compiler moves the test out of the loops. */
#define SHARE(place) (kept ? factor * kept[place] : 1.0f)

#define T float
#define LOAD(place) (place)
#define STORE(place, value) ((place) = (value))
#define NAME(name) name##_float32
#include "normalization.h"
#undef T
#undef LOAD
#undef STORE
#undef NAME

#define T uint16_t
#define LOAD(place) float_of(place)
#define STORE(place, value) ((place) = bfloat16_of(value))
#define NAME(name) name##_bfloat16
#include "normalization.h"

#include "adam.h"
#include "dropout.h"
