/* The vocabulary of the MMX and SSE bodies: vector registers, memory operands, instances. SDM 1 9
 * (Programming with Intel MMX Technology), 10 (Programming with Intel Streaming SIMD Extensions), 11
 * (Programming with Intel Streaming SIMD Extensions 2).
 *
 * The arithmetic is that of cpu/lane*.h, on the host's own vector registers. MMX operations run in the low half
 * of host XMM registers, so the host's x87 is never disturbed.
 *
 * Every write of an XMM register stores all 16 bytes, also where only the low half changes: a wider load
 * right after a narrower store stalls. */
#ifndef CPU_SIMD_H
#define CPU_SIMD_H

#include "cpu/check.h"
#include "cpu/handler.h"
#include "cpu/lane.h"
#include "cpu/simd_state.h"

/* Memory operands: bytes; V16 must be aligned unless MXCSR.MM, V16A must, V16U need not be. */
enum vmem { V2 = 2, V4 = 4, V8 = 8, V16 = 16, V16U = 16 + 32, V16A = 16 + 64 };
#define VMEM_ALIGNED(m) ((m) == V16 || (m) == V16A)
#define VMEM_BYTES(m) ((unsigned)(m) & 31u)

/* Form L (LOCK) cannot occur: it names the register form that is entered when a SSE exception is unmasked. */
#define FORM_E FORM_L
#define IS_VREG(form) ((form) == FORM_R || (form) == FORM_E)

/* ---- registers ---- */
/* The compiler would add 64 * (r + n), which takes an instruction more than an address with a displacement. */
ALWAYS_INLINE u8 *vec_bytes(struct cpu *cpu, unsigned r) {
  u64 at = (u64)r * sizeof cpu->vec[0];
  __asm__("" : "+r"(at));
  return (u8 *)cpu->vec + at;
}
ALWAYS_INLINE __m128i xmm_get(struct cpu *cpu, unsigned r) { return _mm_load_si128((void *)vec_bytes(cpu, r)); }
ALWAYS_INLINE void xmm_set(struct cpu *cpu, unsigned r, __m128i v) { _mm_store_si128((void *)vec_bytes(cpu, r), v); }

/* Is the state in the host's x87 (cpu/x87.h), or an x87 exception waiting that an MMX instruction reports
 * first? #MF; SDM 3A 12.5 (Exceptions That Can Occur When Executing MMX Instructions). Without CR0.NE the
 * report is an external interrupt, not an exception. */
ALWAYS_INLINE bool mmx_pending(const struct cpu *cpu) {
  return unlikely(cpu->x87.live) || (unlikely(cpu->x87.fsw & 0x80) && (cpu->cr0 & CR0_NE));
}
handler_fn mmx_wait;
#define MMX_WAIT() \
  if (mmx_pending(cpu)) return mmx_wait(cpu, i)
/* The change from x87 to MMX: TOP = 0, all tags valid. SDM 3A 12.2 (The MMX State and MMX Register
 * Aliasing) */
ALWAYS_INLINE void mmx_enter(struct cpu *cpu) {
  cpu->x87.top = 0;
  cpu->x87.empty = 0;
}
ALWAYS_INLINE __m128i mmx_get(const struct cpu *cpu, unsigned r) {
  return _mm_loadl_epi64((const void *)&cpu->x87.st[r].m);
}
ALWAYS_INLINE void mmx_set(struct cpu *cpu, unsigned r, __m128i v) {
  _mm_storel_epi64((void *)&cpu->x87.st[r].m, v);
  cpu->x87.st[r].se = 0xffff;
}

/* ---- memory ---- */
/* A hit for an aligned access: a misaligned one never hits. */
ALWAYS_INLINE bool mem_hit_aligned(struct cpu *cpu, u64 va, unsigned size, enum access acc, u8 **p) {
  const struct tlb_entry *e = &cpu->tlb->e[va >> PAGE_SHIFT & (TLB_SIZE - 1)];
  *p = (u8 *)(va + e->addend);
  return (va & (PAGE_MASK | (size - 1))) == e->tag[acc];
}

/* #GP(0) unless the memory operand, whatever the form, lies on a 16-byte boundary. */
void v_require_aligned(struct cpu *cpu, const struct insn *i);

