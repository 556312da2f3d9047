/* Fuzzes what boots: any bytes are refused in one line, or give an image whose parts lie in the file, that a machine
 * takes and runs for a while: devices, real mode, and whatever else the bytes do to the processor. The first byte
 * chooses the kind of image. */
#include <stdlib.h>
#include <string.h>

#include "machine/machine.h"

enum { STEPS = 1500, NMI_AFTER = 500 };

/* The fuzzer takes an abort for a crash, and keeps the input. */
static void must(bool ok) {
  if (!ok) abort();
}

struct input {
  const u8 *at, *end;
};
static int next_byte(void *opaque, bool wait) {
  struct input *in = opaque;
  (void)wait;
  return in->at < in->end ? *in->at++ : -2;
}

static void check_image(const struct boot_image *img) {
  bool entry = img->kind != BOOT_MULTIBOOT;
  must(img->parts >= 1 && img->parts <= BOOT_MAX_PARTS);
  for (unsigned k = 0; k < img->parts; k++) {
    const struct boot_part *p = &img->part[k];
    must(p->memsz && p->filesz <= p->memsz && p->off <= img->size && p->filesz <= img->size - p->off);
    must(p->addr + (p->memsz - 1) >= p->addr);
    entry |= img->entry - p->addr < p->memsz;
  }
  must(entry);
}

/* One machine of each vendor for the fuzzer's life: making one costs more than a run. */
static struct machine *machine_of(enum vendor vendor, struct input *in) {
  static struct machine *made[VENDOR_COUNT];
  struct machine_options o = {.model = model_default(vendor), .mem = 2 << 20, .console = {in, NULL, NULL, next_byte}};
  char err[256];
  if (!made[vendor]) made[vendor] = machine_create(&o, err, sizeof err);
  must(made[vendor] != NULL);
  return made[vendor];
}

static void run(const struct boot_image *img, u8 choice) {
  static struct input in;
  struct machine_status st;
  char err[256] = "";
  struct machine *m = machine_of(choice & 0x80 ? VENDOR_AMD : VENDOR_INTEL, &in);
  in = (struct input){img->bytes, img->bytes + (choice & 0x40 ? img->size : 0)};
  if (machine_boot(m, img, "fuzz", err, sizeof err)) {
    must(*err && !strchr(err, '\n'));
    return;
  }
  machine_run(m, NMI_AFTER, &st);
  machine_raise_nmi(m);
  machine_raise_irq(m, choice & 15);
  if (st.how != MACHINE_EXITED) machine_run(m, STEPS, &st);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
  struct boot_image img;
  char err[256] = "";
  u8 choice = size ? data[0] : 0;
  if (!size) return 0;
  int e = boot_from_memory(data + 1, size - 1, "fuzz", &img, err, sizeof err);
  if (!e) {
    switch (choice & 0x30) {
      case 0x00: e = boot_as_rom(&img, err, sizeof err); break;
      case 0x10: e = boot_as_flat(&img, 0x7c00, err, sizeof err); break;
      default: e = boot_as_multiboot(&img, err, sizeof err);
    }
    if (!e) {
      check_image(&img);
      run(&img, choice);
    }
  }
  if (e) must(e < 0 && !strncmp(err, "fuzz: ", 6) && !strpbrk(err, "\n\r\t\x1b"));
  boot_close(&img);
  return 0;
}
