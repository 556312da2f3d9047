/* The system call table against the numbers in the C library's kernel headers (asm/unistd_64.h, asm/unistd_32.h), and
 * for its own consistency. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linux_abi/syscalls.h"

static s16 number(const struct sys_row *r, bool compat) { return compat ? r->nr32 : r->nr64; }

/* Every number of the header must be in the table, under the same name. */
static void compare(const char *path, bool compat) {
  FILE *f = fopen(path, "r");
  char line[256], name[128];
  int nr;
  unsigned seen = 0;
  struct sys_index *ix = malloc(sizeof *ix);
  ck_assert_msg(f != NULL, "%s cannot be read", path);
  ck_assert(ix != NULL);
  sys_index_init(ix);
  while (fgets(line, sizeof line, f)) {
    if (sscanf(line, "#define __NR_%127s %d", name, &nr) != 2) continue;
    const struct sys_row *r = sys_find(ix, compat, (u32)nr);
    ck_assert_msg(r && !strcmp(r->name, name), "%s: number %d is %s, not %s", path, nr, name, r ? r->name : "absent");
    seen++;
  }
  fclose(f);
  free(ix);
  ck_assert_uint_gt(seen, 300);
}

START_TEST(numbers_are_the_headers) {
  compare("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", false);
  compare("/usr/include/x86_64-linux-gnu/asm/unistd_32.h", true);
}
END_TEST

START_TEST(no_number_has_two_rows) {
  for (int compat = 0; compat < 2; compat++) {
    bool seen[SYS_NR_LIMIT] = {false};
    for (unsigned i = 0; i < sys_row_count; i++) {
      s16 nr = number(&sys_rows[i], compat);
      ck_assert_int_lt(nr, SYS_NR_LIMIT);
      if (nr < 0) continue;
      ck_assert_msg(!seen[nr], "%s has the number of another row", sys_rows[i].name);
      seen[nr] = true;
    }
  }
}
END_TEST

START_TEST(rows_say_what_they_do) {
  for (unsigned i = 0; i < sys_row_count; i++) {
    const struct sys_row *r = &sys_rows[i];
    bool none = r->level == SYS_NONE;
    ck_assert_msg(r->nr64 >= 0 || r->nr32 >= 0, "%s has no number", r->name);
    ck_assert_msg(r->nr64 >= 0 || r->fn64 == sys_none, "%s: handler without number", r->name);
    ck_assert_msg(r->nr32 >= 0 || r->fn32 == sys_none, "%s: handler without number", r->name);
    if (r->nr64 >= 0) ck_assert_msg(none == (r->fn64 == sys_none), "%s: level and x86_64 handler disagree", r->name);
    if (r->nr32 >= 0) ck_assert_msg(none == (r->fn32 == sys_none), "%s: level and i386 handler disagree", r->name);
    if (r->level == SYS_STUB || r->level == SYS_PARTIAL) ck_assert_msg(*r->note, "%s: no note", r->name);
  }
}
END_TEST

START_TEST(arguments_fit) {
  for (unsigned i = 0; i < sys_row_count; i++) {
    const struct sys_row *r = &sys_rows[i];
    if (r->nr64 >= 0) ck_assert_msg(sys_arity(r, false) <= 6, "%s", r->name);
    if (r->nr32 >= 0) ck_assert_msg(sys_arity(r, true) <= 6, "%s", r->name);
  }
}
END_TEST

Suite *suite_syscalls(void) {
  Suite *s = suite_create("syscalls");
  TCase *c = tcase_create("table");
  tcase_add_test(c, numbers_are_the_headers);
  tcase_add_test(c, no_number_has_two_rows);
  tcase_add_test(c, rows_say_what_they_do);
  tcase_add_test(c, arguments_fit);
  suite_add_tcase(s, c);
  return s;
}
