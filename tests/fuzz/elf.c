/* Fuzzes the loader: any bytes give an image that keeps loader.h's promises, or one line and a code. */
#define _GNU_SOURCE /* memfd_create */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loader/loader.h"

/* The fuzzer takes an abort for a crash, and keeps the input. */
static void must(bool ok) {
  if (!ok) abort();
}

static bool on_page(u64 a) { return !(a & (LDR_PAGE - 1)); }

static void check_refusal(int e, const char *err) {
  must(e < 0 && e > -200);
  must(!strncmp(err, "fuzz: ", 6) && err[6] && !strpbrk(err, "\n\r\t\x1b"));
}

static void check_segment(const struct image *img, const struct ldr_segment *s) {
  must(s->filesz <= s->memsz && s->vaddr + s->memsz >= s->vaddr);
  /* The file may have less, but mapping it never wraps. */
  must(!s->filesz || (s->offset < INT64_MAX && s->filesz <= INT64_MAX - s->offset));
  must(on_page(s->file_lo) && on_page(s->file_hi) && on_page(s->file_off));
  must(on_page(s->anon_lo) && on_page(s->anon_hi));
  must(s->file_lo <= s->file_hi && s->file_hi <= s->anon_lo && s->anon_lo <= s->anon_hi);
  must(s->zero_lo <= s->zero_hi && s->zero_hi - s->zero_lo < LDR_PAGE);
  must(s->zero_lo == s->zero_hi || (s->zero_hi == s->file_hi && s->zero_lo >= s->file_lo));
  /* No mapping leaves the image, and together they hold the whole segment. */
  must(s->file_lo >= img->lo && s->anon_hi <= img->lo + img->span);
  must(!s->memsz || s->anon_hi >= s->vaddr + s->memsz);
  must(s->file_lo <= s->vaddr);
}

static void check_symbols(struct image *img) {
  must(!ldr_load_symbols(img));
  for (unsigned i = 0; i < img->nsym; i++) {
    const struct ldr_symbol *s = &img->sym[i];
    must(s->name[0] && strlen(s->name) <= img->size);
    must(!i || img->sym[i - 1].addr <= s->addr);
    const struct ldr_symbol *at = ldr_symbol_at(img, s->addr);
    must(!at || at->addr <= s->addr);
    (void)ldr_symbol_at(img, s->addr + s->size);
  }
  if (img->nsym) must(ldr_symbol_named(img, img->sym[0].name) != NULL);
  (void)ldr_symbol_at(img, img->entry);
}

/* The same bytes as a file, which both the loader and libelf read in another way, give the same image. */
static void check_file(const u8 *data, size_t size, int code, const struct image *img) {
  struct image file;
  char path[64];
  int fd = memfd_create("fuzz", MFD_CLOEXEC);
  if (fd < 0) return;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  must(pwrite(fd, data, size, 0) == (ssize_t)size);
  int e = ldr_open(path, &file, NULL, 0);
  must(e == code);
  if (!e) {
    must(file.fd >= 0 && file.nseg == img->nseg && file.lo == img->lo && file.hi == img->hi);
    must(!memcmp(file.seg, img->seg, file.nseg * sizeof *file.seg));
    must(!ldr_load_symbols(&file) && file.nsym == img->nsym);
    for (unsigned i = 0; i < file.nsym; i++) must(!strcmp(file.sym[i].name, img->sym[i].name));
  }
  ldr_close(&file);
  close(fd);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
  struct image img;
  char err[160] = "";
  int e = ldr_from_memory(data, size, "fuzz", &img, err, sizeof err);
  bool as_file = size % 16 == 0; /* a few, for system calls are slow */
  if (e) {
    check_refusal(e, err);
    if (as_file) check_file(data, size, e, NULL);
    return 0;
  }
  must((img.bits == 32 || img.bits == 64) && img.nseg && img.nseg <= img.phnum && !img.interp);
  must(on_page(img.lo) && on_page(img.span) && img.brk == img.lo + img.span && img.hi <= img.brk);
  must(img.align >= LDR_PAGE && !(img.align & (img.align - 1)));
  for (unsigned i = 0; i < img.nseg; i++) check_segment(&img, &img.seg[i]);

  static const u64 limits[] = {0, UINT64_C(0xffffe000), UINT64_C(0x7ffffffff000), UINT64_MAX};
  for (unsigned i = 0; i < ARRAY_SIZE(limits); i++) {
    u64 base = UINT64_C(0x555555554000), bias = ldr_bias(&img, base);
    must(!(bias & (img.align - 1)) && (!bias || bias + img.lo <= base));
    e = ldr_check_range(&img, bias, limits[i], err, sizeof err);
    if (e) check_refusal(e, err);
    else must(bias + img.hi <= limits[i] && bias + img.entry < limits[i]);
  }
  check_symbols(&img);
  if (as_file) check_file(data, size, 0, &img);
  ldr_close(&img);
  ldr_close(&img);
  return 0;
}
