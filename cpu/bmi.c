/* Bit manipulation and what came with it: LZCNT, TZCNT, BMI1 and BMI2, MOVBE, ADX, CRC32, random numbers, direct
 * stores, MONITORX, CLZERO. SDM 2 (the instructions' pages); APM 3 CLZERO, MONITORX, MWAITX.
 *
 * Flags that the manual leaves undefined are clear: AF and PF of all, and SF of BEXTR, OF and SF of LZCNT and TZCNT
 * (measured on Intel Xeon). */
#include "cpu/lean.h"
#include "cpu/vex.h"
#include "cpu/vm.h"

#ifdef __BMI2__
#define HOST_PDEP(v, mask) _pdep_u64(v, mask)
#define HOST_PEXT(v, mask) _pext_u64(v, mask)
#else
#define HOST_PDEP(v, mask) deposit(v, mask)
#define HOST_PEXT(v, mask) extract(v, mask)
#endif

ALWAYS_INLINE u16 zs_flags(u64 r, enum width w, bool cf) {
  return (u16)((r ? 0 : HF_ZF) | (r >> (WIDTH_BITS(w) - 1) & 1 ? HF_SF : 0) | (cf ? HF_CF : 0));
}
ALWAYS_INLINE u64 vvvv_get(const struct cpu *cpu, const struct insn *i, enum width w) {
  return reg_get(cpu, vex_vvvv(i), w);
}

/* ---- VEX: v is the r/m operand ---- */
#define GPR_OP(name) ALWAYS_INLINE void name(struct cpu *cpu, const struct insn *i, u64 v, enum width w)

GPR_OP(andn) {
  u64 r = ~vvvv_get(cpu, i, w) & v;
  reg_set(cpu, i->dst, r, w);
  cpu->hf = zs_flags(r, w, false);
}
GPR_OP(bextr) {
  u64 control = vvvv_get(cpu, i, w), r;
  unsigned first = control & 255, n = control >> 8 & 255;
  r = first < WIDTH_BITS(w) ? v >> first : 0;
  if (n < 64) r &= BIT(n) - 1;
  reg_set(cpu, i->dst, r, w);
  cpu->hf = r ? 0 : HF_ZF;
}
#define LOWEST_BIT(name, expr, carry)          \
  GPR_OP(name) {                               \
    u64 r = (expr) & WIDTH_MASK(w);            \
    reg_set(cpu, i->dst, r, w);                \
    cpu->hf = zs_flags(r, w, carry);           \
  }
LOWEST_BIT(blsi, v & -v, v != 0)
LOWEST_BIT(blsmsk, v ^ (v - 1), v == 0)
LOWEST_BIT(blsr, v & (v - 1), v == 0)
GPR_OP(bzhi) {
  unsigned n = (u8)vvvv_get(cpu, i, w);
  bool all = n >= WIDTH_BITS(w);
  u64 r = all ? v : v & (BIT(n & 63) - 1);
  reg_set(cpu, i->dst, r, w);
  cpu->hf = zs_flags(r, w, all);
}
/* The upper half goes to the first operand, also where both are one register. */
GPR_OP(mulx) {
  if (w == W64) {
    u128 p = (u128)cpu->gpr[RDX] * v;
    cpu->gpr[vex_vvvv(i)] = (u64)p;
    cpu->gpr[i->dst] = (u64)(p >> 64);
  } else {
    u64 p = (cpu->gpr[RDX] & 0xffffffff) * v;
    cpu->gpr[vex_vvvv(i)] = (u32)p;
    cpu->gpr[i->dst] = p >> 32;
  }
}

