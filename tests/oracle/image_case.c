/* Cases as the monitor can run them. A case that ends in ring 0 at a handler comes back from there; elsewhere
 * UD2 is planted where it must go on, and the #UD is what comes back. SDM 2B UD2; SDM 3A 4.5 (4-Level
 * Paging and 5-Level Paging). */
#include <string.h>

#include "cpu/event.h"
#include "cpu/seg.h"
#include "tests/oracle/image.h"

enum { UD2_BYTES = 2 };

static void patch(struct image *im, struct vstate *st, u32 at, const void *with, u32 bytes) {
  if (im->patches == PATCHES || at + bytes > VM_RAM) return;
  im->patch[im->patches].at = at;
  im->patch[im->patches].bytes = bytes;
  memcpy(im->patch[im->patches++].was, st->ram + at, bytes);
  memcpy(st->ram + at, with, bytes);
}

/* Handlers lead to the monitor: not noted as patches, since nobody writes there. */
void image_lead_handlers(struct vstate *st, bool code64) {
  for (u32 v = 0; v < 256; v++) {
    u32 at = VM_HANDLERS + v * 16, to = MON_BASE + (code64 ? MON_STUBS : MON_STUBS32) + v * 16 - (at + 5);
    if (st->ram[at] != 0xf4 || vstate_read(st, at + 1, 8)) continue;
    st->ram[at] = 0xe9;
    memcpy(st->ram + at + 1, &to, 4);
  }
}
void image_restore_handlers(struct vstate *st, const struct vstate *from) {
  memcpy(st->ram + VM_HANDLERS, from->ram + VM_HANDLERS, 256 * 16);
}

/* Shows the monitor to the case's page tables, where it is. */
static int show_monitor(struct image *im, struct vstate *st, char why[REASON_MAX]) {
  const u64 good = PTE_P | PTE_RW | PTE_A;
  if (!(st->cr0 & CR0_PG)) return 0;
  if (!(st->cr4 & CR4_PAE) || !(st->msr[MSR_EFER] & EFER_LMA) || (st->cr4 & CR4_LA57))
    return decline(why, "paging that the monitor cannot be shown in");
  u64 table = st->cr3 & ~UINT64_C(0xfff);
  for (int level = 0; level < 2; level++) {
    u64 e = vstate_read(st, table, 8);
    if (table >= VM_RAM || (e & good) != good || (e & PTE_PS) || e >> 52)
      return decline(why, "page tables that hide the monitor");
    table = e & UINT64_C(0xffffffffff000);
  }
  u64 at = table + (MON_BASE >> 21) * 8, entry = MON_BASE | PTE_P | PTE_RW | PTE_A | PTE_D | PTE_PS;
  if (at + 8 > VM_RAM || vstate_read(st, at, 8)) return decline(why, "page tables that hide the monitor");
  patch(im, st, (u32)at, &entry, 8);
  return 0;
}

static u64 descriptor_of(const struct seg *s, bool system) {
  if (s->attr & SEG_NULL) return 0;
  u32 limit = s->attr & SEG_G ? s->limit >> 12 : s->limit;
  u64 attr = s->attr & 0xf0ff;
  if (system) attr &= ~(u64)SYS_TSS_BUSY_BIT | ((attr & 15) == SYS_LDT ? 2 : 0);
  return (limit & 0xffff) | (s->base & 0xffffff) << 16 | attr << 40 | (u64)(limit >> 16 & 15) << 48 |
         (s->base >> 24 & 0xff) << 56;
}

/* Can IRET load this register from the case's own tables, without a write there? */
static bool loadable(const struct vstate *st, unsigned s) {
  const struct seg *r = &st->seg[s];
  u64 table = r->sel & SEL_TI ? st->seg[VS_LDTR].base : st->gdtr.base;
  u32 limit = r->sel & SEL_TI ? st->seg[VS_LDTR].limit : st->gdtr.limit;
  if (s == SS && (r->attr & SEG_NULL)) return sel_is_null(r->sel);
  if (sel_is_null(r->sel) || (r->sel | 7u) > limit) return false;
  struct seg d = vstate_descriptor(st, r->sel);
  bool accessed = vstate_read(st, table + (r->sel & ~7u), 8) >> 40 & 1;
  return accessed && d.base == r->base && d.limit == r->limit && d.attr == r->attr;
}

/* Can a descriptor say this limit? */
static bool limit_expressible(const struct seg *r) {
  return r->attr & SEG_NULL || (r->attr & SEG_G ? (r->limit & 0xfff) == 0xfff : r->limit <= 0xfffff);
}

