/* Batch normalisation, forward and backward, with what stands around it in a network: y = dropout(relu(norm(relu(x)))).
 *
 * Included once for each storage format, with T (the format), LOAD, STORE and NAME. Images lie as rows of channels,
 * (rows, channels) and contiguous. Sums are taken in float32 over short runs and then in float64.
 *
 * A ReLU is a floor of 0, and none is a floor of minus infinity; `v < floor ? floor : v` lets a NaN through.
 */

/* Sums, over some wide rows, of what is in front of the normalisation, less a first guess of its mean. */
static void NAME(sum_values)(const T *x, long n, long width, const float *guess, float floor, float *restrict sum,
                             float *restrict squares) {
    for (long begin = 0; begin < n; begin += width) {
        const T *row = x + begin;
        long length = n - begin < width ? n - begin : width;
        for (long j = 0; j < length; j++) {
            float value = LOAD(row[j]);
            float from = (value < floor ? floor : value) - guess[j];
            sum[j] += from;
            squares[j] += from * from;
        }
    }
}

static void NAME(normalise)(const T *restrict x, T *restrict y, const uint8_t *restrict kept, long n, long width,
                            const float *slope, const float *intercept, float before, float after, float factor) {
    for (long begin = 0; begin < n; begin += width) {
        const T *row = x + begin;
        T *out = y + begin;
        long length = n - begin < width ? n - begin : width;
        for (long j = 0; j < length; j++) {
            float value = LOAD(row[j]);
            float result = (value < before ? before : value) * slope[j] + intercept[j];
            STORE(out[j], (result < after ? after : result) * SHARE(begin + j));
        }
    }
}

/* Sums, over some wide rows, of the gradient behind the normalisation, and of it times the centred input. */
static void NAME(sum_gradients)(const T *g, const T *x, const uint8_t *kept, long n, long width, const float *mean,
                                const float *slope, const float *intercept, float before, float after, float factor,
                                float *restrict sum, float *restrict products) {
    for (long begin = 0; begin < n; begin += width) {
        const T *row = x + begin, *of_row = g + begin;
        long length = n - begin < width ? n - begin : width;
        for (long j = 0; j < length; j++) {
            float value = LOAD(row[j]), gradient = LOAD(of_row[j]) * SHARE(begin + j);
            value = value < before ? before : value;
            gradient = value * slope[j] + intercept[j] > after ? gradient : 0.0f;
            sum[j] += gradient;
            products[j] += gradient * (value - mean[j]);
        }
    }
}

static void NAME(differentiate)(const T *restrict g, const T *restrict x, const uint8_t *restrict kept,
                                T *restrict of_x, long n, long width, const float *slope, const float *intercept,
                                const float *constant, const float *pull, float before, float after, float factor) {
    for (long begin = 0; begin < n; begin += width) {
        const T *row = x + begin, *of_row = g + begin;
        T *out = of_x + begin;
        long length = n - begin < width ? n - begin : width;
        for (long j = 0; j < length; j++) {
            float raw = LOAD(row[j]), gradient = LOAD(of_row[j]) * SHARE(begin + j);
            float value = raw < before ? before : raw;
            gradient = value * slope[j] + intercept[j] > after ? gradient : 0.0f;
            float result = gradient * slope[j] + value * pull[j] + constant[j];
            STORE(out[j], raw > before ? result : 0.0f);
        }
    }
}

/* With `training`, `mean` and `inverse` (one over the standard deviation) are results, and the moving statistics move
 * as Keras moves them, with the biased variance; else `mean` and `inverse` are given. Returns 0, or 1 without memory. */
