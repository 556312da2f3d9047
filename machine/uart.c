/* A 16550A serial port at 3F8h on line 4, infinitely fast: what is written has been sent at once.
 * National Semiconductor PC16550D data sheet: Registers, FIFO Interrupt Mode Operation. */
#include "machine/devices.h"

enum { BASE = 0x3f8, RBR = 0, IER = 1, IIR = 2, LCR = 3, MCR = 4, LSR = 5, MSR_REG = 6, SCR = 7 };
enum { LCR_DLAB = 0x80, MCR_OUT2 = 8, MCR_LOOP = 0x10, LSR_DATA = 1, LSR_OVERRUN = 2, LSR_IDLE = 0x60 };

/* The identification: what asks for an interrupt, the most important first; 1: nothing. */
static u8 identify(const struct uart *u) {
  u8 fifo = u->fifo ? 0xc0 : 0;
  if ((u->ier & 4) && u->overrun) return fifo | 6;
  if ((u->ier & 1) && u->rx_count) return fifo | 4;
  if ((u->ier & 2) && u->thre_pending) return fifo | 2;
  return fifo | 1;
}

/* On the PC, OUT2 connects the interrupt line. */
static void update(struct machine *m) {
  const struct uart *u = &m->uart;
  machine_set_line(m, LINE_SERIAL, !(identify(u) & 1) && (u->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2);
}

static unsigned depth(const struct uart *u) { return u->fifo ? sizeof u->rx : 1; }

static void receive(struct uart *u, u8 byte) {
  if (u->rx_count == depth(u)) u->overrun = true; /* the new byte is lost */
  else u->rx[(u->rx_first + u->rx_count++) % sizeof u->rx] = byte;
}

void uart_poll(struct machine *m, bool wait) {
  struct uart *u = &m->uart;
  if (u->eof || !m->console.get || (u->mcr & MCR_LOOP)) {
    if (!m->console.get) u->eof = true;
    return;
  }
  bool got = false;
  while (u->rx_count < depth(u)) {
    int byte = m->console.get(m->console.opaque, wait && !u->rx_count);
    if (byte == -2) u->eof = true;
    if (byte < 0) break;
    receive(u, (u8)byte);
    got = true;
  }
  if (got) update(m);
}

static void transmit(struct machine *m, u8 byte) {
  struct uart *u = &m->uart;
  if (u->mcr & MCR_LOOP) receive(u, byte);
  else if (m->console.put) m->console.put(m->console.opaque, byte);
  u->thre_pending = true;
}

static u8 read_data(struct uart *u) {
  if (!u->rx_count) return 0;
  u8 byte = u->rx[u->rx_first];
  u->rx_first = (u8)((u->rx_first + 1) % sizeof u->rx);
  u->rx_count--;
  return byte;
}

/* The modem's lines: always ready; in loopback the outputs come back. */
static u8 modem_status(const struct uart *u) {
  if (!(u->mcr & MCR_LOOP)) return 0xb0;
  return (u8)((u->mcr & 2) << 3 | (u->mcr & 1) << 5 | (u->mcr & 4) << 4 | (u->mcr & 8) << 4);
}

static u8 line_status(struct uart *u) {
  u8 v = (u8)(LSR_IDLE | (u->rx_count ? LSR_DATA : 0) | (u->overrun ? LSR_OVERRUN : 0));
  u->overrun = false;
  return v;
}

static u32 uart_in(void *opaque, u16 port, unsigned size) {
  struct machine *m = opaque;
  struct uart *u = &m->uart;
  bool dlab = u->lcr & LCR_DLAB;
  u8 v = 0xff;
  (void)size;
  switch (port - BASE) {
    case RBR: v = dlab ? u->dll : read_data(u); break;
    case IER: v = dlab ? u->dlm : u->ier; break;
    case IIR:
      v = identify(u);
      if ((v & 0xf) == 2) u->thre_pending = false;
      break;
    case LCR: v = u->lcr; break;
    case MCR: v = u->mcr; break;
    case LSR:
      uart_poll(m, false);
      v = line_status(u);
      break;
    case MSR_REG: v = modem_status(u); break;
    case SCR: v = u->scr; break;
  }
  update(m);
  return v;
}

static void uart_out(void *opaque, u16 port, unsigned size, u32 value) {
  struct machine *m = opaque;
  struct uart *u = &m->uart;
  bool dlab = u->lcr & LCR_DLAB;
  u8 v = (u8)value;
  (void)size;
  switch (port - BASE) {
    case RBR:
      if (dlab) u->dll = v;
      else transmit(m, v);
      break;
    case IER:
      if (dlab) u->dlm = v;
      else {
        if (~u->ier & v & 2) u->thre_pending = true;
        u->ier = v & 0xf;
        machine_kick(m); /* input may have to be looked for */
      }
      break;
    case IIR: /* FCR */
      if ((bool)(v & 1) != u->fifo || (v & 2)) u->rx_count = 0;
      u->fifo = v & 1;
      break;
    case LCR: u->lcr = v; break;
    case MCR: u->mcr = v & 0x1f; break;
    case SCR: u->scr = v; break;
  }
  update(m);
}

void uart_reset(struct machine *m) { m->uart = (struct uart){.dll = 12}; } /* 9600 baud */

int uart_init(struct machine *m) {
  struct machine_device d = {BASE, BASE + 7, false, uart_in, uart_out, m};
  return machine_add_device(m, &d);
}
