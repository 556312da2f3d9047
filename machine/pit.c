/* An 8254 interval timer: channel 0 drives interrupt line 0, channel 2 is gated and read through port 61h.
 * Intel 8254 data sheet (231164): Control Word Format, Read-Back Command, Mode Definitions. Counting is binary;
 * modes 1, 4 and 5 count as mode 0 does. */
#include "machine/devices.h"

enum { BASE = 0x40, CONTROL = 0x43, PORT_B = 0x61 };

static bool periodic(const struct pit_channel *c) { return c->mode == 2 || c->mode == 3; }

static u64 elapsed(struct machine *m, const struct pit_channel *c) { return machine_ticks(m) - c->start; }

static u16 counter(struct machine *m, const struct pit_channel *c) {
  u64 t = elapsed(m, c);
  if (!c->running || !c->gate) return (u16)c->count;
  if (c->mode == 3) return (u16)(c->count - 2 * t % c->count);
  if (c->mode == 2) return (u16)(c->count - t % c->count);
  return (u16)(c->count - t);
}

static bool output(struct machine *m, const struct pit_channel *c) {
  if (!c->running) return c->mode != 0;
  if (!c->gate) return c->mode != 0;
  u64 t = elapsed(m, c);
  if (c->mode == 3) return t % c->count < (c->count + 1) / 2;
  if (c->mode == 2) return t % c->count != c->count - 1;
  return t >= c->count;
}

static void schedule(struct machine *m) {
  const struct pit_channel *c = &m->pit[0];
  u64 t = elapsed(m, c);
  u64 due = !c->running      ? NEVER
            : periodic(c)    ? c->start + (t / c->count + 1) * c->count
            : t < c->count   ? c->start + c->count
                             : NEVER;
  if (due < m->irq0_due) machine_kick(m);
  m->irq0_due = due;
}

void pit_advance(struct machine *m) {
  if (m->irq0_due == NEVER || machine_ticks(m) < m->irq0_due) return;
  machine_raise_irq(m, LINE_TIMER);
  schedule(m);
}

/* ---- ports ---- */

static void load(struct machine *m, unsigned n, u16 count) {
  struct pit_channel *c = &m->pit[n];
  c->count = count ? count : 0x10000;
  c->start = machine_ticks(m);
  c->running = true;
  if (n) return;
  if (!periodic(c)) machine_set_line(m, LINE_TIMER, false);
  schedule(m);
}

static void latch_count(struct machine *m, struct pit_channel *c) {
  if (c->latched) return;
  c->latch = counter(m, c);
  c->latched = true;
}
static void latch_status(struct machine *m, struct pit_channel *c) {
  if (c->status_latched) return;
  c->status = (u8)(output(m, c) << 7 | !c->running << 6 | c->access << 4 | c->mode << 1);
  c->status_latched = true;
}

static void control(struct machine *m, u8 v) {
  unsigned n = v >> 6;
  if (n == 3) { /* read-back */
    for (unsigned k = 0; k < 3; k++) {
      if (!(v >> (k + 1) & 1)) continue;
      if (!(v & 0x20)) latch_count(m, &m->pit[k]);
      if (!(v & 0x10)) latch_status(m, &m->pit[k]);
    }
    return;
  }
  struct pit_channel *c = &m->pit[n];
  if (!(v & 0x30)) {
    latch_count(m, c);
    return;
  }
  c->access = v >> 4 & 3;
  c->mode = v >> 1 & 7;
  if (c->mode > 5) c->mode -= 4; /* 6 and 7 are 2 and 3 */
  c->half_written = c->half_read = c->latched = c->status_latched = c->running = false;
  if (n) return;
  m->irq0_due = NEVER;
  machine_set_line(m, LINE_TIMER, false);
}

static u32 pit_in(void *opaque, u16 port, unsigned size) {
  struct machine *m = opaque;
  (void)size;
  if (port == CONTROL) return 0xff;
  struct pit_channel *c = &m->pit[port - BASE];
  if (c->status_latched) {
    c->status_latched = false;
    return c->status;
  }
  u16 v = c->latched ? c->latch : counter(m, c);
  bool high = c->access == 2 || (c->access == 3 && c->half_read);
  c->half_read = c->access == 3 && !high;
  if (high || c->access != 3) c->latched = false;
  return high ? v >> 8 : v & 0xff;
}

static void pit_out(void *opaque, u16 port, unsigned size, u32 value) {
  struct machine *m = opaque;
  unsigned n = port - BASE;
  (void)size;
  if (port == CONTROL) {
    control(m, (u8)value);
    return;
  }
  struct pit_channel *c = &m->pit[n];
  if (c->access == 1) load(m, n, (u8)value);
  else if (c->access == 2) load(m, n, (u16)(value << 8));
  else if (c->half_written) {
    c->half_written = false;
    load(m, n, (u16)(value << 8 | c->low));
  } else {
    c->half_written = true;
    c->low = (u8)value;
  }
}

/* Bit 0: channel 2's gate; bit 1: speaker; bit 4 toggles with the memory refresh; bit 5: channel 2's output. */
static u32 port_b_in(void *opaque, u16 port, unsigned size) {
  struct machine *m = opaque;
  (void)port, (void)size;
  return m->speaker | (u32)(machine_ticks(m) / 18 & 1) << 4 | (u32)output(m, &m->pit[2]) << 5;
}
static void port_b_out(void *opaque, u16 port, unsigned size, u32 value) {
  struct machine *m = opaque;
  struct pit_channel *c = &m->pit[2];
  (void)port, (void)size;
  if ((value & 1) && !c->gate) c->start = machine_ticks(m);
  c->gate = value & 1;
  m->speaker = value & 3;
}

void pit_reset(struct machine *m) {
  m->irq0_due = NEVER;
  m->speaker = 0;
  for (unsigned k = 0; k < 3; k++)
    m->pit[k] = (struct pit_channel){.access = 3, .count = 0x10000, .gate = k < 2};
}

int pit_init(struct machine *m) {
  struct machine_device d = {BASE, CONTROL, false, pit_in, pit_out, m};
  if (machine_add_device(m, &d)) return -1;
  d = (struct machine_device){PORT_B, PORT_B, false, port_b_in, port_b_out, m};
  return machine_add_device(m, &d);
}
