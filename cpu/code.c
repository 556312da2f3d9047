/* The decode cache: building blocks, finding them, linking them, and forgetting them when bytes or translations
 * change. SDM 3A 11.6 (Self-Modifying Code). */
#include "cpu/code.h"

#include "cpu/check.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "cpu/decode.h"
#include "cpu/mem.h"
#include "cpu/refuse.h"
#include "cpu/stops.h"

enum { HASH_BITS = 14, PAGE_HASH_BITS = 12 };
enum { ARENA_MAX = 64 << 20, ARENA_MIN = 1 << 20, ARENA_RESERVE = 64 << 10, LINKS_MAX = 65536 };

struct code_page {
  u64 page; /* guest-physical */
  struct block *blocks;
  struct code_page *next;
};

/* Blocks and page records come from one range of host addresses, taken whole at the start: the guest can use up the
 * host's mappings (vm.max_map_count), and decoding must still go on. Nothing is given back one by one: when little is
 * left, code_collect() empties the whole cache. */
struct code_cache {
  struct block *hash[1 << HASH_BITS];
  struct code_page *pages[1 << PAGE_HASH_BITS];
  u8 *arena;
  size_t room, used;
  const struct insn *link_site[LINKS_MAX]; /* branches linked to another page */
  size_t links;
  bool forget;
};

struct code_cache *code_create(void) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  struct code_cache *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  for (c->room = ARENA_MAX; c->room >= ARENA_MIN; c->room /= 2) { /* as much as the host grants: ulimit -v, -d */
    u8 *p = mmap(NULL, 2 * c->room, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (p == MAP_FAILED) continue;
    munmap(p + c->room, c->room); /* and leave as much for others */
    c->arena = p;
    return c;
  }
  free(c);
  return NULL;
}

void code_destroy(struct code_cache *c) {
  if (!c) return;
  munmap(c->arena, c->room);
  free(c);
}

static bool nearly_full(const struct code_cache *c) {
  return c->room - c->used < ARENA_RESERVE || c->links == LINKS_MAX || c->forget;
}

/* Zeroed, at a 64-byte boundary. NULL: full, until code_collect(). */
static void *take(struct code_cache *c, size_t n) {
  n = (n + 63) & ~(size_t)63;
  if (n > c->room - c->used) return NULL;
  c->used += n;
  return memset(c->arena + c->used - n, 0, n);
}

static void empty(struct code_cache *c) {
  memset(c->hash, 0, sizeof c->hash);
  memset(c->pages, 0, sizeof c->pages);
  c->used = c->links = 0;
  c->forget = false;
}

static struct block **hash_slot(struct code_cache *c, u64 rip, u64 gpa, u32 mode) {
  u64 h = gpa ^ gpa >> HASH_BITS ^ rip >> 30 ^ (u64)mode * 0x9e3779b97f4a7c15u >> 40;
  return &c->hash[h & ((1 << HASH_BITS) - 1)];
}
static struct code_page **page_slot(struct code_cache *c, u64 gpa) {
  u64 n = gpa >> PAGE_SHIFT;
  return &c->pages[(n ^ n >> PAGE_HASH_BITS) & ((1 << PAGE_HASH_BITS) - 1)];
}
static struct code_page *page_find(const struct vm *vm, u64 gpa) {
  struct code_page *p = *page_slot(vm->code, gpa);
  while (p && p->page != (gpa & PAGE_MASK)) p = p->next;
  return p;
}
bool code_page_present(const struct vm *vm, u64 gpa) { return page_find(vm, gpa) != NULL; }

static void protect_slot(struct tlb_entry *e, u64 gpa) {
  if (e->gpa == gpa) e->tag[ACC_WRITE] = TLB_NEVER;
}

/* Write hits on the page must take the slow path from now on. Where no other linear address than the page's own was
 * ever entered for it (walias), one slot of each TLB is all there is to look at. */
static void protect_page(struct vm *vm, u64 gpa) {
  for (unsigned n = 0; n < vm->cpus; n++) {
    struct cpu *cpu = vm->cpu[n];
    bool aliased = cpu->walias[gpa >> PAGE_SHIFT & (XUSED - 1)];
    for (unsigned u = 0; u < PRIVS; u++) {
      protect_slot(tlb_slot(&cpu->tlbs[u], gpa), gpa);
      for (unsigned k = 0; aliased && k < TLB_SIZE; k++) protect_slot(&cpu->tlbs[u].e[k], gpa);
    }
  }
}