/* Bits of v, from the lowest on, to where mask has ones. */
static __attribute__((unused)) u64 deposit(u64 v, u64 mask) {
  u64 r = 0;
  for (; mask; mask &= mask - 1, v >>= 1)
    if (v & 1) r |= mask & -mask;
  return r;
}
/* Bits of v where mask has ones, next to one another from bit 0 on. */
static __attribute__((unused)) u64 extract(u64 v, u64 mask) {
  u64 r = 0;
  for (u64 to = 1; mask; mask &= mask - 1, to <<= 1)
    if (v & mask & -mask) r |= to;
  return r;
}
GPR_OP(pdep) { reg_set(cpu, i->dst, HOST_PDEP(vvvv_get(cpu, i, w), v), w); }
GPR_OP(pext) { reg_set(cpu, i->dst, HOST_PEXT(vvvv_get(cpu, i, w), v), w); }

GPR_OP(rorx) {
  unsigned bits_ = WIDTH_BITS(w), n = vex_imm(i) & (bits_ - 1);
  reg_set(cpu, i->dst, v >> n | v << ((bits_ - n) & (bits_ - 1)), w);
}
#define COUNT(w) ((unsigned)vvvv_get(cpu, i, w) & (WIDTH_BITS(w) - 1))
GPR_OP(sarx) { reg_set(cpu, i->dst, (u64)(sext(v, WIDTH_BITS(w)) >> COUNT(w)), w); }
GPR_OP(shlx) { reg_set(cpu, i->dst, v << COUNT(w), w); }
GPR_OP(shrx) { reg_set(cpu, i->dst, v >> COUNT(w), w); }

VEX_GPR(vex_andn, andn) VEX_GPR(vex_bextr, bextr) VEX_GPR(vex_bzhi, bzhi)
VEX_GPR(vex_blsi, blsi) VEX_GPR(vex_blsmsk, blsmsk) VEX_GPR(vex_blsr, blsr)
VEX_GPR(vex_mulx, mulx) VEX_GPR(vex_pdep, pdep) VEX_GPR(vex_pext, pext)
VEX_GPR(vex_rorx, rorx) VEX_GPR(vex_sarx, sarx) VEX_GPR(vex_shlx, shlx) VEX_GPR(vex_shrx, shrx)

/* ---- zeros counted ---- */
INLINE_BODY count_zeros(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                        handler_fn *slow, bool leading) {
  E_BIND(e, w, form, ACC_READ);
  u64 v = e_get_src(cpu, i, &e, w, form), n = WIDTH_BITS(w);
  if (v) n = leading ? (unsigned)__builtin_clzll(v) - (64 - WIDTH_BITS(w)) : (unsigned)__builtin_ctzll(v);
  reg_set(cpu, i->dst, n, w);
  cpu->hf = (u16)((n ? 0 : HF_ZF) | (v ? 0 : HF_CF));
  NEXT(cpu, i, form);
}
BODY_LEAN_V(lzcnt_G_E, count_zeros, true)
BODY_LEAN_V(tzcnt_G_E, count_zeros, false)

/* ---- bytes reversed: memory forms only ---- */
#define MEMORY_FORMS(name, w, inl, ...)                                                           \
  H_DECL_X(name, w)                                                                               \
  H_INST(name, w, M, inl, __VA_ARGS__) H_INST(name, w, N, inl, __VA_ARGS__)                       \
  H_INST(name, w, P, inl, __VA_ARGS__) H_INST(name, w, X, inl, __VA_ARGS__)
#define MEMORY_ROW(name, w)                                                                       \
  [W##w] = {[FORM_M] = h_##name##_##w##_M, [FORM_N] = h_##name##_##w##_N,                         \
            [FORM_P] = h_##name##_##w##_P, [FORM_X] = h_##name##_##w##_X}
#define BODY_MEMORY_V(name, inl, ...)                                                             \
  MEMORY_FORMS(name, 16, inl, __VA_ARGS__) MEMORY_FORMS(name, 32, inl, __VA_ARGS__)               \
  MEMORY_FORMS(name, 64, inl, __VA_ARGS__)                                                        \
  static handler_fn *const t_##name[WIDTHS][FORMS] = {                                            \
      MEMORY_ROW(name, 16), MEMORY_ROW(name, 32), MEMORY_ROW(name, 64)};                          \
  const struct body body_##name = {WIDTHS, t_##name};
