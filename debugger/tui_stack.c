/* The TUI's stack pane: words from the stack pointer on, with what they are: slots of interrupt frames by the transition's
 * record, return addresses of frames, names; and the outer rings' stacks behind it. SDM 3A 6.12.1 (Exception- or
 * Interrupt-Handler Procedures). */
#include <stdio.h>
#include <string.h>

#include "debugger/tui_inside.h"
#include "debugger/view_fields.h"
#include "explain/explain.h"

enum { FRAMES = 24, WORDS = 96, OUTER_WORDS = 24 };

struct stack {
  struct frame frame[FRAMES];
  unsigned frames;
};

/* The slot that begins at la, in a frame that a way inward pushed. */
static const struct rec_step *slot_at(const struct past *in, u64 la) {
  for (unsigned k = 0; k < in->r.now.n; k++)
    if (in->r.now.step[k].kind == REC_PUSH && in->r.now.step[k].at == la) return &in->r.now.step[k];
  return NULL;
}

static void slot_words(const struct tui *t, const struct past *in, const struct rec_step *s, char *buf, size_t n) {
  static const char *const names[] = {
      [WORD_SS] = "SS", [WORD_SP] = "RSP", [WORD_FLAGS] = "RFLAGS", [WORD_CS] = "CS", [WORD_IP] = "RIP",
      [WORD_ERROR] = "error code", [WORD_ES] = "ES", [WORD_DS] = "DS", [WORD_FS] = "FS", [WORD_GS] = "GS", [WORD_PARAM] = "parameter"};
  char more[200] = "", name[40];
  const char *word = s->word < ARRAY_SIZE(names) && names[s->word] ? names[s->word] : "word";
  bool wide = s->bytes == 8;
  if (wide || word[0] != 'R') snprintf(name, sizeof name, "%s", word);
  else snprintf(name, sizeof name, "%s%s", s->bytes == 4 ? "E" : "", word + 1); /* EIP, IP */
  if (s->word == WORD_FLAGS) explain_flags(more, sizeof more, (u32)s->a);
  else if (s->word == WORD_CS || s->word == WORD_SS) dbg_slot_selector(in, (u16)s->a, more, sizeof more);
  else if (s->word == WORD_ERROR) explain_error(more, sizeof more, in->t.vector, (u32)s->a);
  else if (s->word == WORD_IP)
    (tr_behind(&in->t) ? sym_name_behind : sym_name)(dbg_symbols(t->d), in->t.from.cs_base + s->a, more, sizeof more);
  const char *flags = strchr(more, '[');
  snprintf(buf, n, S_STRONG "%s" S_PLAIN " %s", name, s->word == WORD_FLAGS && flags ? flags : more);
}

/* What the word at la is. first: the frame began here, by this. */
static const struct past *what_is(const struct tui *t, const struct stack *st, u64 la, u64 v, char *buf, size_t n) {
  char name[160];
  struct sym s;
  *buf = 0;
  for (unsigned k = 0; k < st->frames; k++) {
    const struct past *in = st->frame[k].in;
    const struct rec_step *slot = in ? slot_at(in, la) : NULL;
    if (!slot) continue;
    slot_words(t, in, slot, buf, n);
    return in;
  }
  for (unsigned k = 1; k < st->frames; k++)
    if (st->frame[k].call && v && st->frame[k].pc == v) {
      sym_name(dbg_symbols(t->d), v, name, sizeof name);
      snprintf(buf, n, "return to %s (frame %u)", *name ? name : "??", k);
      return NULL;
    }
  if (v > 0xffff && sym_at(dbg_symbols(t->d), v, &s) && s.size) {
    sym_name(dbg_symbols(t->d), v, name, sizeof name);
    snprintf(buf, n, S_DIM "<%s>", name);
  }
  return NULL;
}

/* Where a word is: its address; in a narrow pane how far from the stack pointer. */
static void put_address(const struct pane *p, u64 la, u64 start, unsigned bytes, char *buf, size_t n) {
  if (p->w < 60) snprintf(buf, n, "+%03llx", (unsigned long long)(la - start));
  else snprintf(buf, n, "%0*llx", bytes == 8 ? 16 : 8, (unsigned long long)la);
}

static void words(struct tui *t, struct pane *p, const struct stack *st, u64 la, unsigned bytes, unsigned count, bool top) {
  const struct past *last = NULL;
  char what[400], title[80], address[32];
  u64 start = la;
  for (unsigned k = 0; k < count; k++, la += bytes) {
    u64 v = 0;
    if (dbg_peek(t->d, la, &v, bytes) != bytes) {
      if (!k) tui_text_add(&p->text, S_DIM " %0*llx  cannot be read", bytes == 8 ? 12 : 8, (unsigned long long)la);
      return;
    }
    const struct past *in = what_is(t, st, la, v, what, sizeof what);
    if (!in && last && last->t.from.cpl != last->t.to.cpl) return; /* behind it is nothing of this stack's */
    if (in && in != last) {
      transition_title(title, sizeof title, &in->t);
      tui_text_add(&p->text, S_TITLE "  %c%c frame of %s", DRAW_UL, DRAW_H, title);
    }
    put_address(p, la, start, bytes, address, sizeof address);
    const char bar[] = {' ', in ? DRAW_V : ' ', ' ', 0};
    tui_text_add(&p->text, "%c%s%s%0*llx %s", top && !k ? '>' : ' ', address, bar, (int)bytes * 2, (unsigned long long)v, what);
    last = in;
  }
}

void fill_stack(struct tui *t, struct pane *p) {
  struct cpu *cpu = dbg_cpu(t->d);
  struct stack st = {.frames = 0};
  u64 sp = cpu->gpr[RSP] & cpu->spmask, base = cpu_code64(cpu) ? 0 : cpu->seg[SS].base;
  unsigned bytes = cpu_code64(cpu) ? 8 : cpu->mode & MODE_STACK32 ? 4 : 2;
  tui_text_clear(&p->text);
  snprintf(p->note, sizeof p->note, "ring %u, ss:%s %04x:%0*llx", cpu->cpl, bytes == 8 ? "rsp" : bytes == 4 ? "esp" : "sp",
           cpu->seg[SS].sel, bytes == 2 ? 4 : 8, (unsigned long long)sp);
  while (st.frames < FRAMES && dbg_frame(t->d, st.frames, &st.frame[st.frames])) st.frames++;
  u64 la = cpu_code64(cpu) ? sp : (base + sp) & cpu->lamask;
  words(t, p, &st, la, bytes, WORDS, true);
  for (unsigned k = 0; k < st.frames; k++) { /* the stacks that ways inward left */
    const struct frame *f = &st.frame[k];
    if (!f->in || f->in->t.from.cpl == f->in->t.to.cpl || !(f->regs.known >> RSP & 1)) continue;
    char title[80];
    transition_title(title, sizeof title, &f->in->t);
    tui_text_add(&p->text, S_TITLE "%c%c ring %u's stack, left by %s", DRAW_H, DRAW_H, f->in->t.from.cpl, title);
    words(t, p, &st, f->regs.gpr[RSP], f->regs.bits / 8, OUTER_WORDS, false);
  }
}
