/* The page walk for one linear address, entry by entry, and who may do what there. SDM 3A 4.3 (32-Bit Paging), 4.4 (PAE
 * Paging), 4.5 (4-Level Paging and 5-Level Paging), 4.6 (Access Rights), 4.7 (Page-Fault Exceptions), 4.9.2 (Paging and
 * Memory Typing When the PAT is Supported). */
#include <ctype.h>
#include <string.h>

#include "cpu/paging.h"
#include "debugger/view_fields.h"

static const char *const level_names[] = {"", "PTE", "PDE", "PDPTE", "PML4E", "PML5E"};

struct page {
  const struct view *v;
  struct page_walk w;
  u64 la;
  unsigned top;       /* level of the first entry of the walk */
};

/* ---- entries ---- */

static unsigned level_of(const struct page *p, unsigned k) { return p->top > k ? p->top - k : 1; }

static bool maps_page(const struct mmu_env *env, unsigned level, u64 e) {
  return level == 1 || (e & env->large[level]);
}

static void show_bit(struct out *o, const char *name, bool set) {
  char text[8];
  snprintf(text, sizeof text, "%s", name);
  if (!set)
    for (char *c = text; *c; c++) *c = (char)tolower((unsigned char)*c);
  out_text(o, " %s", text);
  out_num(o, name, set, NULL);
}

static void show_entry_bits(const struct page *p, unsigned level, u64 e) {
  const struct mmu_env *env = &p->v->cpu->mmu;
  struct out *o = p->v->out;
  bool page = maps_page(env, level, e);
  show_bit(o, "P", e & PTE_P);
  if (!(e & PTE_P)) return; /* the rest is the system's */
  show_bit(o, "RW", e & PTE_RW);
  show_bit(o, "US", e & PTE_US);
  show_bit(o, "PWT", e & PTE_PWT);
  show_bit(o, "PCD", e & PTE_PCD);
  show_bit(o, "A", e & PTE_A);
  if (page) show_bit(o, "D", e & PTE_D);
  if (level > 1 && (env->large[level] || (e & PTE_PS))) show_bit(o, "PS", e & PTE_PS);
  if (level > 1 && env->levels == 2 && !env->pse && (e & PTE_PS)) out_text(o, " (ignored: CR4.PSE = 0)");
  if (page) show_bit(o, "G", e & PTE_G);
  if (page && env->pat) show_bit(o, "PAT", e >> (level == 1 ? 7 : 12) & 1);
  if (p->w.entry_size == 8) show_bit(o, "XD", e & PTE_NX);
  if (page && env->levels >= 4 && bits(e, 62, 59)) out_num(o, "key", bits(e, 62, 59), " key %llu");
  u64 reserved = e & (page ? env->page_reserved[level] : env->table_reserved[level]);
  if (reserved) out_hex(o, "reserved", reserved, ", reserved bits 0x%llx");
}

static void show_entry(const struct page *p, unsigned level, u64 at, u64 e) {
  struct out *o = p->v->out;
  bool wide = p->w.entry_size == 8, there = phys_host(&p->v->cpu->vm->mem, at, p->w.entry_size);
  out_open(o, NULL);
  out_str(o, "level", level_names[level], " %-5s");
  out_hex(o, "value", e, wide ? " 0x%016llx" : " 0x%08llx");
  out_hex(o, "at", at, " at 0x%llx:");
  show_entry_bits(p, level, e);
  if (!there) out_str(o, "error", "no memory there", ", %s: ones are read");
  out_close(o);
  out_text(o, "\n");
}

/* PAE paging starts from a register that CR3 was loaded with. */
static void show_pdpte(const struct page *p, u64 e) {
  struct out *o = p->v->out;
  out_open(o, NULL);
  out_str(o, "level", "PDPTE", " %-5s");
  out_hex(o, "value", e, " 0x%016llx");
  out_num(o, "register", p->la >> 30 & 3, " in PDPTE%llu:");
  show_bit(o, "P", e & PTE_P);
  if (e & PTE_P) {
    show_bit(o, "PWT", e & PTE_PWT);
    show_bit(o, "PCD", e & PTE_PCD);
  }
  out_close(o);
  out_text(o, "\n");
}

