/* The judgements on disagreements, tests/oracle/judged. */
#ifndef TESTS_ORACLE_JUDGED_H
#define TESTS_ORACLE_JUDGED_H

#include <stdbool.h>
#include <stdio.h>

struct judged;

/* NULL: the file cannot be read, or says nonsense; *line says where (0: nowhere). */
struct judged *judged_load(const char *path, unsigned *line);
void judged_free(struct judged *j);
/* Is there a row for a disagreement of this oracle on a case ("VECTOR intel long64 cpl=0")? Every row that
 * covers it is marked as in use. */
bool judged_covers(struct judged *j, const char *oracle, const char *vector, const char *name);
/* Prints the oracle's rows that are not in use; returns how many. */
unsigned judged_idle(const struct judged *j, const char *oracle, FILE *to);

#endif
