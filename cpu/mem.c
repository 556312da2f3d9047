/* Guest memory access behind the software TLB: fills, page crossings, MMIO, and writes to decoded code.
 * SDM 3A 4 (Paging), 5.3 (Limit Checking), 11.6 (Self-Modifying Code). */
#include "base/hostfault.h"
#include "cpu/check.h"
#include "cpu/code.h"
#include "cpu/debugreg.h"
#include "cpu/handler.h"
#include "cpu/paging.h"
#include "cpu/seg.h"
#include "cpu/vm.h"
#include "cpu/whatif.h"

/* A page as the slow paths see it. host is NULL for MMIO. */
struct page {
  u8 *host; /* of the page's first byte */
  u64 gpa;
  const struct phys_region *region;
};

static bool is_user(const struct cpu *cpu) { return cpu->cpl == 3; }
static enum mmu_priv priv_now(const struct cpu *cpu) { return paging_priv(cpu, is_user(cpu)); }

/* In a dry run no window catches the host's faults: a page that it refuses is not there. */
COLD static u8 *dry_host(const struct cpu *cpu, u64 gpa, enum access acc) {
  u8 *host = phys_host(&cpu->vm->mem, gpa, PAGE_SIZE);
  return host && phys_find(&cpu->vm->mem, gpa)->sparse && host_touch(host, acc == ACC_WRITE) ? NULL : host;
}

static u8 *page_host(const struct cpu *cpu, u64 gpa, enum access acc) {
  return unlikely(cpu->undo) ? dry_host(cpu, gpa, acc) : phys_host(&cpu->vm->mem, gpa, PAGE_SIZE);
}

/* Translates one page and refills the TLB of that privilege. Returns -1 with *f filled. */
static int translate(struct cpu *cpu, u64 la, enum access acc, enum mmu_priv priv, struct page *pg, struct fault *f) {
  struct page_walk w;
  cpu->stat_tlb_misses++;
  if (paging_translate(cpu, la, acc, priv, &w, f)) return -1;
  pg->gpa = w.gpa;
  pg->region = phys_find(&cpu->vm->mem, w.gpa);
  pg->host = page_host(cpu, w.gpa, acc);
  if (!pg->host || unlikely(debug_watched(cpu, la))) return 0;
  struct tlb_entry *e = tlb_slot(&cpu->tlbs[priv], la);
  u64 page = la & PAGE_MASK;
  if (e->tag[ACC_READ] != page) e->tag[ACC_WRITE] = TLB_NEVER;
  e->tag[ACC_READ] = page;
  e->gpa = w.gpa;
  e->addend = (u64)(uintptr_t)pg->host - page;
  /* A write hits only when its dirty bit is set already. */
  bool write = acc == ACC_WRITE || (w.dirty && !mmu_broken(&cpu->mmu, &w, ACC_WRITE, priv));
  bool direct = write && !pg->region->readonly && !code_page_present(cpu->vm, w.gpa) && !cpu->undo;
  e->tag[ACC_WRITE] = direct ? page : TLB_NEVER;
  if (direct && page != w.gpa) cpu->walias[w.gpa >> PAGE_SHIFT & (XUSED - 1)] = true;
  if (priv == PRIV_SUPER_AC) cpu->tlb_ac_clean = false;
  paging_cached(cpu, la, &w);
  return 0;
}

/* As translate(), from the TLB when it can. Page faults unwind. */
static void find_page(struct cpu *cpu, u64 la, enum access acc, enum mmu_priv priv, struct page *pg) {
  const struct tlb_entry *e = tlb_slot(&cpu->tlbs[priv], la);
  if (e->tag[acc] == (la & PAGE_MASK)) {
    pg->host = (u8 *)((la & PAGE_MASK) + e->addend);
    pg->gpa = e->gpa;
    pg->region = NULL;
    return;
  }
  struct fault f;
  if (unlikely(debug_watched(cpu, la))) debug_approach(cpu);
  if (translate(cpu, la, acc, priv, pg, &f)) cpu_raise_fault(cpu, &f);
}