static bool page_add(struct vm *vm, u64 gpa, struct block *b, unsigned which) {
  struct code_page *p = page_find(vm, gpa);
  if (!p) {
    p = take(vm->code, sizeof *p);
    if (!p) return false;
    p->page = gpa & PAGE_MASK;
    struct code_page **slot = page_slot(vm->code, gpa);
    p->next = *slot;
    *slot = p;
    protect_page(vm, p->page);
  }
  b->page_next[which] = p->blocks;
  p->blocks = b;
  return true;
}

/* ---- killing blocks ---- */

/* A block's first instruction once it is dead: whoever still arrives looks again. */
static const struct insn *h_dead(struct cpu *restrict cpu, const struct insn *restrict i) {
  cpu->budget = (s16)(cpu->budget + i->left);
  cpu->rip = insn_rip(i);
  cpu->insn = NULL;
  return NULL;
}

static unsigned page_index(const struct block *b, u64 page) { return (b->gpa & PAGE_MASK) == page ? 0 : 1; }

static void page_remove(struct vm *vm, u64 gpa, struct block *b) {
  struct code_page *p = page_find(vm, gpa);
  if (!p) return;
  for (struct block **at = &p->blocks; *at; at = &(*at)->page_next[page_index(*at, p->page)])
    if (*at == b) {
      *at = b->page_next[page_index(b, p->page)];
      break;
    }
  if (p->blocks) return;
  struct code_page **slot = page_slot(vm->code, gpa);
  while (*slot != p) slot = &(*slot)->next;
  *slot = p->next;
}

static void block_kill(struct vm *vm, struct block *b) {
  struct code_cache *c = vm->code;
  struct block **at = hash_slot(c, b->rip, b->gpa, b->mode);
  while (*at && *at != b) at = &(*at)->hash_next;
  if (*at) *at = b->hash_next;
  for (unsigned k = 0; k < vm->cpus; k++) {
    struct jump_entry *e = jump_slot(vm->cpu[k], b->rip);
    if (e->insn == b->insn) e->mode = ~UINT32_C(0); /* no mode; a branch to RIP = -1 finds its slot empty, too */
  }
  page_remove(vm, b->gpa, b);
  if (b->crosses) page_remove(vm, b->gpa2, b);
  b->dead = true;
  b->insn[0].fn = h_dead;
}

static bool block_covers(const struct block *b, u64 gpa, u64 n) {
  u64 in_first = b->crosses ? PAGE_SIZE - (b->gpa & 0xfff) : b->bytes;
  if (gpa < b->gpa + in_first && b->gpa < gpa + n) return true;
  return b->crosses && gpa < b->gpa2 + (b->bytes - in_first) && b->gpa2 < gpa + n;
}

/* Cuts the links that lead to a dead block: those of its own page, and those across pages if there are any. */
static void cut_links(struct vm *vm, const struct block *b, const struct code_page *p) {
  for (struct block *a = b->linked_within ? p->blocks : NULL; a; a = a->page_next[page_index(a, p->page)])
    for (unsigned k = 0, n = a->count + a->compares; k <= n; k++)
      if (a->insn[k].seg == SEG_LINK && a->insn[k].link == b->insn) a->insn[k].link = NULL;
  for (size_t k = 0; b->linked_across && k < vm->code->links; k++) {
    struct insn *from = (struct insn *)(uintptr_t)vm->code->link_site[k];
    if (from->link == b->insn) from->link = NULL;
  }
}

static bool kill_range(struct vm *vm, u64 gpa, u64 n) {
  bool any = false;
  struct code_page *p = page_find(vm, gpa);
  for (struct block *b = p ? p->blocks : NULL, *next; b; b = next) {
    next = b->page_next[page_index(b, gpa & PAGE_MASK)];
    if (!block_covers(b, gpa, n)) continue;
    cut_links(vm, b, p);
    bool last = p->blocks == b && !next;
    block_kill(vm, b);
    if (last) p = NULL;
    any = true;
  }
  return any;
}

void code_written(struct cpu *cpu, u64 gpa, unsigned n) {
  if (kill_range(cpu->vm, gpa, n)) cpu->leave = 1;
}

