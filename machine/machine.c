/* A whole machine: memory, the port bus, and the loop that runs the processor between the devices' events.
 * SDM 3A 9.1 (Initialization Overview); SDM 1 19.3 (I/O Address Space). */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "machine/devices.h"

#define ROM_LOW UINT64_C(0xf0000)
#define ROM_HIGH UINT64_C(0xffff0000)
enum { EXIT_PORT = 0xf4, DEBUG_PORT = 0xe9, SYSTEM_PORT = 0x92, POLL_INSNS = 1 << 20 };

/* ---- the port bus ---- */

static const struct machine_device *device_at(const struct machine *m, u16 port) {
  for (unsigned k = 0; k < m->devices; k++)
    if (port >= m->dev[k].first && port <= m->dev[k].last) return &m->dev[k];
  return NULL;
}

static u32 bus_in(void *opaque, struct cpu *cpu, u16 port, unsigned size) {
  const struct machine *m = opaque;
  const struct machine_device *d = device_at(m, port);
  (void)cpu;
  if (d && d->wide) return d->in(d->opaque, port, size);
  u32 v = 0;
  for (unsigned k = 0; k < size; k++) {
    const struct machine_device *b = device_at(m, (u16)(port + k));
    v |= (b ? b->in(b->opaque, (u16)(port + k), 1) & 0xff : 0xff) << 8 * k;
  }
  return v;
}

static void bus_out(void *opaque, struct cpu *cpu, u16 port, unsigned size, u32 value) {
  const struct machine *m = opaque;
  const struct machine_device *d = device_at(m, port);
  (void)cpu;
  if (d && d->wide) {
    d->out(d->opaque, port, size, size < 4 ? value & ((1u << 8 * size) - 1) : value);
    return;
  }
  for (unsigned k = 0; k < size; k++) {
    const struct machine_device *b = device_at(m, (u16)(port + k));
    if (b) b->out(b->opaque, (u16)(port + k), 1, value >> 8 * k & 0xff);
  }
}

int machine_add_device(struct machine *m, const struct machine_device *d) {
  if (m->devices == MAX_DEVICES) return -1;
  m->dev[m->devices++] = *d;
  return 0;
}

/* ---- the small ports ---- */

/* As qemu's isa-debug-exit: the exit status is value << 1 | 1, so never 0. */
static u32 exit_in(void *opaque, u16 port, unsigned size) {
  (void)opaque, (void)port, (void)size;
  return 0;
}
static void exit_out(void *opaque, u16 port, unsigned size, u32 value) {
  struct machine *m = opaque;
  (void)port, (void)size;
  m->ended = true;
  m->exit_code = value << 1 | 1;
  machine_kick(m);
}

/* As Bochs's: reading it says that it is there. */
static u32 debug_in(void *opaque, u16 port, unsigned size) {
  (void)opaque, (void)port, (void)size;
  return DEBUG_PORT;
}
static void debug_out(void *opaque, u16 port, unsigned size, u32 value) {
  struct machine *m = opaque;
  (void)port, (void)size;
  if (m->console.debug) m->console.debug(m->console.opaque, (u8)value);
}

static u32 system_in(void *opaque, u16 port, unsigned size) {
  (void)opaque, (void)port, (void)size;
  return 2; /* A20 */
}
static void system_out(void *opaque, u16 port, unsigned size, u32 value) {
  struct machine *m = opaque;
  (void)port, (void)size;
  if (!(value & 1)) return;
  m->reset = true;
  machine_kick(m);
}

static int add_small_ports(struct machine *m) {
  static const struct machine_device rows[] = {
      {EXIT_PORT, EXIT_PORT + 3, true, exit_in, exit_out, NULL},
      {DEBUG_PORT, DEBUG_PORT, false, debug_in, debug_out, NULL},
      {SYSTEM_PORT, SYSTEM_PORT, false, system_in, system_out, NULL},
  };
  for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
    struct machine_device d = rows[k];
    d.opaque = m;
    if (machine_add_device(m, &d)) return -1;
  }
  return 0;
}

/* ---- interrupts ---- */

static int bus_inta(void *opaque, struct cpu *cpu) {
  (void)cpu;
  return pic_acknowledge(opaque);
}

void machine_set_line(struct machine *m, unsigned line, bool level) { pic_set_line(m, line, level); }

void machine_raise_irq(struct machine *m, unsigned line) {
  if (line >= LINES) return;
  machine_set_line(m, line, false);
  machine_set_line(m, line, true);
}

void machine_raise_nmi(struct machine *m) { cpu_send_nmi(m->cpu); }