static unsigned page_part(u64 la, unsigned n) {
  unsigned room = PAGE_SIZE - (unsigned)(la & 0xfff);
  return n < room ? n : room;
}

static void page_read(struct cpu *cpu, const struct page *pg, unsigned off, u8 *buf, unsigned n) {
  if (pg->host) {
    const u8 *p = pg->host + off;
    switch (n) { /* one load where the guest made one; a copy of unknown length is `rep movs`, 40 ns */
      case 1: buf[0] = *p; break;
      case 2: st16(buf, ld16(p)); break;
      case 4: st32(buf, ld32(p)); break;
      case 8: st64(buf, ld64(p)); break;
      default: memcpy(buf, p, n);
    }
    return;
  }
  if (unlikely(cpu->undo) && pg->region && pg->region->mmio) undo_device(cpu);
  if (!pg->region || !pg->region->mmio || cpu->undo) {
    memset(buf, 0xff, n); /* nothing answers: the bus floats high */
    return;
  }
  u64 v = pg->region->mmio->read(pg->region->mmio->opaque, pg->gpa + off - pg->region->base, n > 8 ? 8 : n);
  for (unsigned k = 0; k < n; k++) buf[k] = (u8)(v >> (8 * (k & 7)));
}

static void page_write(struct cpu *cpu, const struct page *pg, unsigned off, const u8 *buf, unsigned n) {
  if (pg->host) {
    if (pg->region && pg->region->readonly) return;
    if (unlikely(cpu->undo)) undo_note(cpu, pg->host + off, pg->gpa + off, n);
    switch (n) { /* one store where the guest made one: other processors never see half of it */
      case 1: st8(pg->host + off, buf[0]); break;
      case 2: st16(pg->host + off, ld16(buf)); break;
      case 4: st32(pg->host + off, ld32(buf)); break;
      case 8: st64(pg->host + off, ld64(buf)); break;
      default: memcpy(pg->host + off, buf, n);
    }
    if (code_page_present(cpu->vm, pg->gpa)) code_written(cpu, pg->gpa + off, n);
    return;
  }
  if (!pg->region || !pg->region->mmio) return;
  if (unlikely(cpu->undo)) {
    undo_device(cpu);
    return;
  }
  u64 v = 0;
  for (unsigned k = 0; k < n && k < 8; k++) v |= (u64)buf[k] << (8 * k);
  pg->region->mmio->write(pg->region->mmio->opaque, pg->gpa + off - pg->region->base, n, v);
}

/* [la, la+n) wraps at the linear-address width, but not system structures and stacks above 4 GiB that compatibility
 * mode reaches through gates. */
static u64 next_page(const struct cpu *cpu, u64 la) {
  u64 next = (la | 0xfff) + 1;
  return la >> 32 ? next : next & cpu->lamask;
}

/* Alignment checks are made at CPL 3 only. SDM 3A 6.15 (Interrupt 17: Alignment Check Exception) */
static void check_align(struct cpu *cpu, u64 la, unsigned size, bool user) {
  if (unlikely(cpu->mode & MODE_ALIGN) && user && size <= 8)
    require_ab(cpu, CHK_ALIGNMENT, !(la & (size - 1)), 0, la, size);
}

static void read_span(struct cpu *cpu, u64 la, void *buf, unsigned n, enum mmu_priv priv) {
  u8 *out = buf;
  while (n) {
    struct page pg;
    unsigned part = page_part(la, n);
    find_page(cpu, la, ACC_READ, priv, &pg);
    page_read(cpu, &pg, la & 0xfff, out, part);
    out += part;
    n -= part;
    la = next_page(cpu, la);
  }
}

static void write_span(struct cpu *cpu, u64 la, const void *buf, unsigned n, enum mmu_priv priv) {
  struct page pg[2];
  unsigned part = page_part(la, n);
  find_page(cpu, la, ACC_WRITE, priv, &pg[0]);
  if (part < n) find_page(cpu, next_page(cpu, la), ACC_WRITE, priv, &pg[1]);
  page_write(cpu, &pg[0], la & 0xfff, buf, part);
  if (part < n) page_write(cpu, &pg[1], 0, (const u8 *)buf + part, n - part);
}

