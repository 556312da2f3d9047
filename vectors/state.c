/* The named pieces of a vector's machine, and its memory. SDM 1 3.4 (Basic Program Execution Registers). */
#include "vectors/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cpu/seg.h"

#define REG(name, field, kind) {offsetof(struct vstate, field), sizeof(((struct vstate *)0)->field)},
static const struct {
  u16 offset;
  u8 size;
} places[] = { /* by register, before the MSRs */
#include "cpu/registers.def"
};

static u64 *msr_place(struct vstate *st, unsigned id) {
  enum reg_kind kind = regname_kind(id);
  return kind == REG_MSR_FS   ? &st->seg[FS].base
         : kind == REG_MSR_GS ? &st->seg[GS].base
                              : &st->msr[regname_slot(id)];
}

u64 vstate_get(const struct vstate *st, unsigned id) {
  u64 v = 0;
  if (id >= ARRAY_SIZE(places)) return *msr_place((struct vstate *)(uintptr_t)st, id);
  enum reg_kind kind = regname_kind(id);
  if (kind >= REG_FCW && kind <= REG_ST) return regname_x87_get(&st->x87, id);
  memcpy(&v, (const char *)st + places[id].offset, places[id].size);
  return v;
}

void vstate_set(struct vstate *st, unsigned id, u64 v) {
  enum reg_kind kind = regname_kind(id);
  v = regname_cut(id, v);
  if (id >= ARRAY_SIZE(places)) *msr_place(st, id) = v;
  else if (kind >= REG_FCW && kind <= REG_ST) regname_x87_set(&st->x87, id, v);
  else memcpy((char *)st + places[id].offset, &v, places[id].size);
}

int vseg_find(const char *name) {
  int id = strchr(name, '.') ? -1 : regname_find(name);
  for (int k = 0; k < VS_SEGS && id >= 0 && id < (int)ARRAY_SIZE(places); k++)
    if (places[id].offset == offsetof(struct vstate, seg[k].sel)) return k;
  return -1;
}

u32 vflag_find(const char *name) {
  for (unsigned k = 0; k < FLAG_ROWS; k++)
    if (!strcasecmp(name, flag_rows[k].name)) return flag_rows[k].mask;
  return 0;
}

/* "cf", "iopl=3" */
void vflags_text(u64 flags, char *out, size_t n) {
  size_t at = 0;
  if (n) *out = 0;
  for (unsigned k = 0; k < FLAG_ROWS && at < n; k++) {
    if (!(flags & flag_rows[k].mask)) continue;
    int add = snprintf(out + at, n - at, " %s", flag_rows[k].name);
    if (add < 0) return;
    for (; at < n && out[at]; at++) out[at] = (char)(out[at] | 0x20);
    if (flag_rows[k].mask == EF_IOPL)
      at += (size_t)snprintf(out + at, n - at, "=%u", (unsigned)(flags >> EF_IOPL_SHIFT & 3));
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
  struct seg s = desc_segment(vstate_read(st, table + (sel & ~7u), 8), sel);
  if (s.attr & SEG_S) s.attr |= SEG_ACCESSED;
  return s;
}

void vstate_load(const struct vstate *st, struct cpu *cpu, u8 *ram) {
  for (unsigned id = 0; id < regname_count(); id++) regname_store(cpu, id, vstate_get(st, id));
  memcpy(ram, st->ram, VM_RAM);
}

void vstate_store(struct vstate *st, const struct cpu *cpu, const u8 *ram) {
  for (unsigned id = 0; id < regname_count(); id++) vstate_set(st, id, regname_get(cpu, id));
  memcpy(st->ram, ram, VM_RAM);
}