/* ---- creation ---- */

static int add_memory(struct machine *m) {
  u64 low = m->mem < BOOT_LOW_END ? m->mem : BOOT_LOW_END;
  void *p = mmap(NULL, m->mem, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return -1;
  m->ram = p;
  m->mapped = m->mem;
  if (phys_add(&m->vm->mem, &(struct phys_region){.base = 0, .size = low, .host = m->ram})) return -1;
  if (m->mem <= 0x100000) return 0;
  return phys_add(&m->vm->mem,
                  &(struct phys_region){.base = 0x100000, .size = m->mem - 0x100000, .host = m->ram + 0x100000});
}

static int add_rom(struct machine *m) {
  m->rom = malloc(BOOT_ROM_MAX);
  if (!m->rom) return -1;
  struct phys_region r = {.base = ROM_LOW, .size = BOOT_ROM_MAX, .host = m->rom, .readonly = true};
  if (phys_add(&m->vm->mem, &r)) return -1;
  r.base = ROM_HIGH;
  return phys_add(&m->vm->mem, &r);
}

/* What was never written takes no host memory. */
void machine_clear(struct machine *m) {
  if (madvise(m->ram, m->mapped, MADV_DONTNEED)) memset(m->ram, 0, m->mapped);
  memset(m->rom, 0xff, BOOT_ROM_MAX);
  m->trap_bios = m->ended = m->reset = m->stopped = false;
  pic_reset(m);
  pit_reset(m);
  uart_reset(m);
  cpu_reset(m->cpu);
  m->cpu->random = m->seed;
  cpu_tlb_flush(m->cpu);
  for (unsigned k = 0; k < m->vm->mem.count; k++)
    vm_code_changed(m->vm, m->vm->mem.region[k].base, m->vm->mem.region[k].size);
}

static int assemble(struct machine *m, const struct cpu_model *model) {
  m->vm = vm_create();
  if (!m->vm || add_memory(m) || add_rom(m)) return -1;
  m->cpu = cpu_create(m->vm, model);
  if (!m->cpu) return -1;
  m->vm->hooks.opaque = m;
  m->vm->hooks.in = bus_in;
  m->vm->hooks.out = bus_out;
  m->vm->hooks.inta = bus_inta;
  if (add_small_ports(m) || pic_init(m) || pit_init(m) || uart_init(m)) return -1;
  machine_clear(m);
  return 0;
}

struct machine *machine_create(const struct machine_options *o, char *err, size_t errsz) {
  if (o->mem < MACHINE_MIN_MEM || o->mem > MACHINE_MAX_MEM) {
    snprintf(err, errsz, "memory must be from %" PRIu64 " to %" PRIu64 " MiB", MACHINE_MIN_MEM >> 20,
             MACHINE_MAX_MEM >> 20);
    return NULL;
  }
  struct machine *m = calloc(1, sizeof *m);
  if (m) {
    m->console = o->console;
    m->mem = o->mem & ~UINT64_C(0xfff);
    m->seed = o->seed;
    if (!assemble(m, o->model)) return m;
  }
  machine_destroy(m);
  snprintf(err, errsz, "not enough memory for a machine of %" PRIu64 " MiB", o->mem >> 20);
  return NULL;
}

void machine_destroy(struct machine *m) {
  if (!m) return;
  vm_destroy(m->vm);
  if (m->ram) munmap(m->ram, m->mapped);
  free(m->rom);
  free(m);
}

struct vm *machine_vm(struct machine *m) { return m->vm; }
struct cpu *machine_cpu(struct machine *m) { return m->cpu; }

/* ---- time ---- */

/* Inside a block the processor counts ahead, so time would seem to go back when it leaves. */
u64 machine_ticks(struct machine *m) {
  u64 now = (cpu_icount(m->cpu) + m->skipped) / MACHINE_INSNS_PER_TICK;
  if (now > m->last_tick) m->last_tick = now;
  return m->last_tick;
}

void machine_kick(struct machine *m) { cpu_stop(m->cpu); }

void machine_stop(struct machine *m) {
  m->stopped = true;
  cpu_stop(m->cpu);
}

/* How many instructions may run before a device needs a look. */
static u64 slice(struct machine *m, u64 left) {
  u64 now = cpu_icount(m->cpu) + m->skipped, n = left;
  if (m->irq0_due != NEVER) { /* to the very instruction: a run that is stepped meets it at the same one */
    u64 due = m->irq0_due > now / MACHINE_INSNS_PER_TICK ? m->irq0_due * MACHINE_INSNS_PER_TICK - now : 1;
    if (due < n) n = due;
  }
  if ((m->uart.ier & 1) && !m->uart.eof && n > POLL_INSNS) n = POLL_INSNS;
  return n;
}

/* The processor has halted. Lets time pass until something may wake it; false: nothing ever will. */
static bool sleep_halted(struct machine *m) {
  const struct cpu *cpu = m->cpu;
  if ((cpu->pending & PENDING_NMI) && !cpu->nmi_blocked) return true;
  if (!(cpu->eflags & EF_IF)) return false;
  if (cpu->pending & PENDING_INTR) return true;
  bool serial = (m->uart.ier & 1) && !m->uart.eof && !m->uart.rx_count && pic_would_deliver(m, LINE_SERIAL);
  if (m->irq0_due != NEVER && pic_would_deliver(m, LINE_TIMER)) {
    u64 now = machine_ticks(m);
    if (m->irq0_due > now) m->skipped += (m->irq0_due - now) * MACHINE_INSNS_PER_TICK;
    if (serial) uart_poll(m, false);
    return true;
  }
  if (!serial) return false;
  uart_poll(m, true);
  return true;
}

/* ---- running ---- */

enum { FRUITLESS_MAX = 100 };

PRINTF_LIKE(3, 4) static void end(struct machine_status *st, enum machine_end how, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(st->why, sizeof st->why, fmt, ap);
  va_end(ap);
  st->how = how;
}

static void end_halted(struct machine *m, struct machine_status *st) {
  const struct cpu *cpu = m->cpu;
  u64 at = cpu->rip - 1; /* of the HLT */
  if (m->trap_bios && cpu->seg[CS].sel == 0xf000 && at < 0x100)
    end(st, MACHINE_HALTED, "interrupt %02" PRIX64 "h reached the BIOS, and this machine has none", at);
  else
    end(st, MACHINE_HALTED, "HLT at %04x:%08" PRIx64 " with %s: nothing can wake the processor", cpu->seg[CS].sel, at,
        cpu->eflags & EF_IF ? "no interrupt to come" : "interrupts off");
}

/* False: the run is over. */
static bool go_on(struct machine *m, enum cpu_exit why, u64 left, struct machine_status *st) {
  if (m->ended) {
    st->how = MACHINE_EXITED;
    st->code = m->exit_code;
    return false;
  }
  if (m->reset) {
    end(st, MACHINE_RESET, "port 92h: the guest asked for a reset");
    m->reset = false;
    return false;
  }
  switch (why) {
    case CPU_EXIT_BUDGET: break;
    case CPU_EXIT_STOP:
      if (!m->stopped) break;
      m->stopped = false;
      end(st, MACHINE_STOPPED, "stopped");
      return false;
    case CPU_EXIT_HALT:
      if (sleep_halted(m)) break;
      end_halted(m, st);
      return false;
    case CPU_EXIT_DEBUG:
      end(st, MACHINE_STOPPED, "stopped");
      return false;
    default:
      end(st, MACHINE_SHUTDOWN, "%s", m->cpu->shutdown_reason ? m->cpu->shutdown_reason : "shutdown");
      return false;
  }
  if (left) return true;
  end(st, MACHINE_LIMIT, "the instructions allowed are used up");
  return false;
}

static void look_at_devices(struct machine *m) {
  pit_advance(m);
  if (m->uart.ier & 1) uart_poll(m, false);
}

void machine_step(struct machine *m, struct machine_status *st) {
  enum cpu_exit why;
  *st = (struct machine_status){0};
  do {
    look_at_devices(m);
    why = cpu_run(m->cpu, 1);
  } while (go_on(m, why, why == CPU_EXIT_HALT, st));
}

void machine_run(struct machine *m, u64 max_insns, struct machine_status *st) {
  u64 first = cpu_icount(m->cpu), left = max_insns ? max_insns : NEVER;
  unsigned fruitless = 0; /* slices in which events were delivered and no instruction came to its end */
  enum cpu_exit why;
  *st = (struct machine_status){0};
  do {
    look_at_devices(m);
    u64 before = cpu_icount(m->cpu);
    why = cpu_run(m->cpu, slice(m, left));
    u64 now = cpu_icount(m->cpu), done = now - first;
    fruitless = now != before || why != CPU_EXIT_BUDGET ? 0 : fruitless + 1;
    if (max_insns) left = done < max_insns && fruitless < FRUITLESS_MAX ? max_insns - done : 0;
  } while (go_on(m, why, left, st));
}
