/* Adam (Kingma and Ba 2015, arXiv:1412.6980) as Keras computes it, weight decay (Loshchilov and Hutter 2019,
 * arXiv:1711.05101), the gradients of L1 and L2, and the copy in bfloat16, in one pass over the parameters. */

enum { CHUNK = 4096 };

/* Arguments:
 *   count, starts     variable i is parameters[starts[i]] to parameters[starts[i + 1] - 1]
 *   gradients, wide   the gradient of each variable, null for none; float32 where `wide` is not 0, else bfloat16
 *   copies            the parameters in bfloat16, or null
 *   l1, l2, decay     of each variable; `decay` is the factor that its weights are first multiplied by
 *   alpha             the learning rate, bias corrections included
 * Returns what L1 and L2 add to the loss for the parameters before the step, or -1 if memory runs out. */
double adam(int64_t count, const int64_t *starts, const void *const *gradients, const uint8_t *wide, float *parameters,
            float *first, float *second, uint16_t *copies, const float *l1, const float *l2, const float *decay,
            float alpha, float beta_1, float beta_2, float epsilon) {
    int64_t chunks = 0;
    for (int64_t i = 0; i < count; i++)
        chunks += (starts[i + 1] - starts[i] + CHUNK - 1) / CHUNK;
    double *penalties = malloc((chunks > 0 ? chunks : 1) * sizeof(double));
    if (!penalties)
        return -1;
#pragma omp parallel
    {
        int64_t before = 0;
        for (int64_t i = 0; i < count; i++) {
            int64_t mine = (starts[i + 1] - starts[i] + CHUNK - 1) / CHUNK;
#pragma omp for schedule(static) nowait
            for (int64_t chunk = 0; chunk < mine; chunk++) {
                float g[CHUNK];
                int64_t offset = chunk * CHUNK, start = starts[i] + offset;
                int64_t n = starts[i + 1] - start < CHUNK ? starts[i + 1] - start : CHUNK;
                float *p = parameters + start, *m = first + start, *v = second + start;
                if (!gradients[i])
                    memset(g, 0, n * sizeof(float));
                else if (wide[i])
                    memcpy(g, (const float *)gradients[i] + offset, n * sizeof(float));
                else
                    for (int64_t j = 0; j < n; j++)
                        g[j] = float_of(((const uint16_t *)gradients[i])[offset + j]);
                double penalty = 0;
                if (l1[i] != 0 || l2[i] != 0) {
                    float squares = 0, sizes = 0;
#pragma omp simd reduction(+ : squares, sizes)
                    for (int64_t j = 0; j < n; j++) {
                        squares += p[j] * p[j];
                        sizes += fabsf(p[j]);
                        g[j] += 2 * l2[i] * p[j] + l1[i] * (float)((p[j] > 0) - (p[j] < 0));
                    }
                    penalty = (double)l1[i] * sizes + (double)l2[i] * squares;
                }
                penalties[before + chunk] = penalty;
                float keep = decay[i];
                for (int64_t j = 0; j < n; j++) {
                    m[j] += (1 - beta_1) * (g[j] - m[j]);
                    v[j] += (1 - beta_2) * (g[j] * g[j] - v[j]);
                    p[j] = p[j] * keep - alpha * m[j] / (sqrtf(v[j]) + epsilon);
                }
                if (copies)
                    for (int64_t j = 0; j < n; j++)
                        copies[start + j] = bfloat16_of(p[j]);
            }
            before += mine;
        }
    }
    double total = 0;
    for (int64_t chunk = 0; chunk < chunks; chunk++)
        total += penalties[chunk];
    free(penalties);
    return total;
}
