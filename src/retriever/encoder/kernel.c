/* A BERT encoder for x86 with AVX-512 VNNI: int8 weights, tokens rounded to int8 one by one, the rest in float. A text
 * takes one thread, or two that share its parts.
 *
 * The same arithmetic as the graph that bert.py writes and onnxruntime runs elsewhere; a test holds one against the
 * other. A text's vector depends on nothing but the text. Nothing is allocated, and nothing kept but who helps:
 * kernel.py gives weights, tokens and scratch, has checked their sizes, and its structures mirror those here.
 */
#include <stddef.h>
#include <stdint.h>

/* outputs = inputs x weights. `weights` lie in panels of PANEL outputs, in each for every 4 inputs 4 bytes an output,
 * 128 more than the weight: VNNI multiplies unsigned numbers by signed ones, and it is the tokens that are signed. */
typedef struct {
    const uint8_t *weights;
    const float *scales;  /* one an output */
    const float *bias;    /* one an output */
    const float *factors; /* one an input, which it is multiplied by before it is rounded; none if NULL */
    int64_t inputs, outputs;
} Linear;

typedef struct {
    const float *weight, *bias;
} Norm;

typedef struct {
    Linear attend, project, widen, narrow;
    Norm attended, narrowed;
} Layer;

typedef struct {
    const int8_t *words; /* hidden numbers a token of the vocabulary */
    const float *word_scales;
    const float *places; /* hidden numbers a position */
    Norm embedded;
    const Layer *layers;
    int64_t count, hidden, wide, heads;
    int64_t first; /* whether the first token is the text's vector, not the mean of all */
    const float *gelu; /* the cubics of gelu_of, GELU_STEP wide */
    float epsilon;
} Model;

#if defined(__x86_64__) && defined(__GNUC__)

#include <pthread.h>
#include <sched.h>
#include <x86intrin.h>

#define FAST __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define INLINE static inline __attribute__((always_inline)) FAST

/* PATIENCE: how often a thread looks for the other, some 50 microseconds in all, before it lets others run. */
enum { LANES = 16, PANEL = 64, ROWS = 6, PATIENCE = 1000 };
#define GELU_STEP 0.35f

/* Tokens as a layer takes them. */
typedef struct {
    int8_t *values;
    float *scales; /* one a token */
    int32_t *sums; /* of the values, one a token */
} Rounded;

/* --- functions of a number ---------------------------------------------------------------------------------------- */

INLINE __m512 exp_of(__m512 x) {
    const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 0x08);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x); /* ln 2, its high bits and the rest */
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
    __m512 p = _mm512_set1_ps(1.0f / 720); /* Taylor: |r| is at most ln 2 / 2 */
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 120));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 24));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 6));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, n);
}

/* x times the normal distribution's share below x: x where it is above 0, less a bump that falls off on both sides. Of
 * the bump, `cubics` holds the coefficients on LANES steps from 0 on, the highest power first; it is 0 beyond them. */
INLINE __m512 gelu_of(const float *cubics, __m512 x) {
    const __m512 steps = _mm512_set1_ps(1.0f / GELU_STEP), whole = _mm512_set1_ps(12582912.0f); /* 1.5 * 2^23 */
    const __m512 u = _mm512_min_ps(_mm512_abs_ps(x), _mm512_set1_ps((LANES - 1) * GELU_STEP));
    const __m512 at = _mm512_fmadd_ps(u, steps, whole); /* a float without room for a fraction: its low bits are the step */
    const __m512 d = _mm512_fmsub_ps(u, steps, _mm512_sub_ps(at, whole));
    __m512 bump = _mm512_setzero_ps();
    for (int power = 0; power < 4; power++) {
        const __m512 each = _mm512_loadu_ps(cubics + power * LANES);
        bump = _mm512_fmadd_ps(bump, d, _mm512_permutexvar_ps(_mm512_castps_si512(at), each));
    }
    return _mm512_sub_ps(_mm512_max_ps(x, _mm512_setzero_ps()), bump);
}

/* --- products ----------------------------------------------------------------------------------------------------- */

INLINE __m512 factored(const float *x, const float *factors, int64_t i) {
    const __m512 v = _mm512_loadu_ps(x + i);
    return factors ? _mm512_mul_ps(v, _mm512_loadu_ps(factors + i)) : v;
}