void vm_code_changed(struct vm *vm, u64 gpa, u64 len) {
  while (len) {
    u64 part = PAGE_SIZE - (gpa & 0xfff);
    if (part > len) part = len;
    if (page_find(vm, gpa)) kill_range(vm, gpa, part);
    gpa += part;
    len -= part;
  }
}

void code_mapping_gone(struct cpu *cpu) {
  struct code_cache *c = cpu->vm->code;
  memset(cpu->jump, 0xff, sizeof cpu->jump);
  memset(cpu->xpage, 0xff, sizeof cpu->xpage);
  memset(cpu->xused, 0, sizeof cpu->xused);
  for (size_t k = 0; k < c->links; k++) ((struct insn *)(uintptr_t)c->link_site[k])->link = NULL;
  c->links = 0;
}

void code_forget(struct vm *vm) { vm->code->forget = true; }

void code_collect(struct vm *vm) {
  struct code_cache *c = vm->code;
  if (likely(!nearly_full(c))) return;
  empty(c);
  for (unsigned n = 0; n < vm->cpus; n++) cpu_tlb_flush(vm->cpu[n]);
}

/* ---- linking ---- */

void code_link(struct cpu *cpu, const struct insn *from, const struct insn *to) {
  const struct block *a = insn_block(from), *b = insn_block(to);
  if (a->dead || b->dead) return;
  if (a->crosses || b->crosses || (a->rip ^ b->rip) & PAGE_MASK) {
    struct code_cache *c = cpu->vm->code;
    if (c->links == LINKS_MAX) return;
    c->link_site[c->links++] = from;
    ((struct block *)(uintptr_t)b)->linked_across = true;
  } else {
    ((struct block *)(uintptr_t)b)->linked_within = true;
  }
  ((struct insn *)(uintptr_t)from)->link = to;
}

/* ---- building ---- */

/* What stands behind the instructions of a block from memory that other guest-physical addresses also show: writes
 * there go unseen, so its first pseudo-instruction compares the bytes on every entry. SDM 3A 11.6: through another
 * linear address, modified code need only be seen after a serializing instruction. */
struct origin {
  const u8 *host, *host2; /* of the first byte, and of the second page */
  u16 first, bytes;       /* in the first page, in all */
  u8 copy[];
};
static struct origin *block_origin(const struct block *b) {
  return (struct origin *)(uintptr_t)&b->insn[b->count + 2];
}
static const struct insn *h_compare(struct cpu *restrict cpu, const struct insn *restrict i) {
  struct block *b = (struct block *)(uintptr_t)insn_block(i);
  const struct origin *o = block_origin(b);
  if (likely(!memcmp(o->host, o->copy, o->first) && !memcmp(o->host2, o->copy + o->first, o->bytes - o->first)))
    GO(cpu, i + 1);
  kill_range(cpu->vm, b->gpa, 1);
  return h_dead(cpu, i);
}
static void keep_origin(struct block *b, const u8 *host, const u8 *host2, unsigned room) {
  struct origin *o = block_origin(b);
  o->host = host;
  o->host2 = host2;
  o->bytes = b->bytes;
  o->first = (u16)(b->bytes < room ? b->bytes : room);
  memcpy(o->copy, host, o->first);
  memcpy(o->copy + o->first, host2, o->bytes - o->first);
}

/* The pseudo-instruction after a block's last: goes on at the next address, linked like a branch of distance 0. */
static const struct insn *h_fall(struct cpu *restrict cpu, const struct insn *restrict i) {
  const struct insn *t = i->link;
  if (unlikely(!t)) return block_fall(cpu, i);
  ENTER(cpu, t);
}

/* Stands for the instruction before which a debugger stops; that one is done as a step. */
static const struct insn *h_stop(struct cpu *restrict cpu, const struct insn *restrict i) {
  (void)h_dead(cpu, i);
  cpu->stop_here = true;
  return NULL;
}

/* Where the bytes of the next instruction are: up to two pages. */
struct source {
  u64 lin;               /* linear address of the block's start */
  const u8 *host;        /* of its page */
  const u8 *host2; /* of the following page, once fetched; else host */
  u64 gpa2;
};

