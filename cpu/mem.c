/* Guest memory access behind the software TLB: fills, page crossings, MMIO, and writes to decoded code.
 * SDM 3A 4 (Paging), 5.3 (Limit Checking), 11.6 (Self-Modifying Code). */
#include "cpu/code.h"
#include "cpu/handler.h"
#include "cpu/vm.h"

/* A page as the slow paths see it. host is NULL for MMIO. */
struct page {
  u8 *host; /* of the page's first byte */
  u64 gpa;
  const struct phys_region *region;
};

static bool is_user(const struct cpu *cpu) { return cpu->cpl == 3; }

/* Translates one page and refills the TLB of that privilege. Returns -1 with *f filled. */
static int translate(struct cpu *cpu, u64 la, enum access acc, bool user, struct page *pg, struct fault *f) {
  struct xlat x;
  cpu->stat_tlb_misses++;
  if (mmu_walk(&cpu->vm->mem, &cpu->mmu, la, acc, user, &x, f)) return -1;
  pg->gpa = x.gpa;
  pg->region = phys_find(&cpu->vm->mem, x.gpa);
  pg->host = phys_host(&cpu->vm->mem, x.gpa, PAGE_SIZE);
  if (!pg->host) return 0;
  struct tlb_entry *e = tlb_slot(&cpu->tlbs[user], la);
  u64 page = la & PAGE_MASK;
  if (e->tag[ACC_READ] != page) e->tag[ACC_WRITE] = TLB_NEVER;
  e->tag[ACC_READ] = page;
  e->gpa = x.gpa;
  e->addend = (u64)(uintptr_t)pg->host - page;
  bool direct = x.write && !pg->region->readonly && !code_page_present(cpu->vm, x.gpa);
  e->tag[ACC_WRITE] = direct ? page : TLB_NEVER;
  if (direct && page != x.gpa) cpu->walias[x.gpa >> PAGE_SHIFT & (XUSED - 1)] = true;
  return 0;
}

/* As translate(), from the TLB when it can. Page faults unwind. */
static void find_page(struct cpu *cpu, u64 la, enum access acc, bool user, struct page *pg) {
  const struct tlb_entry *e = tlb_slot(&cpu->tlbs[user], la);
  if (e->tag[acc] == (la & PAGE_MASK)) {
    pg->host = (u8 *)((la & PAGE_MASK) + e->addend);
    pg->gpa = e->gpa;
    pg->region = NULL;
    return;
  }
  struct fault f;
  if (translate(cpu, la, acc, user, pg, &f)) cpu_raise_fault(cpu, &f);
}

static unsigned page_part(u64 la, unsigned n) {
  unsigned room = PAGE_SIZE - (unsigned)(la & 0xfff);
  return n < room ? n : room;
}

static void page_read(const struct page *pg, unsigned off, u8 *buf, unsigned n) {
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
  if (!pg->region || !pg->region->mmio) {
    memset(buf, 0xff, n); /* nothing answers: the bus floats high */
    return;
  }
  u64 v = pg->region->mmio->read(pg->region->mmio->opaque, pg->gpa + off - pg->region->base, n > 8 ? 8 : n);
  for (unsigned k = 0; k < n; k++) buf[k] = (u8)(v >> (8 * (k & 7)));
}

