/* Batch normalization, forward and backward, with the layers fused around it: y = dropout(relu(norm(relu(x)))).
 *
 * Included once for each storage format, with T (the format), LOAD, STORE and NAME. Images are rows of channels,
 * (rows, channels) and contiguous. Sums are computed in float32 over short runs, and then in float64.
 *
 * A ReLU is a floor of 0, and none is a floor of minus infinity; `v < floor ? floor : v` lets a NaN through.
 */

/* Sums, over some wide rows, of the input of the normalization minus a first guess of its mean. */
static void NAME(sum_values)(const T *x, int64_t n, int64_t width, const float *guess, float floor, float *restrict sum,
                             float *restrict squares) {
    for (int64_t begin = 0; begin < n; begin += width) {
        const T *row = x + begin;
        int64_t length = n - begin < width ? n - begin : width;
        for (int64_t j = 0; j < length; j++) {
            float value = LOAD(row[j]);
            float from = (value < floor ? floor : value) - guess[j];
            sum[j] += from;
            squares[j] += from * from;
        }
    }
}

static void NAME(normalize)(const T *restrict x, T *restrict y, const uint8_t *restrict kept, int64_t n, int64_t width,
                            const float *slope, const float *intercept, float before, float after, float factor) {
    for (int64_t begin = 0; begin < n; begin += width) {
        const T *row = x + begin;
        T *out = y + begin;
        int64_t length = n - begin < width ? n - begin : width;
        for (int64_t j = 0; j < length; j++) {
            float value = LOAD(row[j]);
            float result = (value < before ? before : value) * slope[j] + intercept[j];
            STORE(out[j], (result < after ? after : result) * SHARE(begin + j));
        }
    }
}

/* Sums, over some wide rows, of the gradient of the normalization's output, and of its product with the centered input. */
static void NAME(sum_gradients)(const T *g, const T *x, const uint8_t *kept, int64_t n, int64_t width, const float *mean,
                                const float *slope, const float *intercept, float before, float after, float factor,
                                float *restrict sum, float *restrict products) {
    for (int64_t begin = 0; begin < n; begin += width) {
        const T *row = x + begin, *of_row = g + begin;
        int64_t length = n - begin < width ? n - begin : width;
        for (int64_t j = 0; j < length; j++) {
            float value = LOAD(row[j]), gradient = LOAD(of_row[j]) * SHARE(begin + j);
            value = value < before ? before : value;
            gradient = value * slope[j] + intercept[j] > after ? gradient : 0.0f;
            sum[j] += gradient;
            products[j] += gradient * (value - mean[j]);
        }
    }
}

