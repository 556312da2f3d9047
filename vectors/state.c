/* The named pieces of a vector's machine, and its memory. SDM 1 3.4 (Basic Program Execution Registers). */
#include "vectors/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cpu/seg.h"

static const char *const gpr_names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                          "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const seg_names[VS_SEGS] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
static const char *const seg_fields[4] = {"sel", "attr", "limit", "base"};

#define PIECE(n, f) {n, offsetof(struct vstate, f), sizeof(((struct vstate *)0)->f)}
static const struct comp plain[] = {
    PIECE("rip", rip), PIECE("rflags", rflags), PIECE("cpl", cpl),
    PIECE("gdtr.base", gdtr.base), PIECE("gdtr.limit", gdtr.limit),
    PIECE("idtr.base", idtr.base), PIECE("idtr.limit", idtr.limit),
    PIECE("cr0", cr0), PIECE("cr2", cr2), PIECE("cr3", cr3), PIECE("cr4", cr4), PIECE("cr8", cr8),
    PIECE("dr0", dr[0]), PIECE("dr1", dr[1]), PIECE("dr2", dr[2]), PIECE("dr3", dr[3]),
    PIECE("dr6", dr[6]), PIECE("dr7", dr[7]), PIECE("mxcsr", mxcsr),
    PIECE("pdpte0", pdpte[0]), PIECE("pdpte1", pdpte[1]), PIECE("pdpte2", pdpte[2]), PIECE("pdpte3", pdpte[3]),
    PIECE("pkru", pkru), PIECE("nmi_blocked", nmi_blocked), PIECE("inhibit", inhibit),
};
enum { FIRST_SEG = 16, FIRST_PLAIN = FIRST_SEG + VS_SEGS * 4, FIRST_MSR = FIRST_PLAIN + ARRAY_SIZE(plain) };

unsigned comp_count(void) { return FIRST_MSR + MSR_SLOTS; }

struct comp comp_at(unsigned k) {
  struct comp c = {.size = 8};
  if (k < FIRST_SEG) {
    snprintf(c.name, sizeof c.name, "%s", gpr_names[k]);
    c.offset = (u16)(offsetof(struct vstate, gpr) + k * 8);
  } else if (k < FIRST_PLAIN) {
    static const struct { u16 offset; u8 size; } field[4] = {
        {offsetof(struct seg, sel), 2}, {offsetof(struct seg, attr), 4},
        {offsetof(struct seg, limit), 4}, {offsetof(struct seg, base), 8}};
    unsigned s = (k - FIRST_SEG) / 4, f = (k - FIRST_SEG) % 4;
    snprintf(c.name, sizeof c.name, "%s.%s", seg_names[s], seg_fields[f]);
    c.offset = (u16)(offsetof(struct vstate, seg) + s * sizeof(struct seg) + field[f].offset);
    c.size = field[f].size;
  } else if (k < FIRST_MSR) {
    c = plain[k - FIRST_PLAIN];
  } else {
    snprintf(c.name, sizeof c.name, "%s", msr_rows[k - FIRST_MSR].id);
    c.offset = (u16)(offsetof(struct vstate, msr) + (k - FIRST_MSR) * 8);
  }
  return c;
}

int comp_find(const char *name) {
  int s = vseg_find(name);
  if (s >= 0) return FIRST_SEG + s * 4; /* the selector */
  if (name[0] == 'e' && strlen(name) == 3)
    for (int k = 0; k < 8; k++)
      if (!strcmp(name + 1, gpr_names[k] + 1)) return k;
  if (!strcmp(name, "eip")) name = "rip";
  if (!strcmp(name, "eflags")) name = "rflags";
  for (unsigned k = 0; k < comp_count(); k++) {
    struct comp c = comp_at(k);
    if (k < FIRST_MSR ? !strcmp(c.name, name) : !strcasecmp(c.name, name)) return (int)k;
  }
  return -1;
}

u64 comp_get(const struct vstate *st, unsigned k) {
  struct comp c = comp_at(k);
  u64 v = 0;
  memcpy(&v, (const char *)st + c.offset, c.size);
  return v;
}
void comp_set(struct vstate *st, unsigned k, u64 v) {
  struct comp c = comp_at(k);
  memcpy((char *)st + c.offset, &v, c.size);
}

int vseg_find(const char *name) {
  for (int k = 0; k < VS_SEGS; k++)
    if (!strcmp(name, seg_names[k])) return k;
  return -1;
}
const char *vseg_name(unsigned k) { return seg_names[k]; }

static const struct {
  const char *name;
  u32 mask;
} flag_names[] = {
    {"cf", EF_CF}, {"pf", EF_PF}, {"af", EF_AF},   {"zf", EF_ZF},     {"sf", EF_SF}, {"tf", EF_TF},
    {"if", EF_IF}, {"df", EF_DF}, {"of", EF_OF},   {"iopl", EF_IOPL}, {"nt", EF_NT}, {"rf", EF_RF},
    {"vm", EF_VM}, {"ac", EF_AC}, {"vif", EF_VIF}, {"vip", EF_VIP},   {"id", EF_ID},
};

u32 vflag_find(const char *name) {
  for (unsigned k = 0; k < ARRAY_SIZE(flag_names); k++)
    if (!strcmp(name, flag_names[k].name)) return flag_names[k].mask;
  return 0;
}