static void page_write(struct cpu *cpu, const struct page *pg, unsigned off, const u8 *buf, unsigned n) {
  if (pg->host) {
    if (pg->region && pg->region->readonly) return;
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

/* Alignment checks are made at CPL 3 only. SDM 3A 6.15 (Alignment Check Exception) */
static void check_align(struct cpu *cpu, u64 la, unsigned size, bool user) {
  if (unlikely(cpu->mode & MODE_ALIGN) && user && size <= 8 && (la & (size - 1))) cpu_raise_error(cpu, VEC_AC, 0);
}

static void read_span(struct cpu *cpu, u64 la, void *buf, unsigned n, bool user) {
  u8 *out = buf;
  while (n) {
    struct page pg;
    unsigned part = page_part(la, n);
    find_page(cpu, la, ACC_READ, user, &pg);
    page_read(&pg, la & 0xfff, out, part);
    out += part;
    n -= part;
    la = next_page(cpu, la);
  }
}

static void write_span(struct cpu *cpu, u64 la, const void *buf, unsigned n, bool user) {
  struct page pg[2];
  unsigned part = page_part(la, n);
  find_page(cpu, la, ACC_WRITE, user, &pg[0]);
  if (part < n) find_page(cpu, next_page(cpu, la), ACC_WRITE, user, &pg[1]);
  page_write(cpu, &pg[0], la & 0xfff, buf, part);
  if (part < n) page_write(cpu, &pg[1], 0, (const u8 *)buf + part, n - part);
}

u64 mem_read_as(struct cpu *cpu, u64 la, unsigned size, bool user) {
  u64 v = 0;
  read_span(cpu, la, &v, size, user);
  return v;
}
void mem_write_as(struct cpu *cpu, u64 la, u64 v, unsigned size, bool user) { write_span(cpu, la, &v, size, user); }
u64 mem_read_sys(struct cpu *cpu, u64 la, unsigned size) { return mem_read_as(cpu, la, size, false); }
void mem_write_sys(struct cpu *cpu, u64 la, u64 v, unsigned size) { mem_write_as(cpu, la, v, size, false); }

u64 mem_read(struct cpu *cpu, u64 la, unsigned size) {
  check_align(cpu, la, size, is_user(cpu));
  return mem_read_as(cpu, la, size, is_user(cpu));
}
void mem_write(struct cpu *cpu, u64 la, u64 v, unsigned size) {
  check_align(cpu, la, size, is_user(cpu));
  mem_write_as(cpu, la, v, size, is_user(cpu));
}

#define MEM_SIZED(n)                                                                                \
  u##n mem_read##n(struct cpu *cpu, u64 la) { return (u##n)mem_read(cpu, la, (n) / 8); }            \
  void mem_write##n(struct cpu *cpu, u64 la, u##n v) { mem_write(cpu, la, v, (n) / 8); }
MEM_SIZED(8)
MEM_SIZED(16)
MEM_SIZED(32)
MEM_SIZED(64)

void mem_read_bytes(struct cpu *cpu, u64 la, void *buf, unsigned n) { read_span(cpu, la, buf, n, is_user(cpu)); }
void mem_write_bytes(struct cpu *cpu, u64 la, const void *buf, unsigned n) {
  write_span(cpu, la, buf, n, is_user(cpu));
}

void mem_probe_as(struct cpu *cpu, u64 la, unsigned n, enum access acc, bool user) {
  struct page pg;
  if (!n) return;
  find_page(cpu, la, acc, user, &pg);
  if (page_part(la, n) < n) find_page(cpu, next_page(cpu, la), acc, user, &pg);
}
void mem_probe(struct cpu *cpu, u64 la, unsigned n, enum access acc) {
  if (acc == ACC_WRITE) check_align(cpu, la, n, is_user(cpu));
  mem_probe_as(cpu, la, n, acc, is_user(cpu));
}

/* An operand inside one page is locked in place by host atomics. One that crosses a page works on a copy: that is
 * atomic only while no other processor runs. */
u8 *mem_lock_begin(struct cpu *cpu, u64 la, unsigned size) {
  struct page pg;
  check_align(cpu, la, size, is_user(cpu));
  find_page(cpu, la, ACC_WRITE, is_user(cpu), &pg);
  cpu->lock_la = la;
  bool crosses = page_part(la, size) < size;
  if (crosses) find_page(cpu, next_page(cpu, la), ACC_WRITE, is_user(cpu), &pg);
  if (crosses || !pg.host || (pg.region && pg.region->readonly)) {
    read_span(cpu, la, cpu->lock_buf, size, is_user(cpu));
    cpu->lock_gpa = TLB_NEVER;
    return cpu->lock_buf;
  }
  cpu->lock_gpa = pg.gpa + (la & 0xfff);
  return pg.host + (la & 0xfff);
}

void mem_lock_end(struct cpu *cpu, unsigned size) {
  if (cpu->lock_gpa == TLB_NEVER) write_span(cpu, cpu->lock_la, cpu->lock_buf, size, is_user(cpu));
  else if (code_page_present(cpu->vm, cpu->lock_gpa & PAGE_MASK)) code_written(cpu, cpu->lock_gpa, size);
}

/* ---- segmentation ---- */

NORETURN static void seg_fault(struct cpu *cpu, enum sreg s) { cpu_raise_error(cpu, s == SS ? VEC_SS : VEC_GP, 0); }

/* SDM 3A 5.3 (Limit Checking): expand-down segments are valid above the limit, up to FFFFh or FFFFFFFFh by B. Beyond
 * 4 GiB the check is the implementation's choice: none for flat segments, the access wraps (measured on Intel Xeon). */
static bool within_limit(const struct seg *g, u64 off, unsigned size) {
  u64 last = off + size - 1;
  if ((g->attr & (SEG_CODE | SEG_DOWN | SEG_S)) == (SEG_DOWN | SEG_S))
    return off > g->limit && last <= (g->attr & SEG_DB ? UINT64_C(0xffffffff) : 0xffff);
  return last <= g->limit || (g->limit == 0xffffffff && !g->base && off <= g->limit);
}

/* SDM 3A 5.4 (Type Checking): a NULL segment, a write to code or read-only data, a read of execute-only code. */
static bool type_allows(const struct seg *g, enum access acc) {
  if (g->attr & SEG_NULL) return false;
  if (g->attr & SEG_CODE) return acc == ACC_READ && (g->attr & SEG_READABLE);
  return acc != ACC_WRITE || (g->attr & SEG_WRITABLE);
}

u64 mem_linear(struct cpu *cpu, enum sreg s, u64 off, unsigned size, enum access acc) {
  const struct seg *g = &cpu->seg[s];
  if ((cpu->mode & MODE_CODE_MASK) == MODE_CODE64) {
    u64 la = s >= FS ? g->base + off : off;
    unsigned width = cpu->cr4 & CR4_LA57 ? 57 : 48;
    if (unlikely(!canonical(la, width))) seg_fault(cpu, s);
    if (unlikely(!canonical(la + size - 1, width))) {
      check_align(cpu, la, size, is_user(cpu)); /* comes first, as before a page fault */
      seg_fault(cpu, s);
    }
    return la;
  }
  bool protected_ = (cpu->mode & (MODE_PE | MODE_VM)) == MODE_PE;
  if (unlikely((protected_ && !type_allows(g, acc)) || !within_limit(g, off, size))) seg_fault(cpu, s);
  return (g->base + off) & cpu->lamask;
}

u64 ea_offset(const struct cpu *cpu, const struct insn *i) {
  static const u64 mask[3] = {0xffff, 0xffffffff, ~UINT64_C(0)};
  u64 off = i->flags & IF_ABS ? i->imm
                              : cpu->gpr[i->base] + (cpu->gpr[i->index] << i->scale) + (u64)(s64)i->disp;
  return off & mask[i->flags & IF_ASIZE];
}

u64 ea_linear(struct cpu *cpu, const struct insn *i, unsigned size, enum access acc) {
  cpu->insn = i;
  return mem_linear(cpu, i->seg, ea_offset(cpu, i), size, acc);
}

/* ---- fetches ---- */

const struct exec_page *mem_fetch_page(struct cpu *cpu, u64 la) {
  bool user = is_user(cpu);
  struct exec_page *xp = &cpu->xpage[user][la >> PAGE_SHIFT & (XPAGES - 1)];
  if (xp->page == (la & PAGE_MASK)) return xp;
  struct xlat x;
  struct fault f;
  if (mmu_walk(&cpu->vm->mem, &cpu->mmu, la, ACC_EXEC, user, &x, &f)) cpu_raise_fault(cpu, &f);
  cpu->xused[(la >> PAGE_SHIFT & (XUSED - 1)) / 8] |= (u8)(1u << (la >> PAGE_SHIFT & 7));
  *xp = (struct exec_page){la & PAGE_MASK, x.gpa, phys_host(&cpu->vm->mem, x.gpa, PAGE_SIZE), x.alias};
  return xp;
}

void cpu_tlb_flush(struct cpu *cpu) {
  tlb_flush(&cpu->tlbs[0]);
  tlb_flush(&cpu->tlbs[1]);
  memset(cpu->walias, 0, sizeof cpu->walias);
  code_mapping_gone(cpu);
}

void cpu_tlb_flush_page(struct cpu *cpu, u64 va) {
  tlb_flush_page(&cpu->tlbs[0], va);
  tlb_flush_page(&cpu->tlbs[1], va);
  if (cpu->xused[(va >> PAGE_SHIFT & (XUSED - 1)) / 8] >> (va >> PAGE_SHIFT & 7) & 1) code_mapping_gone(cpu);
}

/* ---- the host's own view ---- */

static unsigned peek_poke(struct cpu *cpu, u64 la, void *buf, unsigned n, bool write) {
  unsigned done = 0;
  while (done < n) {
    struct xlat x;
    struct fault f;
    unsigned part = page_part(la, n - done);
    if (mmu_walk(&cpu->vm->mem, &cpu->mmu, la, ACC_READ, false, &x, &f)) break;
    u8 *host = phys_host(&cpu->vm->mem, x.gpa, PAGE_SIZE);
    if (!host) break;
    if (write) {
      memcpy(host + (la & 0xfff), (u8 *)buf + done, part);
      vm_code_changed(cpu->vm, x.gpa + (la & 0xfff), part);
    } else {
      memcpy((u8 *)buf + done, host + (la & 0xfff), part);
    }
    done += part;
    la = next_page(cpu, la);
  }
  return done;
}
unsigned mem_peek(struct cpu *cpu, u64 la, void *buf, unsigned n) { return peek_poke(cpu, la, buf, n, false); }
unsigned mem_poke(struct cpu *cpu, u64 la, const void *buf, unsigned n) {
  return peek_poke(cpu, la, (void *)(uintptr_t)buf, n, true);
}