int NAME(forward)(const T *x, T *y, const uint8_t *kept, long rows, long channels, const float *scale,
                  const float *offset, float *mean, float *inverse, float *moving_mean, float *moving_variance,
                  float epsilon, float momentum, float before, float after, float factor, int training) {
    struct plan plan = plan_of(rows, channels);
    float *slope = malloc((2 + 2 * plan.parts) * plan.width * sizeof(float));
    if (!slope)
        return 1;
    float *intercept = slope + plan.width, *partial = intercept + plan.width;
    if (training) {
        for (long j = 0; j < plan.width; j++) {
            float first = LOAD(x[j % channels]);
            slope[j] = first < before ? before : first;
        }
        memset(partial, 0, 2 * plan.parts * plan.width * sizeof(float));
#pragma omp parallel for schedule(static)
        for (long part = 0; part < plan.parts; part++) {
            float *sum = partial + 2 * part * plan.width;
            NAME(sum_values)(x + plan_start(&plan, part), plan_length(&plan, part), plan.width, slope, before, sum,
                             sum + plan.width);
        }
        for (long c = 0; c < channels; c++) {
            double sum, squares;
            combine(&plan, partial, channels, c, &sum, &squares);
            double shift = sum / rows, variance = squares / rows - shift * shift;
            variance = variance < 0 ? 0 : variance;
            mean[c] = (float)(slope[c] + shift);
            inverse[c] = (float)(1 / sqrt(variance + epsilon));
            moving_mean[c] += (1 - momentum) * (mean[c] - moving_mean[c]);
            moving_variance[c] += (1 - momentum) * ((float)variance - moving_variance[c]);
        }
    }
    lines_of(&plan, channels, scale, offset, mean, inverse, slope, intercept);
#pragma omp parallel for schedule(static)
    for (long part = 0; part < plan.parts; part++) {
        long start = plan_start(&plan, part), n = plan_length(&plan, part);
        NAME(normalise)(x + start, y + start, kept ? kept + start : 0, n, plan.width, slope, intercept, before, after,
                        factor);
    }
    free(slope);
    return 0;
}

/* Ioffe and Szegedy 2015, arXiv:1502.03167, section 3. Returns 0, or 1 without memory. */
int NAME(backward)(const T *g, const T *x, const uint8_t *kept, T *of_x, float *of_scale, float *of_offset, long rows,
                   long channels, const float *scale, const float *offset, const float *mean, const float *inverse,
                   float before, float after, float factor) {
    struct plan plan = plan_of(rows, channels);
    float *slope = malloc((5 + 2 * plan.parts) * plan.width * sizeof(float));
    if (!slope)
        return 1;
    float *intercept = slope + plan.width, *constant = intercept + plan.width, *pull = constant + plan.width;
    float *means = pull + plan.width, *partial = means + plan.width;
    lines_of(&plan, channels, scale, offset, mean, inverse, slope, intercept);
    for (long j = 0; j < plan.width; j++)
        means[j] = mean[j % channels];
    memset(partial, 0, 2 * plan.parts * plan.width * sizeof(float));
#pragma omp parallel for schedule(static)
    for (long part = 0; part < plan.parts; part++) {
        long start = plan_start(&plan, part);
        float *sum = partial + 2 * part * plan.width;
        NAME(sum_gradients)(g + start, x + start, kept ? kept + start : 0, plan_length(&plan, part), plan.width, means,
                            slope, intercept, before, after, factor, sum, sum + plan.width);
    }
    for (long c = 0; c < channels; c++) {
        double sum, products;
        combine(&plan, partial, channels, c, &sum, &products);
        of_offset[c] = (float)sum;
        of_scale[c] = (float)(products * inverse[c]);
        double slope_of_value = -slope[c] * products * inverse[c] * inverse[c] / rows;
        for (long j = c; j < plan.width; j += channels) {
            pull[j] = (float)slope_of_value;
            constant[j] = (float)(-slope[c] * sum / rows - slope_of_value * mean[c]);
        }
    }
#pragma omp parallel for schedule(static)
    for (long part = 0; part < plan.parts; part++) {
        long start = plan_start(&plan, part);
        NAME(differentiate)(g + start, x + start, kept ? kept + start : 0, of_x + start, plan_length(&plan, part),
                            plan.width, slope, intercept, constant, pull, before, after, factor);
    }
    free(slope);
    return 0;
}
