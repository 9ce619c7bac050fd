/* Kernels of the executor for what PyTorch does in many passes over memory. Plain C11; OpenMP where there is.
 *
 * Compiled on the machine where they run, by stridednet/executor/compiled/library.py. Each sum is taken in the same
 * order whatever the number of threads is, so that the result is the same.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* How (rows, channels) is cut: into parts, each of whole wide rows. A wide row is as many rows as give some hundred
 * values, so that short loops over few channels become long ones. */
struct plan {
    long total, width, step, parts;
};

enum { WIDE = 256, MOST_PARTS = 64 };

static struct plan plan_of(long rows, long channels) {
    long width = channels * (channels < WIDE ? WIDE / channels : 1);
    long wide_rows = (rows * channels + width - 1) / width;
    long each = (wide_rows + MOST_PARTS - 1) / MOST_PARTS;
    struct plan plan = {rows * channels, width, each * width, (wide_rows + each - 1) / each};
    return plan;
}

static long plan_start(const struct plan *plan, long part) { return part * plan->step; }

static long plan_length(const struct plan *plan, long part) {
    long left = plan->total - part * plan->step;
    return left < plan->step ? left : plan->step;
}

/* Add up the two sums of a channel over all parts and all places that it has in a wide row. */
static void combine(const struct plan *plan, const float *partial, long channels, long channel, double *first,
                    double *second) {
    *first = *second = 0;
    for (long part = 0; part < plan->parts; part++) {
        const float *sums = partial + 2 * part * plan->width;
        for (long j = channel; j < plan->width; j += channels) {
            *first += sums[j];
            *second += sums[plan->width + j];
        }
    }
}

/* Normalisation as a line, slope * x + intercept, for each place in a wide row. */
static void lines_of(const struct plan *plan, long channels, const float *scale, const float *offset,
                     const float *mean, const float *inverse, float *slope, float *intercept) {
    for (long j = 0; j < plan->width; j++) {
        long c = j % channels;
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

/* What dropout multiplies a value by. The compiler takes the question out of the loops. */
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
