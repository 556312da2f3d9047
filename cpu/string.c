/* String instructions: MOVS CMPS STOS LODS SCAS, with and without REP. SDM 1 7.3.9 (String Operations),
 * SDM 2B REP/REPE/REPZ/REPNE/REPNZ. (INS and OUTS are with I/O.)
 *
 * Form R: once, flat, default address size. Form X: everything else. A repetition commits rCX, rSI and rDI
 * after each element, or after each run of elements that lie in one page of each operand, so a fault
 * resumes at the element that faulted, and a request to stop is seen between runs. */
#include "cpu/handler.h"

enum str_op { OP_MOVS, OP_CMPS, OP_STOS, OP_LODS, OP_SCAS };

ALWAYS_INLINE bool str_reads_source(enum str_op op) { return op != OP_STOS && op != OP_SCAS; }
ALWAYS_INLINE bool str_has_dest(enum str_op op) { return op != OP_LODS; }
ALWAYS_INLINE bool str_writes(enum str_op op) { return op == OP_MOVS || op == OP_STOS; }
ALWAYS_INLINE bool str_compares(enum str_op op) { return op == OP_CMPS || op == OP_SCAS; }

ALWAYS_INLINE void str_cmp(u64 a, u64 b, enum width w, u16 *hf) {
  switch (w) {
    case W8: host_cmp8((u8)a, (u8)b, hf); break;
    case W16: host_cmp16((u16)a, (u16)b, hf); break;
    case W32: host_cmp32((u32)a, (u32)b, hf); break;
    default: host_cmp64(a, b, hf);
  }
}

/* Moves the pointers by n bytes. */
ALWAYS_INLINE void str_advance(struct cpu *cpu, enum str_op op, enum width aw, u64 n) {
  if (str_reads_source(op)) reg_set(cpu, RSI, cpu->gpr[RSI] + n, aw);
  if (str_has_dest(op)) reg_set(cpu, RDI, cpu->gpr[RDI] + n, aw);
}

ALWAYS_INLINE u64 str_stride(const struct cpu *cpu, enum width w) {
  return cpu->eflags & EF_DF ? -(u64)WIDTH_BYTES(w) : WIDTH_BYTES(w);
}

/* One element in flat memory: both operands must hit. */
INLINE_BODY string_once(struct cpu *restrict cpu, const struct insn *restrict i, enum width w,
                        handler_fn *slow, enum str_op op) {
  unsigned n = WIDTH_BYTES(w);
  u8 *s = NULL, *d = NULL;
  cpu->insn = i;
  if (str_reads_source(op)) {
    s = mem_hit(cpu, cpu->gpr[RSI] & cpu->lamask, n, ACC_READ);
    if (unlikely(!s)) return slow(cpu, i);
  }
  if (str_has_dest(op)) {
    d = mem_hit(cpu, cpu->gpr[RDI] & cpu->lamask, n, str_writes(op) ? ACC_WRITE : ACC_READ);
    if (unlikely(!d)) return slow(cpu, i);
  }
  u64 a = str_reads_source(op) ? host_load(s, w) : reg_get(cpu, RAX, w);
  if (op == OP_LODS) {
    reg_set(cpu, RAX, a, w);
  } else if (str_writes(op)) {
    host_store(d, a, w);
  } else {
    u16 hf;
    str_cmp(a, host_load(d, w), w, &hf);
    cpu->hf = hf;
  }
  u64 step = str_stride(cpu, w);
  if (str_reads_source(op)) cpu->gpr[RSI] = (cpu->gpr[RSI] + step) & cpu->lamask;
  if (str_has_dest(op)) cpu->gpr[RDI] = (cpu->gpr[RDI] + step) & cpu->lamask;
  NEXT(cpu, i, FORM_R);
}

