/* The processor's registers by name. */
#include "cpu/regname.h"

#include <strings.h>

#include "cpu/mem.h"
#include "cpu/seg.h"

struct reg_row {
  const char *name;
  u32 offset;
  u8 size;
};

#define REG(n, f) {n, offsetof(struct cpu, f), sizeof(((struct cpu *)0)->f)}
#define SEGMENT(n, f)                                                                                       \
  REG(n, f.sel), REG(n ".base", f.base), REG(n ".limit", f.limit), REG(n ".attr", f.attr)
static const struct reg_row rows[] = {
    REG("rax", gpr[RAX]), REG("rcx", gpr[RCX]), REG("rdx", gpr[RDX]), REG("rbx", gpr[RBX]),
    REG("rsp", gpr[RSP]), REG("rbp", gpr[RBP]), REG("rsi", gpr[RSI]), REG("rdi", gpr[RDI]),
    REG("r8", gpr[R8]), REG("r9", gpr[R9]), REG("r10", gpr[R10]), REG("r11", gpr[R11]),
    REG("r12", gpr[R12]), REG("r13", gpr[R13]), REG("r14", gpr[R14]), REG("r15", gpr[R15]),
    REG("rip", rip), REG("rflags", eflags), REG("cpl", cpl),
    SEGMENT("es", seg[ES]), SEGMENT("cs", seg[CS]), SEGMENT("ss", seg[SS]), SEGMENT("ds", seg[DS]),
    SEGMENT("fs", seg[FS]), SEGMENT("gs", seg[GS]), SEGMENT("ldtr", ldtr), SEGMENT("tr", tr),
    REG("gdtr.base", gdtr.base), REG("gdtr.limit", gdtr.limit), REG("idtr.base", idtr.base),
    REG("idtr.limit", idtr.limit), REG("cr0", cr0), REG("cr2", cr2), REG("cr3", cr3), REG("cr4", cr4), REG("cr8", cr8),
    REG("xcr0", xcr0), REG("dr0", dr[0]), REG("dr1", dr[1]), REG("dr2", dr[2]), REG("dr3", dr[3]), REG("dr6", dr[6]),
    REG("dr7", dr[7]), REG("pkru", pkru), REG("mxcsr", mxcsr),
};
enum { FIRST_MSR = ARRAY_SIZE(rows), RFLAGS_ROW = 17 };

unsigned regname_count(void) { return FIRST_MSR + MSR_SLOTS; }

const char *regname_at(unsigned id) {
  if (id < FIRST_MSR) return rows[id].name;
  return id < regname_count() ? msr_rows[id - FIRST_MSR].id : NULL;
}

/* "eax", "eip", "eflags": the register's 64-bit name. */
static const char *widened(const char *name, char buf[8]) {
  bool gpr = strlen(name) == 3 && strchr("abcds", name[1]);
  if ((name[0] | 32) != 'e' || (!gpr && strcasecmp(name, "eip") && strcasecmp(name, "eflags"))) return name;
  strcpy(buf, name);
  buf[0] = 'r';
  return buf;
}

int regname_find(const char *name) {
  char buf[8];
  if (strlen(name) < 7) name = widened(name, buf);
  for (unsigned k = 0; k < FIRST_MSR; k++)
    if (!strcasecmp(rows[k].name, name)) return (int)k;
  for (unsigned k = 0; k < MSR_SLOTS; k++)
    if (!strcasecmp(msr_rows[k].id, name) || !strcasecmp(msr_rows[k].name, name)) return (int)(FIRST_MSR + k);
  return -1;
}

/* Three live elsewhere than in the array. */
static u64 *msr_home(struct cpu *cpu, unsigned slot) {
  switch (msr_rows[slot].store) {
    case MSR_IN_FS_BASE: return &cpu->seg[FS].base;
    case MSR_IN_GS_BASE: return &cpu->seg[GS].base;
    default: return &cpu->msr[slot];
  }
}

u64 regname_get(const struct cpu *cpu, unsigned id) {
  u64 v = 0;
  if (id == RFLAGS_ROW) return cpu_eflags(cpu);
  if (id >= regname_count()) return 0;
  if (id >= FIRST_MSR) return *msr_home((struct cpu *)(uintptr_t)cpu, id - FIRST_MSR);
  memcpy(&v, (const char *)cpu + rows[id].offset, rows[id].size);
  return v;
}

void regname_set(struct cpu *cpu, unsigned id, u64 v) {
  if (id >= regname_count()) return;
  if (id == RFLAGS_ROW) {
    cpu_set_eflags(cpu, (u32)v);
    cpu->rf_icount = cpu_icount(cpu); /* RF is in force for the next instruction */
  } else if (id >= FIRST_MSR) {
    *msr_home(cpu, id - FIRST_MSR) = v;
  } else {
    memcpy((char *)cpu + rows[id].offset, &v, rows[id].size);
  }
  cpu->cpl &= 3;
  cpu_update_mode(cpu);
  if (id >= FIRST_MSR || rows[id].name[0] == 'c') cpu_tlb_flush(cpu); /* control registers, EFER */
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