void vflags_text(u64 flags, char *out, size_t n) {
  size_t at = 0;
  if (n) *out = 0;
  for (unsigned k = 0; k < ARRAY_SIZE(flag_names) && at < n; k++) {
    if (!(flags & flag_names[k].mask)) continue;
    int add = flag_names[k].mask == EF_IOPL
                  ? snprintf(out + at, n - at, " iopl=%u", (unsigned)(flags >> EF_IOPL_SHIFT & 3))
                  : snprintf(out + at, n - at, " %s", flag_names[k].name);
    if (add < 0) return;
    at += (size_t)add;
  }
}

int vstate_init(struct vstate *st) {
  memset(st, 0, sizeof *st);
  st->ram = malloc(VM_RAM);
  return st->ram ? 0 : -1;
}
void vstate_free(struct vstate *st) {
  free(st->ram);
  st->ram = NULL;
}
void vstate_copy(struct vstate *to, const struct vstate *from) {
  u8 *ram = to->ram;
  *to = *from;
  to->ram = ram;
  memcpy(ram, from->ram, VM_RAM);
}

bool vstate_write(struct vstate *st, u64 at, unsigned size, u64 v) {
  if (at >= VM_RAM || VM_RAM - at < size) return false;
  memcpy(st->ram + at, &v, size);
  return true;
}
u64 vstate_read(const struct vstate *st, u64 at, unsigned size) {
  u64 v = 0;
  if (st->ram && at < VM_RAM && VM_RAM - at >= size) memcpy(&v, st->ram + at, size);
  return v;
}

struct seg vstate_descriptor(const struct vstate *st, u16 sel) {
  u64 table = sel & SEL_TI ? st->seg[VS_LDTR].base : st->gdtr.base;
  u64 d = vstate_read(st, table + (sel & ~7u), 8);
  u32 limit = (u32)((d & 0xffff) | (d >> 32 & 0xf0000));
  u32 attr = (u32)(d >> 40 & 0xf0ff);
  if (attr & SEG_S) attr |= SEG_ACCESSED;
  return (struct seg){.sel = sel, .attr = attr, .limit = attr & SEG_G ? limit << 12 | 0xfff : limit,
                      .base = (d >> 16 & 0xffffff) | (d >> 56) << 24};
}

void vstate_load(const struct vstate *st, struct cpu *cpu, u8 *ram) {
  memcpy(cpu->gpr, st->gpr, sizeof st->gpr);
  cpu->gpr[REG_ZERO] = 0;
  cpu->rip = st->rip;
  cpu->cpl = (u8)st->cpl;
  cpu_set_eflags(cpu, (u32)st->rflags);
  cpu->rf_icount = cpu_icount(cpu); /* RF is in force for the next instruction */
  memcpy(cpu->seg, st->seg, sizeof cpu->seg);
  cpu->ldtr = st->seg[VS_LDTR];
  cpu->tr = st->seg[VS_TR];
  cpu->gdtr = st->gdtr;
  cpu->idtr = st->idtr;
  cpu->cr0 = st->cr0;
  cpu->cr2 = st->cr2;
  cpu->cr3 = st->cr3;
  cpu->cr4 = st->cr4;
  cpu->cr8 = st->cr8;
  memcpy(cpu->dr, st->dr, sizeof cpu->dr);
  memcpy(cpu->pdpte, st->pdpte, sizeof cpu->pdpte);
  cpu->pkru = st->pkru;
  cpu->nmi_blocked = st->nmi_blocked;
  cpu->inhibit = st->inhibit;
  memcpy(cpu->msr, st->msr, sizeof cpu->msr);
  cpu->mxcsr = st->mxcsr;
  memcpy(cpu->vec, st->vec, sizeof st->vec);
  memcpy(ram, st->ram, VM_RAM);
}

void vstate_store(struct vstate *st, const struct cpu *cpu, const u8 *ram) {
  memcpy(st->gpr, cpu->gpr, sizeof st->gpr);
  st->rip = cpu->rip;
  st->cpl = cpu->cpl;
  st->rflags = cpu_eflags(cpu);
  memcpy(st->seg, cpu->seg, sizeof cpu->seg);
  st->seg[VS_LDTR] = cpu->ldtr;
  st->seg[VS_TR] = cpu->tr;
  st->gdtr = cpu->gdtr;
  st->idtr = cpu->idtr;
  st->cr0 = cpu->cr0;
  st->cr2 = cpu->cr2;
  st->cr3 = cpu->cr3;
  st->cr4 = cpu->cr4;
  st->cr8 = cpu->cr8;
  memcpy(st->dr, cpu->dr, sizeof cpu->dr);
  memcpy(st->pdpte, cpu->pdpte, sizeof cpu->pdpte);
  st->pkru = cpu->pkru;
  st->nmi_blocked = cpu->nmi_blocked;
  st->inhibit = cpu->inhibit;
  memcpy(st->msr, cpu->msr, sizeof cpu->msr);
  st->mxcsr = cpu->mxcsr;
  memcpy(st->vec, cpu->vec, sizeof st->vec);
  memcpy(st->ram, ram, VM_RAM);
}
