/* The debugger's answers as text and as JSON. */
#include "tests/unit/view_probe.h"

static void answer(struct out *o) {
  out_begin(o, "test");
  out_open(o, "entry");
  out_text(o, "text %d ", 1);
  out_num(o, "index", 7, NULL);
  out_hex(o, "base", 0x401000, "base %016llx ");
  out_str(o, "type", "a \"b\"\x01", "%s");
  out_close(o);
  out_open_list(o, "list");
  out_num(o, NULL, 1, " %llu");
  out_num(o, NULL, ~UINT64_C(0), " %llu");
  out_str(o, NULL, "\xff", NULL);
  out_close(o);
  out_bool(o, "yes", true, " yes\n");
  out_block(o, "block", "x\ny\n");
  out_raw_json(o, "raw", "{\"event\":\"transition\"}\n");
  out_raw_json(o, "bad", "{");
  out_num(o, "yes", 2, NULL);
  out_end(o);
}

START_TEST(out_writes_text_and_json) {
  struct probe p = {0};
  ck_assert_str_eq(TEXT(&p, answer(p.v.out)),
                   "text 1 base 0000000000401000 a \"b\"\x01 1 18446744073709551615 yes\nx\ny\n");
  json_t *j = JSON(&p, answer(p.v.out));
  is_text(j, "event", "test");
  is_num(j, "entry.index", 7);
  is_text(j, "entry.base", "0x401000");
  is_text(j, "entry.type", "a \"b\"\x01");
  is_num(j, "list.0", 1);
  is_text(j, "list.1", "0xffffffffffffffff");
  is_text(j, "list.2", "?");
  is_bool(j, "yes", true);
  is_num(j, "yes_2", 2);
  is_text(j, "block", "x\ny\n");
  is_text(j, "raw.event", "transition");
  is_text(j, "bad", "{");
  json_decref(j);
  free(p.text);
}
END_TEST

static void nested(struct out *o) {
  out_begin(o, "stop");
  out_num(o, "before", 1, NULL);
  out_open_list(o, "display");
  out_begin(o, "flags");
  out_num(o, "cf", 1, NULL);
  out_end(o);
  out_begin(o, "page");
  out_open(o, "lost");
  out_error(o, "no %s", "page");
  out_error(o, "and no more");
  out_close(o);
  out_num(o, "late", 1, NULL);
  out_end(o);
  out_close(o);
  out_begin(o, "where");
  out_end(o);
  out_num(o, "after", 2, NULL);
  out_end(o);
}

START_TEST(out_nests_answers) {
  struct probe p = {0};
  json_t *j = JSON(&p, nested(p.v.out));
  is_text(j, "event", "stop");
  is_num(j, "before", 1);
  is_text(j, "display.0.event", "flags");
  is_num(j, "display.0.cf", 1);
  is_text(j, "display.1.event", "error");
  is_text(j, "display.1.command", "page");
  is_text(j, "display.1.message", "no page");
  ck_assert_ptr_null(json_object_get(member(j, "display.1"), "lost"));
  is_text(j, "where.event", "where");
  is_num(j, "after", 2);
  json_decref(j);
  ck_assert_str_eq(TEXT(&p, nested(p.v.out)), "ringwalk: no page\n");
  free(p.text);
}
END_TEST

static void adopted(struct out *o) {
  out_begin(o, NULL);
  answer(o);
  out_end(o);
}
static void deep(struct out *o) {
  out_begin(o, "deep");
  for (unsigned k = 0; k < 100; k++) out_open(o, "in"), out_num(o, "k", k, NULL);
  for (unsigned k = 0; k < 100; k++) out_close(o);
  out_num(o, "end", 1, NULL);
  out_end(o);
  out_close(o);
  out_end(o);
}

START_TEST(out_is_bounded) {
  struct probe p = {0};
  json_t *j = JSON(&p, deep(p.v.out));
  is_num(j, "in.in.in.k", 2);
  is_num(j, "end", 1);
  json_decref(j);
  j = JSON(&p, adopted(p.v.out));
  is_text(j, "event", "test");
  is_num(j, "entry.index", 7);
  json_decref(j);
  j = JSON(&p, out_error(p.v.out, "alone"));
  is_text(j, "event", "error");
  is_text(j, "message", "alone");
  json_decref(j);
  begin(&p, true);
  out_num(p.v.out, "stray", 1, "%llu"); /* outside an answer */
  out_open(p.v.out, "stray");
  out_num(p.v.out, "stray", 1, "%llu");
  out_close(p.v.out);
  ck_assert_str_eq(end(&p), "");
  free(p.text);
}
END_TEST

static void two_errors(struct out *o) {
  out_begin(o, "stop");
  for (unsigned k = 0; k < 2; k++) {
    out_begin(o, "display");
    ck_assert(!out_failed(o));
    out_error(o, "bad %u", k);
    out_error(o, "worse");
    ck_assert(out_failed(o));
    out_end(o);
  }
  ck_assert(out_failed(o));
  out_end(o);
  ck_assert(out_failed(o));
}
static void no_error(struct out *o) {
  out_begin(o, "error");
  ck_assert(!out_failed(o));
  out_end(o);
}
static void an_error(struct out *o) {
  out_begin(o, "error");
  out_error(o, "bad");
  out_end(o);
}

START_TEST(out_errors_of_parts) {
  struct probe p = {0};
  ck_assert_str_eq(TEXT(&p, two_errors(p.v.out)), "ringwalk: bad 0\nringwalk: bad 1\n");
  json_t *j = JSON(&p, two_errors(p.v.out));
  is_text(j, "event", "stop");
  is_text(j, "display.message", "bad 0");
  is_text(j, "display_2.message", "bad 1");
  json_decref(j);
  begin(&p, true);
  no_error(p.v.out);
  ck_assert_str_eq(end(&p), "");
  ck_assert_str_eq((begin(&p, true), an_error(p.v.out), end(&p)), "{\"event\":\"error\",\"message\":\"bad\"}\n");
  free(p.text);
}
END_TEST

START_TEST(out_marks_changes) {
  struct probe p = {0};
  for (unsigned colour = 0; colour < 2; colour++) {
    begin(&p, false);
    out_set_colour(p.v.out, colour);
    out_begin(p.v.out, "x");
    for (unsigned k = 0; k < 2; k++) {
      out_open(p.v.out, "r");
      out_changed(p.v.out, k);
      out_text(p.v.out, "r");
      out_close(p.v.out);
    }
    out_end(p.v.out);
    ck_assert_str_eq(end(&p), colour ? " r \033[1mr\033[0m" : " r*r");
  }
  free(p.text);
}
END_TEST

Suite *suite_out(void);
Suite *suite_out(void) {
  Suite *s = suite_create("out");
  TCase *t = tcase_create("out");
  tcase_add_test(t, out_writes_text_and_json);
  tcase_add_test(t, out_nests_answers);
  tcase_add_test(t, out_is_bounded);
  tcase_add_test(t, out_errors_of_parts);
  tcase_add_test(t, out_marks_changes);
  suite_add_tcase(s, t);
  return s;
}
