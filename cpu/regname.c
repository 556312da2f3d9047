/* The processor's registers by name: cpu/registers.def over struct cpu, and the MSRs. SDM 1 3.4 (Basic Program
 * Execution Registers). */
#include "cpu/regname.h"

#include <stdio.h>
#include <strings.h>

#include "cpu/mem.h"
#include "cpu/seg.h"
#include "cpu/simd_state.h"
#include "cpu/x87.h"

#define REG(name, field, kind) {name, offsetof(struct cpu, field), sizeof(((struct cpu *)0)->field), kind},
static const struct reg_row {
  const char *name;
  u32 offset;
  u8 size, kind;
} rows[] = {
#include "cpu/registers.def"
};
enum { FIRST_MSR = ARRAY_SIZE(rows) };

const struct flag_row flag_rows[FLAG_ROWS] = {
    {"CF", EF_CF}, {"PF", EF_PF}, {"AF", EF_AF},   {"ZF", EF_ZF},     {"SF", EF_SF}, {"TF", EF_TF},
    {"IF", EF_IF}, {"DF", EF_DF}, {"OF", EF_OF},   {"IOPL", EF_IOPL}, {"NT", EF_NT}, {"RF", EF_RF},
    {"VM", EF_VM}, {"AC", EF_AC}, {"VIF", EF_VIF}, {"VIP", EF_VIP},   {"ID", EF_ID},
};

unsigned regname_count(void) { return FIRST_MSR + MSR_SLOTS; }

const char *regname_at(unsigned id) {
  if (id < FIRST_MSR) return rows[id].name;
  return id < regname_count() ? msr_rows[id - FIRST_MSR].id : NULL;
}

unsigned regname_slot(unsigned id) { return id - FIRST_MSR; }

enum reg_kind regname_kind(unsigned id) {
  if (id < FIRST_MSR) return (enum reg_kind)rows[id].kind;
  switch (msr_rows[id - FIRST_MSR].store) {
  case MSR_IN_FS_BASE: return REG_MSR_FS;
  case MSR_IN_GS_BASE: return REG_MSR_GS;
  default: return REG_MSR;
  }
}

bool regname_alias(unsigned id) {
  enum reg_kind kind = regname_kind(id);
  return kind == REG_ALIAS || kind == REG_MSR_FS || kind == REG_MSR_GS;
}

/* "eax", "eip", "eflags": the register's 64-bit name; "cs.sel": "cs". */
static const char *main_name(const char *name, char buf[24]) {
  size_t n = strlen(name);
  bool gpr = n == 3 && strchr("abcds", name[1] | 32);
  if (n >= 24) return name;
  memcpy(buf, name, n + 1);
  if ((name[0] | 32) == 'e' && (gpr || !strcasecmp(name, "eip") || !strcasecmp(name, "eflags"))) buf[0] = 'r';
  if (n > 4 && !strcasecmp(name + n - 4, ".sel")) buf[n - 4] = 0;
  return buf;
}

int regname_find(const char *name) {
  char buf[24];
  name = main_name(name, buf);
  for (unsigned k = 0; k < FIRST_MSR; k++)
    if (!strcasecmp(rows[k].name, name)) return (int)k;
  for (unsigned k = 0; k < MSR_SLOTS; k++)
    if (!strcasecmp(msr_rows[k].id, name) || !strcasecmp(msr_rows[k].name, name)) return (int)(FIRST_MSR + k);
  return -1;
}

int regname_wide(const char *name, unsigned *hi) {
  char part[16];
  if (strlen(name) > 8 || strchr(name, '.')) return -1;
  snprintf(part, sizeof part, "%s.lo", name);
  int lo = regname_find(part);
  *hi = (unsigned)lo + 1;
  return lo;
}

/* ---- values ---- */

u64 regname_cut(unsigned id, u64 v) {
  switch (regname_kind(id)) {
  case REG_BOOL: return v != 0;
  case REG_MXCSR: return v & (MXCSR_VALID | MXCSR_MM); /* the host's register would not take others */
  default: return v;
  }
}