static void show_entries(const struct page *p) {
  const struct mmu_env *env = &p->v->cpu->mmu;
  unsigned index_bits = p->w.entry_size == 8 ? 9 : 10;
  u64 table = env->cr3 & env->frame;
  out_open_list(p->v->out, "entries");
  if (env->levels == 3) {
    u64 e = env->pdpte[p->la >> 30 & 3];
    show_pdpte(p, e);
    table = e & env->frame;
  }
  for (unsigned k = 0; k < p->w.entries; k++) {
    unsigned level = level_of(p, k), shift = PAGE_SHIFT + index_bits * (level - 1);
    show_entry(p, level, table + (p->la >> shift & MASK(index_bits - 1, 0)) * p->w.entry_size, p->w.entry[k].value);
    table = p->w.entry[k].value & env->frame;
  }
  out_close(p->v->out);
}

/* ---- the page ---- */

static const char *memory_type(const struct page *p) {
  const struct cpu *cpu = p->v->cpu;
  unsigned k = p->w.entries - 1u, level = level_of(p, k);
  u64 e = p->w.entry[k].value;
  unsigned index = (unsigned)bits(e, 4, 3);
  if (!cpu->mmu.pat) return e & PTE_PCD ? "UC" : e & PTE_PWT ? "WT" : "WB";
  index |= (unsigned)(e >> (level == 1 ? 7 : 12) & 1) << 2;
  return view_memory_type((unsigned)(cpu->msr[MSR_PAT] >> 8 * index & 7));
}

static void show_place(const struct page *p, u64 pa) {
  const struct phys_region *r = phys_find(&p->v->cpu->vm->mem, pa);
  const char *what = !r ? "nothing there" : r->mmio ? "device" : r->readonly ? "ROM" : "memory";
  out_hex(p->v->out, "physical", pa, "-> physical 0x%llx");
  out_str(p->v->out, "place", what, ", %s");
}

static void show_page(const struct page *p) {
  struct out *o = p->v->out;
  u64 size = UINT64_C(1) << p->w.shift;
  const char *name = p->w.shift == 12 ? "4-KiB" : p->w.shift == 21 ? "2-MiB" : p->w.shift == 22 ? "4-MiB" : "1-GiB";
  show_place(p, p->w.gpa | (p->la & (PAGE_SIZE - 1)));
  out_str(o, "page_size", name, ", %s page");
  out_hex(o, "page", (p->w.gpa | (p->la & (PAGE_SIZE - 1))) & ~(size - 1), " at 0x%llx");
  out_str(o, "memory_type", memory_type(p), ", %s by the PAT");
  out_bool(o, "global", p->w.global, ", global");
  out_text(o, "\n");
}

/* ---- access ---- */

static void append(char *buf, size_t n, const char *text) {
  size_t len = strlen(buf);
  if (len < n) snprintf(buf + len, n - len, "%s", text);
}

/* The entries that have a bit clear (or set). */
static void entries_with(const struct page *p, char *buf, size_t n, u64 bit, bool set) {
  for (unsigned k = 0, any = 0; k < p->w.entries; k++) {
    if (!(p->w.entry[k].value & bit) == set) continue;
    append(buf, n, any++ ? ", " : " in the ");
    append(buf, n, level_names[level_of(p, k)]);
  }
}

static void why_not(const struct page *p, char *buf, size_t n, u32 broken) {
  static const char *const words[PAGE_RULES] = {
      [PAGE_USER] = "U/S = 0", [PAGE_WRITE] = "R/W = 0", [PAGE_NX] = "XD = 1",
      [PAGE_SMEP] = "CR4.SMEP: a user page", [PAGE_SMAP] = "CR4.SMAP: a user page",
      [PAGE_KEY] = "PKRU refuses the key"};
  *buf = 0;
  for (unsigned r = 0; r < PAGE_RULES; r++) {
    if (!(broken >> r & 1) || !words[r]) continue;
    append(buf, n, *buf ? "; " : "");
    append(buf, n, words[r]);
    if (r == PAGE_USER) entries_with(p, buf, n, PTE_US, false);
    if (r == PAGE_WRITE) entries_with(p, buf, n, PTE_RW, false);
    if (r == PAGE_NX) entries_with(p, buf, n, PTE_NX, true);
  }
}