/* A data breakpoint that a completed access meets. Those to system structures are not looked at. */
static void watch(struct cpu *cpu, u64 la, unsigned n, bool write) {
  if (unlikely(cpu->debug.watching)) debug_data(cpu, la, n, write);
}

u64 mem_read_as(struct cpu *cpu, u64 la, unsigned size, bool user) {
  u64 v = 0;
  read_span(cpu, la, &v, size, paging_priv(cpu, user));
  watch(cpu, la, size, false);
  return v;
}
void mem_write_as(struct cpu *cpu, u64 la, u64 v, unsigned size, bool user) {
  write_span(cpu, la, &v, size, paging_priv(cpu, user));
  watch(cpu, la, size, true);
}
/* Implicit supervisor accesses, which EFLAGS.AC does not excuse. SDM 3A 4.6 (Access Rights) */
u64 mem_read_sys(struct cpu *cpu, u64 la, unsigned size) {
  u64 v = 0;
  read_span(cpu, la, &v, size, PRIV_SUPER);
  if (unlikely(cpu->debug.watching)) stops_data(cpu, la, size, false);
  return v;
}
void mem_write_sys(struct cpu *cpu, u64 la, u64 v, unsigned size) {
  write_span(cpu, la, &v, size, PRIV_SUPER);
  if (unlikely(cpu->debug.watching)) stops_data(cpu, la, size, true);
}

/* Code whose segments are not flat comes here for every access, so a hit in the TLB is served first. */
NOINLINE static u64 read_slowly(struct cpu *cpu, u64 la, unsigned size) {
  check_align(cpu, la, size, is_user(cpu));
  return mem_read_as(cpu, la, size, is_user(cpu));
}
NOINLINE static void write_slowly(struct cpu *cpu, u64 la, u64 v, unsigned size) {
  check_align(cpu, la, size, is_user(cpu));
  mem_write_as(cpu, la, v, size, is_user(cpu));
}
static bool aligned_or_unchecked(const struct cpu *cpu, u64 la, unsigned size) {
  return likely(!(cpu->mode & MODE_ALIGN)) || !(la & (size - 1));
}

#define MEM_SIZED(n)                                                                                \
  u##n mem_read##n(struct cpu *cpu, u64 la) {                                                       \
    const u8 *p = mem_hit(cpu, la, (n) / 8, ACC_READ);                                              \
    if (likely(p != NULL) && aligned_or_unchecked(cpu, la, (n) / 8)) return ld##n(p);               \
    return (u##n)read_slowly(cpu, la, (n) / 8);                                                     \
  }                                                                                                 \
  void mem_write##n(struct cpu *cpu, u64 la, u##n v) {                                              \
    u8 *p = mem_hit(cpu, la, (n) / 8, ACC_WRITE);                                                   \
    if (likely(p != NULL) && aligned_or_unchecked(cpu, la, (n) / 8)) st##n(p, v);                   \
    else write_slowly(cpu, la, v, (n) / 8);                                                         \
  }
MEM_SIZED(8)
MEM_SIZED(16)
MEM_SIZED(32)
MEM_SIZED(64)

u64 mem_read(struct cpu *cpu, u64 la, unsigned size) {
  switch (size) {
    case 1: return mem_read8(cpu, la);
    case 2: return mem_read16(cpu, la);
    case 4: return mem_read32(cpu, la);
    case 8: return mem_read64(cpu, la);
    default: return read_slowly(cpu, la, size);
  }
}
void mem_write(struct cpu *cpu, u64 la, u64 v, unsigned size) {
  switch (size) {
    case 1: mem_write8(cpu, la, (u8)v); break;
    case 2: mem_write16(cpu, la, (u16)v); break;
    case 4: mem_write32(cpu, la, (u32)v); break;
    case 8: mem_write64(cpu, la, v); break;
    default: write_slowly(cpu, la, v, size);
  }
}

void mem_read_bytes(struct cpu *cpu, u64 la, void *buf, unsigned n) {
  read_span(cpu, la, buf, n, priv_now(cpu));
  watch(cpu, la, n, false);
}
void mem_write_bytes(struct cpu *cpu, u64 la, const void *buf, unsigned n) {
  write_span(cpu, la, buf, n, priv_now(cpu));
  watch(cpu, la, n, true);
}