ALWAYS_INLINE bool v_bind(struct cpu *cpu, const struct insn *i, struct eref *e, enum vmem m, enum form form,
                          enum access acc) {
  if (IS_VREG(form)) return true;
  if (VMEM_ALIGNED(m) && IS_FAST(form)) {
    u64 va = ea_fast(cpu, i, form);
    cpu->insn = i;
    return mem_hit_aligned(cpu, va, 16, acc, &e->p);
  }
  /* A 16-byte operand not on a 16-byte boundary: #GP(0), before any page fault (SDM 1 11.3), and, on family 6 model 167,
   * before the segment's limit and the canonical form are looked at. */
  bool misaligned = m == V16 && unlikely(cpu->mxcsr & MXCSR_MM);
  if (VMEM_ALIGNED(m) && !misaligned) v_require_aligned(cpu, i);
  if (!e_bind(cpu, i, e, VMEM_BYTES(m), form, acc)) return false;
  /* Under EFLAGS.AC those of 2, 4 and 8 bytes must be aligned; unaligned 16-byte moves are exempt, as silicon has it
   * (family 6 model 167), but for those that MXCSR.MM exempts from #GP. SDM 3A Table 6-7 (Alignment Requirements by
   * Data Type); APM 3 E.4.2 (Fn8000_0001_ECX) */
  if (!IS_FAST(form) && (m < V16 || misaligned) && unlikely(cpu->mode & MODE_ALIGN))
    require_ab(cpu, CHK_ALIGNMENT, !(e->la & (VMEM_BYTES(m) - 1)), 0, e->la, VMEM_BYTES(m));
  return true;
}
#define V_BIND(e, m, form, acc) \
  struct eref e = {0};          \
  if (unlikely(!v_bind(cpu, i, &(e), (m), (form), (acc)))) return slow(cpu, i)

ALWAYS_INLINE __m128i host_vload(const u8 *p, enum vmem m) {
  switch (m) {
    case V2: return _mm_cvtsi32_si128(ld16(p));
    case V4: return _mm_cvtsi32_si128((int)ld32(p));
    case V8: return _mm_loadl_epi64((const void *)p);
    default: return _mm_loadu_si128((const void *)p);
  }
}
ALWAYS_INLINE void host_vstore(u8 *p, __m128i v, enum vmem m) {
  switch (m) {
    case V2: st16(p, (u16)_mm_cvtsi128_si32(v)); break;
    case V4: st32(p, (u32)_mm_cvtsi128_si32(v)); break;
    case V8: _mm_storel_epi64((void *)p, v); break;
    default: _mm_storeu_si128((void *)p, v); break;
  }
}
/* Through a buffer, in functions of their own: clang makes no tail call where a local's address escapes. */
__m128i mem_read_v(struct cpu *cpu, u64 la, enum vmem m);
void mem_write_v(struct cpu *cpu, u64 la, __m128i v, enum vmem m);
/* The memory operand, zero-extended. */
ALWAYS_INLINE __m128i v_read(struct cpu *cpu, const struct eref *e, enum vmem m, enum form form) {
  return IS_FAST(form) ? host_vload(e->p, m) : mem_read_v(cpu, e->la, m);
}
ALWAYS_INLINE void v_write(struct cpu *cpu, const struct eref *e, __m128i v, enum vmem m, enum form form) {
  if (IS_FAST(form)) host_vstore(e->p, v, m);
  else mem_write_v(cpu, e->la, v, m);
}
/* The source operand, W or U: the whole register, or memory. */
ALWAYS_INLINE __m128i v_src(struct cpu *cpu, const struct insn *i, const struct eref *e, enum vmem m,
                            enum form form) {
  return IS_VREG(form) ? xmm_get(cpu, i->src) : v_read(cpu, e, m, form);
}
ALWAYS_INLINE __m128i q_src(struct cpu *cpu, const struct insn *i, const struct eref *e, enum vmem m,
                            enum form form) {
  return IS_VREG(form) ? mmx_get(cpu, i->src) : v_read(cpu, e, m, form);
}

/* ---- floating-point exceptions ---- */
/* What an operation can raise after its computation, for the exact form. */
enum fp_kind {
  FP_PLAIN,  /* no overflow, no underflow */
  FP_ADD, FP_SUB, FP_MUL, FP_DIV,
  FP_NARROW, /* double to single */
  FP_OP = 7,
  FP_SINGLE = 0, FP_DOUBLE = 1 << 3,
  FP_PACKED = 0, FP_SCALAR = 1 << 4,
  FP_PAIRS = 1 << 5,     /* of neighbours, first those in a, then those in b */
  FP_ALTERNATE = 1 << 6, /* FP_ADD of the elements of odd number, FP_SUB of the others */
};
/* Around one operation, with an exception unmasked: end raises it, after which nothing has changed but
 * MXCSR's flags. */
void simd_exact_begin(struct cpu *cpu);
void simd_exact_end(struct cpu *cpu, const struct insn *i, unsigned kind, __m128i a, __m128i b);
/* The same of so many 128-bit lanes. */
void simd_exact_end_vector(struct cpu *cpu, const struct insn *i, unsigned kind, const union vec *a, const union vec *b,
                           unsigned lanes);
