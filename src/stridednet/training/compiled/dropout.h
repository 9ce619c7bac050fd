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

/* Write 0 where one of 65,536 equally likely numbers is below `dropped`, else 1. One hash is two numbers: one for the
 * first half of the mask and one for the second. */
void draw_mask(uint8_t *kept, long n, uint64_t seed, int32_t dropped) {
    uint32_t first = (uint32_t)seed, second = (uint32_t)(seed >> 32);
    long half = (n + 1) / 2, other = n / 2;
#pragma omp parallel for schedule(static)
    for (long part = 0; part < MOST_PARTS; part++) {
        long end = half * (part + 1) / MOST_PARTS;
        for (long i = half * part / MOST_PARTS; i < end; i++) {
            int32_t bits = (int32_t)mixed(mixed((uint32_t)i ^ first) + second);
            kept[i] = (bits & 0xffff) >= dropped;
            if (i < other)
                kept[half + i] = ((bits >> 16) & 0xffff) >= dropped;
        }
    }
}