static void NAME(differentiate)(const T *restrict g, const T *restrict x, const uint8_t *restrict kept,
                                T *restrict of_x, int64_t n, int64_t width, const float *slope, const float *intercept,
                                const float *constant, const float *pull, float before, float after, float factor) {
    for (int64_t begin = 0; begin < n; begin += width) {
        const T *row = x + begin, *of_row = g + begin;
        T *out = of_x + begin;
        int64_t length = n - begin < width ? n - begin : width;
        for (int64_t j = 0; j < length; j++) {
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
int NAME(forward)(const T *x, T *y, const uint8_t *kept, int64_t rows, int64_t channels, const float *scale,
                  const float *offset, float *mean, float *inverse, float *moving_mean, float *moving_variance,
                  float epsilon, float momentum, float before, float after, float factor, int training) {
    if (rows < 1 || channels < 1) /* an empty batch has no statistics */
        return 0;
    struct partition cut = partition_of(rows, channels);
    float *slope = malloc((2 + 2 * cut.parts) * cut.width * sizeof(float));
    if (!slope)
        return 1;
    float *intercept = slope + cut.width, *partial = intercept + cut.width;
    if (training) {
        for (int64_t j = 0; j < cut.width; j++) {
            float first = LOAD(x[j % channels]);
            slope[j] = first < before ? before : first;
        }
        memset(partial, 0, 2 * cut.parts * cut.width * sizeof(float));
#pragma omp parallel for schedule(static)
        for (int64_t part = 0; part < cut.parts; part++) {
            float *sum = partial + 2 * part * cut.width;
            NAME(sum_values)(x + part_start(&cut, part), part_length(&cut, part), cut.width, slope, before, sum,
                             sum + cut.width);
        }
        for (int64_t c = 0; c < channels; c++) {
            double sum, squares;
            combine(&cut, partial, channels, c, &sum, &squares);
            double shift = sum / rows, variance = squares / rows - shift * shift;
            variance = variance < 0 ? 0 : variance;
            mean[c] = (float)(slope[c] + shift);
            inverse[c] = (float)(1 / sqrt(variance + epsilon));
            moving_mean[c] += (1 - momentum) * (mean[c] - moving_mean[c]);
            moving_variance[c] += (1 - momentum) * ((float)variance - moving_variance[c]);
        }
    }
    lines_of(&cut, channels, scale, offset, mean, inverse, slope, intercept);
#pragma omp parallel for schedule(static)
    for (int64_t part = 0; part < cut.parts; part++) {
        int64_t start = part_start(&cut, part), n = part_length(&cut, part);
        NAME(normalize)(x + start, y + start, kept ? kept + start : 0, n, cut.width, slope, intercept, before, after,
                        factor);
    }
    free(slope);
    return 0;
}

/* Ioffe and Szegedy 2015, arXiv:1502.03167, section 3. Returns 0, or 1 without memory. */
int NAME(backward)(const T *g, const T *x, const uint8_t *kept, T *of_x, float *of_scale, float *of_offset, int64_t rows,
                   int64_t channels, const float *scale, const float *offset, const float *mean, const float *inverse,
                   float before, float after, float factor) {
    if (rows < 1 || channels < 1) {
        for (int64_t c = 0; c < channels; c++)
            of_scale[c] = of_offset[c] = 0;
        return 0;
    }
    struct partition cut = partition_of(rows, channels);
    float *slope = malloc((5 + 2 * cut.parts) * cut.width * sizeof(float));
    if (!slope)
        return 1;
    float *intercept = slope + cut.width, *constant = intercept + cut.width, *pull = constant + cut.width;
    float *means = pull + cut.width, *partial = means + cut.width;
    lines_of(&cut, channels, scale, offset, mean, inverse, slope, intercept);
    for (int64_t j = 0; j < cut.width; j++)
        means[j] = mean[j % channels];
    memset(partial, 0, 2 * cut.parts * cut.width * sizeof(float));
#pragma omp parallel for schedule(static)
    for (int64_t part = 0; part < cut.parts; part++) {
        int64_t start = part_start(&cut, part);
        float *sum = partial + 2 * part * cut.width;
        NAME(sum_gradients)(g + start, x + start, kept ? kept + start : 0, part_length(&cut, part), cut.width, means,
                            slope, intercept, before, after, factor, sum, sum + cut.width);
    }
    for (int64_t c = 0; c < channels; c++) {
        double sum, products;
        combine(&cut, partial, channels, c, &sum, &products);
        of_offset[c] = (float)sum;
        of_scale[c] = (float)(products * inverse[c]);
        double slope_of_value = -slope[c] * products * inverse[c] * inverse[c] / rows;
        for (int64_t j = c; j < cut.width; j += channels) {
            pull[j] = (float)slope_of_value;
            constant[j] = (float)(-slope[c] * sum / rows - slope_of_value * mean[c]);
        }
    }
#pragma omp parallel for schedule(static)
    for (int64_t part = 0; part < cut.parts; part++) {
        int64_t start = part_start(&cut, part);
        NAME(differentiate)(g + start, x + start, kept ? kept + start : 0, of_x + start, part_length(&cut, part),
                            cut.width, slope, intercept, constant, pull, before, after, factor);
    }
    free(slope);
    return 0;
}
