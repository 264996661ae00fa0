/* What is done a thousand times for a question. Python gives the arrays, and has checked their sizes. */
#include <stdint.h>

/* Add the values of columns to the sums of their entries; `spans` are where each column begins and ends. */
void retriever_add_columns(const int32_t *entries, const float *values, const int64_t *spans, int64_t columns,
                           double *sums) {
    for (const int64_t *span = spans; span < spans + 2 * columns; span += 2)
        for (int64_t i = span[0]; i < span[1]; i++) sums[entries[i]] += values[i];
}

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>
#include <math.h>

#define FAST __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define INLINE static inline __attribute__((always_inline)) FAST

enum { LANES = 16, BYTES = 64, MOST = 8192 };

/* --- unit vectors as bytes, compared by VNNI: a quarter of the memory, and the time that reading it takes ----------- */

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

/* --- unit vectors as they are ----------------------------------------------------------------------------------- */

INLINE float product(const float *x, const float *y, int64_t width) {
    __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
    for (int64_t i = 0; i < width; i += 2 * LANES) {
        even = _mm512_fmadd_ps(_mm512_loadu_ps(x + i), _mm512_loadu_ps(y + i), even);
        odd = _mm512_fmadd_ps(_mm512_loadu_ps(x + i + LANES), _mm512_loadu_ps(y + i + LANES), odd);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(even, odd));
}

/* Give the products of all rows of `count` entries with a vector of `width` numbers, a multiple of 64; and of each entry
 * the highest of its first rows, as many as ask, or of all if none does; the last; and the highest. */
FAST void retriever_compare_entries(const float *vectors, int64_t width, const int64_t *starts, const int64_t *asking,
                                    const int64_t *ordinals, int64_t count, const float *with, float *products,
                                    float *nearest) {
    for (int64_t entry = 0; entry < count; entry++) {
        const int64_t first = starts[ordinals[entry]], rows = starts[ordinals[entry] + 1] - first;
        float question = -INFINITY, best = -INFINITY;
        for (int64_t row = 0; row < rows; row++) {
            const float one = products[row] = product(vectors + (first + row) * width, with, width);
            best = one > best ? one : best;
            question = row < asking[ordinals[entry]] ? best : question;
        }
        nearest[entry] = asking[ordinals[entry]] ? question : best;
        nearest[count + entry] = products[rows - 1];
        nearest[2 * count + entry] = best;
        products += rows;
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