/* One element through segmentation. Nothing is changed if it faults. */
ALWAYS_INLINE void str_element(struct cpu *cpu, const struct insn *i, enum width w, enum width aw,
                               enum str_op op, u16 *hf) {
  unsigned n = WIDTH_BYTES(w);
  u64 a, b = 0;
  /* First, as on silicon: which of two faults CMPS takes */
  if (str_compares(op)) b = mem_read(cpu, mem_linear(cpu, ES, reg_get(cpu, RDI, aw), n, ACC_READ), n);
  if (str_reads_source(op))
    a = mem_read(cpu, mem_linear(cpu, i->seg, reg_get(cpu, RSI, aw), n, ACC_READ), n);
  else
    a = reg_get(cpu, RAX, w);
  if (op == OP_LODS) reg_set(cpu, RAX, a, w);
  else if (str_writes(op)) mem_write(cpu, mem_linear(cpu, ES, reg_get(cpu, RDI, aw), n, ACC_WRITE), a, n);
  else str_cmp(a, b, w, hf);
  str_advance(cpu, op, aw, str_stride(cpu, w));
}

/* May runs be looked up as linear addresses? Then no segment check can fail inside a page. */
static bool runs_allowed(const struct cpu *cpu, const struct insn *i) {
  if ((cpu->eflags & EF_DF) || (cpu->mode & (MODE_STEP | MODE_ALIGN))) return false;
  if ((cpu->mode & MODE_CODE_MASK) == MODE_CODE64) return true;
  return (cpu->mode & MODE_FLAT) && (i->seg == DS || i->seg == ES || i->seg == SS);
}

/* Copies as a loop over elements would, lowest first: a destination that overlaps above the source repeats. */
static NOINLINE void copy_run(u8 *d, const u8 *s, u64 count, enum width w) {
  u64 bytes = count << w;
  if ((uintptr_t)d - (uintptr_t)s >= bytes) {
    memmove(d, s, bytes);
  } else {
    for (u64 k = 0; k < bytes; k += WIDTH_BYTES(w)) host_store(d + k, host_load(s + k, w), w);
  }
}

static NOINLINE void fill_run(u8 *d, u64 v, u64 count, enum width w) {
  u64 m = WIDTH_MASK(w);
  if (((v ^ (v & 0xff) * UINT64_C(0x0101010101010101)) & m) == 0) { /* all bytes alike */
    memset(d, (int)(v & 0xff), count << w);
  } else {
    for (u64 k = 0; k < count << w; k += WIDTH_BYTES(w)) host_store(d + k, v, w);
  }
}

/* Compares up to count pairs, stopping behind the first that ends the repetition. s NULL: a against each. */
ALWAYS_INLINE u64 compare_run(const u8 *s, const u8 *d, u64 a, u64 count, enum width w, bool until_equal,
                              u16 *hf) {
  u64 k = 0, b;
  if (w == W8 && !s && until_equal) {
    const u8 *at = memchr(d, (int)(a & 0xff), count);
    k = at ? (u64)(at - d) : count - 1;
    b = d[k];
  } else {
    for (;; k++) {
      if (s) a = host_load(s + (k << w), w);
      b = host_load(d + (k << w), w);
      if ((a == b) == until_equal || k + 1 == count) break;
    }
  }
  str_cmp(a, b, w, hf);
  return k + 1;
}

/* As many of count elements as lie in one page of each operand, if the software TLB has those. Returns how
 * many were done: 0 leaves it to str_element(). */
ALWAYS_INLINE u64 str_run(struct cpu *cpu, const struct insn *i, enum width w, enum width aw, enum str_op op,
                          u64 count, u16 *hf) {
  if (op == OP_LODS || !runs_allowed(cpu, i)) return 0;
  u64 sa = reg_get(cpu, RSI, aw), da = reg_get(cpu, RDI, aw), n = PAGE_SIZE - (da & 0xfff);
  u8 *s = NULL, *d;
  if (op != OP_STOS && op != OP_SCAS) {
    if (i->seg >= FS) sa += cpu->seg[i->seg].base;
    u64 room = PAGE_SIZE - (sa & 0xfff);
    if (room < n) n = room;
  }
  n >>= w;
  if (n > count) n = count;
  if (!n) return 0;
  if (op != OP_STOS && op != OP_SCAS) {
    s = mem_hit(cpu, sa, (unsigned)n << w, ACC_READ);
    if (!s) return 0;
  }
  d = mem_hit(cpu, da, (unsigned)n << w, str_writes(op) ? ACC_WRITE : ACC_READ);
  if (!d) return 0;
  if (op == OP_MOVS) copy_run(d, s, n, w);
  else if (op == OP_STOS) fill_run(d, cpu->gpr[RAX], n, w);
  else n = compare_run(s, d, reg_get(cpu, RAX, w), n, w, i->flags & IF_REPNE, hf);
  str_advance(cpu, op, aw, n << w);
  return n;
}