/* Can MOV load this register from a descriptor that the monitor makes? */
static bool data_loadable(const struct seg *r, u64 cpl) {
  const u32 good = SEG_P | SEG_S | SEG_ACCESSED;
  if (sel_is_null(r->sel) != !!(r->attr & SEG_NULL)) return false;
  if (r->attr & SEG_NULL) return true;
  if ((r->attr & good) != good || r->sel >= MON_SS || !limit_expressible(r)) return false;
  return (seg_is_conforming(r) || seg_dpl(r) >= cpl) && (!seg_is_code(r) || seg_is_readable(r));
}

static bool segments_8086(const struct vstate *st) {
  for (unsigned s = 0; s < SREG_COUNT; s++) {
    const struct seg *r = &st->seg[s];
    struct seg made = vstate_segment8086(r->sel, true);
    if (r->base != made.base || r->limit != made.limit || r->attr != made.attr) return false;
  }
  return true;
}

static int segments_loadable(const struct job *j, char why[REASON_MAX]) {
  static const char no_segment[] = "segment registers that the monitor cannot load";
  const struct vstate *st = &j->plan->start;
  for (unsigned s = 0; s < SREG_COUNT; s++) {
    const struct seg *r = &st->seg[s];
    if ((s == ES || s == DS) && (r->sel & SEL_TI)) return decline(why, no_segment);
    if (s != CS && s != SS && !data_loadable(r, st->cpl)) return decline(why, no_segment);
  }
  if (((st->seg[ES].sel ^ st->seg[DS].sel) & ~7u) == 0 && memcmp(&st->seg[ES].base, &st->seg[DS].base, 8))
    return decline(why, no_segment);
  if (!loadable(st, CS) || !loadable(st, SS)) return decline(why, "CS or SS is not what its descriptor says");
  const struct seg *tr = &st->seg[VS_TR], *ldt = &st->seg[VS_LDTR];
  unsigned type = tr->attr & 15;
  if ((type != SYS_TSS32_BUSY && type != SYS_TSS16_BUSY) || !(tr->attr & SEG_P) || sel_is_null(tr->sel) ||
      (tr->sel & SEL_TI) || tr->sel >= MON_SS || !limit_expressible(tr))
    return decline(why, "TR is not what LTR could load");
  if (sel_is_null(ldt->sel) != !!(ldt->attr & SEG_NULL) || !limit_expressible(ldt) || (ldt->sel & SEL_TI) ||
      ldt->sel >= MON_SS ||
      (!(ldt->attr & SEG_NULL) && (ldt->attr & 0x9f) != (SEG_P | SYS_LDT)))
    return decline(why, "LDTR is not what LLDT could load");
  return 0;
}

static bool bases_canonical(const struct vstate *st) {
  bool ok = canonical(st->seg[FS].base, 48) && canonical(st->seg[GS].base, 48);
  for (unsigned n = 0; n < HANDED_MSRS; n++) {
    u16 m = handed_msrs[n];
    if (m != MSR_STAR && m != MSR_FMASK && m != MSR_SYSENTER_CS) ok = ok && canonical(st->msr[m], 48);
  }
  return ok;
}

static int settable(const struct job *j, char why[REASON_MAX]) {
  const struct vec_plan *p = j->plan;
  const struct vstate *st = &p->start;
  if (msrs_handed(j, why) || simd_handed(j, why)) return -1;
  if (!bases_canonical(st)) return decline(why, "a base that WRMSR cannot set: not canonical");
  if ((st->cr4 & CR4_UMIP) && !j->model->has[FEAT_UMIP])
    return decline(why, "a feature is missing there");
  if ((st->cr4 & (CR4_VME | CR4_PVI)) && !j->model->has[FEAT_VME])
    return decline(why, "a feature is missing there");
  if (p->interrupt >= 0 || p->nmi) return decline(why, "interrupts are not handed over");
  if (p->steps > 1) return decline(why, "more than one instruction");
  if (st->pkru || j->want->pkru || st->cr8 || j->want->cr8)
    return decline(why, "PKRU and CR8 are not handed over");
  if (st->inhibit || st->nmi_blocked || j->want->inhibit || j->want->nmi_blocked)
    return decline(why, "blocked interrupts are not handed over");
  if ((st->dr[7] | DR7_FIXED) != DR7_FIXED || j->want->dr[7] != st->dr[7])
    return decline(why, "DR7 is not handed over");
  if (image_fpu_wide(st) || image_fpu_wide(j->want))
    return decline(why, "wide x87 pointers are not handed over");
  if ((st->cr0 ^ j->want->cr0) & CR0_PG)
    return decline(why, "it turns paging on or off: the monitor is out of sight");
  if (st->cr0 & (CR0_CD | CR0_NW)) return decline(why, "CR0.CD and NW are not handed over");
  if (st->cr2 >> 32 || st->dr[0] >> 32 || st->dr[1] >> 32 || st->dr[2] >> 32 || st->dr[3] >> 32)
    return decline(why, "wide CR2 and debug registers are not handed over");
  return 0;
}

