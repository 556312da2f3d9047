/* Random encodings. SDM 2A 2.1 (Instruction Format for Protected Mode, Real-Address Mode, and Virtual-8086
 * Mode), 2.2 (IA-32e Mode), 2.3.5 (The VEX Prefix), 2.7.1 (Instruction Format and EVEX). */
#include "tests/encoding/encoding.h"

struct writer {
  u8 *p;
  unsigned n;
};
static void put(struct writer *w, unsigned byte) {
  if (w->n < BYTES) w->p[w->n++] = (u8)byte;
}

/* Prefixes that change nothing, or what they change is forgotten; 66 changes sizes. */
static void put_idle(struct writer *w, struct rng *r) {
  static const u8 idle[] = {0x67, 0x67, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0x66};
  while (one_in(r, 3)) put(w, idle[rn(r, ARRAY_SIZE(idle) - 1)]);
}
static unsigned random_rex(struct rng *r) { return 0x40 | rn(r, 16); }

static void put_prefixes(struct sample *s, struct writer *w, struct rng *r) {
  static const u8 mandatory[4] = {0, 0x66, 0xf3, 0xf2};
  bool legacy = s->at.enc == ENC_LEGACY, wide = s->at.mode == CODE64;
  put_idle(w, r);
  s->lock = one_in(r, legacy ? 12 : 64);
  if (s->lock) put(w, 0xf0);
  if (!legacy) { /* #UD before VEX or EVEX */
    if (one_in(r, 64)) put(w, mandatory[1 + rn(r, 3)]);
    if (wide && one_in(r, 64)) put(w, random_rex(r));
    return;
  }
  if (s->at.pp > 1 && one_in(r, 4)) put(w, 0x66);
  if (s->at.pp > 1 && one_in(r, 16)) put(w, 0xf2 + rn(r, 2)); /* the last counts */
  if (s->at.pp) put(w, mandatory[s->at.pp]);
  if (wide && one_in(r, 12)) put(w, random_rex(r)), put(w, 0x2e); /* a REX that is not the last does nothing */
  if (one_in(r, 6)) put_idle(w, r);
  if (wide && one_in(r, 3)) put(w, s->rex = (u8)random_rex(r));
}

static void put_vex(const struct sample *s, struct writer *w, struct rng *r) {
  const struct place *at = &s->at;
  bool wide = at->mode == CODE64, used = one_in(r, 2);
  unsigned vvvv = used ? rn(r, 16) : 15, l = rn(r, 2), last = vvvv << 3 | l << 2 | at->pp;
  if (at->map == 1 && one_in(r, 3)) {
    put(w, 0xc5);
    put(w, (wide && one_in(r, 2) ? 0 : 0x80) | last);
    return;
  }
  put(w, 0xc4);
  put(w, (wide ? rn(r, 8) << 5 : 0xc0 | rn(r, 2) << 5) | at->map);
  put(w, rn(r, 2) << 7 | last);
}

static void put_evex(const struct sample *s, struct writer *w, struct rng *r) {
  const struct place *at = &s->at;
  bool wide = at->mode == CODE64, used = one_in(r, 2);
  unsigned vvvv = used ? rn(r, 16) : 15, v4 = (wide && used) || one_in(r, 64) ? rn(r, 2) : 1, aaa = one_in(r, 2) ? rn(r, 8) : 0;
  unsigned z = aaa ? one_in(r, 3) : one_in(r, 64), b = one_in(r, 3);
  put(w, 0x62);
  put(w, (wide ? rn(r, 16) << 4 : 0xc0 | rn(r, 2) << 5 | (one_in(r, 16) ? 0 : 0x10)) | at->map | (one_in(r, 64) ? 8 : 0));
  put(w, rn(r, 2) << 7 | vvvv << 3 | (one_in(r, 64) ? 0 : 4) | at->pp);
  put(w, z << 7 | rn(r, one_in(r, 8) ? 4 : 3) << 5 | b << 4 | v4 << 3 | aaa);
}

void sample_make(struct sample *s, const struct place *at, struct rng *r) {
  struct writer w = {s->bytes, 0};
  *s = (struct sample){.at = *at};
  put_prefixes(s, &w, r);
  if (at->enc == ENC_VEX) put_vex(s, &w, r);
  else if (at->enc == ENC_EVEX) put_evex(s, &w, r);
  else if (at->map) put(&w, 0x0f);
  if (at->enc == ENC_LEGACY && at->map > 1) put(&w, at->map == 2 ? 0x38 : 0x3a);
  put(&w, at->opcode);
  s->modrm = (u8)rnd(r);
  put(&w, s->modrm);
  while (w.n < BYTES) put(&w, (unsigned)rnd(r) & 255);
}
