// Loops fused by hand, as an expert would write them for one machine: the floor that an engine for
// any expression is compared with. Built by benches/arrays.py with `-O3 -march=native -fopenmp`.
//
// Results go past the caches with streaming stores where the instruction set has them; threads
// take pieces as they come. Sums are kept in f64, as tilewise keeps them.

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(__x86_64__) && defined(__GLIBC__)
__attribute__((simd("notinbranch"), const)) float sinf(float);  // of libmvec, a vector at a time
#endif

#define PIECE 65536         // elements a thread takes at a time
#define STRIP 1024          // elements computed in cache before they are streamed out
#define COLUMNS 2048        // neighbouring columns walked along together

typedef double wide;

// Writes a strip past the caches; plain where the place is not aligned.
static void flush(float *out, const float *strip, size_t n) {
#if defined(__AVX512F__)
    size_t head = (64 - ((size_t)out & 63)) / 4 & 15, i;
    if (head > n) head = n;
    for (i = 0; i < head; i++) out[i] = strip[i];
    for (; i + 16 <= n; i += 16) _mm512_stream_ps(out + i, _mm512_loadu_ps(strip + i));
    for (; i < n; i++) out[i] = strip[i];
#elif defined(__SSE2__)
    size_t head = (16 - ((size_t)out & 15)) / 4 & 3, i;
    if (head > n) head = n;
    for (i = 0; i < head; i++) out[i] = strip[i];
    for (; i + 4 <= n; i += 4) _mm_stream_ps(out + i, _mm_loadu_ps(strip + i));
    for (; i < n; i++) out[i] = strip[i];
#else
    memcpy(out, strip, n * sizeof *out);
#endif
}

