/* x87 control: the control and status words, FINIT, FCLEX, WAIT, and the environment and state in memory. SDM
 * 1 8.3.12 (x87 FPU Control Instructions), 8.1.10 (Saving the x87 FPU's State with FSTENV/FNSTENV and
 * FSAVE/FNSAVE).
 *
 * Here every instruction but the frequent ones works on struct x87; none of them changes the pointers,
 * unless it loads them. FLDENV, FRSTOR and FLDCW wait for exceptions; the FN forms, which are the only
 * others, do not. */
#include "cpu/lean.h"
#include "cpu/refuse.h"
#include "cpu/x87_insn.h"

/* ---- FLDCW, FNSTCW, FNSTSW ---- */

INLINE_BODY op_fldcw(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                     handler_fn *slow) {
  (void)w;
  if (IS_FAST(form) && unlikely(!cpu->x87.live)) return slow(cpu, i);
  if (!IS_FAST(form)) x87_wait(cpu, i);
  E_BIND(e, W16, form, ACC_READ);
  u16 v = (u16)e_get(cpu, i, &e, W16, form, ACC_READ);
  if (IS_FAST(form)) {
    if (unlikely((v & FCW_MASKS) != FCW_MASKS)) return slow(cpu, i);
    cpu->x87.fcw = (v & FCW_VALID) | FCW_FIXED;
    __asm__ volatile("fldcw %0" : : "m"(cpu->x87.fcw));
  } else {
    x87_leave(cpu);
    x87_set_fcw(cpu, v);
  }
  NEXT(cpu, i, form);
}
X87_MEM_BODY(fldcw)

INLINE_BODY op_fnstcw(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                      handler_fn *slow) {
  (void)w;
  E_BIND(e, W16, form, ACC_WRITE);
  e_set(cpu, i, &e, cpu->x87.fcw, W16, form);
  NEXT(cpu, i, form);
}
X87_MEM_BODY(fnstcw)

ALWAYS_INLINE u16 current_fsw(const struct cpu *cpu) {
  u16 fsw;
  if (unlikely(!cpu->x87.live)) return x87_fsw(cpu);
  __asm__ volatile("fnstsw %0" : "=a"(fsw));
  return fsw;
}

INLINE_BODY x87_fnstsw(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                       handler_fn *slow) {
  E_BIND(e, w, form, ACC_WRITE);
  e_set(cpu, i, &e, current_fsw(cpu), w, form);
  NEXT(cpu, i, form);
}
/* To memory, and to AX. */
BODY_LEAN1(fnstsw, 16, x87_fnstsw)

/* ---- without an operand ---- */

static const struct insn *h_fninit(struct cpu *restrict cpu, const struct insn *restrict i) {
  x87_leave(cpu);
  x87_init(cpu);
  NEXT(cpu, i, FORM_R);
}

/* The condition codes, undefined, stay. */
static const struct insn *h_fnclex(struct cpu *restrict cpu, const struct insn *restrict i) {
  if (cpu->x87.live) __asm__ volatile("fnclex");
  else cpu->x87.fsw &= (u16)~(FSW_FLAGS | FSW_SF | FSW_ES | FSW_B);
  NEXT(cpu, i, FORM_R);
}

/* SDM 2D WAIT/FWAIT: #NM with CR0.TS and CR0.MP */
static const struct insn *h_fwait(struct cpu *restrict cpu, const struct insn *restrict i) {
  if (unlikely((cpu->cr0 & (CR0_TS | CR0_MP)) == (CR0_TS | CR0_MP))) return raise_wait(cpu, i);
  if (unlikely(!cpu->x87.live)) x87_wait(cpu, i);
  NEXT(cpu, i, FORM_R);
}

/* FENI, FDISI and FSETPM of the 8087 and 80287 do nothing. SDM 3B 22.18.9 (Obsolete Instructions) */
static const struct insn *h_x87_obsolete(struct cpu *restrict cpu, const struct insn *restrict i) {
  NEXT(cpu, i, FORM_R);
}
BODY_1(fninit, h_fninit)
BODY_1(fnclex, h_fnclex)
BODY_1(fwait, h_fwait)
BODY_1(x87_obsolete, h_x87_obsolete)