/* With 32-bit addresses in 64-bit mode a repetition clears the upper half of RCX, and MOVS and STOS those of the
 * pointers too, before anything else: also when the count is zero or the first element faults (measured on Intel
 * Xeon). */
ALWAYS_INLINE void str_begin(struct cpu *cpu, enum width aw, enum str_op op) {
  if (aw != W32) return;
  reg_set(cpu, RCX, reg_get(cpu, RCX, W32), W32);
  if (str_writes(op)) str_advance(cpu, op, W32, 0);
}

/* The flags of CMPS and SCAS become visible with the last element: a fault, trap or interrupt in the middle finds
 * those from before. SDM 2B REP. Code that a repetition overwrites, itself included, counts when it has ended, as on
 * silicon. */
INLINE_BODY string_any(struct cpu *restrict cpu, const struct insn *restrict i, enum width w,
                       enum str_op op) {
  enum width aw = (enum width)((i->flags & IF_ASIZE) + 1);
  bool repeats = i->flags & (IF_REP | IF_REPNE), more = repeats;
  u16 hf = cpu->hf;
  u64 count = repeats ? reg_get(cpu, RCX, aw) : 1;
  cpu->insn = i;
  if (repeats) str_begin(cpu, aw, op);
  if (!count) NEXT(cpu, i, FORM_X);
  do {
    u64 done = repeats ? str_run(cpu, i, w, aw, op, count, &hf) : 0;
    if (!done) {
      str_element(cpu, i, w, aw, op, &hf);
      done = 1;
    }
    if (!repeats) break;
    count -= done;
    reg_set(cpu, RCX, count, aw);
    more = count && !(str_compares(op) && !(hf & HF_ZF) != !!(i->flags & IF_REPNE));
  } while (more && !cpu->stop && !(cpu->mode & MODE_STEP));
  if (str_compares(op) && !more) cpu->hf = hf;
  if (more) return cpu_leave_partial(cpu, i);
  NEXT(cpu, i, FORM_X);
}

#define STRING_WIDTH(name, w, op)                                                                           \
  static const struct insn *h_##name##_##w##_X(struct cpu *restrict cpu, const struct insn *restrict i) {   \
    return string_any(cpu, i, W##w, op);                                                                    \
  }                                                                                                         \
  static const struct insn *h_##name##_##w##_R(struct cpu *restrict cpu, const struct insn *restrict i) {   \
    return string_once(cpu, i, W##w, h_##name##_##w##_X, op);                                               \
  }
#define STRING(name, op)                                                                                    \
  STRING_WIDTH(name, 8, op) STRING_WIDTH(name, 16, op) STRING_WIDTH(name, 32, op) STRING_WIDTH(name, 64, op) \
  static handler_fn *const t_##name[WIDTHS][FORMS] = {                                                      \
      {[FORM_R] = h_##name##_8_R, [FORM_X] = h_##name##_8_X},                                                \
      {[FORM_R] = h_##name##_16_R, [FORM_X] = h_##name##_16_X},                                              \
      {[FORM_R] = h_##name##_32_R, [FORM_X] = h_##name##_32_X},                                              \
      {[FORM_R] = h_##name##_64_R, [FORM_X] = h_##name##_64_X}};                                             \
  const struct body body_##name = {WIDTHS, t_##name};
STRING(movs, OP_MOVS)
STRING(cmps, OP_CMPS)
STRING(stos, OP_STOS)
STRING(lods, OP_LODS)
STRING(scas, OP_SCAS)
