/* A pair of 8259A interrupt controllers, edge-triggered, the second behind line 2 of the first.
 * Intel 8259A data sheet (231468): Initialization and Operation Command Words. */
#include "machine/devices.h"

enum { FIRST_PORT = 0x20, SECOND_PORT = 0xa0 };

/* Lines by falling priority, k = 0 the highest. */
static unsigned line_by_rank(const struct pic *p, unsigned k) { return (p->lowest + 1 + k) & 7; }

/* The line to be served next, or -1: requested, not masked, and nothing as important is in service. */
static int next_line(const struct pic *p) {
  u8 wanted = p->irr & (u8)~p->imr;
  if (!p->ready) return -1;
  for (unsigned k = 0; k < 8; k++) {
    unsigned line = line_by_rank(p, k);
    u8 bit = (u8)(1 << line);
    if ((p->isr & bit) && !(p->special_mask && (p->imr & bit))) return -1;
    if (wanted & bit) return (int)line;
  }
  return -1;
}

/* Brings the second's request to the first, and the first's to the processor. */
static void update(struct machine *m) {
  struct pic *first = &m->pic[0];
  u8 cascade = 1 << LINE_CASCADE;
  if (next_line(&m->pic[1]) >= 0) first->irr |= cascade;
  else first->irr &= (u8)~cascade;
  cpu_set_intr(m->cpu, next_line(first) >= 0);
}

void pic_set_line(struct machine *m, unsigned line, bool level) {
  struct pic *p = &m->pic[line >> 3];
  u8 bit = (u8)(1 << (line & 7));
  if (level && !(p->level & bit)) p->irr |= bit;
  if (level) p->level |= bit;
  else p->level &= (u8)~bit, p->irr &= (u8)~bit;
  update(m);
}

static void serve(struct pic *p, unsigned line) {
  u8 bit = (u8)(1 << line);
  p->irr &= (u8)~bit;
  if (!p->auto_eoi) p->isr |= bit;
  else if (p->rotate_auto) p->lowest = (u8)line;
}

/* A request that went away is answered with line 7 and leaves no mark: a spurious interrupt. */
static u8 acknowledge(struct pic *p) {
  int line = next_line(p);
  if (line >= 0) serve(p, (unsigned)line);
  return (u8)(p->base + (line >= 0 ? line : 7));
}

int pic_acknowledge(struct machine *m) {
  struct pic *first = &m->pic[0];
  int line = next_line(first);
  if (line < 0) return -1;
  u8 vector = line == LINE_CASCADE ? (serve(first, LINE_CASCADE), acknowledge(&m->pic[1])) : acknowledge(first);
  update(m);
  return vector;
}

bool pic_would_deliver(const struct machine *m, unsigned line) {
  struct pic p = m->pic[line >> 3];
  p.irr |= (u8)(1 << (line & 7));
  if (next_line(&p) != (int)(line & 7)) return false;
  return line < 8 || pic_would_deliver(m, LINE_CASCADE);
}

/* ---- ports ---- */

static void end_of_interrupt(struct pic *p, u8 v) {
  unsigned line = v & 7;
  if (!(v & 0x40)) { /* not specific: the most important in service */
    unsigned k = 0;
    while (k < 8 && !(p->isr >> line_by_rank(p, k) & 1)) k++;
    if (k == 8) return;
    line = line_by_rank(p, k);
  }
  p->isr &= (u8)~(1 << line);
  if (v & 0x80) p->lowest = (u8)line;
}

static void command(struct pic *p, u8 v) {
  if (v & 0x10) { /* ICW1 */
    u8 level = p->level;
    *p = (struct pic){.lowest = 7, .step = 2, .single = v & 2, .icw4 = v & 1, .level = level};
  } else if (v & 8) { /* OCW3 */
    if (v & 2) p->read_isr = v & 1;
    if (v & 4) p->poll = true;
    if (v & 0x40) p->special_mask = v & 0x20;
  } else { /* OCW2 */
    switch (v >> 5) {
      case 0: p->rotate_auto = false; break;
      case 4: p->rotate_auto = true; break;
      case 6: p->lowest = v & 7; break;
      case 2: break;
      default: end_of_interrupt(p, v);
    }
  }
}

static void data(struct pic *p, u8 v) {
  switch (p->step) {
    case 2:
      p->base = v & 0xf8;
      p->step = p->single ? (p->icw4 ? 4 : 0) : 3;
      break;
    case 3: p->step = p->icw4 ? 4 : 0; break;
    case 4:
      p->auto_eoi = v & 2;
      p->step = 0;
      break;
    default: p->imr = v; return;
  }
  p->ready = p->step == 0;
}

static u32 pic_in(void *opaque, u16 port, unsigned size) {
  struct machine *m = opaque;
  struct pic *p = &m->pic[port >= SECOND_PORT];
  (void)size;
  if (p->poll) {
    int line = next_line(p);
    p->poll = false;
    if (line < 0) return 0;
    serve(p, (unsigned)line);
    update(m);
    return 0x80u | (u32)line;
  }
  return port & 1 ? p->imr : p->read_isr ? p->isr : p->irr;
}

static void pic_out(void *opaque, u16 port, unsigned size, u32 value) {
  struct machine *m = opaque;
  struct pic *p = &m->pic[port >= SECOND_PORT];
  (void)size;
  if (port & 1) data(p, (u8)value);
  else command(p, (u8)value);
  update(m);
}

void pic_reset(struct machine *m) { m->pic[0] = m->pic[1] = (struct pic){.lowest = 7}; }

int pic_init(struct machine *m) {
  struct machine_device d = {FIRST_PORT, FIRST_PORT + 1, false, pic_in, pic_out, m};
  if (machine_add_device(m, &d)) return -1;
  d.first = SECOND_PORT, d.last = SECOND_PORT + 1;
  return machine_add_device(m, &d);
}