/* What makes an access pass that the entries alone would not suggest. */
static const char *why_yes(const struct page *p, enum access acc, enum mmu_priv priv) {
  const struct mmu_env *env = &p->v->cpu->mmu;
  if (priv == PRIV_USER) return "";
  if (acc == ACC_WRITE && !p->w.writable && !env->wp) return " (CR0.WP = 0)";
  if (acc == ACC_EXEC && p->w.user && !env->smep) return " (CR4.SMEP = 0)";
  if (priv == PRIV_SUPER_AC && p->w.user && acc != ACC_EXEC) return " (EFLAGS.AC = 1)";
  return "";
}

static void show_access(const struct page *p, const char *who, enum access acc, enum mmu_priv priv) {
  static const char *const names[] = {[ACC_READ] = "read", [ACC_WRITE] = "write", [ACC_EXEC] = "execute"};
  struct cpu *cpu = p->v->cpu;
  struct out *o = p->v->out;
  enum mmu_priv now = paging_priv(cpu, cpu->cpl == 3);
  bool current = priv == now || (acc == ACC_EXEC && priv == PRIV_SUPER && now == PRIV_SUPER_AC);
  u32 broken = mmu_broken(&cpu->mmu, &p->w, acc, priv);
  char why[200];
  why_not(p, why, sizeof why, broken);
  out_open(o, NULL);
  out_bool(o, "current", current, NULL);
  out_str(o, "who", who, current ? " * %-18s" : "   %-18s");
  out_str(o, "what", names[acc], " %-8s ");
  out_bool(o, "ok", !broken, NULL);
  if (broken) {
    out_hex(o, "error_code", mmu_error_code(&cpu->mmu, acc, priv, broken), "no, #PF(0x%llx)");
    out_str(o, "why", why, ": %s");
  } else {
    out_text(o, "yes%s", why_yes(p, acc, priv));
  }
  out_close(o);
  out_text(o, "\n");
}

static void show_rights(const struct page *p) {
  bool smap = p->v->cpu->mmu.smap;
  const char *super = smap ? "rings 0-2, AC = 0" : "rings 0-2";
  out_open_list(p->v->out, "access");
  for (enum access acc = ACC_READ; acc <= ACC_EXEC; acc++) show_access(p, "ring 3", acc, PRIV_USER);
  for (enum access acc = ACC_READ; acc <= ACC_EXEC; acc++)
    show_access(p, acc == ACC_EXEC ? "rings 0-2" : super, acc, PRIV_SUPER);
  for (enum access acc = ACC_READ; smap && acc <= ACC_WRITE; acc++)
    show_access(p, "rings 0-2, AC = 1", acc, PRIV_SUPER_AC);
  out_close(p->v->out);
}

static void show_end(const struct page *p) {
  unsigned level = p->w.entries ? level_of(p, p->w.entries - 1u) : 3;
  out_str(p->v->out, "ends_at", level_names[level], "the walk ends at the %s");
  out_str(p->v->out, "why", p->w.end == WALK_ABSENT ? "not present" : "a reserved bit is set", ": %s, ");
  out_text(p->v->out, "so every access is #PF with %s\n", p->w.end == WALK_ABSENT ? "P = 0" : "P = 1 and RSVD = 1");
}

void view_page(const struct view *v, u64 la) {
  struct cpu *cpu = v->cpu;
  const struct mmu_env *env = &cpu->mmu;
  struct page p = {.v = v, .la = cpu_long(cpu) ? la : (u32)la};
  mmu_walk(&cpu->vm->mem, env, p.la, &p.w);
  p.top = env->levels == 3 ? 2 : env->levels;
  out_begin(v->out, "page");
  out_hex(v->out, "linear", p.la, "linear 0x%llx");
  view_name(v, p.la);
  out_num(v->out, "levels", env->levels, NULL);
  if (cpu_long(cpu) && !cpu_canonical(cpu, p.la)) {
    out_bool(v->out, "canonical", false, NULL);
    out_text(v->out, " is not canonical: an access is #GP(0), or #SS(0) by SS\n");
    out_end(v->out);
    return;
  }
  if (!env->levels) {
    out_text(v->out, " (paging is off) ");
    show_place(&p, p.la);
    out_text(v->out, "\n");
    out_end(v->out);
    return;
  }
  out_text(v->out, "\n");
  show_entries(&p);
  if (p.w.end == WALK_PAGE) {
    show_page(&p);
    show_rights(&p);
  } else {
    show_end(&p);
  }
  out_end(v->out);
}
