/* Instructions without a family: NOP and its hints, UD, BOUND, cache control, fences. SDM 1 7.3.17
 * (Miscellaneous Instructions), 11.4.4 (Cacheability Control Instructions). */
#include "cpu/check.h"
#include "cpu/handler.h"
#include "cpu/refuse.h"

/* Also prefetches and the reserved hints: the operand is not accessed. */
static const struct insn *h_nop(struct cpu *restrict cpu, const struct insn *restrict i) {
  (void)cpu;
  GO(cpu, i + 1);
}
BODY_1(nop, h_nop)

BODY_1(ud, raise_refused)

/* SDM 2A BOUND: signed index against two bounds, #BR outside. The register form is #UD. An index below the
 * lower bound is reported before the upper one is read, whose offset wraps (measured on Intel Xeon). */
static const struct insn *h_bound(struct cpu *restrict cpu, const struct insn *restrict i) {
  enum width w = insn_osize(i);
  unsigned n = WIDTH_BITS(w);
  u64 off = (ea_offset(cpu, i) + WIDTH_BYTES(w)) & (i->flags & IF_ASIZE ? 0xffffffff : 0xffff);
  s64 v = sext(reg_get(cpu, i->dst, w), n);
  s64 lower = sext(mem_read(cpu, ea_linear(cpu, i, WIDTH_BYTES(w), ACC_READ), WIDTH_BYTES(w)), n);
  require_ab(cpu, CHK_BOUND_LOWER, v >= lower, 0, (u64)v, (u64)lower);
  s64 upper = sext(mem_read(cpu, mem_linear(cpu, i->seg, off, WIDTH_BYTES(w), ACC_READ), WIDTH_BYTES(w)), n);
  require_ab(cpu, CHK_BOUND_UPPER, v <= upper, 0, (u64)v, (u64)upper);
  NEXT(cpu, i, FORM_X);
}
static handler_fn *const t_bound[1][FORMS] = {{[FORM_X] = h_bound}};
const struct body body_bound = {1, t_bound};

/* SDM 2A CLFLUSH: checked like a byte load, but for that it may lie in an execute-only segment (also measured on Intel
 * Xeon). There is no cache to flush. */
static const struct insn *h_clflush(struct cpu *restrict cpu, const struct insn *restrict i) {
  mem_probe(cpu, ea_linear(cpu, i, 1, ACC_EXEC), 1, ACC_READ);
  NEXT(cpu, i, FORM_X);
}
static handler_fn *const t_clflush[1][FORMS] = {{[FORM_X] = h_clflush}};
const struct body body_clflush = {1, t_clflush};

/* Other virtual processors are host threads: order what the host may reorder. */
static const struct insn *h_fence(struct cpu *restrict cpu, const struct insn *restrict i) {
  (void)cpu;
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  GO(cpu, i + 1);
}
BODY_1(fence, h_fence)