#define BODY_MEMORY_Y(name, inl, ...)                                                             \
  MEMORY_FORMS(name, 32, inl, __VA_ARGS__) MEMORY_FORMS(name, 64, inl, __VA_ARGS__)               \
  static handler_fn *const t_##name[WIDTHS][FORMS] = {MEMORY_ROW(name, 32), MEMORY_ROW(name, 64)}; \
  const struct body body_##name = {WIDTHS, t_##name};

ALWAYS_INLINE u64 swap_bytes(u64 v, enum width w) {
  return w == W16 ? __builtin_bswap16((u16)v) : w == W32 ? __builtin_bswap32((u32)v) : __builtin_bswap64(v);
}
INLINE_BODY movbe_load(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                       handler_fn *slow) {
  E_BIND(e, w, form, ACC_READ);
  reg_set(cpu, i->dst, swap_bytes(e_get_src(cpu, i, &e, w, form), w), w);
  NEXT(cpu, i, form);
}
INLINE_BODY store(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                  handler_fn *slow, bool swap) {
  E_BIND(e, w, form, ACC_WRITE);
  u64 v = reg_get(cpu, i->src, w);
  e_set(cpu, i, &e, swap ? swap_bytes(v, w) : v, w, form);
  NEXT(cpu, i, form);
}
BODY_MEMORY_V(movbe_G_M, movbe_load)
BODY_MEMORY_V(movbe_M_G, store, true)
BODY_MEMORY_Y(movdiri, store, false)

/* ---- additions with one flag of their own ---- */
#define BODY_LEAN_Y(name, inl, ...)                                                               \
  H_LEAN(name, 32, inl, __VA_ARGS__) H_LEAN(name, 64, inl, __VA_ARGS__)                           \
  static handler_fn *const t_##name[WIDTHS][FORMS] = {[W32] = {H_LEAN_ROW(name, 32)}, [W64] = {H_LEAN_ROW(name, 64)}}; \
  const struct body body_##name = {WIDTHS, t_##name};
INLINE_BODY add_with(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                     handler_fn *slow, u16 flag) {
  E_BIND(e, w, form, ACC_READ);
  u64 b = e_get_src(cpu, i, &e, w, form), a = reg_get(cpu, i->dst, w);
  u128 r = (u128)a + b + !!(cpu->hf & flag);
  reg_set(cpu, i->dst, (u64)r, w);
  cpu->hf = (u16)((cpu->hf & ~flag) | (r >> WIDTH_BITS(w) & 1 ? flag : 0));
  NEXT(cpu, i, form);
}
BODY_LEAN_Y(adcx_G_E, add_with, HF_CF)
BODY_LEAN_Y(adox_G_E, add_with, HF_OF)

/* ---- CRC32 ---- */
/* The polynomial 11EDC6F41h, bits reversed, four at a time. SDM 2A CRC32 */
ALWAYS_INLINE u64 crc_add(u32 crc, u64 v, unsigned bytes) {
  static const u32 table[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
  };
  for (unsigned k = 0; k < bytes; k++) {
    crc ^= (u8)(v >> 8 * k);
    crc = crc >> 4 ^ table[crc & 15];
    crc = crc >> 4 ^ table[crc & 15];
  }
  return crc;
}
INLINE_BODY crc32(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                  handler_fn *slow) {
  E_BIND(e, w, form, ACC_READ);
  u64 v = e_get_src(cpu, i, &e, w, form);
  reg_set(cpu, i->dst, crc_add((u32)cpu->gpr[i->dst], v, WIDTH_BYTES(w)), W32);
  NEXT(cpu, i, form);
}
BODY_LEAN1(crc32_G_Eb, 8, crc32)
BODY_LEAN_V(crc32_G_Ev, crc32)