/* A PC's ports answer, the machine's do not. */
static bool reads_a_port(const struct job *j) {
  const struct vstate *st = &j->plan->start;
  u64 la = st->rip + (mode_long(j->c->mode) ? 0 : st->seg[CS].base);
  for (; la + 1 < VM_RAM; la++) {
    u8 b = st->ram[la];
    bool in = b == 0xe4 || b == 0xe5 || b == 0xec || b == 0xed || b == 0x6c || b == 0x6d;
    if (in) return j->plan->outcome.kind == OUT_DONE;
    bool segment = (b & 0xe7) == 0x26 || b == 0x64 || b == 0x65;
    if (!segment && b != 0x66 && b != 0x67 && b != 0xf2 && b != 0xf3 && (b & 0xf0) != 0x40) return false;
  }
  return false;
}

u32 image_entry(const struct vstate *st) {
  if (st->msr[MSR_EFER] & EFER_LMA) return ENTER_LONG;
  return st->rflags & EF_VM ? ENTER_V86 : st->cpl ? ENTER_OUTER : 0;
}

/* What the monitor's own IRET does not hand over. */
static int enterable(const struct image *im, const struct job *j, char why[REASON_MAX]) {
  const struct vstate *st = &j->plan->start;
  if (mode_long(j->c->mode) && !(st->seg[CS].attr & SEG_L) && !seg_is_db(&st->seg[SS]))
    return decline(why, "IRET does not hand over the upper half of ESP");
  if (!strcmp(im->emulator, "qemu") && (st->rflags & (EF_VIF | EF_VIP)))
    return decline(why, "IRET of QEMU does not load VIF, VIP");
  if (image_entry(st) == 0 && (st->rflags & (EF_TF | EF_RF)))
    return decline(why, "TF or RF in ring 0 of legacy mode");
  if ((st->cr4 | j->want->cr4) & CR4_PCIDE)
    return decline(why, "CR4.PCIDE cannot be set before long mode, nor long mode be left with it");
  if ((st->cr4 ^ j->want->cr4) & CR4_LA57) return decline(why, "CR4.LA57 is not handed over");
  for (unsigned k = 0; k < 16; k++)
    if (!mode_long(j->c->mode) && st->gpr[k] >> 32)
      return decline(why, "upper halves outside long mode are not handed over");
  for (unsigned k = 0; k < 4; k++)
    if (j->want->dr[k] >> 32) return decline(why, "wide CR2 and debug registers are not handed over");
  if (reads_a_port(j)) return decline(why, "it reads a port, and a PC's answer");
  return 0;
}

/* The handler that a state stands at, if the way to the monitor is open there; -1: none. */
static int at_handler(const struct vstate *st, bool long_mode) {
  const struct seg *cs = &st->seg[CS], *ss = &st->seg[SS];
  u64 la = st->rip + (long_mode ? 0 : cs->base), v = (la - VM_HANDLERS) / 16;
  if (la < VM_HANDLERS || v >= 256 || (la & 15) || st->cpl) return -1;
  if (st->ram[la] != 0xf4 || vstate_read(st, la + 1, 8)) return -1;
  if (!(st->cr0 & CR0_PE) || (st->rflags & EF_VM)) return -1;
  if (long_mode) return seg_is_code64(cs) ? (int)v : -1;
  bool flat = !cs->base && !ss->base && cs->limit == 0xffffffff && ss->limit == 0xffffffff;
  return flat && seg_is_db(cs) && seg_is_writable(ss) ? (int)v : -1;
}

static int plant(struct image *im, struct vstate *st, u64 la, const struct job *j, char why[REASON_MAX]) {
  static const u8 ud2[UD2_BYTES] = {0x0f, 0x0b};
  if (la >= VM_RAM - UD2_BYTES) return decline(why, "it goes on where nothing can be planted");
  if (la + UD2_BYTES > VM_CODE && la < j->plan->next - j->plan->start.rip + VM_CODE)
    return decline(why, "it goes on where nothing can be planted");
  patch(im, st, (u32)la, ud2, UD2_BYTES);
  return 0;
}

