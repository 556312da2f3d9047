/* What the software TLBs hold. A hardware TLB is the processor's own matter; these entries are what the emulated one may
 * use without a walk. SDM 3A 4.10 (Caching Translation Information). */
#include <stdlib.h>

#include "debugger/view_fields.h"

struct entry {
  u64 page, gpa;
  u8 rights; /* bit by enum access */
};
enum { MOST = TLB_SIZE + XPAGES };

static int by_page(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  return x->page != y->page ? (x->page < y->page ? -1 : 1) : 0;
}

static bool is_page(u64 tag) { return !(tag & ~PAGE_MASK); }

/* Data translations of a privilege, sorted. */
static unsigned collect_data(const struct tlb *t, struct entry *e) {
  unsigned n = 0;
  for (unsigned k = 0; k < TLB_SIZE; k++) {
    const struct tlb_entry *s = &t->e[k];
    bool r = is_page(s->tag[ACC_READ]), w = is_page(s->tag[ACC_WRITE]);
    if (!r && !w) continue;
    e[n++] = (struct entry){r ? s->tag[ACC_READ] : s->tag[ACC_WRITE], s->gpa & PAGE_MASK,
                            (u8)(r << ACC_READ | w << ACC_WRITE)};
  }
  return n;
}

static unsigned collect_code(const struct exec_page *x, struct entry *e) {
  unsigned n = 0;
  for (unsigned k = 0; k < XPAGES; k++)
    if (is_page(x[k].page)) e[n++] = (struct entry){x[k].page, x[k].gpa & PAGE_MASK, 1 << ACC_EXEC};
  return n;
}

/* Pages that follow one another on both sides are one line. */
static void show(const struct view *v, const char *who, struct entry *e, unsigned n) {
  struct out *o = v->out;
  qsort(e, n, sizeof *e, by_page);
  out_open(o, NULL);
  out_str(o, "who", who, "%s: ");
  out_num(o, "pages", n, n == 1 ? "%llu page\n" : "%llu pages\n");
  out_open_list(o, "ranges");
  for (unsigned k = 0, last; k < n; k = last + 1) {
    for (last = k; last + 1 < n; last++)
      if (e[last + 1].page != e[last].page + PAGE_SIZE || e[last + 1].gpa != e[last].gpa + PAGE_SIZE ||
          e[last + 1].rights != e[k].rights) break;
    char rights[4] = {e[k].rights & 1 << ACC_READ ? 'r' : '-', e[k].rights & 1 << ACC_WRITE ? 'w' : '-',
                      e[k].rights & 1 << ACC_EXEC ? 'x' : '-', 0};
    out_open(o, NULL);
    out_hex(o, "linear", e[k].page, "  0x%016llx");
    out_hex(o, "physical", e[k].gpa, " -> 0x%012llx");
    out_str(o, "rights", rights, " %s");
    out_num(o, "pages", last - k + 1, last > k ? "  %llu pages" : NULL);
    out_close(o);
    out_text(o, "\n");
  }
  out_close(o);
  out_close(o);
}

void view_tlb(const struct view *v) {
  static const char *const data[PRIVS] = {[PRIV_SUPER] = "data of rings 0-2", [PRIV_USER] = "data of ring 3",
                                          [PRIV_SUPER_AC] = "data of rings 0-2 with EFLAGS.AC under SMAP"};
  static const char *const code[2] = {"code of rings 0-2", "code of ring 3"};
  const struct cpu *cpu = v->cpu;
  struct entry *e = calloc(MOST, sizeof *e);
  out_begin(v->out, "tlb");
  if (!e) {
    out_error(v->out, "out of memory");
    out_end(v->out);
    return;
  }
  out_open_list(v->out, "tlbs");
  for (unsigned p = 0; p < PRIVS; p++) show(v, data[p], e, collect_data(&cpu->tlbs[p], e));
  for (unsigned u = 0; u < 2; u++) show(v, code[u], e, collect_code(cpu->xpage[u], e));
  out_close(v->out);
  out_end(v->out);
  free(e);
}