static void probe_span(struct cpu *cpu, u64 la, unsigned n, enum access acc, enum mmu_priv priv) {
  struct page pg;
  if (!n) return;
  find_page(cpu, la, acc, priv, &pg);
  if (page_part(la, n) < n) find_page(cpu, next_page(cpu, la), acc, priv, &pg);
}
void mem_probe_as(struct cpu *cpu, u64 la, unsigned n, enum access acc, bool user) {
  if (acc == ACC_WRITE) check_align(cpu, la, n, user);
  probe_span(cpu, la, n, acc, paging_priv(cpu, user));
}
void mem_probe_sys(struct cpu *cpu, u64 la, unsigned n, enum access acc) { probe_span(cpu, la, n, acc, PRIV_SUPER); }
void mem_probe(struct cpu *cpu, u64 la, unsigned n, enum access acc) {
  mem_probe_as(cpu, la, n, acc, is_user(cpu));
}

/* An operand inside one page is locked in place by host atomics. One that crosses a page works on a copy: that is
 * atomic only while no other processor runs. */
u8 *mem_lock_begin(struct cpu *cpu, u64 la, unsigned size) {
  struct page pg;
  check_align(cpu, la, size, is_user(cpu));
  find_page(cpu, la, ACC_WRITE, priv_now(cpu), &pg);
  cpu->lock_la = la;
  bool crosses = page_part(la, size) < size;
  if (crosses) find_page(cpu, next_page(cpu, la), ACC_WRITE, priv_now(cpu), &pg);
  watch(cpu, la, size, true);
  if (crosses || !pg.host || (pg.region && pg.region->readonly)) {
    read_span(cpu, la, cpu->lock_buf, size, priv_now(cpu));
    cpu->lock_gpa = TLB_NEVER;
    return cpu->lock_buf;
  }
  cpu->lock_gpa = pg.gpa + (la & 0xfff);
  if (unlikely(cpu->undo)) undo_note(cpu, pg.host + (la & 0xfff), cpu->lock_gpa, size);
  return pg.host + (la & 0xfff);
}

void mem_lock_end(struct cpu *cpu, unsigned size) {
  if (cpu->lock_gpa == TLB_NEVER) write_span(cpu, cpu->lock_la, cpu->lock_buf, size, priv_now(cpu));
  else if (code_page_present(cpu->vm, cpu->lock_gpa & PAGE_MASK)) code_written(cpu, cpu->lock_gpa, size);
}

/* ---- segmentation ---- */

/* SDM 3A 5.4 (Type Checking): a NULL segment, a write to code or read-only data, a read of execute-only code. ACC_EXEC: any
 * but a NULL segment will do. */
static bool type_allows(const struct seg *g, enum access acc) {
  if (g->attr & SEG_NULL) return false;
  if (g->attr & SEG_CODE) return acc == ACC_EXEC || (acc == ACC_READ && (g->attr & SEG_READABLE));
  return acc != ACC_WRITE || (g->attr & SEG_WRITABLE);
}

/* The same rules one by one, for whoever watches, and to raise what is broken. Real and virtual-8086 mode have no types. */
COLD static void judge_segment(struct cpu *cpu, enum sreg s, u64 off, unsigned size, enum access acc) {
  const struct seg *g = &cpu->seg[s];
  if (cpu_protected(cpu)) {
    require_ab(cpu, CHK_SEG_NULL, !(g->attr & SEG_NULL), s, g->sel, 0);
    if (acc == ACC_WRITE) require_ab(cpu, CHK_SEG_WRITABLE, type_allows(g, acc), s, g->attr, 0);
    else require_ab(cpu, CHK_SEG_READABLE, type_allows(g, acc), s, g->attr, 0);
  }
  require_ab(cpu, CHK_SEG_LIMIT, seg_within(g, off, size), s, off, g->limit);
}

