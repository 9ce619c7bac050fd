/* Random masks. Each element's number follows from the seed and its place alone, so that threads need no order. */

/* A bijection of 32 bits in which every bit of the input flips each bit of the result about half of the time; the
 * constants are those of MurmurHash3's finalizer (Austin Appleby, public domain). */
static inline uint32_t mixed(uint32_t x) {
    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    x *= 0xc2b2ae35u;
    return x ^ (x >> 16);
}

static inline uint32_t hashed(int64_t place, uint64_t seed) {
    return mixed(mixed((uint32_t)place ^ (uint32_t)seed) + (uint32_t)(seed >> 32));
}

/* Write 0 where one of 65,536 equally likely numbers is below `dropped`, else 1. One hash is two numbers: one for the
 * first half of the mask and one for the second. */
void draw_mask(uint8_t *restrict kept, int64_t n, uint64_t seed, int32_t dropped) {
    int64_t half = n / 2;
    uint8_t *restrict second = kept + half;
#pragma omp parallel for schedule(static)
    for (int64_t part = 0; part < MOST_PARTS; part++) {
        int64_t end = half * (part + 1) / MOST_PARTS;
        for (int64_t i = half * part / MOST_PARTS; i < end; i++) {
            uint32_t bits = hashed(i, seed);
            kept[i] = (int32_t)(bits & 0xffff) >= dropped;
            second[i] = (int32_t)(bits >> 16) >= dropped;
        }
    }
    if (n % 2)
        kept[n - 1] = (int32_t)(hashed(half, seed) & 0xffff) >= dropped;
}