/* ---- the environment ----
 *
 *                32-bit protected   32-bit real, VM86       16-bit protected   16-bit real, VM86
 *   FCW           0                  0                       0                  0
 *   FSW           4                  4                       2                  2
 *   tags          8                  8                       4                  4
 *   FIP          12                 12 (15:0)                6                  6 (15:0)
 *   FCS          16                 16: 31:16 << 12 | FOP    8                  8: 19:16 << 12 | FOP
 *   FOP          18                                          -
 *   FDP          20                 20 (15:0)               10                 10 (15:0)
 *   FDS          24                 24: 31:16 << 12         12                 12: 19:16 << 12
 *
 * In the real formats the pointers are linear addresses. Upper halves of words that stand alone are stored as
 * ones. SDM 1 Figures 8-9 to 8-12 (x87 FPU State Image in Memory) */
struct env_format {
  bool wide, real;
  unsigned bytes;
};
enum { ENV_MAX = 28, REGS_BYTES = 80 };

static struct env_format env_format(const struct cpu *cpu, const struct insn *i) {
  bool wide = insn_osize(i) != W16;
  return (struct env_format){wide, (cpu->mode & (MODE_PE | MODE_VM)) != MODE_PE, wide ? 28 : 14};
}

/* Some processors record every opcode: it is then the one FIP points at. SDM 1 8.1.9.1 (Fopcode Compatibility
 * Sub-mode), APM 1 6.2.5 (Pointers and Opcode State) */
u16 x87_last_opcode(struct cpu *cpu) {
  int opcode = model_does(cpu->model, RULE_FOP_ALWAYS) && cpu->x87.fcs == cpu->seg[CS].sel
                   ? x87_opcode_at(cpu, cpu->x87.fip) : -1;
  return opcode < 0 ? cpu->x87.fop : (u16)opcode;
}

static void env_store32(struct cpu *cpu, u8 *p, bool real) {
  const struct x87 *x = &cpu->x87;
  u16 words[3] = {x->fcw, x87_fsw(cpu), x87_tags(cpu)}, fop = x87_last_opcode(cpu);
  for (unsigned k = 0; k < 3; k++) st32(p + 4 * k, words[k] | 0xffff0000u);
  if (real) {
    u32 ip = (u32)(x->fip + ((u32)x->fcs << 4)), dp = (u32)(x->fdp + ((u32)x->fds << 4));
    st32(p + 12, ip | 0xffff0000u);
    st32(p + 16, ip >> 16 << 12 | fop);
    st32(p + 20, dp | 0xffff0000u);
    st32(p + 24, dp >> 16 << 12);
  } else {
    st32(p + 12, (u32)x->fip);
    st32(p + 16, (u32)fop << 16 | x87_fcs(cpu));
    st32(p + 20, (u32)x->fdp);
    st32(p + 24, x87_fds(cpu) | 0xffff0000u);
  }
}

static void env_store16(struct cpu *cpu, u8 *p, bool real) {
  const struct x87 *x = &cpu->x87;
  u32 ip = (u32)(x->fip + ((u32)x->fcs << 4)), dp = (u32)(x->fdp + ((u32)x->fds << 4));
  u16 words[7] = {x->fcw, x87_fsw(cpu), x87_tags(cpu), (u16)x->fip, x87_fcs(cpu), (u16)x->fdp, x87_fds(cpu)};
  if (real) {
    words[3] = (u16)ip;
    words[4] = (u16)(ip >> 16 << 12 | x87_last_opcode(cpu));
    words[5] = (u16)dp;
    words[6] = (u16)(dp >> 16 << 12);
  }
  memcpy(p, words, sizeof words);
}

static void env_store(struct cpu *cpu, u8 *p, struct env_format f) {
  if (f.wide) env_store32(cpu, p, f.real);
  else env_store16(cpu, p, f.real);
}