COLD static void judge_canonical(struct cpu *cpu, enum sreg s, u64 la, unsigned size) {
  bool first = cpu_canonical(cpu, la), last = cpu_canonical(cpu, la + size - 1);
  if (first && !last) check_align(cpu, la, size, is_user(cpu)); /* comes first, as before a page fault */
  require_ab(cpu, CHK_MEM_CANONICAL, first && last, s, la, size);
}

bool mem_linear_passes(const struct cpu *cpu, enum sreg s, u64 off, unsigned size, enum access acc) {
  const struct seg *g = &cpu->seg[s];
  if (!cpu_code64(cpu)) return (!cpu_protected(cpu) || type_allows(g, acc)) && seg_within(g, off, size);
  u64 la = s >= FS ? g->base + off : off;
  return cpu_canonical(cpu, la) && cpu_canonical(cpu, la + size - 1);
}

u64 mem_linear(struct cpu *cpu, enum sreg s, u64 off, unsigned size, enum access acc) {
  const struct seg *g = &cpu->seg[s];
  if (cpu_code64(cpu)) {
    u64 la = s >= FS ? g->base + off : off;
    if (unlikely(!cpu_canonical(cpu, la) || !cpu_canonical(cpu, la + size - 1)) || rec_on(cpu))
      judge_canonical(cpu, s, la, size);
    return la;
  }
  if (unlikely((cpu_protected(cpu) && !type_allows(g, acc)) || !seg_within(g, off, size)) || rec_on(cpu))
    judge_segment(cpu, s, off, size, acc);
  return (g->base + off) & cpu->lamask;
}

u64 ea_offset(const struct cpu *cpu, const struct insn *i) {
  u64 off = i->flags & IF_ABS ? i->imm
                              : cpu->gpr[i->base] + (cpu->gpr[i->index] << i->scale) + (u64)(s64)i->disp;
  return off & insn_address_mask(i);
}

u64 ea_linear(struct cpu *cpu, const struct insn *i, unsigned size, enum access acc) {
  cpu->insn = i;
  return mem_linear_quick(cpu, i->seg, ea_offset(cpu, i), size, acc);
}

/* ---- fetches ---- */

const struct exec_page *mem_fetch_page(struct cpu *cpu, u64 la) {
  bool user = is_user(cpu);
  struct exec_page *xp = &cpu->xpage[user][la >> PAGE_SHIFT & (XPAGES - 1)];
  if (xp->page == (la & PAGE_MASK)) return xp;
  struct page_walk w;
  struct fault f;
  if (paging_translate(cpu, la, ACC_EXEC, user ? PRIV_USER : PRIV_SUPER, &w, &f)) cpu_raise_fault(cpu, &f);
  cpu->xused[(la >> PAGE_SHIFT & (XUSED - 1)) / 8] |= (u8)(1u << (la >> PAGE_SHIFT & 7));
  paging_cached(cpu, la, &w);
  *xp = (struct exec_page){la & PAGE_MASK, w.gpa, page_host(cpu, w.gpa, ACC_EXEC), w.alias};
  return xp;
}

/* ---- the host's own view ---- */

static unsigned peek_poke(struct cpu *cpu, u64 la, void *buf, unsigned n, bool write) {
  unsigned done = 0;
  while (done < n) {
    struct page_walk w;
    unsigned part = page_part(la, n - done);
    mmu_walk(&cpu->vm->mem, &cpu->mmu, la, &w);
    if (w.end != WALK_PAGE) break;
    u64 gpa = w.gpa + (la & 0xfff);
    if (write ? phys_write(&cpu->vm->mem, gpa, (u8 *)buf + done, part) : phys_read(&cpu->vm->mem, gpa, (u8 *)buf + done, part))
      break;
    if (write) vm_code_changed(cpu->vm, gpa, part);
    done += part;
    la = next_page(cpu, la);
  }
  return done;
}
unsigned mem_peek(struct cpu *cpu, u64 la, void *buf, unsigned n) { return peek_poke(cpu, la, buf, n, false); }
unsigned mem_poke(struct cpu *cpu, u64 la, const void *buf, unsigned n) {
  return peek_poke(cpu, la, (void *)(uintptr_t)buf, n, true);
}
