/* Instruction lengths and validity by our decoder, by Capstone and by Zydis: over all places of the opcode
 * maps, with random prefixes, ModRM and what follows, in 64-, 32- and 16-bit code. With --host: by our decoder and
 * by this machine's processor. What they disagree about is
 * decided in tests/encoding/judged; anything else fails. The last line is "N passed, N failed", in places. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/refuse.h"
#include "tests/encoding/encoding.h"

enum { SHORT = 200, FULL = 2000, BY_HOST = 20, SHOWN = 40, OPCODES = 256, VEX_MAPS = 8 };

struct options {
  unsigned samples;
  u64 seed;
  bool all;      /* show every disagreement */
  bool complete; /* lines of the list that nothing uses fail */
  bool host;     /* ask this machine's processor, not the others */
};

struct run {
  const struct options *o;
  struct decoder *decoder;
  struct cpu_model model;
  unsigned places, failed, shown;
  unsigned long samples, disputes;
};

/* A model with everything that has rows. */
static void choose_model(struct cpu_model *m) {
  *m = *model_default(VENDOR_INTEL);
  for (unsigned k = 0; k < opcode_row_count; k++)
    if (opcode_rows[k].feature >= 0) m->has[opcode_rows[k].feature] = 1;
  m->has[FEAT_AVX512VL] = 1;
}

static void by_us(const struct run *w, const struct sample *s, struct verdict *out) {
  static const u32 modes[CODE_MODES] = {MODE_CODE64 | MODE_LMA, MODE_CODE32 | MODE_STACK32, MODE_CODE16};
  struct insn insn;
  const struct oprow *row;
  u32 mode = modes[s->at.mode] | MODE_PE | MODE_FLAT;
  *out = (struct verdict){.name = "-", .set = "-"};
  enum decode_status st = decode_insn(w->decoder, &w->model, mode, 0x1000, s->bytes, BYTES, &insn, &row);
  out->valid = st == DECODE_OK && !(w->o->host && insn.fn == raise_refused);
  out->len = insn.len;
  if (row) snprintf(out->name, sizeof out->name, "%s", row->name);
}

static enum difference difference(const struct verdict *ours, const struct verdict *theirs) {
  if (ours->valid != theirs->valid) return theirs->valid ? THEY_VALID : THEY_INVALID;
  return ours->valid && ours->len != theirs->len ? LENGTH : SAME;
}

static void show(struct run *w, const struct dispute *d) {
  static const char *const encodings[] = {"legacy", "vex", "evex"};
  const struct place *at = &d->s->at;
  if (!w->o->all && w->shown++ >= SHOWN) return;
  printf("%s kind=%s enc=%s map=%u op=%02x pp=%u mode=%d mod=%c reg=%u lock=%u name=%s set=%s%s row=%s",
         other_names[d->who], difference_names[d->kind], encodings[at->enc], at->map, at->opcode, at->pp,
         64 >> at->mode, d->s->modrm >= 0xc0 ? 'r' : 'm', d->s->modrm >> 3 & 7, d->s->lock, d->theirs->name,
         d->theirs->set, d->agreed ? " other=agrees" : "", d->row ? "some" : "none");
  printf(" | ours %s %u, theirs %u:", d->ours->name, d->ours->len, d->theirs->len);
  for (unsigned k = 0; k < 12; k++) printf(" %02x", d->s->bytes[k]);
  putchar('\n');
}

static bool has_row(const struct sample *s) {
  const struct place *at = &s->at;
  static const u8 pp[] = {[P_66] = 1, [P_F3] = 2, [P_F2] = 3, [P_W3] = 0};
  for (unsigned n = 0; n < opcode_row_count; n++) {
    const struct oprow *row = &opcode_rows[n];
    unsigned first = row->opcode, last = first + (row->attrs & A_ZREG ? 7 : 0);
    bool digit = !(row->modrm & 8) || (row->modrm >> 4 & 7) == (s->modrm >> 3 & 7);
    if (row->enc != at->enc || row->map != at->map || at->opcode < first || at->opcode > last || !digit) continue;
    if (row->enc == ENC_LEGACY || pp[row->prefix] == at->pp) return true;
  }
  return false;
}

