/* What is done a thousand times for a question. Python gives the arrays, and has checked their sizes. */
#include <stdint.h>

/* Add the values of columns to the sums of their entries; `spans` are where each column begins and ends. */
void retriever_add_columns(const int32_t *entries, const float *values, const int64_t *spans, int64_t columns,
                           double *sums) {
    for (const int64_t *span = spans; span < spans + 2 * columns; span += 2)
        for (int64_t i = span[0]; i < span[1]; i++) sums[entries[i]] += values[i];
}

/* Unit vectors as bytes, compared with a question by AVX-512 VNNI: a quarter of the memory, and the time that reading it
 * takes. */
#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>
#include <math.h>

#define FAST __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define INLINE static inline __attribute__((always_inline)) FAST

enum { LANES = 16, BYTES = 64, MOST = 8192 };

/* Round `width` numbers, a multiple of 16, to whole ones of at most 127, and return the scale to multiply them by. */
INLINE float round_row(const float *x, int64_t width, int8_t *to, int32_t *sum) {
    __m512 most = _mm512_set1_ps(1e-10f);
    for (int64_t i = 0; i < width; i += LANES) most = _mm512_max_ps(most, _mm512_abs_ps(_mm512_loadu_ps(x + i)));
    const float largest = _mm512_reduce_max_ps(most);
    const __m512 by = _mm512_set1_ps(127.0f / largest);
    __m512i sums = _mm512_setzero_si512();
    for (int64_t i = 0; i < width; i += LANES) {
        const __m512i value = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + i), by));
        sums = _mm512_add_epi32(sums, value);
        _mm_storeu_si128((__m128i *)(to + i), _mm512_cvtsepi32_epi8(value));
    }
    *sum = _mm512_reduce_add_epi32(sums);
    return largest / 127.0f;
}

/* Round `count` vectors. The bytes are 128 more than the numbers: VNNI multiplies unsigned numbers by signed ones. */
FAST void retriever_round_rows(const float *x, int64_t count, int64_t width, uint8_t *rows, float *scales) {
    for (int64_t r = 0; r < count; r++) {
        int32_t sum;
        scales[r] = round_row(x + r * width, width, (int8_t *)rows + r * width, &sum);
        for (int64_t i = 0; i < width; i++) rows[r * width + i] ^= 128;
    }
}

/* Give the highest product of the rows of each owner with a vector of `width` numbers, a multiple of 64 and at most MOST.
 * Rows stand together by owner; `ends` is where those of each end. */
FAST void retriever_best_rows(const uint8_t *rows, const float *scales, const int64_t *ends, int64_t owners,
                              int64_t width, const float *with, float *best) {
    int8_t bytes[MOST];
    int32_t sum;
    const float scale = round_row(with, width, bytes, &sum);
    int64_t r = 0;
    for (int64_t owner = 0; owner < owners; owner++) {
        float most = -INFINITY;
        for (; r < ends[owner]; r++, rows += width) {
            __m512i sums = _mm512_setzero_si512();
            for (int64_t i = 0; i < width; i += BYTES) {
                sums = _mm512_dpbusd_epi32(sums, _mm512_loadu_si512(rows + i), _mm512_loadu_si512(bytes + i));
            }
            const float product = (float)(_mm512_reduce_add_epi32(sums) - 128 * sum) * scales[r] * scale;
            most = product > most ? product : most;
        }
        best[owner] = most;
    }
}

/* The widest vectors that can be compared here; 0 if none can. */
int64_t retriever_rows_width(void) {
    __builtin_cpu_init();
    const int runs = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("avx512vnni");
    return runs ? MOST : 0;
}

#else

int64_t retriever_rows_width(void) { return 0; }

#endif