/* Linear address of the fetch at rip, with the checks a fetch makes. SDM 3A 5.3, SDM 1 3.3.7.1 */
static u64 fetch_linear(struct cpu *cpu, u64 rip) {
  if ((cpu->mode & MODE_CODE_MASK) == MODE_CODE64) {
    require_ab(cpu, CHK_FETCH_CANONICAL, canonical(rip, cpu->cr4 & CR4_LA57 ? 57 : 48), 0, rip, 0);
    return rip;
  }
  require_ab(cpu, CHK_FETCH_LIMIT, rip <= cpu->seg[CS].limit, 0, rip, cpu->seg[CS].limit);
  return (cpu->seg[CS].base + rip) & cpu->lamask;
}

/* Bytes of code left before CS.limit, from rip on. */
static u64 limit_room(const struct cpu *cpu, u64 rip) {
  if ((cpu->mode & MODE_CODE_MASK) == MODE_CODE64) return ~UINT64_C(0);
  return (u64)cpu->seg[CS].limit - rip + 1;
}

/* An instruction at the end of its page: its remaining bytes come from the next one. Raises that page's faults. */
static unsigned gather_crossing(struct cpu *cpu, struct source *s, unsigned off, u8 buf[INSN_MAX_BYTES]) {
  unsigned first = PAGE_SIZE - off;
  u64 next = (s->lin + first) & cpu->lamask;
  memcpy(buf, s->host + off, first);
  const struct exec_page *xp = mem_fetch_page(cpu, next);
  s->gpa2 = xp->gpa;
  s->host2 = xp->host ? xp->host : s->host;
  if (xp->host) memcpy(buf + first, xp->host, INSN_MAX_BYTES - first);
  else memset(buf + first, 0xff, INSN_MAX_BYTES - first);
  return INSN_MAX_BYTES;
}

struct build {
  struct insn insn[BLOCK_MAX_INSNS + 2];
  unsigned count, bytes;
  bool crosses, ends;
};

/* Decodes one instruction into the block. Returns false when the block ends before it. */
static bool build_one(struct cpu *cpu, struct source *s, u64 rip, struct build *b) {
  struct insn *o = &b->insn[b->count];
  const struct oprow *row;
  unsigned off = (unsigned)(s->lin & 0xfff) + b->bytes, room = PAGE_SIZE - off, n;
  u64 in_limit = limit_room(cpu, rip);
  u8 buf[INSN_MAX_BYTES];
  if (!room || !in_limit) return false;
  n = room < INSN_MAX_BYTES ? room : INSN_MAX_BYTES;
  bool limited = in_limit < n;
  if (limited) n = (unsigned)in_limit;
  enum decode_status st = decode_insn(cpu->vm->decoder, cpu->model, cpu->mode, rip, s->host + off, n, o, &row);
  if (st == DECODE_MORE && !limited && n == room) {
    if (b->bytes) return false; /* a crossing instruction has a block of its own */
    n = gather_crossing(cpu, s, off, buf);
    if (in_limit < n) n = (unsigned)in_limit, limited = true;
    st = decode_insn(cpu->vm->decoder, cpu->model, cpu->mode, rip, buf, n, o, &row);
    b->crosses = true;
  }
  if (st == DECODE_MORE || st == DECODE_TOO_LONG) { /* cut by CS.limit, or by the 15 bytes */
    o->fn = raise_cut;
    o->src = st == DECODE_MORE;
    b->ends = true;
  } else if (st == DECODE_INVALID) {
    o->fn = raise_refused;
    b->ends = true;
  }
  if (st != DECODE_OK && !o->len) o->len = 1;
  o->off = (u16)b->bytes;
  o->idx = (u8)b->count++;
  b->bytes += o->len;
  if (b->crosses && b->bytes <= room) b->crosses = false; /* decided by the first page's bytes after all */
  if (st == DECODE_OK && (row->attrs & A_END)) {
    b->ends = true;
    b->insn[b->count].imm = rip + o->len; /* CALL's return address */
  }
  if (st == DECODE_OK && (row->attrs & A_BRANCH)) o->seg = SEG_LINK;
  return !b->ends && !b->crosses;
}

/* A block ends before an address where a debugger stops, and there has a block of its own. */
static void build_to_stop(struct cpu *cpu, struct source *s, unsigned most, struct build *b) {
  if (stops_at_code(cpu, s->lin)) {
    b->insn[b->count] = (struct insn){.fn = h_stop, .len = 1, .idx = (u8)b->count};
    b->count++;
    b->bytes = 1;
    b->ends = true;
    return;
  }
  while (b->count < most && build_one(cpu, s, cpu->rip + b->bytes, b) &&
         !stops_at_code(cpu, (s->lin + b->bytes) & cpu->lamask)) {}
}