static bool compare(struct run *w, const struct sample *s) {
  struct verdict ours, theirs[OTHERS];
  enum difference kind[OTHERS];
  bool ok = true;
  by_us(w, s, &ours);
  w->samples++;
  for (unsigned who = 0; who < OTHERS; who++) {
    other_decode((enum other)who, s, &theirs[who]);
    kind[who] = difference(&ours, &theirs[who]);
  }
  for (unsigned who = 0; who < OTHERS; who++) {
    if (kind[who] == SAME) continue;
    struct dispute d = {(enum other)who, kind[who], s, &ours, &theirs[who], kind[!who] == SAME, has_row(s)};
    w->disputes++;
    if (judged(&d)) continue;
    ok = false;
    show(w, &d);
  }
  return ok;
}

static bool compare_host(struct run *w, const struct sample *s) {
  struct verdict ours, theirs;
  by_us(w, s, &ours);
  if (!host_decode(s, &ours, &theirs)) return true;
  w->samples++;
  struct dispute d = {HOST, difference(&ours, &theirs), s, &ours, &theirs, false, has_row(s)};
  if (!ours.valid && !theirs.valid && ours.len && ours.len != theirs.len) d.kind = LENGTH; /* bytes fetched before #UD */
  if (d.kind == SAME) return true;
  w->disputes++;
  bool ok = judged(&d);
  if (!ok) show(w, &d);
  return ok;
}

static void run_place(struct run *w, const struct place *at) {
  u64 place = (u64)at->mode << 40 | (u64)at->enc << 32 | (u64)at->map << 24 | (u64)at->pp << 16 | at->opcode;
  struct rng r = {w->o->seed ^ place};
  struct sample s;
  bool ok = true;
  for (unsigned k = 0; k < w->o->samples; k++) {
    sample_make(&s, at, &r);
    ok &= w->o->host ? compare_host(w, &s) : compare(w, &s);
  }
  w->places++;
  w->failed += !ok;
}

/* What other places have of their own: prefixes, and the ways into other maps. */
static bool is_prefix(const struct place *at) {
  static const u8 legacy[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67,
                              0xf0, 0xf2, 0xf3, 0x0f, 0xc4, 0xc5, 0x62};
  if (at->enc != ENC_LEGACY || at->map > 1) return false;
  if (at->map) return at->opcode == 0x38 || at->opcode == 0x3a;
  return memchr(legacy, at->opcode, sizeof legacy) || (at->mode == CODE64 && (at->opcode & 0xf0) == 0x40);
}

static void run_all(struct run *w) {
  struct place at;
  for (unsigned mode = 0; mode < CODE_MODES; mode++)
    for (unsigned enc = 0; enc < ENCODINGS; enc++)
      for (unsigned map = 0; map < (enc ? VEX_MAPS : 4u); map++) /* of VEX and EVEX three are in use */
        for (unsigned n = 0; n < 4 * OPCODES; n++) {
          u8 pp = (u8)(n / OPCODES);
          at = (struct place){(enum code_mode)mode, (enum opc_encoding)enc, (u8)map, (u8)n, pp};
          if (!is_prefix(&at)) run_place(w, &at);
        }
}

int main(int argc, char **argv) {
  static const struct option longs[] = {{"short", 0, NULL, 's'}, {"samples", 1, NULL, 'n'},
                                        {"seed", 1, NULL, 'S'}, {"all", 0, NULL, 'a'},
                                        {"host", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
  struct options o = {.samples = FULL, .seed = 1, .complete = true};
  int c;
  while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
    if (c == 's') o.samples = SHORT, o.complete = false;
    else if (c == 'n') o.samples = (unsigned)strtoul(optarg, NULL, 0);
    else if (c == 'S') o.seed = strtoull(optarg, NULL, 0);
    else if (c == 'a') o.all = true;
    else if (c == 'h') o.host = true, o.samples = BY_HOST, o.complete = false;
    else return 2;
  }
  struct run w = {.o = &o, .decoder = decoder_create()};
  choose_model(&w.model);
  if (!w.decoder || optind + 1 != argc || judged_read(argv[optind]) || others_open()) {
    fprintf(stderr, "usage: check-encoding [--short|--host] [--samples N] [--seed N] [--all] JUDGED\n");
    return 2;
  }
  if (o.host && host_open(&w.model)) {
    printf("this machine does not allow it\n0 passed, 0 failed\n");
    return 0;
  }
  run_all(&w);
  others_close();
  decoder_destroy(w.decoder);
  unsigned unused = o.complete ? judged_unused(stdout) : 0;
  printf("%lu encodings, %lu disagreements with one of the others, all but those above decided\n", w.samples,
         w.disputes);
  printf("%u passed, %u failed\n", w.places - w.failed, w.failed + unused);
  return w.failed || unused;
}
