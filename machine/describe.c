/* The devices' state in words, for a debugger: why an interrupt comes, or does not. Intel 8259A data sheet (231468), 8254 data
 * sheet (231164); SDM 3A 6.8.1 (Masking Maskable Hardware Interrupts). */
#include <inttypes.h>
#include <stdio.h>

#include "machine/devices.h"

static void describe_pic(const struct pic *p, unsigned n, char *buf, size_t size) {
  static const char *const masters[] = {"PIC 1 (lines 0-7)", "PIC 2 (lines 8-15)"};
  if (!p->ready) snprintf(buf, size, "%s: not initialised; IMR %02Xh", masters[n], p->imr);
  else
    snprintf(buf, size, "%s: vectors %02Xh-%02Xh, IRR %02Xh requested, IMR %02Xh masked, ISR %02Xh in service, lines %02Xh%s%s", masters[n],
             p->base, p->base + 7, p->irr, p->imr, p->isr, p->level, p->auto_eoi ? ", automatic EOI" : "",
             p->lowest != 7 ? ", rotated" : "");
}

static void describe_channel(struct machine *m, unsigned n, char *buf, size_t size) {
  const struct pit_channel *c = &m->pit[n];
  u64 now = machine_ticks(m);
  int at = snprintf(buf, size, "PIT channel %u: mode %u, count %" PRIu32 "%s", n, c->mode, c->count, c->running ? "" : ", not running");
  if (n || at < 0 || (size_t)at >= size) return;
  if (m->irq0_due == NEVER) snprintf(buf + at, size - (size_t)at, ", no interrupt to come");
  else
    snprintf(buf + at, size - (size_t)at, ", line 0 rises in about %" PRIu64 " instructions",
             m->irq0_due > now ? (m->irq0_due - now) * MACHINE_INSNS_PER_TICK : 0);
}

/* The first line that asks, and what holds it off. */
static void describe_interrupt(const struct machine *m, char *buf, size_t size) {
  const struct cpu *cpu = m->cpu;
  unsigned line = 0;
  while (line < LINES && !(m->pic[line / 8].irr >> (line & 7) & 1)) line++;
  const struct pic *p = &m->pic[line / 8 % 2];
  if (line == LINES) snprintf(buf, size, "no line asks for an interrupt");
  else if (p->imr >> (line & 7) & 1) snprintf(buf, size, "line %u asks; its bit in IMR masks it", line);
  else if (line >= 8 && (m->pic[0].imr >> LINE_CASCADE & 1)) snprintf(buf, size, "line %u asks; IMR bit 2 of PIC 1 masks all of PIC 2", line);
  else if (p->isr && (p->isr & -p->isr) <= (1 << (line & 7)))
    snprintf(buf, size, "line %u asks; one of its or a higher priority is in service (ISR %02Xh): no EOI was sent", line, p->isr);
  else if (!(cpu->eflags & EF_IF)) snprintf(buf, size, "line %u asks; EFLAGS.IF = 0 holds it off", line);
  else snprintf(buf, size, "line %u asks; vector %02Xh comes at the next boundary", line, p->base + (line & 7));
}

bool machine_describe(struct machine *m, unsigned n, char *buf, size_t size) {
  switch (n) {
    case 0: case 1: describe_pic(&m->pic[n], n, buf, size); return true;
    case 2: case 3: case 4: describe_channel(m, n - 2, buf, size); return true;
    case 5:
      snprintf(buf, size, "UART 3F8h: IER %02Xh, LCR %02Xh, MCR %02Xh, %u bytes received and not read", m->uart.ier, m->uart.lcr, m->uart.mcr,
               m->uart.rx_count);
      return true;
    case 6: describe_interrupt(m, buf, size); return true;
    default: return false;
  }
}