/* How the case comes home: im->landed is the state that the monitor sees. `start` gets what is planted. */
static int way_home(struct image *im, const struct job *j, struct vstate *start, char why[REASON_MAX]) {
  struct vstate *home = &im->landed;
  const struct vstate *want = j->want;
  bool lma = want->msr[MSR_EFER] & EFER_LMA;
  bool code64 = lma && (want->seg[CS].attr & SEG_L);
  u64 landing = code64 ? want->rip : (u32)(want->rip + want->seg[CS].base);
  u64 next = mode_long(j->c->mode) ? j->plan->next : j->plan->next + j->plan->start.seg[CS].base;
  if (j->end == OUT_HALT) return decline(why, "HLT does not come back");
  vstate_copy(home, want);
  if (j->end == OUT_SHUTDOWN) return 0;
  if (lma && (want->cr4 & CR4_SMEP)) return decline(why, "SMEP: handlers are in user pages");
  int direct = at_handler(want, lma);
  im->planted = direct < 0;
  if (next != landing && plant(im, start, next, j, why)) return -1;
  if (direct >= 0) return 0;
  if (plant(im, start, landing, j, why)) return -1;
  for (unsigned k = 0; k < im->patches; k++) { /* as the case will have left them */
    u32 at = im->patch[k].at;
    if (memcmp(want->ram + at, im->patch[k].was, im->patch[k].bytes))
      return decline(why, "it writes where something is planted");
  }
  vstate_copy(&im->after.start, want);
  memcpy(im->after.start.ram + landing, "\x0f\x0b", UD2_BYTES);
  im->after.outcome = (struct outcome){.kind = OUT_DELIVER};
  im->after.steps = 1;
  im->after.interrupt = -1;
  engine_run(j->engine, &im->after, home);
  if (j->engine->found.kind != OUT_DELIVER || j->engine->found.vector != VEC_UD ||
      at_handler(home, lma) != VEC_UD)
    return decline(why, "from where it goes on there is no way back");
  memcpy(home->ram + landing, want->ram + landing, UD2_BYTES);
  return 0;
}

void image_words(const struct vstate *st, u64 s[S_ALL]) {
  memcpy(s + S_GPR, st->gpr, 16 * 8);
  s[S_RIP] = st->rip;
  s[S_FLAGS] = st->rflags;
  for (unsigned k = 0; k < VS_SEGS; k++) {
    s[S_SEG + k] = st->seg[k].sel;
    s[S_DESC + k] = descriptor_of(&st->seg[k], k >= VS_LDTR);
  }
  s[S_FSBASE] = st->seg[FS].base;
  s[S_GSBASE] = st->seg[GS].base;
  s[S_CR0] = st->cr0;
  s[S_CR2] = st->cr2;
  s[S_CR3] = st->cr3;
  s[S_CR4] = st->cr4;
  s[S_EFER] = st->msr[MSR_EFER];
  for (unsigned k = 0; k < S_MSRS; k++) s[S_MSR + k] = st->msr[handed_msrs[k]];
  for (unsigned k = 0; k < 4; k++) s[S_DR + k] = st->dr[k];
  s[S_DR + 4] = st->dr[6];
  s[S_GDTBASE] = st->gdtr.base;
  s[S_GDTLIMIT] = st->gdtr.limit;
  s[S_IDTBASE] = st->idtr.base;
  s[S_IDTLIMIT] = st->idtr.limit;
}

void image_word_back(struct vstate *st, u64 word, u64 v) {
  if (word < S_RIP) st->gpr[word] = v;
  else if (word == S_FLAGS) st->rflags = v;
  else if (word >= S_SEG && word < S_SEG + VS_SEGS) st->seg[word - S_SEG].sel = (u16)v;
  else if (word == S_FSBASE) st->seg[FS].base = v;
  else if (word == S_GSBASE) st->seg[GS].base = v;
  else if (word == S_CR0) st->cr0 = v;
  else if (word == S_CR2) st->cr2 = v;
  else if (word == S_CR3) st->cr3 = v;
  else if (word == S_CR4) st->cr4 = v;
  else if (word == S_EFER) st->msr[MSR_EFER] = v;
  else if (word >= S_MSR && word < S_MSR + S_MSRS) st->msr[handed_msrs[word - S_MSR]] = v;
  else if (word >= S_DR && word < S_DR + 4) st->dr[word - S_DR] = v;
  else if (word == S_DR + 4) st->dr[6] = v;
  else if (word == S_GDTBASE) st->gdtr.base = v;
  else if (word == S_GDTLIMIT) st->gdtr.limit = (u16)v;
  else if (word == S_IDTBASE) st->idtr.base = v;
  else if (word == S_IDTLIMIT) st->idtr.limit = (u16)v;
}

int image_express(struct image *im, const struct job *j, struct vstate *start, char why[REASON_MAX]) {
  if (j->c->vendor != im->vendor) return decline(why, "the other vendor's rules are not asked for");
  if (j->c->mode == VM_REAL) return decline(why, "the monitor does not enter real mode");
  if (settable(j, why) || enterable(im, j, why)) return -1;
  if (j->c->mode == VM_V86 && !segments_8086(&j->plan->start))
    return decline(why, "segments that IRET does not make");
  if (j->c->mode != VM_V86 && segments_loadable(j, why)) return -1;
  im->patches = 0;
  vstate_copy(start, &j->plan->start);
  if (show_monitor(im, start, why) || way_home(im, j, start, why)) return -1;
  image_lead_handlers(start, j->want->msr[MSR_EFER] & EFER_LMA);
  return 0;
}