static void settle(void) {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

#define FUSED(NAME, ARGS, EXPRESSION) \
    void NAME(size_t n, float *restrict out, ARGS) { \
        _Pragma("omp parallel for schedule(dynamic)") \
        for (size_t from = 0; from < n; from += PIECE) { \
            float strip[STRIP]; \
            for (size_t at = from; at < least(n, from + PIECE); at += STRIP) { \
                size_t m = least(STRIP, least(n, from + PIECE) - at); \
                for (size_t k = 0; k < m; k++) { size_t i = at + k; strip[k] = EXPRESSION; } \
                flush(out + at, strip, m); \
            } \
            settle(); \
        } \
    }
#define TWO const float *restrict a, const float *restrict b
#define THREE TWO, const float *restrict c
FUSED(chain, TWO, sqrtf(a[i] * a[i] + b[i] * b[i]) * 2.0f + sinf(a[i]))
FUSED(triad, THREE, a[i] * b[i] + c[i] - 1.0f)

// ---- reductions of x(outer, inner): over everything and over the last axis along rows ------------

// Sums of a row beside a pivot: deviations, their squares, and how many were no NaN.
static void row(const float *restrict x, size_t n, wide pivot, wide *sum, wide *square, wide *count, int how) {
    wide s = 0, q = 0, c = 0;
    if (how == 0) {
        #pragma omp simd reduction(+ : s)
        for (size_t i = 0; i < n; i++) s += (wide)x[i];
        c = n;
    } else if (how == 1) {
        #pragma omp simd reduction(+ : s, q)
        for (size_t i = 0; i < n; i++) { wide d = (wide)x[i] - pivot; s += d; q += d * d; }
        c = n;
    } else {
        #pragma omp simd reduction(+ : s, c)
        for (size_t i = 0; i < n; i++) { int ok = x[i] == x[i]; s += ok ? (wide)x[i] : 0.0; c += ok; }
    }
    *sum = s; *square = q; *count = c;
}

static float finish(wide sum, wide square, wide count, int how) {
    if (how == 1) return (float)sqrt((square - sum * sum / count) / count);
    return (float)(sum / count);
}

// how: 0 mean, 1 standard deviation, 2 mean without NaN
void reduce_all(const float *x, size_t n, float *out, int how) {
    wide sum = 0, square = 0, count = 0, pivot = how == 1 ? x[0] : 0;
    #pragma omp parallel for schedule(dynamic) reduction(+ : sum, square, count)
    for (size_t from = 0; from < n; from += PIECE) {
        wide s, q, c;
        row(x + from, least(PIECE, n - from), pivot, &s, &q, &c, how);
        sum += s; square += q; count += c;
    }
    *out = finish(sum, square, count, how);
}

void reduce_last(const float *x, size_t outer, size_t inner, float *out, int how) {
    #pragma omp parallel for schedule(dynamic, 64)
    for (size_t o = 0; o < outer; o++) {
        wide s, q, c;
        row(x + o * inner, inner, how == 1 ? x[o * inner] : 0, &s, &q, &c, how);
        out[o] = finish(s, q, c, how);
    }
}

void reduce_first(const float *x, size_t outer, size_t inner, float *out, int how) {
    #pragma omp parallel for schedule(dynamic)
    for (size_t from = 0; from < inner; from += COLUMNS) {
        size_t m = least(COLUMNS, inner - from);
        wide sum[COLUMNS] = {0}, square[COLUMNS] = {0};
        float count[COLUMNS] = {0};
        for (size_t o = 0; o < outer; o++) {
            const float *restrict r = x + o * inner + from, *restrict p = x + from;
            if (how == 0) for (size_t i = 0; i < m; i++) sum[i] += (wide)r[i];
            if (how == 1) for (size_t i = 0; i < m; i++) { wide d = (wide)r[i] - (wide)p[i]; sum[i] += d; square[i] += d * d; }
            if (how == 2) for (size_t i = 0; i < m; i++) { int ok = r[i] == r[i]; sum[i] += ok ? (wide)r[i] : 0.0; count[i] += ok; }
        }
        for (size_t i = 0; i < m; i++) out[from + i] = finish(sum[i], square[i], how == 2 ? count[i] : outer, how);
    }
}

// ---- along the first axis ---------------------------------------------------------------------

// x - mean of its group along the first axis; `label` has one of `groups` per row.
void anomaly(const float *x, size_t outer, size_t inner, float *out, const int *label, size_t groups) {
    float *mean = malloc(groups * inner * sizeof *mean);
    #pragma omp parallel for schedule(dynamic)
    for (size_t from = 0; from < inner; from += COLUMNS) {
        size_t m = least(COLUMNS, inner - from);
        wide *sum = calloc(groups * m, sizeof *sum), *count = calloc(groups, sizeof *count);
        for (size_t o = 0; o < outer; o++) {
            const float *restrict r = x + o * inner + from;
            wide *restrict s = sum + label[o] * m;
            for (size_t i = 0; i < m; i++) s[i] += (wide)r[i];
            count[label[o]]++;
        }
        for (size_t g = 0; g < groups; g++)
            for (size_t i = 0; i < m; i++) mean[g * inner + from + i] = (float)(sum[g * m + i] / count[g]);
        free(sum); free(count);
    }
    #pragma omp parallel for schedule(dynamic)
    for (size_t o = 0; o < outer; o++) {
        const float *restrict r = x + o * inner, *restrict g = mean + label[o] * inner;
        float strip[STRIP];
        for (size_t at = 0; at < inner; at += STRIP) {
            size_t m = least(STRIP, inner - at);
            for (size_t i = 0; i < m; i++) strip[i] = r[at + i] - g[at + i];
            flush(out + o * inner + at, strip, m);
        }
        settle();
    }
    free(mean);
}

void cumsum(const float *x, size_t outer, size_t inner, float *out) {
    #pragma omp parallel for schedule(dynamic)
    for (size_t from = 0; from < inner; from += STRIP) {
        size_t m = least(STRIP, inner - from);
        wide sum[STRIP] = {0};
        float strip[STRIP];
        for (size_t o = 0; o < outer; o++) {
            const float *restrict r = x + o * inner + from;
            for (size_t i = 0; i < m; i++) { sum[i] += (wide)r[i]; strip[i] = (float)sum[i]; }
            flush(out + o * inner + from, strip, m);
        }
        settle();
    }
}

// The mean of `window` rows up to each row, of those that there are at the beginning.
void rolling(const float *x, size_t outer, size_t inner, float *out, size_t window) {
    #pragma omp parallel for schedule(dynamic)
    for (size_t from = 0; from < inner; from += STRIP) {
        size_t m = least(STRIP, inner - from);
        wide sum[STRIP] = {0};
        float strip[STRIP];
        for (size_t o = 0; o < outer; o++) {
            const float *restrict r = x + o * inner + from, *restrict old = r - window * inner;
            if (o < window) for (size_t i = 0; i < m; i++) sum[i] += (wide)r[i];
            else for (size_t i = 0; i < m; i++) sum[i] += (wide)r[i] - (wide)old[i];
            wide share = 1.0 / (wide)least(o + 1, window);
            for (size_t i = 0; i < m; i++) strip[i] = (float)(sum[i] * share);
            flush(out + o * inner + from, strip, m);
        }
        settle();
    }
}

// ---- stencils: the inner points of u, written densely -----------------------------------------------

void heat(const float *u, size_t n, float *out) {
    #pragma omp parallel for schedule(static)
    for (size_t y = 1; y < n - 1; y++) {
        const float *restrict r = u + y * n, *restrict up = r - n, *restrict down = r + n;
        float strip[STRIP];
        for (size_t at = 1; at < n - 1; at += STRIP) {
            size_t m = least(STRIP, n - 1 - at);
            for (size_t k = 0; k < m; k++) {
                size_t i = at + k;
                strip[k] = r[i] + 0.1f * (up[i] + down[i] + r[i - 1] + r[i + 1] - 4.0f * r[i]);
            }
            flush(out + (y - 1) * (n - 2) + at - 1, strip, m);
        }
        settle();
    }
}

void laplacian(const float *u, size_t n, float *out) {
    #pragma omp parallel for schedule(static)
    for (size_t z = 1; z < n - 1; z++)
        for (size_t y = 1; y < n - 1; y++) {
            const float *restrict r = u + (z * n + y) * n;
            float strip[STRIP];
            for (size_t at = 1; at < n - 1; at += STRIP) {
                size_t m = least(STRIP, n - 1 - at);
                for (size_t k = 0; k < m; k++) {
                    const float *p = r + at + k;
                    strip[k] = p[-(ptrdiff_t)(n * n)] + p[n * n] + p[-(ptrdiff_t)n] + p[n] + p[-1] + p[1] - 6.0f * p[0];
                }
                flush(out + ((z - 1) * (n - 2) + y - 1) * (n - 2) + at - 1, strip, m);
            }
            settle();
        }
}
