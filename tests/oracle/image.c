/* Emulators as oracles: the cases are put on a disk image that boots into a monitor (monitor.c), the emulator runs it,
 * and the answers come on port E9h. A case that ends in ring 0 at a handler comes back from there; elsewhere UD2 is
 * planted where it must go on, and the #UD is what comes back. SDM 2B UD2; SDM 3A 4.5 (4-Level Paging). */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cpu/event.h"
#include "cpu/seg.h"
#include "tests/oracle/monitor.h"
#include "tests/oracle/oracle.h"

enum { PATIENCE_MS = 2500, LIMIT_S = 360, PATCHES = 8, CPUIDS = 16, UD2_BYTES = 2 };
enum { FATE_NONE, FATE_BACK, FATE_SHUTDOWN, FATE_SILENT };

/* What came back of a case; `changes` are pairs: a state word's number or, with bit 63, an address; and the value. */
struct came {
  u64 *change;
  u32 changes;
  u8 fate, left_by;
};

struct image {
  struct oracle oracle;
  char emulator[32], files[400], dir[64], disk[120], config[120];
  enum vendor vendor;
  struct vstate base[VM_MODES];
  u8 *cases;          /* the stream for the disk */
  size_t bytes, room;
  size_t *start;      /* of each case in it */
  struct came *came;
  u32 count, next;    /* cases taken; in the second round: answered */
  bool answering;
  u32 cpuid[CPUIDS][6];
  unsigned cpuids;
  struct vec_plan after; /* the planted UD2 */
  struct vstate landed;
  struct { u32 at, bytes; u8 was[16]; } patch[PATCHES];
  unsigned patches;
  bool planted; /* UD2 where the case goes on */
};

static int refuse(char why[REASON_MAX], const char *fmt, ...) PRINTF_LIKE(2, 3);
static int refuse(char why[REASON_MAX], const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(why, REASON_MAX, fmt, ap);
  va_end(ap);
  return -1;
}

/* ---- a case for the monitor ---- */

static void patch(struct image *im, struct vstate *st, u32 at, const void *with, u32 bytes) {
  if (im->patches == PATCHES || at + bytes > VM_RAM) return;
  im->patch[im->patches].at = at;
  im->patch[im->patches].bytes = bytes;
  memcpy(im->patch[im->patches++].was, st->ram + at, bytes);
  memcpy(st->ram + at, with, bytes);
}

/* Handlers lead to the monitor: not noted as patches, since nobody writes there. */
static void lead_handlers(struct vstate *st, bool code64) {
  for (u32 v = 0; v < 256; v++) {
    u32 at = VM_HANDLERS + v * 16, to = MON_BASE + (code64 ? MON_STUBS : MON_STUBS32) + v * 16 - (at + 5);
    if (st->ram[at] != 0xf4 || vstate_read(st, at + 1, 8)) continue;
    st->ram[at] = 0xe9;
    memcpy(st->ram + at + 1, &to, 4);
  }
}
static void restore_handlers(struct vstate *st, const struct vstate *from) {
  memcpy(st->ram + VM_HANDLERS, from->ram + VM_HANDLERS, 256 * 16);
}

