/* The machine from the inside: its devices' state, and how they reach time, interrupt lines and console. */
#ifndef MACHINE_DEVICES_H
#define MACHINE_DEVICES_H

#include "machine/machine.h"

enum { LINE_TIMER = 0, LINE_CASCADE = 2, LINE_SERIAL = 4, LINES = 16, MAX_DEVICES = 16 };
#define NEVER (~UINT64_C(0))

struct pic { /* one 8259A */
  u8 irr, imr, isr;
  u8 level;  /* the lines as they are */
  u8 base;   /* ICW2: vector of line 0 */
  u8 lowest; /* the line of lowest priority: 7 unless rotated */
  u8 step;   /* the ICW expected next at the odd port; 0: none, it is the mask */
  bool single, icw4, auto_eoi, rotate_auto, read_isr, special_mask, poll, ready;
};

struct pit_channel { /* of an 8254 */
  u8 mode, access;     /* access: 1 low byte, 2 high byte, 3 low then high */
  u8 low;              /* the low byte written, while the high one is awaited */
  bool half_written, half_read, latched, status_latched, running, gate;
  u8 status;
  u16 latch;
  u32 count;           /* 1..65536 */
  u64 start;           /* tick at which counting began */
};

struct uart { /* 16550A */
  u8 ier, lcr, mcr, scr, dll, dlm;
  bool fifo, thre_pending; /* thre_pending: the transmitter-empty interrupt, until IIR is read */
  bool eof;
  u8 rx[16];
  u8 rx_first, rx_count;
  bool overrun;
};

struct machine {
  struct vm *vm;
  struct cpu *cpu;
  struct machine_console console;
  u8 *ram;
  u64 mem, mapped;
  u64 seed; /* of the random numbers that the processor gives */
  u8 *rom;             /* of 64 KiB, all ones where there is none */
  bool trap_bios;      /* the ROM is our table of HLTs: machine/boot.c */
  struct machine_device dev[MAX_DEVICES];
  unsigned devices;
  struct pic pic[2];
  struct pit_channel pit[3];
  u8 speaker;          /* port 61h, bits 1:0 */
  u64 irq0_due;        /* the tick of channel 0's next interrupt, or NEVER */
  struct uart uart;
  u64 skipped;         /* instructions' time that passed while halted */
  u64 last_tick;       /* time never goes back */
  bool ended, reset;
  volatile bool stopped; /* machine_stop() */
  u32 exit_code;
};

/* Time in ticks of the timer's clock. */
u64 machine_ticks(struct machine *m);
/* Ends the current slice of instructions, because something is due earlier than was thought. */
void machine_kick(struct machine *m);
void machine_set_line(struct machine *m, unsigned line, bool level);

/* As after power-on, but for time: memory, ROM, devices, processor. */
void machine_clear(struct machine *m);

int pic_init(struct machine *m);
void pic_reset(struct machine *m);
void pic_set_line(struct machine *m, unsigned line, bool level);
int pic_acknowledge(struct machine *m);
/* Would an edge on this line reach the processor, interrupts being open there? */
bool pic_would_deliver(const struct machine *m, unsigned line);

int pit_init(struct machine *m);
void pit_reset(struct machine *m);
/* Raises what is due. */
void pit_advance(struct machine *m);

int uart_init(struct machine *m);
void uart_reset(struct machine *m);
/* Looks for input. */
void uart_poll(struct machine *m, bool wait);

#endif
