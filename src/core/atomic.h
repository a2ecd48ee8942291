/* Every atomic access of the project, with its memory order in the name. Nothing else may touch an
 * swg_au64 / swg_au32 / swg_ai64.
 *
 * The seam: built with SWG_INTERLEAVE, each access first calls swg__yield(), which the interleaving
 * tests use to choose who runs next and the kill tests use to die at every point. */
#ifndef SWG_CORE_ATOMIC_H
#define SWG_CORE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct swg_au64 {
    _Atomic uint64_t v;
} swg_au64;
typedef struct swg_au32 {
    _Atomic uint32_t v;
} swg_au32;
typedef struct swg_ai64 {
    _Atomic int64_t v;
} swg_ai64;

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2,
               "64-bit atomics must be lock-free to live in shared memory");

#ifdef SWG_INTERLEAVE
void swg__yield(void);
#define SWG_YIELD() swg__yield()
#else
#define SWG_YIELD() ((void)0)
#endif

#define SWG_ATOMIC_OPS(type, name)                                                                 \
    static inline type swg__load_relaxed_##name(const swg_a##name *a)                              \
    {                                                                                              \
        SWG_YIELD();                                                                               \
        return atomic_load_explicit(&a->v, memory_order_relaxed);                                  \
    }                                                                                              \
    static inline type swg__load_acquire_##name(const swg_a##name *a)                              \
    {                                                                                              \
        SWG_YIELD();                                                                               \
        return atomic_load_explicit(&a->v, memory_order_acquire);                                  \
    }                                                                                              \
    static inline type swg__load_seq_##name(const swg_a##name *a)                                  \
    {                                                                                              \
        SWG_YIELD();                                                                               \
        return atomic_load_explicit(&a->v, memory_order_seq_cst);                                  \
    }                                                                                              \
    static inline void swg__store_relaxed_##name(swg_a##name *a, type value)                       \
    {                                                                                              \
        SWG_YIELD();                                                                               \
        atomic_store_explicit(&a->v, value, memory_order_relaxed);                                 \
    }                                                                                              \
    static inline void swg__store_release_##name(swg_a##name *a, type value)                       \
    {                                                                                              \
        SWG_YIELD();                                                                               \
        atomic_store_explicit(&a->v, value, memory_order_release);                                 \
    }                                                                                              \
    static inline type swg__add_relaxed_##name(swg_a##name *a, type value)                         \
    {                                                                                              \
        SWG_YIELD();                                                                               \
        return atomic_fetch_add_explicit(&a->v, value, memory_order_relaxed);                      \
    }                                                                                              \
    static inline type swg__add_seq_##name(swg_a##name *a, type value)                             \
    {                                                                                              \
        SWG_YIELD();                                                                               \
        return atomic_fetch_add_explicit(&a->v, value, memory_order_seq_cst);                      \
    }                                                                                              \
    static inline type swg__swap_seq_##name(swg_a##name *a, type value)                            \
    {                                                                                              \
        SWG_YIELD();                                                                               \
        return atomic_exchange_explicit(&a->v, value, memory_order_seq_cst);                       \
    }                                                                                              \
    /* strong; on failure *expected is what was found. Sequentially consistent either way. */      \
    static inline bool swg__cas_seq_##name(swg_a##name *a, type *expected, type desired)           \
    {                                                                                              \
        SWG_YIELD();                                                                               \
        return atomic_compare_exchange_strong_explicit(                                            \
            &a->v, expected, desired, memory_order_seq_cst, memory_order_seq_cst);                 \
    }

SWG_ATOMIC_OPS(uint64_t, u64)
SWG_ATOMIC_OPS(uint32_t, u32)
SWG_ATOMIC_OPS(int64_t, i64)

#endif