static void env_load(struct cpu *cpu, const u8 *p, struct env_format f) {
  struct x87 *x = &cpu->x87;
  unsigned step = f.wide ? 4 : 2;
  x87_set_fcw(cpu, ld16(p));
  x87_set_fsw(cpu, ld16(p + step));
  x87_set_tags(cpu, ld16(p + 2 * step));
  const u8 *ip = p + 3 * step, *cs = ip + step, *dp = cs + step, *ds = dp + step;
  if (f.real) {
    u32 hi = f.wide ? ld32(cs) >> 12 & 0xffff : ld16(cs) >> 12,
        dhi = f.wide ? ld32(ds) >> 12 & 0xffff : ld16(ds) >> 12;
    x->fip = ld16(ip) | hi << 16;
    x->fdp = ld16(dp) | dhi << 16;
    x->fcs = x->fds = 0;
    x->fop = ld16(cs) & 0x7ff;
  } else {
    x->fip = f.wide ? ld32(ip) : ld16(ip);
    x->fdp = f.wide ? ld32(dp) : ld16(dp);
    x->fcs = ld16(cs);
    x->fds = ld16(ds);
    x->fop = f.wide ? ld16(cs + 2) & 0x7ff : 0;
  }
}

/* The operand's linear address, accessible in full. Its first element and its last byte are looked at, in this order, before anything
 * between (measured on Intel Xeon). */
static u64 env_operand(struct cpu *cpu, const struct insn *i, struct env_format f, unsigned bytes,
                       enum access acc) {
  u64 la = ea_linear(cpu, i, bytes, acc);
  x87_align(cpu, la, f.wide ? 4 : 2);
  mem_probe(cpu, la, f.wide ? 4 : 2, acc);
  mem_probe(cpu, (la + bytes - 1) & cpu->lamask, 1, acc);
  return la;
}

NOINLINE static void fldenv(struct cpu *cpu, const struct insn *i) {
  u8 img[ENV_MAX];
  struct env_format f = env_format(cpu, i);
  x87_wait(cpu, i);
  mem_read_bytes(cpu, env_operand(cpu, i, f, f.bytes, ACC_READ), img, f.bytes);
  x87_leave(cpu);
  env_load(cpu, img, f);
}

/* All exceptions are masked afterwards. */
NOINLINE static void fnstenv(struct cpu *cpu, const struct insn *i) {
  u8 img[ENV_MAX];
  struct env_format f = env_format(cpu, i);
  u64 la = env_operand(cpu, i, f, f.bytes, ACC_WRITE);
  x87_leave(cpu);
  env_store(cpu, img, f);
  mem_write_bytes(cpu, la, img, f.bytes);
  x87_set_fcw(cpu, cpu->x87.fcw | FCW_MASKS);
}

/* Registers follow the environment, from the top of the stack on. */
NOINLINE static void frstor(struct cpu *cpu, const struct insn *i) {
  u8 img[ENV_MAX + REGS_BYTES];
  struct env_format f = env_format(cpu, i);
  struct x87 *x = &cpu->x87;
  x87_wait(cpu, i);
  mem_read_bytes(cpu, env_operand(cpu, i, f, f.bytes + REGS_BYTES, ACC_READ), img, f.bytes + REGS_BYTES);
  x87_leave(cpu);
  env_load(cpu, img, f);
  for (unsigned n = 0; n < 8; n++) {
    unsigned r = (x->top + n) & 7;
    x->st[r].m = ld64(img + f.bytes + 10 * n);
    x->st[r].se = ld16(img + f.bytes + 10 * n + 8);
  }
}

NOINLINE static void fnsave(struct cpu *cpu, const struct insn *i) {
  u8 img[ENV_MAX + REGS_BYTES];
  struct env_format f = env_format(cpu, i);
  const struct x87 *x = &cpu->x87;
  u64 la = env_operand(cpu, i, f, f.bytes + REGS_BYTES, ACC_WRITE);
  x87_leave(cpu);
  env_store(cpu, img, f);
  for (unsigned n = 0; n < 8; n++) {
    unsigned r = (x->top + n) & 7;
    st64(img + f.bytes + 10 * n, x->st[r].m);
    st16(img + f.bytes + 10 * n + 8, x->st[r].se);
  }
  mem_write_bytes(cpu, la, img, f.bytes + REGS_BYTES);
  x87_init(cpu);
}

/* Apart from the functions that hold the images: see X87_MEM_OP. */
#define ENV_BODY(name)                                                                            \
  static const struct insn *h_##name(struct cpu *restrict cpu, const struct insn *restrict i) {   \
    name(cpu, i);                                                                                 \
    NEXT(cpu, i, FORM_X);                                                                         \
  }                                                                                               \
  BODY_1(name, h_##name)
ENV_BODY(fldenv)
ENV_BODY(fnstenv)
ENV_BODY(frstor)
ENV_BODY(fnsave)