/* The numbers of `tokens` that stand in some columns: all, or those that a thread has made. */
typedef struct {
    const float *x, *factors;
    int64_t tokens, width, begin, end;
} Columns;

FAST static void find_largest(Columns c, float *largest) {
    for (int64_t t = 0; t < c.tokens; t++, c.x += c.width) {
        __m512 most = _mm512_set1_ps(1e-10f);
        for (int64_t i = c.begin; i < c.end; i += LANES)
            most = _mm512_max_ps(most, _mm512_abs_ps(factored(c.x, c.factors, i)));
        largest[t] = _mm512_reduce_max_ps(most);
    }
}

FAST static void round_columns(Columns c, const float *scales, int8_t *values, int32_t *sums) {
    for (int64_t t = 0; t < c.tokens; t++, c.x += c.width, values += c.width) {
        const __m512 by = _mm512_set1_ps(1.0f / scales[t]);
        __m512i sum = _mm512_setzero_si512();
        for (int64_t i = c.begin; i < c.end; i += LANES) {
            const __m512i value = _mm512_cvtps_epi32(_mm512_mul_ps(factored(c.x, c.factors, i), by));
            sum = _mm512_add_epi32(sum, value);
            _mm_storeu_si128((__m128i *)(values + i), _mm512_cvtsepi32_epi8(value));
        }
        sums[t] = _mm512_reduce_add_epi32(sum);
    }
}

FAST static void round_tokens(const Linear *l, const float *x, int64_t tokens, Rounded to) {
    const Columns all = {x, l->factors, tokens, l->inputs, 0, l->inputs};
    find_largest(all, to.scales);
    for (int64_t t = 0; t < tokens; t++) to.scales[t] /= 127.0f;
    round_columns(all, to.scales, to.values, to.sums);
}

INLINE void finish(const Linear *l, Rounded x, int64_t token, int64_t at, __m512i sum, float *y, const float *add,
                   const float *gelu) {
    const int64_t to = token * l->outputs + at;
    __m512 f = _mm512_cvtepi32_ps(_mm512_sub_epi32(sum, _mm512_set1_epi32(128 * x.sums[token])));
    f = _mm512_mul_ps(_mm512_mul_ps(f, _mm512_loadu_ps(l->scales + at)), _mm512_set1_ps(x.scales[token]));
    f = _mm512_add_ps(f, _mm512_loadu_ps(l->bias + at));
    if (add) f = _mm512_add_ps(f, _mm512_loadu_ps(add + to));
    if (gelu) f = gelu_of(gelu, f);
    _mm512_storeu_ps(y + to, f);
}

