/* Emulators as oracles: the cases are put on a disk image that boots into a monitor (monitor.c), the emulator
 * runs it, and its answers are made states again. SDM 2A CPUID. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/oracle/image.h"

/* The state that came back: the start with the changes. Caches are not seen: they stay as wanted. */
static void state_of(struct image *im, const struct came *c, const struct vstate *start,
                     const struct vstate *unplanted, const struct vstate *home, struct vstate *st) {
  struct vstate s = *home;
  s.ram = st->ram;
  memcpy(s.ram, start->ram, VM_RAM);
  u64 was[S_ALL];
  image_words(start, was);
  for (u64 k = 0; k < S_COUNT; k++)
    if (k != S_RIP && ((k != S_FSBASE && k != S_GSBASE) || (start->msr[MSR_EFER] & EFER_LMA)))
      image_word_back(&s, k, was[k]);
  u64 fpu[FPU_WORDS];
  image_fpu_words(start, fpu);
  for (u32 k = 0; k < c->changes; k++) {
    u64 what = c->change[k * 2], v = c->change[k * 2 + 1];
    if (what >> 62 == 1) fpu[what % FPU_WORDS] = v;
    else if (what >> 63) memcpy(s.ram + (what & (VM_RAM - 8)), &v, 8);
    else image_word_back(&s, what, v);
  }
  image_fpu_back(&s, fpu, start->msr[MSR_EFER] & EFER_LMA ? FPU_SEEN_LONG : FPU_SEEN,
                 strcmp(im->emulator, "qemu"));
  for (unsigned k = 0; k < im->patches; k++)
    memcpy(s.ram + im->patch[k].at, im->patch[k].was, im->patch[k].bytes);
  image_restore_handlers(&s, unplanted);
  s.rip = vm_handler(c->left_by);
  s.cpl = s.seg[CS].sel & 3;
  *st = s;
}

static int image_between(void *opaque, char why[REASON_MAX]) {
  struct image *im = opaque;
  im->answering = true;
  return image_run(im, why);
}

static int image_case(void *opaque, const struct job *j, struct answer *a, char why[REASON_MAX]) {
  struct image *im = opaque;
  struct vstate *start = &im->after.want; /* has room */
  if (image_express(im, j, start, why)) return -1;
  if (!im->answering) return image_enqueue(im, j, start) ? decline(why, "out of memory") : 0;
  const struct came *c = image_answer(im, image_key(start));
  if (!c || c->fate == FATE_NONE)
    return decline(why, "%s was not asked: the vectors changed meanwhile", im->emulator);
  if (c->fate == FATE_SILENT) return decline(why, "%s does not come back from it", im->emulator);
  a->end = c->fate == FATE_SHUTDOWN ? OUT_SHUTDOWN : OUT_DONE;
  a->want = &im->landed;
  a->planted = im->planted;
  if (a->end == OUT_DONE) state_of(im, c, start, &j->plan->start, &im->landed, &a->st);
  else vstate_copy(&a->st, &im->landed);
  return 0;
}

static void image_restrict(void *opaque, struct cpu_model *m) {
  const struct image *im = opaque;
  for (unsigned f = 0; f < FEAT_COUNT; f++) {
    const struct feature_row *r = &feature_rows[f];
    for (unsigned k = 0; k < im->cpuids; k++)
      if (im->cpuid[k][0] == r->leaf && im->cpuid[k][1] == r->subleaf)
        m->has[f] = im->cpuid[k][2 + r->reg] >> r->bit & 1;
  }
}

static void image_close(void *opaque) {
  struct image *im = opaque;
  unlink(im->disk);
  unlink(im->config);
  char words[160];
  snprintf(words, sizeof words, "%s/words", im->dir);
  unlink(words);
  rmdir(im->dir);
  for (unsigned m = 0; m < VM_MODES; m++) vstate_free(&im->base[m]);
  for (u32 k = 0; k < im->count; k++) free(im->came[k].change);
  vec_plan_free(&im->after);
  vstate_free(&im->landed);
  free(im->came);
  free(im->start);
  free(im->cases);
  free(im);
}

struct oracle *oracle_image(const char *emulator, enum vendor vendor, const char *files, const char *answers,
                            char why[REASON_MAX]) {
  struct image *im = calloc(1, sizeof *im);
  if (!im) return NULL;
  im->oracle = (struct oracle){.name = im->emulator, .opaque = im, .restrict_model = image_restrict,
                               .run = image_case, .between = image_between, .close = image_close};
  im->vendor = vendor;
  im->answers = answers;
  snprintf(im->emulator, sizeof im->emulator, "%s", emulator);
  snprintf(im->files, sizeof im->files, "%s", files);
  strcpy(im->dir, "/tmp/oracle.XXXXXX");
  bool ok = mkdtemp(im->dir) && !vec_plan_init(&im->after) && !vstate_init(&im->landed);
  snprintf(im->disk, sizeof im->disk, "%s/disk", im->dir);
  snprintf(im->config, sizeof im->config, "%s/bochsrc", im->dir);
  for (unsigned m = 0; m < VM_MODES && ok; m++) {
    ok = !vstate_init(&im->base[m]);
    if (!ok) break;
    vstate_default(&im->base[m], model_find(vendor == VENDOR_AMD ? "x86-64-amd" : "x86-64"), (enum vec_mode)m, 0);
    image_lead_handlers(&im->base[m], mode_long((enum vec_mode)m));
  }
  if (!ok) decline(why, "out of memory");
  else if (!image_boot(im, why)) return &im->oracle;
  image_close(im);
  return NULL;
}