static struct block *block_build(struct cpu *cpu, const struct exec_page *xp, u64 lin) {
  struct build b = {.count = xp->alias};
  struct source s = {.lin = lin, .host = xp->host, .host2 = xp->host};
  static const u8 floating[PAGE_SIZE] = {0}; /* code outside memory: what an open bus gives is not code either */
  if (!s.host) s.host = s.host2 = floating;
  unsigned first = b.count, most = first + (cpu->mode & MODE_STEP ? 1 : BLOCK_MAX_INSNS);
  if (unlikely(cpu->vm->stops) && !(cpu->mode & MODE_STEP)) build_to_stop(cpu, &s, most, &b);
  else while (b.count < most && build_one(cpu, &s, cpu->rip + b.bytes, &b)) {}
  struct insn *end = &b.insn[b.count];
  end->fn = h_fall;
  end->off = (u16)b.bytes;
  end->idx = (u8)b.count;
  if (!b.ends) {
    end->link = NULL;
    end->seg = SEG_LINK;
  }
  for (unsigned k = first; k < b.count; k++) b.insn[k].left = (u8)(b.count - k);
  if (first) b.insn[0] = (struct insn){.fn = h_compare, .left = b.insn[1].left};
  size_t size = sizeof(struct block) + (b.count + 1) * sizeof(struct insn) + (first ? sizeof(struct origin) + b.bytes : 0);
  struct block *blk = take(cpu->vm->code, size);
  if (!blk) return NULL;
  memcpy(blk->insn, b.insn, (b.count + 1) * sizeof(struct insn));
  blk->rip = cpu->rip;
  blk->gpa = xp->gpa | (lin & 0xfff);
  blk->gpa2 = b.crosses ? s.gpa2 : blk->gpa & PAGE_MASK;
  blk->mode = cpu->mode;
  blk->bytes = (u16)b.bytes;
  blk->count = (u8)(b.count - first);
  blk->crosses = b.crosses;
  blk->compares = first;
  if (first) keep_origin(blk, s.host + (lin & 0xfff), s.host2, PAGE_SIZE - (unsigned)(lin & 0xfff));
  cpu->stat_blocks++;
  cpu->stat_decoded += blk->count;
  return blk;
}

MUST_CHECK static bool block_insert(struct cpu *cpu, struct block *b) {
  struct block **slot = hash_slot(cpu->vm->code, b->rip, b->gpa, b->mode);
  b->hash_next = *slot;
  *slot = b;
  if (!page_add(cpu->vm, b->gpa, b, 0) || (b->crosses && !page_add(cpu->vm, b->gpa2, b, 1)))
    return block_kill(cpu->vm, b), false;
  return true;
}

/* A crossing block still knows its second page. */
static bool second_page_holds(struct cpu *cpu, const struct block *b, u64 lin) {
  if (!b->crosses) return true;
  return mem_fetch_page(cpu, ((lin | 0xfff) + 1) & cpu->lamask)->gpa == b->gpa2;
}

const struct insn *code_lookup(struct cpu *cpu) {
  cpu->insn = NULL;
  struct jump_entry *e = jump_slot(cpu, cpu->rip);
  if (e->rip == cpu->rip && e->mode == cpu->mode) return e->insn;
  if (rec_on(cpu)) rec_fetch(cpu, false);
  u64 lin = fetch_linear(cpu, cpu->rip);
  const struct exec_page *xp = mem_fetch_page(cpu, lin);
  u64 gpa = xp->gpa | (lin & 0xfff);
  struct block *b = *hash_slot(cpu->vm->code, cpu->rip, gpa, cpu->mode);
  while (b && !(b->gpa == gpa && b->rip == cpu->rip && b->mode == cpu->mode)) b = b->hash_next;
  if (b && (!second_page_holds(cpu, b, lin) || b->bytes > limit_room(cpu, cpu->rip))) {
    block_kill(cpu->vm, b);
    b = NULL;
  }
  if (!b) {
    b = block_build(cpu, xp, lin);
    if (!b || !block_insert(cpu, b)) return NULL;
  }
  if (rec_on(cpu)) rec_fetch(cpu, true);
  if (!b->dead && !(cpu->mode & MODE_STEP)) {
    e->rip = cpu->rip;
    e->mode = cpu->mode;
    e->insn = b->insn;
  }
  return b->insn;
}
