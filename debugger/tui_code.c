/* The TUI's code pane: instructions with source lines between them, around the program counter. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/tui_inside.h"

enum { BEHIND = 160, AHEAD = 160, REACH = 16384 };

/* The selected frame's code. */
struct code {
  u64 pc, base; /* base: of CS */
  unsigned bits;
  u8 cpl;
  bool outer;   /* it is not the innermost frame */
};

struct listing {
  u64 at[BEHIND]; /* of the last instructions before the program counter: a ring */
  unsigned n;
};

/* The width in digits that addresses here need. */
static int digits(u64 pc) { return pc >> 48 ? 16 : pc >> 32 ? 12 : pc >> 16 || pc > 0xffff ? 8 : 4; }

/* From the function's beginning, so that instructions are cut where the processor cuts them. False: it does not lead here. */
static bool before(struct tui *t, const struct code *c, struct listing *l) {
  struct dbg *d = t->d;
  u64 pc = c->pc;
  struct sym s;
  char text[256];
  if (!sym_at(dbg_symbols(d), pc, &s) || s.addr >= pc || pc - s.addr > REACH) return false;
  u64 la = s.addr;
  while (la < pc) {
    unsigned n = disasm_one(dbg_disasm(d), dbg_cpu(d), dbg_symbols(d), la, la - c->base, c->bits, text, sizeof text);
    l->at[l->n++ % BEHIND] = la;
    la += n ? n : 1;
  }
  return la == pc;
}

static char mark_of(struct tui *t, u64 la) {
  for (const struct point *p = dbg_points(t->d); p; p = p->next)
    if (dbg_point_is_at(p, la)) return p->enabled ? 'B' : 'b';
  return ' ';
}

/* The source line that begins at an instruction. */
static void source(struct tui *t, struct pane *p, u64 la, struct sym_line *last) {
  struct sym_line line;
  char safe[512];
  if (!sym_line_at(dbg_symbols(t->d), la, &line)) return;
  bool same = last->file && line.line == last->line && !strcmp(line.file, last->file);
  *last = line;
  if (same) return;
  const char *text = sym_source(dbg_symbols(t->d), line.file, line.line);
  if (text) tui_text_add(&p->text, S_SOURCE "%5u %s", line.line, tui_text_safe(text, safe, sizeof safe));
}

static void label(struct tui *t, struct pane *p, u64 la, bool always) {
  struct sym s;
  char name[200], safe[200];
  if (!sym_at(dbg_symbols(t->d), la, &s) || (s.addr != la && !always)) return;
  sym_name(dbg_symbols(t->d), la, name, sizeof name);
  tui_text_add(&p->text, S_DIM "%s:", tui_text_safe(name, safe, sizeof safe));
}

/* In a narrow pane "0x401136 <main+4>" is but "<main+4>". */
static void names_alone(char *text) {
  for (char *name = strstr(text, " <"); name; name = strstr(name, " <")) {
    char *hex = name;
    while (hex > text && strchr("0123456789abcdefx", hex[-1])) hex--;
    if (hex[0] != '0' || hex[1] != 'x') {
      name++;
      continue;
    }
    memmove(hex, name + 1, strlen(name + 1) + 1);
    name = hex;
  }
}

/* ... and of an address only the end is shown. */
static void put_address(const struct pane *p, u64 la, int width, char *buf, size_t n) {
  if (p->w < 60 && width > 8) snprintf(buf, n, "..%06llx", (unsigned long long)(la & 0xffffff));
  else snprintf(buf, n, "%0*llx", width, (unsigned long long)la);
}

static unsigned instruction(struct tui *t, struct pane *p, u64 la, const struct code *c, int width) {
  struct dbg *d = t->d;
  char text[256], safe[256], offset[24] = "";
  struct sym s;
  unsigned n = disasm_one(dbg_disasm(d), dbg_cpu(d), dbg_symbols(d), la, la - c->base, c->bits, text, sizeof text);
  bool here = la == c->pc;
  char address[32];
  put_address(p, la, width, address, sizeof address);
  if (p->w < 60) names_alone(text);
  if (p->w >= 60 && sym_at(dbg_symbols(d), la, &s))
    snprintf(offset, sizeof offset, "<+%llu>", (unsigned long long)(la - s.addr));
  tui_text_safe(text, safe, sizeof safe);
  const char *style = here ? S_CHANGED : S_PLAIN, *dim = here ? S_CHANGED : S_DIM;
  char arrow = here ? c->outer ? '^' : '>' : ' ';
  struct tui_line *line = tui_text_add(&p->text, "%s%c%c%s %s%-*s%s%s", style, mark_of(t, la), arrow, address, dim, p->w >= 60 ? 7 : 0,
                                       offset, style, safe);
  if (!line) return n;
  line->tag = la;
  line->tagged = true;
  return n;
}

/* Where that is, for the title. */
static void note(struct tui *t, struct pane *p, const struct code *c) {
  struct sym_line line;
  char safe[32];
  int n = snprintf(p->note, sizeof p->note, "ring %u, %u-bit", c->cpl, c->bits);
  if (p->w < 60 || !sym_line_at(dbg_symbols(t->d), c->pc, &line)) return;
  const char *base = strrchr(line.file, '/');
  tui_text_safe(base ? base + 1 : line.file, safe, sizeof safe);
  snprintf(p->note + n, sizeof p->note - (size_t)n, ", %s:%u", safe, line.line);
}

static struct code selected(struct tui *t) {
  const struct cpu *cpu = dbg_cpu(t->d);
  struct code c = {.pc = dbg_pc(t->d), .bits = dbg_bits(t->d), .cpl = cpu->cpl};
  struct frame f;
  c.base = c.pc - cpu->rip;
  if (dbg_selected(t->d) && dbg_frame(t->d, dbg_selected(t->d), &f))
    c = (struct code){.pc = f.pc, .base = f.pc - f.regs.rip, .bits = f.regs.bits, .cpl = f.cpl, .outer = true};
  return c;
}

void fill_code(struct tui *t, struct pane *p) {
  struct code c = selected(t);
  bool kept = p->has_cursor && p->cursor < p->text.n;
  u64 cursor = kept ? p->text.line[p->cursor].tag : c.pc, la = c.pc;
  struct listing *l = calloc(1, sizeof *l);
  struct sym_line last = {0};
  int width = digits(c.pc);
  unsigned here = 0;
  tui_text_clear(&p->text);
  note(t, p, &c);
  p->has_cursor = false;
  if (!l) return;
  if (!before(t, &c, l)) l->n = 0;
  for (unsigned k = l->n > BEHIND ? l->n - BEHIND : 0; k < l->n; k++) {
    label(t, p, l->at[k % BEHIND], !p->text.n);
    source(t, p, l->at[k % BEHIND], &last);
    (void)instruction(t, p, l->at[k % BEHIND], &c, width);
  }
  for (unsigned k = 0; k < AHEAD; k++) {
    label(t, p, la, !p->text.n);
    source(t, p, la, &last);
    unsigned n = instruction(t, p, la, &c, width);
    if (!k) here = p->text.n - 1;
    if (!n) break;
    la += n;
  }
  free(l);
  p->has_cursor = true;
  p->cursor = here;
  for (unsigned k = 0; kept && k < p->text.n; k++)
    if (p->text.line[k].tagged && p->text.line[k].tag == cursor) p->cursor = k;
  if (!kept) p->top = p->text.n; /* so that it is put in its place */
  pane_reveal(p, p->cursor, (unsigned)pane_lines(p) / 3);
}