/* What is done with the sums of each token: each a variable of its own, since compilers keep an array in memory. */
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)
#define ZERO_ROW(r) __m512i s##r##0 = _mm512_setzero_si512(), s##r##1 = s##r##0, s##r##2 = s##r##0, s##r##3 = s##r##0;
/* The intrinsic makes GCC copy every sum before it adds to it. */
#define ADD(sum, w, a) __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(a))
#define ADD_ROW(r)                                                                      \
    if (rows > r) {                                                                     \
        const __m512i a = _mm512_set1_epi32(*(const int32_t *)(v + r * l->inputs + k)); \
        ADD(s##r##0, w0, a);                                                            \
        ADD(s##r##1, w1, a);                                                            \
        ADD(s##r##2, w2, a);                                                            \
        ADD(s##r##3, w3, a);                                                            \
    }
#define FINISH_ROW(r)                                            \
    if (rows > r) {                                              \
        finish(l, x, token + r, at, s##r##0, y, add, gelu);      \
        finish(l, x, token + r, at + 16, s##r##1, y, add, gelu); \
        finish(l, x, token + r, at + 32, s##r##2, y, add, gelu); \
        finish(l, x, token + r, at + 48, s##r##3, y, add, gelu); \
    }

/* A panel of outputs of a few tokens. `ahead` are weights that will be wanted soon: the third level of cache is slow,
 * and a short text waits for its weights more than for its products. */
INLINE void block(const int rows, const Linear *l, Rounded x, int64_t token, int64_t panel, float *y, const float *add,
                  const float *gelu, const uint8_t *ahead) {
    EACH_ROW(ZERO_ROW)
    const uint8_t *w = l->weights + panel * PANEL * l->inputs;
    const int8_t *v = x.values + token * l->inputs;
    const int64_t at = panel * PANEL;
    for (int64_t k = 0; k < l->inputs; k += 4, w += 4 * PANEL) {
        _mm_prefetch((const char *)(ahead + PANEL / 4 * k), _MM_HINT_T1);
        const __m512i w0 = _mm512_loadu_si512(w), w1 = _mm512_loadu_si512(w + 64), w2 = _mm512_loadu_si512(w + 128),
                      w3 = _mm512_loadu_si512(w + 192);
        EACH_ROW(ADD_ROW)
    }
    EACH_ROW(FINISH_ROW)
}

/* A panel of outputs of all tokens: y = x weights + bias, and `add` on top unless it is NULL. `next` is the panel whose
 * weights will be wanted after it. */
INLINE void multiply(const Linear *l, Rounded x, int64_t tokens, int64_t panel, int64_t next, float *y,
                     const float *add, const float *gelu) {
    const int64_t blocks = (tokens + ROWS - 1) / ROWS;
    for (int64_t b = 0, token = 0; b < blocks; b++) {
        const int64_t rows = (tokens - token + blocks - b - 1) / (blocks - b); /* as even as they come */
        const uint8_t *ahead = l->weights + (4 * next + b % 4) * (PANEL / 4) * l->inputs;
        switch (rows) {
            case 1: block(1, l, x, token, panel, y, add, gelu, ahead); break;
            case 2: block(2, l, x, token, panel, y, add, gelu, ahead); break;
            case 3: block(3, l, x, token, panel, y, add, gelu, ahead); break;
            case 4: block(4, l, x, token, panel, y, add, gelu, ahead); break;
            case 5: block(5, l, x, token, panel, y, add, gelu, ahead); break;
            default: block(6, l, x, token, panel, y, add, gelu, ahead);
        }
        token += rows;
    }
}

FAST static void linear(const Linear *l, Rounded x, int64_t tokens, int64_t panel, int64_t next, float *y,
                        const float *add) {
    multiply(l, x, tokens, panel, next, y, add, NULL);
}

FAST static void linear_gelu(const Linear *l, Rounded x, int64_t tokens, int64_t panel, int64_t next, float *y,
                             const float *gelu) {
    multiply(l, x, tokens, panel, next, y, NULL, gelu);
}

/* --- the rest of a layer ------------------------------------------------------------------------------------------ */

FAST static void norm(const Model *m, Norm n, const float *x, int64_t tokens, float *y) {
    const int64_t width = m->hidden;
    for (int64_t t = 0; t < tokens; t++, x += width, y += width) {
        __m512 sum = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
        for (int64_t i = 0; i < width; i += LANES) sum = _mm512_add_ps(sum, _mm512_loadu_ps(x + i));
        const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / (float)width);
        for (int64_t i = 0; i < width; i += LANES) {
            const __m512 d = _mm512_sub_ps(_mm512_loadu_ps(x + i), mean);
            squares = _mm512_fmadd_ps(d, d, squares);
        }
        const float variance = _mm512_reduce_add_ps(squares) / (float)width;
        const __m512 by = _mm512_set1_ps(1.0f / __builtin_sqrtf(variance + m->epsilon));
        for (int64_t i = 0; i < width; i += LANES) {
            const __m512 d = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(x + i), mean), by);
            _mm512_storeu_ps(y + i, _mm512_fmadd_ps(d, _mm512_loadu_ps(n.weight + i), _mm512_loadu_ps(n.bias + i)));
        }
    }
}

enum { TOGETHER = 8 };
#define EACH_ROW_OF_EIGHT _Pragma("GCC unroll 8") for (int r = 0; r < TOGETHER; r++)

/* A head's softmax(q k / sqrt(size)) v. `all` holds q, k and v of each token side by side. LANES tokens ask at a time,
 * each in its lane, so that nothing is summed across lanes; `queries` and `weights` are room for them. */
FAST static void attention(const Model *m, int64_t h, const float *all, int64_t tokens, float *queries, float *weights,
                           float *out) {
    const int64_t hidden = m->hidden, size = hidden / m->heads, stride = 3 * hidden;
    const __m512 by = _mm512_set1_ps(1.0f / __builtin_sqrtf((float)size));
    const __m512i steps = _mm512_mullo_epi32(
        _mm512_set1_epi32((int32_t)stride), _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
    for (int64_t t = 0; t < tokens; t += LANES) {
        const float *q = all + t * stride + h * size, *k = all + hidden + h * size, *v = k + hidden;
        const int64_t asking = tokens - t < LANES ? tokens - t : LANES;
        for (int64_t i = 0; i < size; i++) {
            const __m512 query = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), (__mmask16)((1u << asking) - 1),
                                                          steps, q + i, sizeof(float));
            _mm512_storeu_ps(queries + i * LANES, _mm512_mul_ps(query, by));
        }
        __m512 most = _mm512_set1_ps(-3e38f), sum = _mm512_setzero_ps();
        for (int64_t j = 0; j < tokens; j += TOGETHER) {
            const float *key[TOGETHER]; /* the last stands in for tokens that are not there */
            __m512 s[TOGETHER];
            EACH_ROW_OF_EIGHT key[r] = k + (j + r < tokens ? j + r : tokens - 1) * stride;
            EACH_ROW_OF_EIGHT s[r] = _mm512_setzero_ps();
            for (int64_t i = 0; i < size; i++) {
                const __m512 query = _mm512_loadu_ps(queries + i * LANES);
                EACH_ROW_OF_EIGHT s[r] = _mm512_fmadd_ps(_mm512_set1_ps(key[r][i]), query, s[r]);
            }
            EACH_ROW_OF_EIGHT most = _mm512_max_ps(most, s[r]);
            EACH_ROW_OF_EIGHT _mm512_storeu_ps(weights + (j + r) * LANES, s[r]);
        }
        for (int64_t j = 0; j < tokens; j++) {
            const __m512 e = exp_of(_mm512_sub_ps(_mm512_loadu_ps(weights + j * LANES), most));
            sum = _mm512_add_ps(sum, e);
            _mm512_storeu_ps(weights + j * LANES, e);
        }
        float share[LANES];
        _mm512_storeu_ps(share, _mm512_div_ps(_mm512_set1_ps(1.0f), sum));
        for (int64_t part = 0; part < asking; part += TOGETHER)
            for (int64_t i = 0; i < size; i += LANES) {
                __m512 s[TOGETHER];
                EACH_ROW_OF_EIGHT s[r] = _mm512_setzero_ps();
                for (int64_t j = 0; j < tokens; j++) {
                    const __m512 value = _mm512_loadu_ps(v + j * stride + i);
                    const float *weight = weights + j * LANES + part;
                    EACH_ROW_OF_EIGHT s[r] = _mm512_fmadd_ps(_mm512_set1_ps(weight[r]), value, s[r]);
                }
                EACH_ROW_OF_EIGHT if (part + r < asking) _mm512_storeu_ps(
                    out + (t + part + r) * hidden + h * size + i, _mm512_mul_ps(s[r], _mm512_set1_ps(share[part + r])));
            }
    }
}

FAST static void embed(const Model *m, const int32_t *ids, int64_t tokens, float *x) {
    for (int64_t t = 0; t < tokens; t++) {
        const int8_t *word = m->words + ids[t] * m->hidden;
        const __m512 scale = _mm512_set1_ps(m->word_scales[ids[t]]);
        for (int64_t i = 0; i < m->hidden; i += LANES) {
            const __m512i values = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(word + i)));
            const __m512 place = _mm512_loadu_ps(m->places + t * m->hidden + i);
            _mm512_storeu_ps(x + t * m->hidden + i, _mm512_fmadd_ps(_mm512_cvtepi32_ps(values), scale, place));
        }
    }
    norm(m, m->embedded, x, tokens, x);
}

FAST static void pool(const Model *m, const float *x, int64_t tokens, float *vector) {
    const int64_t pooled = m->first ? 1 : tokens;
    __m512 squares = _mm512_setzero_ps();
    for (int64_t i = 0; i < m->hidden; i += LANES) {
        __m512 sum = _mm512_setzero_ps();
        for (int64_t t = 0; t < pooled; t++) sum = _mm512_add_ps(sum, _mm512_loadu_ps(x + t * m->hidden + i));
        sum = _mm512_div_ps(sum, _mm512_set1_ps((float)pooled));
        squares = _mm512_fmadd_ps(sum, sum, squares);
        _mm512_storeu_ps(vector + i, sum);
    }
    const float length = __builtin_sqrtf(_mm512_reduce_add_ps(squares));
    const __m512 by = _mm512_set1_ps(1.0f / (length > 1e-12f ? length : 1e-12f));
    for (int64_t i = 0; i < m->hidden; i += LANES)
        _mm512_storeu_ps(vector + i, _mm512_mul_ps(_mm512_loadu_ps(vector + i), by));
}

/* --- a text, by one thread or two -------------------------------------------------------------------------------- */

/* The steps of a layer that wait for all parts of the one before. */
enum { ATTEND, PROJECT, WIDEN, ROUND, NARROW, STEPS };

/* A text, and what both threads read and write. Neither writes where the other does, and whoever comes late to a step
 * finds nothing left of it: what it has read for it by then may be anything. */
typedef struct {
    const Model *m;
    const int32_t *ids;
    int64_t tokens;
    float *all, *attended, *middle, *wide, *sum; /* what each step makes, of all tokens */
    int8_t *values;                              /* of `wide`, rounded */
    float *largest;                              /* of `wide`, by layer, thread and token */
    int32_t *sums;                               /* of `values`, in the same way */
    int32_t *taken, *done;                       /* parts, by layer and step */
} Text;

/* What a thread has to itself. */
typedef struct {
    float *x, *queries, *weights;
    Rounded rounded;
    float *scales; /* of `wide` */
    int32_t *sums;
} Own;

/* One thread takes parts from the first on, the other from the last: what each has is in one piece. */
typedef struct {
    int32_t *taken, *done;
    int64_t total, mine, who;
} Parts;

static Parts parts_of(const Text *text, int64_t layer, int64_t step, int64_t total, int64_t who) {
    const int64_t at = layer * STEPS + step;
    return (Parts){text->taken + at, text->done + at, total, 0, who};
}

/* The next part for this thread; -1 if none is left. */
static int64_t take(Parts *p) {
    if (__atomic_fetch_add(p->taken, 1, __ATOMIC_ACQ_REL) >= p->total) return -1;
    const int64_t nth = p->mine++;
    return p->who ? p->total - 1 - nth : nth;
}

static int64_t after(const Parts *p, int64_t part) { return p->who ? (part ? part - 1 : part) : part + 1; }

/* Wait a little for another thread: at first without letting go of the core. */
static void wait_a_little(int64_t tries) {
    if (tries < PATIENCE) _mm_pause();
    else sched_yield();
}

/* Say that this thread's parts are done, and wait for the other's. */
static void meet(const Parts *p) {
    __atomic_fetch_add(p->done, (int32_t)p->mine, __ATOMIC_ACQ_REL);
    for (int64_t tries = 0; __atomic_load_n(p->done, __ATOMIC_ACQUIRE) < p->total; tries++) wait_a_little(tries);
}

FAST static void run_layer(const Text *t, const Own *o, int64_t n, int64_t who) {
    const Model *m = t->m;
    const Layer *l = m->layers + n;
    const int64_t tokens = t->tokens, panels = m->hidden / PANEL, wide = m->wide / PANEL, heads = m->heads / panels;
    int64_t part;

    round_tokens(&l->attend, o->x, tokens, o->rounded);
    Parts p = parts_of(t, n, ATTEND, panels, who);
    while ((part = take(&p)) >= 0) {
        for (int64_t i = 0; i < 3; i++) { /* q, k and v of some heads */
            const int64_t panel = part + i * panels, next = i < 2 ? panel + panels : after(&p, part);
            linear(&l->attend, o->rounded, tokens, panel, next, t->all, NULL);
        }
        for (int64_t h = part * heads; h < (part + 1) * heads; h++)
            attention(m, h, t->all, tokens, o->queries, o->weights, t->attended);
    }
    meet(&p);

    round_tokens(&l->project, t->attended, tokens, o->rounded);
    p = parts_of(t, n, PROJECT, panels, who);
    while ((part = take(&p)) >= 0)
        linear(&l->project, o->rounded, tokens, part, after(&p, part), t->middle, o->x);
    meet(&p);
    norm(m, l->attended, t->middle, tokens, o->x);

    round_tokens(&l->widen, o->x, tokens, o->rounded);
    p = parts_of(t, n, WIDEN, wide, who);
    while ((part = take(&p)) >= 0)
        linear_gelu(&l->widen, o->rounded, tokens, part, after(&p, part), t->wide, m->gelu);
    /* Few bytes go from one core to the other: each rounds what it has made, once it knows the largest of all. */
    const int64_t columns = p.mine * PANEL, begin = who ? m->wide - columns : 0;
    const Columns made = {t->wide, l->narrow.factors, tokens, m->wide, begin, begin + columns};
    const int64_t one = n * 2 * tokens, other = one + tokens, mine = who ? other : one;
    if (columns) find_largest(made, t->largest + mine);
    meet(&p);
    for (int64_t i = 0; i < tokens; i++) {
        const float a = t->largest[one + i], b = t->largest[other + i];
        o->scales[i] = (a > b ? a : b) / 127.0f;
    }
    if (columns) round_columns(made, o->scales, t->values, t->sums + mine);
    Parts rounding = parts_of(t, n, ROUND, wide, who);
    rounding.mine = p.mine;
    meet(&rounding);
    for (int64_t i = 0; i < tokens; i++) o->sums[i] = t->sums[one + i] + t->sums[other + i];

    const Rounded rounded = {t->values, o->scales, o->sums};
    p = parts_of(t, n, NARROW, panels, who);
    while ((part = take(&p)) >= 0) linear(&l->narrow, rounded, tokens, part, after(&p, part), t->sum, o->x);
    meet(&p);
}

/* Give the thread what layer `n` is given: with the number of all, what the last one makes. */
FAST static void enter_layer(const Text *t, const Own *o, int64_t n) {
    if (n) norm(t->m, t->m->layers[n - 1].narrowed, t->sum, t->tokens, o->x);
    else embed(t->m, t->ids, t->tokens, o->x);
}

FAST static void run_layers(const Text *t, const Own *o, int64_t who) {
    const Model *m = t->m;
    for (int64_t n = 0; n < m->count; n++) {
        const int64_t last = n * STEPS + NARROW;
        if (__atomic_load_n(t->done + last, __ATOMIC_ACQUIRE) == m->hidden / PANEL) continue; /* without this thread */
        enter_layer(t, o, n);
        run_layer(t, o, n, who);
    }
}

/* Take room for `count` of a type from the scratch, whose parts begin at multiples of 64. */
#define TAKE(type, count) \
    ((type *)(taken = (uintptr_t)scratch + used, used += ((count) * (int64_t)sizeof(type) + 63) / 64 * 64, taken))

/* Lay out a text's room in `scratch`; with NULL only the bytes that are returned are of use. */
static int64_t lay_out(const Model *m, const int32_t *ids, int64_t tokens, char *scratch, Text *text, Own own[2]) {
    const int64_t hidden = tokens * m->hidden, wide = tokens * m->wide, by_layer = m->count * 2 * tokens;
    uintptr_t used = 0, taken;
    /* What must be 0 comes first, in one piece. */
    float *largest = TAKE(float, by_layer);
    int32_t *sums = TAKE(int32_t, by_layer), *counts[2];
    for (int i = 0; i < 2; i++) counts[i] = TAKE(int32_t, m->count * STEPS);
    if (scratch) __builtin_memset(scratch, 0, used);
    float *all = TAKE(float, 3 * hidden), *attended = TAKE(float, hidden), *middle = TAKE(float, hidden);
    float *widened = TAKE(float, wide), *sum = TAKE(float, hidden);
    int8_t *values = TAKE(int8_t, wide);
    *text = (Text){m, ids, tokens, all, attended, middle, widened, sum, values, largest, sums, counts[0], counts[1]};
    for (int i = 0; i < 2; i++) {
        own[i].x = TAKE(float, hidden);
        own[i].queries = TAKE(float, LANES * (m->hidden / m->heads));
        own[i].weights = TAKE(float, LANES * (tokens + TOGETHER));
        own[i].rounded.values = TAKE(int8_t, hidden);
        own[i].rounded.scales = TAKE(float, tokens);
        own[i].rounded.sums = TAKE(int32_t, tokens);
        own[i].scales = TAKE(float, tokens);
        own[i].sums = TAKE(int32_t, tokens);
    }
    return (int64_t)used;
}

/* --- a thread that helps ------------------------------------------------------------------------------------------ */

/* So many ticks, 0.2 ms or so, a helper awaits a text that it was told of: the question is tokenised meanwhile. */
enum { HOPE = 500000 };

/* There is one helper, which helps with one text at a time. */
enum { ABSENT, FREE, TAKEN, CALLED, HELPING, HELPED };
static struct {
    int state, expected;
    Text text;
    Own own[2];
    pthread_mutex_t lock;
    pthread_cond_t called;
} helper = {.lock = PTHREAD_MUTEX_INITIALIZER, .called = PTHREAD_COND_INITIALIZER};

static int become(int from, int to) {
    return __atomic_compare_exchange_n(&helper.state, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static int is_called(void) { return __atomic_load_n(&helper.state, __ATOMIC_ACQUIRE) == CALLED; }

/* Be the helper, for ever. */
void retriever_help(void) {
    if (!become(ABSENT, FREE)) return;
    for (;;) {
        pthread_mutex_lock(&helper.lock);
        while (!is_called() && !helper.expected) pthread_cond_wait(&helper.called, &helper.lock);
        helper.expected = 0;
        pthread_mutex_unlock(&helper.lock);
        const uint64_t woken = __rdtsc();
        while (!is_called() && __rdtsc() - woken < HOPE) _mm_pause();
        if (!become(CALLED, HELPING)) continue; /* all was done before it came */
        run_layers(&helper.text, &helper.own[1], 1);
        become(HELPING, HELPED);
    }
}

/* --- what kernel.py calls ----------------------------------------------------------------------------------------- */

/* Wake the helper for a text that is about to come: that takes the caller a twentieth of what encoding does. */
void retriever_expect(void) {
    if (pthread_mutex_trylock(&helper.lock)) return;
    helper.expected = 1;
    pthread_cond_signal(&helper.called);
    pthread_mutex_unlock(&helper.lock);
}

/* Have the helper begin with a text, if it is free: whether it is. `retriever_encode` with the same must follow. */
int retriever_begin(const Model *m, const int32_t *ids, int64_t tokens, char *scratch) {
    if (!become(FREE, TAKEN)) return 0;
    if (pthread_mutex_trylock(&helper.lock)) { /* it is on its way to sleep; after a fork nobody may be there to let go */
        become(TAKEN, FREE);
        return 0;
    }
    lay_out(m, ids, tokens, scratch, &helper.text, helper.own);
    become(TAKEN, CALLED);
    pthread_cond_signal(&helper.called);
    pthread_mutex_unlock(&helper.lock);
    return 1;
}

/* Encode a text of `tokens` ids into a vector of unit length; `begun` says whether the helper has. Returns the bytes of
 * scratch, aligned to 64, that this takes; with NULL for scratch it only says how many. */
FAST int64_t retriever_encode(const Model *m, const int32_t *ids, int64_t tokens, char *scratch, float *vector,
                              int64_t begun) {
    Text alone;
    Own own[2];
    const Text *text = begun ? &helper.text : &alone;
    if (begun) own[0] = helper.own[0];
    else {
        const int64_t size = lay_out(m, ids, tokens, scratch, &alone, own);
        if (!scratch) return size;
    }
    run_layers(text, &own[0], 0);
    enter_layer(text, &own[0], m->count);
    pool(m, own[0].x, tokens, vector);
    if (begun && !become(CALLED, FREE)) /* the room may be used again once the helper is out of it */
        for (int64_t tries = 0; !become(HELPED, FREE); tries++) wait_a_little(tries);
    return 0;
}

/* Lay int8 weights of shape (inputs, outputs) out as `Linear` has them. */
void retriever_pack(const int8_t *weights, int64_t inputs, int64_t outputs, uint8_t *packed) {
    for (int64_t panel = 0; panel < outputs; panel += PANEL)
        for (int64_t k = 0; k < inputs; k += 4)
            for (int64_t at = 0; at < PANEL; at++)
                for (int64_t i = 0; i < 4; i++) *packed++ = (uint8_t)(weights[(k + i) * outputs + panel + at] + 128);
}

/* Whether this processor can do it, for a caller whose Model has this size. */
int retriever_runs(int64_t size) {
    __builtin_cpu_init();
    return size == (int64_t)sizeof(Model) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
}

#else

int retriever_runs(int64_t size) { return size < 0; }

#endif
