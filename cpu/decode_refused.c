/* The decoder of what is refused: why no row fits, and how many bytes are fetched all the same.
 * SDM 3A 6.15 (Interrupt 6: Invalid Opcode Exception (#UD)), 6.9 (Prioritization of Concurrent Events), Table 6-2. */
#include "cpu/fetch.h"

/* The feature of an opcode that has no row here, or FEAT_NONE. ModRM was not read if no row has one. */
static int feature_elsewhere(const struct fetch *f) {
  u8 modrm = f->has_modrm ? f->modrm : f->at < f->n ? f->p[f->at] : 0;
  if (f->enc) return f->enc == ENC_EVEX ? FEAT_AVX512F : FEAT_AVX;
  for (const struct absent_row *a = absent_rows; a < absent_rows + absent_row_count; a++)
    if (a->map == f->map && f->opcode >= a->first && f->opcode <= a->last && prefix_matches(a->prefix, f) &&
        (!(a->modrm & 1) || modrm_matches(a->modrm, modrm)))
      return a->feature;
  return FEAT_NONE;
}

void explain_no_row(const struct decoder *d, const struct cpu_model *model, struct fetch *f) {
  f->why = REFUSE_UNKNOWN;
  for (unsigned r = d->first[f->enc][f->map][f->opcode]; r; r = d->next[r - 1][f->opcode & 7]) {
    const struct oprow *row = &opcode_rows[r - 1];
    bool modrm = row->modrm & 1, fits = !modrm || modrm_matches(row->modrm, f->modrm);
    bool form = modrm && modrm_matches(row->modrm & (u16)~6u, f->modrm);
    if (!prefix_matches(row->prefix, f) || (f->enc && !vex_matches(row, f)) || (row->attrs & A_P6)) continue;
    if (!mode_matches(row->modes, f->mode)) {
      if (fits) f->why = REFUSE_MODE;
      continue;
    }
    if (fits) {
      f->why = REFUSE_FEATURE;
      f->feature = needs_avx512vl(row, f) && model_has(model, (enum feature)row->feature) ? FEAT_AVX512VL : row->feature;
      return;
    }
    if (form && f->why == REFUSE_UNKNOWN) f->why = row->modrm & 4 ? REFUSE_MEMORY : REFUSE_REGISTER;
  }
  /* SDM 2B RSM: of system-management mode, which no machine here enters. */
  if (!f->enc && f->map == 1 && f->opcode == 0xaa) f->why = REFUSE_MODE;
  int elsewhere = feature_elsewhere(f);
  if (elsewhere == FEAT_NONE || model_has(model, (enum feature)elsewhere)) return;
  f->why = REFUSE_FEATURE;
  f->feature = elsewhere;
}

static bool has_modrm(const struct decoder *d, unsigned enc, unsigned map, u8 opcode) {
  static const u8 undefined[] = {0x7a, 0x7b, 0xa6, 0xa7}; /* and with one */
  if (map == 1 && memchr(undefined, opcode, sizeof undefined)) return true;
  for (unsigned r = d->first[enc][map][opcode]; r; r = d->next[r - 1][opcode & 7])
    if (opcode_rows[r - 1].modrm & 1) return true;
  return map > 1;
}

/* The row that tells what follows an opcode that is refused: one of the same digit if there is one. NULL: none. */
static const struct oprow *row_alike(const struct decoder *d, const struct cpu_model *model, const struct fetch *f,
                                     unsigned enc) {
  const struct oprow *alike = NULL;
  for (unsigned r = d->first[enc][f->map][f->opcode]; r; r = d->next[r - 1][f->opcode & 7]) {
    const struct oprow *row = &opcode_rows[r - 1];
    if (row->feature >= 0 && !model_has(model, (enum feature)row->feature)) continue;
    if ((row->modrm & 1) && modrm_matches(row->modrm & (u16)~6u, f->modrm)) return row;
    if (!alike) alike = row;
  }
  return alike;
}

void read_rest(const struct decoder *d, const struct cpu_model *model, struct fetch *f) {
  static const struct operand imm8[MAX_OPERANDS] = {{O_I, 'b', 0}};
  struct insn o = {0};
  bool mem = false, immediate = f->map == 3;
  if (f->map > 3 || (f->enc && !f->map)) return;
  if (f->enc) f->p66 = false; /* pp is no prefix */
  f->at = f->body;
  f->asize = address_size(f);
  if (has_modrm(d, f->enc, f->map, f->opcode) || has_modrm(d, ENC_LEGACY, f->map, f->opcode)) {
    bool control = f->map == 1 && (f->opcode & 0xfc) == 0x20; /* MOV CRn, DRn: mod does not count */
    f->modrm = get8(f);
    mem = f->modrm >> 6 != 3 && !control;
    if (mem && f->asize == 0) read_mem16(f, &o);
    else if (mem) (void)read_mem32(f, &o, 0, false);
  }
  const struct oprow *row = row_alike(d, model, f, f->enc);
  for (unsigned k = 0; f->enc && row && k < MAX_OPERANDS; k++) {
    u8 cls = d->ops[row - opcode_rows][k].cls;
    immediate |= cls == O_I || cls == O_L;
  }
  if (f->enc && !row && f->map == 1) row = row_alike(d, model, f, ENC_LEGACY);
  if (row) find_sizes(f, row);
  if (immediate) (void)read_immediates(f, imm8, &o, &mem);
  else if (row && row->enc == ENC_LEGACY) (void)read_immediates(f, d->ops[row - opcode_rows], &o, &mem);
}
