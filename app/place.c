/* Addresses by name: symbols of the program's file and the vDSO's, and the labels of roms/entry64.S and entry32.S. */
#include "app/place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cpu/event.h"
#include "linux_abi/kernel.h"
#include "linux_abi/lvm.h"

void places_open(struct places *p, struct linux_vm *lvm) {
  char err[256];
  *p = (struct places){.vdso = {.fd = -1}, .kernel = &lvm->kernel};
  struct image *img = lx_image(lvm);
  if (img && !ldr_load_symbols(img)) p->program = img;
  p->bias = lx_image_bias(lvm);
  if (!lvm->vdso || ldr_from_memory(lvm->vdso->image, lvm->vdso->size, "[vdso]", &p->vdso, err, sizeof err))
    return;
  if (ldr_load_symbols(&p->vdso)) ldr_close(&p->vdso);
  else p->vdso_base = lvm->vdso_base;
}

void places_close(struct places *p) {
  if (p->vdso_base) ldr_close(&p->vdso);
  p->vdso_base = 0;
}

static void put(char *buf, size_t n, const char *where, const char *name, u64 offset) {
  if (offset) snprintf(buf, n, "%s%s+%" PRIu64, where, name, offset);
  else snprintf(buf, n, "%s%s", where, name);
}

enum { VMCALL_BYTES = 3 };

/* The label at or before this offset of the stub image. */
static void stub_name(const struct rom_entry64_table *t, u64 offset, char *buf, size_t n) {
  const struct {
    u32 at;
    const char *name;
  } labels[] = {{t->syscall64, "syscall64"}, {t->syscall32, "syscall32"}, {t->sysenter32, "sysenter32"},
                {t->int80, "int80"},         {t->sysretq, "sysretq"},     {t->sysretl, "sysretl"},
                {t->iretq, "iretq"},         {t->iretq_kernel, "iretq_kernel"},
                {t->vmcall[KIND_INT80] + VMCALL_BYTES, "common"}}; /* to INT 80h and the exceptions */
  const char *best = NULL;
  u32 at = 0;
  for (unsigned k = 0; k < ARRAY_SIZE(labels); k++)
    if (labels[k].at && labels[k].at <= offset && labels[k].at >= at) best = labels[k].name, at = labels[k].at;
  for (unsigned k = 0; k < LINUX_EXCEPTIONS; k++)
    if (t->exception[k] <= offset && t->exception[k] > at) {
      best = vector_rows[k].mnemonic ? vector_rows[k].mnemonic : "interrupt";
      at = t->exception[k];
    }
  if (best) put(buf, n, "kernel: ", best, offset - at);
}

void place_name(const struct places *p, u64 addr, char *buf, size_t n) {
  const u64 stubs = kernel_stubs(p->kernel);
  const struct ldr_symbol *s = NULL;
  *buf = 0;
  if (addr - stubs < PAGE_SIZE) {
    stub_name(kernel_stub_table(p->kernel), addr - stubs, buf, n);
  } else if (p->vdso_base && addr - p->vdso_base < p->vdso.hi) {
    s = ldr_symbol_at(&p->vdso, addr - p->vdso_base);
    if (s) put(buf, n, "vdso: ", s->name, addr - p->vdso_base - s->addr);
    else put(buf, n, "", "vdso", addr - p->vdso_base);
  } else if (p->program) {
    s = ldr_symbol_at(p->program, addr - p->bias);
    if (s && strncmp(s->name, ".L", 2)) put(buf, n, "", s->name, addr - p->bias - s->addr);
  }
  /* Names come from the file: nothing that a terminal would act on. */
  for (char *c = buf; *c; c++)
    if (*c < ' ' || *c > '~') *c = '?';
}
