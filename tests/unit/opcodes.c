/* The opcode table: no two rows claim the same instruction, and the feature bits that models show have bodies. */
#include <check.h>
#include <stdio.h>

#include "cpu/decode.h"
#include "cpu/opcodes.h"

/* Can one instruction match both rows? Prefix classes that exclude each other never do. */
static bool prefixes_meet(u8 a, u8 b) {
  static const u8 allows[] = {[P_ANY] = 15, [P_NP] = 1, [P_66] = 2, [P_F3] = 4, [P_F2] = 8, [P_NOREP] = 3, [P_W3] = 4};
  return allows[a] & allows[b];
}
static bool modrm_meet(u16 a, u16 b) {
  if (!(a & 1) || !(b & 1)) return true;
  for (unsigned m = 0; m < 256; m++) {
    bool hit[2];
    u16 want[2] = {a, b};
    for (unsigned k = 0; k < 2; k++) {
      u16 w = want[k];
      bool reg = m >> 6 == 3;
      hit[k] = !((w & 2) && !reg) && !((w & 4) && reg) && !((w & 8) && (w >> 4 & 7u) != (m >> 3 & 7)) &&
               !((w & 0x80) && (w >> 8 & 7u) != (m & 7));
    }
    if (hit[0] && hit[1]) return true;
  }
  return false;
}
static bool modes_meet(u8 a, u8 b) { return !((a == NO64 && b == ONLY64) || (a == ONLY64 && b == NO64)); }
static bool opcodes_meet(const struct oprow *a, const struct oprow *b) {
  unsigned na = a->attrs & A_ZREG ? 8 : 1, nb = b->attrs & A_ZREG ? 8 : 1;
  return a->map == b->map && a->opcode < b->opcode + nb && b->opcode < a->opcode + na;
}

START_TEST(rows_do_not_overlap) {
  unsigned overlaps = 0;
  for (unsigned i = 0; i < opcode_row_count; i++)
    for (unsigned j = i + 1; j < opcode_row_count; j++) {
      const struct oprow *a = &opcode_rows[i], *b = &opcode_rows[j];
      if (!opcodes_meet(a, b) || !prefixes_meet(a->prefix, b->prefix) || !modes_meet(a->modes, b->modes) ||
          !modrm_meet(a->modrm, b->modrm))
        continue;
      /* A feature's row may stand before the one that serves processors without it. */
      if (a->feature >= 0 && b->feature < 0) continue;
      fprintf(stderr, "rows %s %s and %s %s overlap at map %u opcode %02x\n", a->name, a->operands, b->name,
              b->operands, a->map, a->opcode);
      overlaps++;
    }
  ck_assert_uint_gt(opcode_row_count, 400);
  ck_assert_uint_eq(overlaps, 0);
}
END_TEST

START_TEST(every_row_has_a_handler_and_a_citation) {
  for (unsigned i = 0; i < opcode_row_count; i++) {
    const struct oprow *r = &opcode_rows[i];
    bool any = false;
    for (unsigned w = 0; w < r->body->widths; w++)
      for (unsigned f = 0; f < FORMS; f++) any |= r->body->fn[w][f] != NULL;
    ck_assert_msg(any, "%s: no handler", r->name);
    ck_assert_msg(r->cite[0] && r->name[0], "row %u: no name or no citation", i);
    for (const char *p = r->undefined; *p; p++)
      ck_assert_msg(strchr(r->modified, *p) != NULL, "%s: undefined flag %c is not among the modified", r->name, *p);
  }
}
END_TEST

Suite *suite_opcodes(void) {
  Suite *s = suite_create("opcodes");
  TCase *c = tcase_create("table");
  tcase_add_test(c, rows_do_not_overlap);
  tcase_add_test(c, every_row_has_a_handler_and_a_citation);
  suite_add_tcase(s, c);
  return s;
}