#define MAY_BE_EXACT(form) ((form) == FORM_X || (form) == FORM_E)

/* ---- bodies used in more than one file ---- */
#define SIMD_BODY(name, ...) \
  ALWAYS_INLINE const struct insn *name(struct cpu *restrict cpu, const struct insn *restrict i, \
                                        __attribute__((unused)) enum width w, enum form form, \
                                        __attribute__((unused)) handler_fn *slow __VA_OPT__(, ) __VA_ARGS__)

/* V = op(V, W): anything that cannot raise a floating-point exception. */
SIMD_BODY(v_w, enum vmem m, simd_op *op) {
  V_BIND(e, m, form, ACC_READ);
  __m128i b = v_src(cpu, i, &e, m, form);
  xmm_set(cpu, i->dst, op(xmm_get(cpu, i->dst), b, (u8)insn_imm(i, form)));
  NEXT(cpu, i, form);
}
/* V = op(V, W, XMM0) */
SIMD_BODY(v_w_x0, enum vmem m, simd_op3 *op) {
  V_BIND(e, m, form, ACC_READ);
  __m128i b = v_src(cpu, i, &e, m, form);
  xmm_set(cpu, i->dst, op(xmm_get(cpu, i->dst), b, xmm_get(cpu, 0)));
  NEXT(cpu, i, form);
}
/* V = op(V, W), with exceptions. */
SIMD_BODY(v_w_fp, enum vmem m, unsigned kind, simd_op *op) {
  if (!MAY_BE_EXACT(form) && unlikely(cpu->simd_exact)) return slow(cpu, i);
  V_BIND(e, m, form, ACC_READ);
  __m128i a = xmm_get(cpu, i->dst), b = v_src(cpu, i, &e, m, form), r;
  if (MAY_BE_EXACT(form) && cpu->simd_exact) {
    simd_exact_begin(cpu);
    r = op(a, b, (u8)insn_imm(i, form));
    simd_exact_end(cpu, i, kind, a, b);
  } else {
    r = op(a, b, (u8)insn_imm(i, form));
  }
  xmm_set(cpu, i->dst, r);
  NEXT(cpu, i, form);
}
/* P = op(P, Q) */
SIMD_BODY(p_q, enum vmem m, simd_op *op) {
  MMX_WAIT();
  V_BIND(e, m, form, ACC_READ);
  __m128i b = q_src(cpu, i, &e, m, form);
  mmx_set(cpu, i->dst, op(mmx_get(cpu, i->dst), b, (u8)insn_imm(i, form)));
  mmx_enter(cpu);
  NEXT(cpu, i, form);
}
/* W = op(V) */
SIMD_BODY(w_v, enum vmem m, simd_op *op) {
  V_BIND(e, m, form, ACC_WRITE);
  __m128i v = xmm_get(cpu, i->src);
  v = op(v, v, 0);
  if (IS_VREG(form)) xmm_set(cpu, i->dst, v);
  else v_write(cpu, &e, v, m, form);
  NEXT(cpu, i, form);
}