/* ST(i): which physical register, counted from the top. */
static unsigned physical(const struct x87 *x, unsigned id) {
  unsigned n = (rows[id].offset - (unsigned)offsetof(struct cpu, x87.st)) / (unsigned)sizeof x->st[0];
  return (x->top + n) & 7;
}

u64 regname_x87_get(const struct x87 *x, unsigned id) {
  switch ((enum reg_kind)rows[id].kind) {
  case REG_FCW: return x->fcw;
  case REG_FSW: return x->fsw | (u64)x->top << FSW_TOP_SHIFT;
  case REG_FTW: return (u8)~x->empty;
  case REG_FOP: return x->fop;
  default: return rows[id].size == 8 ? x->st[physical(x, id)].m : x->st[physical(x, id)].se;
  }
}

void regname_x87_set(struct x87 *x, unsigned id, u64 v) {
  switch ((enum reg_kind)rows[id].kind) {
  case REG_FCW: x->fcw = (v & FCW_VALID) | FCW_FIXED; break;
  case REG_FSW:
    x->fsw = (u16)(v & ~(u64)FSW_TOP);
    x->top = v >> FSW_TOP_SHIFT & 7;
    break;
  case REG_FTW: x->empty = (u8)~v; break;
  case REG_FOP: x->fop = v & 0x7ff; break;
  default:
    if (rows[id].size == 8) x->st[physical(x, id)].m = v;
    else x->st[physical(x, id)].se = (u16)v;
  }
  x87_settle(x);
}

/* The bases of FS and GS live in their segments. */
static u64 *msr_home(struct cpu *cpu, unsigned id) {
  enum reg_kind kind = regname_kind(id);
  return kind == REG_MSR_FS ? &cpu->seg[FS].base : kind == REG_MSR_GS ? &cpu->seg[GS].base : &cpu->msr[id - FIRST_MSR];
}

u64 regname_get(const struct cpu *cpu, unsigned id) {
  u64 v = 0;
  if (id >= regname_count()) return 0;
  if (id >= FIRST_MSR) return *msr_home((struct cpu *)(uintptr_t)cpu, id);
  if (rows[id].kind == REG_FLAGS) return cpu_eflags(cpu);
  if (rows[id].kind >= REG_FCW) return regname_x87_get(&cpu->x87, id);
  memcpy(&v, (const char *)cpu + rows[id].offset, rows[id].size);
  return v;
}

void regname_store(struct cpu *cpu, unsigned id, u64 v) {
  if (id >= regname_count()) return;
  if (id >= FIRST_MSR) {
    *msr_home(cpu, id) = v;
  } else if (rows[id].kind == REG_FLAGS) {
    cpu_set_eflags(cpu, (u32)v);
    cpu->rf_icount = cpu_icount(cpu); /* RF is in force for the next instruction */
  } else if (rows[id].kind >= REG_FCW) {
    regname_x87_set(&cpu->x87, id, v);
  } else {
    v = regname_cut(id, v);
    memcpy((char *)cpu + rows[id].offset, &v, rows[id].size);
  }
  cpu->cpl &= 3;
}

void regname_set(struct cpu *cpu, unsigned id, u64 v) {
  regname_store(cpu, id, v);
  cpu_update_mode(cpu);
  if (id >= FIRST_MSR || strchr("cp", rows[id].name[0])) cpu_tlb_flush(cpu); /* control registers, PKRU, EFER */
}

int regname_load_segment(struct cpu *cpu, enum sreg r, u16 sel) {
  u8 raw[8];
  u64 base = sel & SEL_TI ? cpu->ldtr.base : cpu->gdtr.base;
  if (!cpu_protected(cpu)) {
    seg_load_real(cpu, r, sel);
  } else if (sel_is_null(sel)) {
    cpu->seg[r] = (struct seg){.sel = sel, .attr = SEG_NULL};
  } else {
    if ((sel | 7u) > table_limit(cpu, sel) || mem_peek(cpu, base + (sel & 0xfff8u), raw, sizeof raw) < sizeof raw)
      return -1;
    cpu->seg[r] = desc_segment(ld64(raw), sel);
    if (r == CS) cpu->cpl = sel_rpl(sel);
  }
  cpu_update_mode(cpu);
  return 0;
}