/* Shows the monitor to the case's page tables, where it is. */
static int show_monitor(struct image *im, struct vstate *st, char why[REASON_MAX]) {
  const u64 good = PTE_P | PTE_RW | PTE_A;
  if (!(st->cr0 & CR0_PG)) return 0;
  if (!(st->cr4 & CR4_PAE) || !(st->msr[MSR_EFER] & EFER_LMA) || (st->cr4 & CR4_LA57))
    return refuse(why, "paging that the monitor cannot be shown in");
  u64 table = st->cr3 & ~UINT64_C(0xfff);
  for (int level = 0; level < 2; level++) {
    u64 e = vstate_read(st, table, 8);
    if (table >= VM_RAM || (e & good) != good || (e & PTE_PS) || e >> 52) return refuse(why, "page tables that hide the monitor");
    table = e & UINT64_C(0xffffffffff000);
  }
  u64 at = table + (MON_BASE >> 21) * 8, entry = MON_BASE | PTE_P | PTE_RW | PTE_A | PTE_D | PTE_PS;
  if (at + 8 > VM_RAM || vstate_read(st, at, 8)) return refuse(why, "page tables that hide the monitor");
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

static int segments_loadable(const struct job *j, char why[REASON_MAX]) {
  const struct vstate *st = &j->plan->start;
  for (unsigned s = 0; s < SREG_COUNT; s++) {
    const struct seg *r = &st->seg[s];
    if ((s == ES || s == DS) && (r->sel & SEL_TI)) return refuse(why, "segment registers that the monitor cannot load");
    if (s != CS && s != SS && sel_is_null(r->sel) != !!(r->attr & SEG_NULL))
      return refuse(why, "segment registers that the monitor cannot load");
    if (s != CS && s != SS && !(r->attr & SEG_NULL) &&
        ((r->attr & (SEG_P | SEG_S | SEG_ACCESSED)) != (SEG_P | SEG_S | SEG_ACCESSED) ||
         (!seg_is_conforming(r) && seg_dpl(r) < st->cpl) || (seg_is_code(r) && !seg_is_readable(r)) || r->sel >= MON_SS))
      return refuse(why, "segment registers that the monitor cannot load");
  }
  if (((st->seg[ES].sel ^ st->seg[DS].sel) & ~7u) == 0 && memcmp(&st->seg[ES].base, &st->seg[DS].base, 8))
    return refuse(why, "segment registers that the monitor cannot load");
  if (!loadable(st, CS) || !loadable(st, SS)) return refuse(why, "CS or SS is not what its descriptor says");
  const struct seg *tr = &st->seg[VS_TR], *ldt = &st->seg[VS_LDTR];
  unsigned type = tr->attr & 15;
  if ((type != SYS_TSS32_BUSY && type != SYS_TSS16_BUSY) || !(tr->attr & SEG_P) || sel_is_null(tr->sel) || (tr->sel & SEL_TI) ||
      tr->sel >= MON_SS)
    return refuse(why, "TR is not what LTR could load");
  if (sel_is_null(ldt->sel) != !!(ldt->attr & SEG_NULL) || (ldt->sel & SEL_TI) || ldt->sel >= MON_SS ||
      (!(ldt->attr & SEG_NULL) && (ldt->attr & 0x9f) != (SEG_P | SYS_LDT)))
    return refuse(why, "LDTR is not what LLDT could load");
  return 0;
}

static const u16 msr_slots[S_MSRS] = {MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_FMASK, MSR_SYSENTER_CS, MSR_SYSENTER_ESP,
                                      MSR_SYSENTER_EIP, MSR_KERNEL_GS_BASE};

static int settable(const struct job *j, char why[REASON_MAX]) {
  const struct vec_plan *p = j->plan;
  const struct vstate *st = &p->start;
  bool seen[MSR_SLOTS] = {[MSR_EFER] = true};
  u64 reset[MSR_SLOTS];
  for (unsigned n = 0; n < S_MSRS; n++) seen[msr_slots[n]] = true;
  msr_reset_all(j->planned, reset);
  for (unsigned n = 0; n < MSR_SLOTS; n++)
    if (!seen[n] && (st->msr[n] != reset[n] || j->want->msr[n] != st->msr[n]))
      return refuse(why, "MSR %s is not handed over", msr_rows[n].id);
  if (p->interrupt >= 0 || p->nmi) return refuse(why, "interrupts are not handed over");
  if (p->steps > 1) return refuse(why, "more than one instruction");
  if (st->pkru || j->want->pkru || st->cr8 || j->want->cr8) return refuse(why, "PKRU and CR8 are not handed over");
  if (st->inhibit || st->nmi_blocked || j->want->inhibit || j->want->nmi_blocked)
    return refuse(why, "blocked interrupts are not handed over");
  if ((st->dr[7] | DR7_FIXED) != DR7_FIXED || j->want->dr[7] != st->dr[7]) return refuse(why, "DR7 is not handed over");
  if (st->mxcsr != 0x1f80 || j->want->mxcsr != 0x1f80) return refuse(why, "SSE state is not handed over");
  if (st->cr0 & (CR0_CD | CR0_NW)) return refuse(why, "CR0.CD and NW are not handed over");
  if (st->cr2 >> 32 || st->dr[0] >> 32 || st->dr[1] >> 32 || st->dr[2] >> 32 || st->dr[3] >> 32)
    return refuse(why, "wide CR2 and debug registers are not handed over");
  return 0;
}

/* A PC's ports answer, the machine's do not. */
static bool reads_a_port(const struct job *j) {
  const struct vstate *st = &j->plan->start;
  u64 la = st->rip + (mode_long(j->c->mode) ? 0 : st->seg[CS].base);
  for (; la + 1 < VM_RAM; la++) {
    u8 b = st->ram[la];
    if (b == 0xe4 || b == 0xe5 || b == 0xec || b == 0xed || b == 0x6c || b == 0x6d) return j->plan->outcome.kind == OUT_DONE;
    if (b != 0x66 && b != 0x67 && b != 0xf2 && b != 0xf3 && (b & 0xf0) != 0x40) return false;
  }
  return false;
}

/* What the monitor's own IRET does not hand over. */
static int enterable(const struct image *im, const struct job *j, char why[REASON_MAX]) {
  const struct vstate *st = &j->plan->start;
  if (mode_long(j->c->mode) && !(st->seg[CS].attr & SEG_L) && !seg_is_db(&st->seg[SS]))
    return refuse(why, "IRET does not hand over the upper half of ESP");
  if (!strcmp(im->emulator, "qemu") && (st->rflags & (EF_VIF | EF_VIP))) return refuse(why, "IRET of QEMU does not load VIF, VIP");
  if (st->cr4 & CR4_PCIDE) return refuse(why, "CR4.PCIDE cannot be set before long mode");
  for (unsigned k = 0; k < 16; k++)
    if (!mode_long(j->c->mode) && st->gpr[k] >> 32) return refuse(why, "upper halves outside long mode are not handed over");
  for (unsigned k = 0; k < 4; k++)
    if (j->want->dr[k] >> 32) return refuse(why, "wide CR2 and debug registers are not handed over");
  if (reads_a_port(j)) return refuse(why, "it reads a port, and a PC's answer");
  return 0;
}

/* The handler that a state stands at, if the way to the monitor is open there; -1: none. */
static int at_handler(const struct vstate *st, bool long_mode) {
  const struct seg *cs = &st->seg[CS], *ss = &st->seg[SS];
  u64 la = st->rip + (long_mode ? 0 : cs->base), v = (la - VM_HANDLERS) / 16;
  if (la < VM_HANDLERS || v >= 256 || (la & 15) || st->cpl || st->ram[la] != 0xf4 || vstate_read(st, la + 1, 8)) return -1;
  if (!(st->cr0 & CR0_PE) || (st->rflags & EF_VM)) return -1;
  if (long_mode) return seg_is_code64(cs) ? (int)v : -1;
  bool flat = !cs->base && !ss->base && cs->limit == 0xffffffff && ss->limit == 0xffffffff && seg_is_db(cs) && seg_is_writable(ss);
  return flat ? (int)v : -1;
}

static int plant(struct image *im, struct vstate *st, u64 la, const struct job *j, char why[REASON_MAX]) {
  static const u8 ud2[UD2_BYTES] = {0x0f, 0x0b};
  if (la >= VM_RAM - UD2_BYTES) return refuse(why, "it goes on where nothing can be planted");
  if (la + UD2_BYTES > VM_CODE && la < j->plan->next - j->plan->start.rip + VM_CODE)
    return refuse(why, "it goes on where nothing can be planted");
  patch(im, st, (u32)la, ud2, UD2_BYTES);
  return 0;
}

/* How the case comes home: *home is the state that the monitor sees. `start` gets what is planted. */
static int way_home(struct image *im, const struct job *j, struct vstate *start, struct vstate *home, char why[REASON_MAX]) {
  const struct vstate *want = j->want;
  bool lma = want->msr[MSR_EFER] & EFER_LMA;
  bool code64 = lma && (want->seg[CS].attr & SEG_L);
  u64 landing = code64 ? want->rip : (u32)(want->rip + want->seg[CS].base);
  u64 next = mode_long(j->c->mode) ? j->plan->next : j->plan->next + j->plan->start.seg[CS].base;
  if (j->end == OUT_HALT) return refuse(why, "HLT does not come back");
  vstate_copy(home, want);
  if (j->end == OUT_SHUTDOWN) return 0;
  if (lma && (want->cr4 & CR4_SMEP)) return refuse(why, "SMEP: handlers are in user pages");
  int direct = at_handler(want, lma);
  im->planted = direct < 0;
  if (next != landing && plant(im, start, next, j, why)) return -1;
  if (direct >= 0) return 0;
  if (plant(im, start, landing, j, why)) return -1;
  for (unsigned k = 0; k < im->patches; k++) { /* as the case will have left them */
    u32 at = im->patch[k].at;
    if (memcmp(want->ram + at, im->patch[k].was, im->patch[k].bytes)) return refuse(why, "it writes where something is planted");
  }
  vstate_copy(&im->after.start, want);
  memcpy(im->after.start.ram + landing, "\x0f\x0b", UD2_BYTES);
  im->after.outcome = (struct outcome){.kind = OUT_DELIVER};
  im->after.steps = 1;
  im->after.interrupt = -1;
  engine_run(j->engine, &im->after, home);
  if (j->engine->found.kind != OUT_DELIVER || j->engine->found.vector != VEC_UD || at_handler(home, lma) != VEC_UD)
    return refuse(why, "from where it goes on there is no way back");
  memcpy(home->ram + landing, want->ram + landing, UD2_BYTES);
  return 0;
}

static void words_of(const struct vstate *st, u64 s[S_ALL]) {
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
  for (unsigned k = 0; k < S_MSRS; k++) s[S_MSR + k] = st->msr[msr_slots[k]];
  for (unsigned k = 0; k < 4; k++) s[S_DR + k] = st->dr[k];
  s[S_DR + 4] = st->dr[6];
  s[S_GDTBASE] = st->gdtr.base;
  s[S_GDTLIMIT] = st->gdtr.limit;
  s[S_IDTBASE] = st->idtr.base;
  s[S_IDTLIMIT] = st->idtr.limit;
}

static int append(struct image *im, const void *what, size_t n) {
  if (im->bytes + n > im->room) {
    u8 *more = realloc(im->cases, im->room * 2 + n + 65536);
    if (!more) return -1;
    im->cases = more;
    im->room = im->room * 2 + n + 65536;
  }
  memcpy(im->cases + im->bytes, what, n);
  im->bytes += n;
  return 0;
}

static int enqueue(struct image *im, const struct job *j, const struct vstate *start, char why[REASON_MAX]) {
  struct image_case c = {.serial = im->count, .base = j->c->mode};
  const struct vstate *base = &im->base[j->c->mode];
  c.enter = start->msr[MSR_EFER] & EFER_LMA ? ENTER_LONG : start->rflags & EF_VM ? ENTER_V86 : start->cpl ? ENTER_OUTER : 0;
  if (!c.enter && (start->rflags & (EF_TF | EF_RF))) return refuse(why, "TF or RF in ring 0 of legacy mode");
  words_of(start, c.s);
  size_t begin = im->bytes;
  size_t *starts = realloc(im->start, (im->count + 1) * sizeof *starts);
  struct came *came = starts ? realloc(im->came, (im->count + 1) * sizeof *came) : NULL;
  if (starts) im->start = starts;
  if (came) im->came = came;
  if (!came || append(im, &c, sizeof c)) return refuse(why, "out of memory");
  for (u32 at = 0; at < VM_RAM; at += 8) {
    u64 v = vstate_read(start, at, 8);
    if (v == vstate_read(base, at, 8)) continue;
    struct image_word w = {at, (u32)v, (u32)(v >> 32)};
    if (append(im, &w, sizeof w)) return refuse(why, "out of memory");
    c.words++;
  }
  memcpy(im->cases + begin, &c, sizeof c);
  im->start[im->count] = begin;
  im->came[im->count++] = (struct came){.change = NULL};
  return 0;
}

/* ---- running the emulator ---- */

static int write_disk(struct image *im, size_t first, u32 cases) {
  static u8 zeros[SECTOR * 256];
  char name[440];
  u8 part[BOOT_SECTORS * SECTOR + SECTOR] = {0};
  for (int k = 0; k < 2; k++) {
    snprintf(name, sizeof name, "%s-%s.bin", im->files, k ? "monitor" : "boot");
    FILE *f = fopen(name, "rb");
    if (!f) return -1;
    size_t got = fread(part + k * SECTOR, 1, k ? BOOT_SECTORS * SECTOR : SECTOR, f);
    fclose(f);
    if (!got) return -1;
  }
  struct image_head head = {.magic = IMAGE_MAGIC, .bases = VM_MODES, .cases = cases, .first = (u32)first};
  FILE *f = fopen(im->disk, "wb");
  if (!f) return -1;
  bool ok = fwrite(part, sizeof part, 1, f) == 1 && !fseek(f, HEAD_LBA * SECTOR, SEEK_SET) &&
            fwrite(&head, sizeof head, 1, f) == 1 && !fseek(f, BASES_LBA * SECTOR, SEEK_SET);
  for (unsigned m = 0; m < VM_MODES && ok; m++) ok = fwrite(im->base[m].ram, BASE_BYTES, 1, f) == 1;
  ok = ok && (!im->bytes || fwrite(im->cases, im->bytes, 1, f) == 1) && fwrite(zeros, sizeof zeros, 1, f) == 1;
  /* Whole cylinders of 16 heads and 63 sectors */
  long size = ok ? ftell(f) : 0, cylinder = 16 * 63 * SECTOR;
  ok = ok && size > 0 && !ftruncate(fileno(f), (size + cylinder) / cylinder * cylinder);
  return fclose(f) || !ok ? -1 : 0;
}

static void exec_qemu(struct image *im) {
  char drive[160], cpu[80];
  snprintf(drive, sizeof drive, "file=%s,format=raw,if=ide,snapshot=on", im->disk);
  snprintf(cpu, sizeof cpu, "max,vendor=%s", im->vendor == VENDOR_AMD ? "AuthenticAMD" : "GenuineIntel");
  execlp("qemu-system-x86_64", "qemu-system-x86_64", "-accel", "tcg", "-cpu", cpu, "-m", "64", "-display", "none",
         "-nodefaults", "-no-reboot", "-drive", drive, "-chardev", "stdio,id=out", "-device",
         "isa-debugcon,iobase=0xe9,chardev=out", "-device", "isa-debug-exit,iobase=0xf4", NULL);
}

static void exec_bochs(struct image *im) {
  FILE *f = fopen(im->config, "w");
  if (!f) return;
  struct stat st;
  if (stat(im->disk, &st)) return;
  fprintf(f,
          "display_library: rfb, options=\"timeout=0\"\nmegs: 64\nromimage: file=/usr/share/bochs/BIOS-bochs-latest\n"
          "vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest\nboot: disk\nlog: /dev/null\nport_e9_hack: enabled=1\n"
          "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14\n"
          "ata0-master: type=disk, path=%s, mode=flat, cylinders=%ld, heads=16, spt=63\n"
          "cpu: model=%s, count=1, ips=200000000, reset_on_triple_fault=0\nclock: sync=none\nsound: driver=dummy\n"
          "panic: action=fatal\nerror: action=ignore\ninfo: action=ignore\ndebug: action=ignore\n",
          im->disk, (long)st.st_size / (16 * 63 * SECTOR), im->vendor == VENDOR_AMD ? "ryzen" : "corei7_icelake_u");
  fclose(f);
  /* Debian's has the debugger in it, which waits for a word; it stops at a shutdown, which "q" then ends. */
  char words[160];
  snprintf(words, sizeof words, "%s/words", im->dir);
  f = fopen(words, "w");
  if (!f || fputs("c\nq\n", f) < 0 || fclose(f)) return;
  execlp("bochs", "bochs", "-q", "-f", im->config, "-rc", words, NULL);
}

/* Where the next run begins. */
static int write_head(struct image *im, size_t first, u32 cases) {
  struct image_head head = {.magic = IMAGE_MAGIC, .bases = VM_MODES, .cases = cases, .first = (u32)first};
  FILE *f = fopen(im->disk, "r+b");
  if (!f) return -1;
  bool ok = !fseek(f, HEAD_LBA * SECTOR, SEEK_SET) && fwrite(&head, sizeof head, 1, f) == 1;
  return fclose(f) || !ok ? -1 : 0;
}

/* One line of what the monitor prints. Returns whether it is the last. */
static bool hear(struct image *im, const char *line, long *now) {
  unsigned long long x[6];
  char what = line[0];
  if (!strncmp(line, "END", 3)) return true;
  int n = sscanf(line + 1, "%llx %llx %llx %llx %llx %llx", &x[0], &x[1], &x[2], &x[3], &x[4], &x[5]);
  if (what == 'C' && n == 6 && im->cpuids < CPUIDS && !im->count) {
    for (int k = 0; k < 6; k++) im->cpuid[im->cpuids][k] = (u32)x[k];
    im->cpuids++;
  } else if (what == 'R' && n >= 1 && x[0] < im->count) {
    *now = (long)x[0];
  } else if (*now >= 0 && what == 'V' && n >= 1) {
    im->came[*now].left_by = (u8)x[0];
  } else if (*now >= 0 && (what == 's' || what == 'm') && n >= 2) {
    struct came *c = &im->came[*now];
    u64 *more = realloc(c->change, (c->changes + 1) * 16);
    if (!more) return true;
    c->change = more;
    c->change[c->changes * 2] = x[0] | (what == 'm' ? UINT64_C(1) << 63 : 0);
    c->change[c->changes++ * 2 + 1] = x[1];
  } else if (*now >= 0 && what == 'E') {
    im->came[*now].fate = FATE_BACK;
  }
  return false;
}

/* Runs the disk. Returns 0 when all was heard, 1 when it ended early, 2 when it went silent, -1: it cannot be run. */
static int run_disk(struct image *im, long *now) {
  int end[2];
  char lock[140];
  snprintf(lock, sizeof lock, "%s.lock", im->disk); /* Bochs killed leaves it */
  unlink(lock);
  if (pipe(end)) return -1;
  pid_t child = fork();
  if (child < 0) return -1;
  if (!child) {
    dup2(end[1], 1);
    close(end[0]);
    if (!freopen("/dev/null", "r", stdin) || !freopen("/dev/null", "w", stderr)) _exit(127);
    if (!strcmp(im->emulator, "qemu")) exec_qemu(im);
    else exec_bochs(im);
    _exit(127);
  }
  close(end[1]);
  static char text[65536];
  size_t have = 0;
  int result = 1;
  for (bool last = false; !last;) {
    struct pollfd p = {.fd = end[0], .events = POLLIN};
    int got = poll(&p, 1, PATIENCE_MS);
    ssize_t n = got > 0 ? read(end[0], text + have, sizeof text - 1 - have) : 0;
    if (got == 0) result = 2;
    if (n <= 0) break;
    have += (size_t)n;
    char *line = text, *nl;
    while (!last && (nl = memchr(line, '\n', have - (size_t)(line - text)))) {
      *nl = 0;
      last = hear(im, line, now);
      line = nl + 1;
    }
    if (last) result = 0;
    have -= (size_t)(line - text);
    memmove(text, line, have);
    if (have == sizeof text - 1) have = 0;
  }
  kill(child, SIGKILL);
  close(end[0]);
  waitpid(child, NULL, 0);
  unlink(lock);
  return result;
}

static int image_between(void *opaque, char why[REASON_MAX]) {
  struct image *im = opaque;
  unsigned futile = 0;
  time_t end = time(NULL) + LIMIT_S;
  im->answering = true;
  if (write_disk(im, 0, im->count)) return refuse(why, "the image cannot be written");
  for (u32 from = 0; from < im->count;) {
    long now = (long)from - 1;
    if (time(NULL) > end) return refuse(why, "time is up; %u cases are left", im->count - from);
    if (write_head(im, im->start[from], im->count - from)) return refuse(why, "the image cannot be written");
    int got = run_disk(im, &now);
    if (got <= 0) return got ? refuse(why, "%s cannot be run", im->emulator) : 0;
    futile = now < (long)from ? futile + 1 : 0;
    if (futile == 3) return refuse(why, "%s does not boot", im->emulator);
    if (!futile) {
      if (im->came[now].fate == FATE_NONE) im->came[now].fate = got == 2 ? FATE_SILENT : FATE_SHUTDOWN;
      from = (u32)now + 1;
    }
  }
  return 0;
}

/* ---- answers ---- */

static void word_out(struct image *im, struct vstate *st, u64 k, u64 v) {
  (void)im;
  if (k < S_RIP) st->gpr[k] = v;
  else if (k == S_FLAGS) st->rflags = v;
  else if (k >= S_SEG && k < S_SEG + VS_SEGS) st->seg[k - S_SEG].sel = (u16)v;
  else if (k == S_FSBASE) st->seg[FS].base = v;
  else if (k == S_GSBASE) st->seg[GS].base = v;
  else if (k == S_CR0) st->cr0 = v;
  else if (k == S_CR2) st->cr2 = v;
  else if (k == S_CR3) st->cr3 = v;
  else if (k == S_CR4) st->cr4 = v;
  else if (k == S_EFER) st->msr[MSR_EFER] = v;
  else if (k >= S_MSR && k < S_MSR + S_MSRS) st->msr[msr_slots[k - S_MSR]] = v;
  else if (k >= S_DR && k < S_DR + 4) st->dr[k - S_DR] = v;
  else if (k == S_DR + 4) st->dr[6] = v;
  else if (k == S_GDTBASE) st->gdtr.base = v;
  else if (k == S_GDTLIMIT) st->gdtr.limit = (u16)v;
  else if (k == S_IDTBASE) st->idtr.base = v;
  else if (k == S_IDTLIMIT) st->idtr.limit = (u16)v;
}

/* The state that came back: the start with the changes. Caches are not seen: they stay as wanted. */
static void state_of(struct image *im, const struct came *c, const struct vstate *start, const struct vstate *unplanted,
                     const struct vstate *home, struct vstate *st) {
  struct vstate s = *home;
  s.ram = st->ram;
  memcpy(s.ram, start->ram, VM_RAM);
  u64 was[S_ALL];
  words_of(start, was);
  for (u64 k = 0; k < S_COUNT; k++)
    if (k != S_RIP && ((k != S_FSBASE && k != S_GSBASE) || (start->msr[MSR_EFER] & EFER_LMA))) word_out(im, &s, k, was[k]);
  for (u32 k = 0; k < c->changes; k++) {
    u64 what = c->change[k * 2], v = c->change[k * 2 + 1];
    if (what >> 63) memcpy(s.ram + (what & (VM_RAM - 8)), &v, 8);
    else word_out(im, &s, what, v);
  }
  for (unsigned k = 0; k < im->patches; k++) memcpy(s.ram + im->patch[k].at, im->patch[k].was, im->patch[k].bytes);
  restore_handlers(&s, unplanted);
  s.rip = vm_handler(c->left_by);
  s.cpl = s.seg[CS].sel & 3;
  *st = s;
}

static int image_case(void *opaque, const struct job *j, struct answer *a, char why[REASON_MAX]) {
  struct image *im = opaque;
  struct vstate *start = &im->after.want; /* has room */
  if (j->c->vendor != im->vendor) return refuse(why, "the other vendor's rules are not asked for");
  if (j->c->mode == VM_REAL) return refuse(why, "the monitor does not enter real mode");
  if (settable(j, why) || enterable(im, j, why) || (j->c->mode != VM_V86 && segments_loadable(j, why))) return -1;
  im->patches = 0;
  vstate_copy(start, &j->plan->start);
  if (show_monitor(im, start, why) || way_home(im, j, start, &im->landed, why)) return -1;
  lead_handlers(start, j->want->msr[MSR_EFER] & EFER_LMA);
  if (!im->answering) return enqueue(im, j, start, why);
  /* The same decisions as in the first round, so the same cases in the same order; but for a refusal of enqueue() */
  if (!(start->msr[MSR_EFER] & EFER_LMA) && !(start->rflags & EF_VM) && !start->cpl && (start->rflags & (EF_TF | EF_RF)))
    return refuse(why, "TF or RF in ring 0 of legacy mode");
  const struct came *c = &im->came[im->next++];
  if (c->fate == FATE_NONE) return refuse(why, "%s was not run so far", im->emulator);
  if (c->fate == FATE_SILENT) return refuse(why, "%s does not come back from it", im->emulator);
  a->end = c->fate == FATE_SHUTDOWN ? OUT_SHUTDOWN : OUT_DONE;
  a->want = &im->landed;
  a->planted = im->planted;
  if (a->end == OUT_DONE) state_of(im, c, start, &j->plan->start, &im->landed, &a->st);
  else vstate_copy(&a->st, &im->landed);
  return 0;
}

static void image_restrict(void *opaque, struct cpu_model *m) {
  const struct image *im = opaque;
  for (unsigned f = 0; f < FEAT_COUNT; f++) {
    const struct feature_row *r = &feature_rows[f];
    for (unsigned k = 0; k < im->cpuids; k++)
      if (im->cpuid[k][0] == r->leaf && im->cpuid[k][1] == r->subleaf) m->has[f] = im->cpuid[k][2 + r->reg] >> r->bit & 1;
  }
}

static void image_close(void *opaque) {
  struct image *im = opaque;
  unlink(im->disk);
  unlink(im->config);
  char words[160];
  snprintf(words, sizeof words, "%s/words", im->dir);
  unlink(words);
  rmdir(im->dir);
  for (unsigned m = 0; m < VM_MODES; m++) vstate_free(&im->base[m]);
  for (u32 k = 0; k < im->count; k++) free(im->came[k].change);
  vec_plan_free(&im->after);
  vstate_free(&im->landed);
  free(im->came);
  free(im->start);
  free(im->cases);
  free(im);
}

struct oracle *oracle_image(const char *emulator, enum vendor vendor, const char *files, char why[REASON_MAX]) {
  struct image *im = calloc(1, sizeof *im);
  if (!im) return NULL;
  im->oracle = (struct oracle){.name = im->emulator, .opaque = im, .restrict_model = image_restrict, .run = image_case,
                               .between = image_between, .close = image_close};
  im->vendor = vendor;
  snprintf(im->emulator, sizeof im->emulator, "%s", emulator);
  snprintf(im->files, sizeof im->files, "%s", files);
  strcpy(im->dir, "/tmp/oracle.XXXXXX");
  bool ok = mkdtemp(im->dir) && !vec_plan_init(&im->after) && !vstate_init(&im->landed);
  snprintf(im->disk, sizeof im->disk, "%s/disk", im->dir);
  snprintf(im->config, sizeof im->config, "%s/bochsrc", im->dir);
  for (unsigned m = 0; m < VM_MODES && ok; m++) {
    ok = !vstate_init(&im->base[m]);
    if (!ok) break;
    vstate_default(&im->base[m], model_default(vendor), (enum vec_mode)m, 0);
    lead_handlers(&im->base[m], mode_long((enum vec_mode)m));
  }
  long now = -1;
  if (!ok) refuse(why, "out of memory");
  else if (write_disk(im, 0, 0)) refuse(why, "no image: %s-boot.bin, %s-monitor.bin", files, files);
  else if (run_disk(im, &now) || !im->cpuids) refuse(why, "%s is not installed, or does not boot", emulator);
  else return &im->oracle;
  image_close(im);
  return NULL;
}