/* ---- instances ---- */
#define S_INST(name, w, form, slow_form, inl, ...) \
  static const struct insn *h_##name##_##w##_##form(struct cpu *restrict cpu,                           \
                                                    const struct insn *restrict i) {                    \
    return inl(cpu, i, W##w, FORM_##form, h_##name##_##w##_##slow_form __VA_OPT__(, ) __VA_ARGS__); \
  }
/* The slow forms; inlined into the fast ones they would cost these a prologue. */
#define S_DECL(name, w, form) static NOINLINE handler_fn h_##name##_##w##_##form;

/* Memory forms: all with 32- and 64-bit addresses ("hot"), or the general ones that the others fall back
 * to. FS and GS are form X's, which refuses an offset that wraps beyond a limit of 4 GiB. */
#define S_MEM(name, w, inl, ...) \
  S_INST(name, w, M, X, inl, __VA_ARGS__) S_INST(name, w, P, X, inl, __VA_ARGS__) \
  S_INST(name, w, N, X, inl, __VA_ARGS__) S_INST(name, w, X, X, inl, __VA_ARGS__)
#define S_HOT(name, w, inl, ...) \
  S_INST(name, w, B, X, inl, __VA_ARGS__) S_INST(name, w, C, X, inl, __VA_ARGS__) \
  S_MEM(name, w, inl, __VA_ARGS__)
#define S_MEM_ROW(name, w) \
  [FORM_M] = h_##name##_##w##_M, [FORM_P] = h_##name##_##w##_P, [FORM_N] = h_##name##_##w##_N, \
  [FORM_X] = h_##name##_##w##_X
#define S_HOT_ROW(name, w) [FORM_B] = h_##name##_##w##_B, [FORM_C] = h_##name##_##w##_C, S_MEM_ROW(name, w)
#define S_R_ROW(name, w) [FORM_R] = h_##name##_##w##_R

#define S_TABLE(name, ...)                                              \
  static handler_fn *const t_##name[1][FORMS] = {{__VA_ARGS__}};        \
  const struct body body_##name = {1, t_##name};

/* Register and memory. */
#define VEC_RM(name, inl, ...)                                                                    \
  S_DECL(name, 64, X) S_INST(name, 64, R, X, inl, __VA_ARGS__) S_MEM(name, 64, inl, __VA_ARGS__)  \
  S_TABLE(name, S_R_ROW(name, 64), S_MEM_ROW(name, 64))
#define VEC_RM_HOT(name, inl, ...)                                                                \
  S_DECL(name, 64, X) S_INST(name, 64, R, X, inl, __VA_ARGS__) S_HOT(name, 64, inl, __VA_ARGS__)  \
  S_TABLE(name, S_R_ROW(name, 64), S_HOT_ROW(name, 64))
/* The same with floating-point exceptions: the register form's slow form is E. */
#define VEC_FP(name, inl, ...)                                                                    \
  S_DECL(name, 64, X) S_DECL(name, 64, E) S_INST(name, 64, R, E, inl, __VA_ARGS__)                \
  S_INST(name, 64, E, E, inl, __VA_ARGS__) S_MEM(name, 64, inl, __VA_ARGS__)                      \
  S_TABLE(name, S_R_ROW(name, 64), S_MEM_ROW(name, 64))
#define VEC_FP_HOT(name, inl, ...)                                                                \
  S_DECL(name, 64, X) S_DECL(name, 64, E) S_INST(name, 64, R, E, inl, __VA_ARGS__)                \
  S_INST(name, 64, E, E, inl, __VA_ARGS__) S_HOT(name, 64, inl, __VA_ARGS__)                      \
  S_TABLE(name, S_R_ROW(name, 64), S_HOT_ROW(name, 64))
/* Memory only, register only. */
#define VEC_M(name, inl, ...)                                                                   \
  S_DECL(name, 64, X) S_MEM(name, 64, inl, __VA_ARGS__) S_TABLE(name, S_MEM_ROW(name, 64))
#define VEC_M_HOT(name, inl, ...)                                                               \
  S_DECL(name, 64, X) S_HOT(name, 64, inl, __VA_ARGS__) S_TABLE(name, S_HOT_ROW(name, 64))
#define VEC_R(name, inl, ...)                                                                   \
  S_DECL(name, 64, R) S_INST(name, 64, R, R, inl, __VA_ARGS__) S_TABLE(name, S_R_ROW(name, 64))
/* A general register or memory operand of 32 or 64 bits: instances for both. A 66 prefix does not narrow
 * it. */
#define S_TABLE_Y(name, row)                                                                      \
  static handler_fn *const t_##name[WIDTHS][FORMS] = {                                            \
      [W16] = {row(name, 32)}, [W32] = {row(name, 32)}, [W64] = {row(name, 64)}};                 \
  const struct body body_##name = {WIDTHS, t_##name};
#define S_RM_ROW(name, w) S_R_ROW(name, w), S_MEM_ROW(name, w)
#define VEC_RM_Y(name, inl, ...)                                                                   \
  S_DECL(name, 32, X) S_INST(name, 32, R, X, inl, __VA_ARGS__) S_MEM(name, 32, inl, __VA_ARGS__)  \
  S_DECL(name, 64, X) S_INST(name, 64, R, X, inl, __VA_ARGS__) S_MEM(name, 64, inl, __VA_ARGS__)  \
  S_TABLE_Y(name, S_RM_ROW)
#define VEC_FP_Y(name, inl, ...)                                                                   \
  S_DECL(name, 32, X) S_DECL(name, 32, E) S_INST(name, 32, R, E, inl, __VA_ARGS__)                \
  S_INST(name, 32, E, E, inl, __VA_ARGS__) S_MEM(name, 32, inl, __VA_ARGS__)                      \
  S_DECL(name, 64, X) S_DECL(name, 64, E) S_INST(name, 64, R, E, inl, __VA_ARGS__)                \
  S_INST(name, 64, E, E, inl, __VA_ARGS__) S_MEM(name, 64, inl, __VA_ARGS__)                      \
  S_TABLE_Y(name, S_RM_ROW)
#define VEC_M_Y(name, inl, ...)                                                                  \
  S_DECL(name, 32, X) S_MEM(name, 32, inl, __VA_ARGS__)                                           \
  S_DECL(name, 64, X) S_MEM(name, 64, inl, __VA_ARGS__) S_TABLE_Y(name, S_MEM_ROW)

#endif