/* ---- random numbers ---- */
/* SplitMix64. Part of the processor's state, so that a run can be had again, and a dry run draws nothing. */
u64 cpu_random(struct cpu *cpu) {
  u64 z = cpu->random += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

/* Without a number the destination is 0 and CF clear. SDM 2B RDRAND, RDSEED */
static NOINLINE void put_random(struct cpu *cpu, const struct insn *i) {
  const struct vm_hooks *h = &cpu->vm->hooks;
  u64 v;
  bool got = true;
  if (h->random) got = h->random(h->opaque, &v);
  else v = cpu_random(cpu);
  reg_set(cpu, i->dst, got ? v : 0, insn_osize(i));
  cpu->hf = got ? HF_CF : 0;
}
static const struct insn *h_random(struct cpu *restrict cpu, const struct insn *restrict i) {
  put_random(cpu, i);
  NEXT(cpu, i, FORM_R);
}
BODY_1(random, h_random)

/* ---- 64 bytes ---- */
enum { LINE_BYTES = 64 };

/* The destination is in ES, at an address of the address size; the source is read before anything is said of it
 * (measured on Intel Xeon). SDM 2B MOVDIR64B */
static NOINLINE void move_line(struct cpu *cpu, const struct insn *i) {
  u8 line[LINE_BYTES];
  mem_read_bytes(cpu, ea_linear(cpu, i, LINE_BYTES, ACC_READ), line, LINE_BYTES);
  u64 la = mem_linear(cpu, ES, cpu->gpr[i->dst] & insn_address_mask(i), LINE_BYTES, ACC_WRITE);
  require_ab(cpu, CHK_ALIGNED_OPERAND, !(la & (LINE_BYTES - 1)), 0, la, LINE_BYTES);
  mem_write_bytes(cpu, la, line, LINE_BYTES);
}
static const struct insn *h_movdir64b(struct cpu *restrict cpu, const struct insn *restrict i) {
  move_line(cpu, i);
  NEXT(cpu, i, FORM_X);
}
static handler_fn *const t_movdir64b[1][FORMS] = {{[FORM_X] = h_movdir64b}};
const struct body body_movdir64b = {1, t_movdir64b};

/* The line that rAX lies in. APM 3 CLZERO */
static NOINLINE void clear_line(struct cpu *cpu, const struct insn *i) {
  static const u8 zeros[LINE_BYTES];
  cpu->insn = i;
  u64 off = cpu->gpr[RAX] & insn_address_mask(i) & ~(u64)(LINE_BYTES - 1);
  mem_write_bytes(cpu, mem_linear(cpu, i->seg, off, LINE_BYTES, ACC_WRITE), zeros, LINE_BYTES);
}
static const struct insn *h_clzero(struct cpu *restrict cpu, const struct insn *restrict i) {
  clear_line(cpu, i);
  NEXT(cpu, i, FORM_X);
}
BODY_1(clzero, h_clzero)

/* ---- waiting, at any privilege: as MONITOR and MWAIT. APM 3 MONITORX, MWAITX ---- */
static const struct insn *h_monitorx(struct cpu *restrict cpu, const struct insn *restrict i) {
  cpu->insn = i;
  require_ab(cpu, CHK_MONITOR_ECX, (u32)cpu->gpr[RCX] == 0, 0, (u32)cpu->gpr[RCX], 0);
  (void)mem_read8(cpu, mem_linear(cpu, i->seg, cpu->gpr[RAX] & insn_address_mask(i), 1, ACC_READ));
  NEXT(cpu, i, FORM_X);
}
BODY_1(monitorx, h_monitorx)
/* Bit 0 of ECX lets masked interrupts end it, bit 1 the timer in EBX. */
static const struct insn *h_mwaitx(struct cpu *restrict cpu, const struct insn *restrict i) {
  cpu->insn = i;
  require_ab(cpu, CHK_MWAIT_ECX, (u32)cpu->gpr[RCX] <= 3, 0, (u32)cpu->gpr[RCX], 0);
  return cpu_leave(cpu, i);
}
BODY_1(mwaitx, h_mwaitx)

/* What came before is done, and what comes after is fetched anew: so it is between any two blocks. SDM 2B SERIALIZE */
static const struct insn *h_serialize(struct cpu *restrict cpu, const struct insn *restrict i) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return cpu_leave(cpu, i);
}
BODY_1(serialize, h_serialize)
