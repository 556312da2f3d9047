/* The table of architectural checks, and what a failed one raises.
 * SDM 3A 6.13 (Error Code):
 *
 *   31 . . . . 16  15 . . . . . . . 3   2    1    0
 *      reserved      selector index    TI   IDT  EXT
 */
#include "cpu/check.h"

#include "cpu/event.h"

enum check_error { ERR_NONE, ERR_ZERO, ERR_SEL, ERR_IDT, ERR_SEG };
enum { ERROR_EXT = 1, ERROR_IDT = 2 };

/* The last column of a row: vector, error code, text. */
#define FAULT_NOTHING 0, ERR_NONE, ""
#define FAULT_DE VEC_DE, ERR_NONE, "#DE"
#define FAULT_BR VEC_BR, ERR_NONE, "#BR"
#define FAULT_MF VEC_MF, ERR_NONE, "#MF"
#define FAULT_XM VEC_XM, ERR_NONE, "#XM"
#define FAULT_UD VEC_UD, ERR_NONE, "#UD"
#define FAULT_NM VEC_NM, ERR_NONE, "#NM"
#define FAULT_DB VEC_DB, ERR_NONE, "#DB"
#define FAULT_GP_0 VEC_GP, ERR_ZERO, "#GP(0)"
#define FAULT_GP_SEL VEC_GP, ERR_SEL, "#GP(sel)"
#define FAULT_GP_IDT VEC_GP, ERR_IDT, "#GP(vec)"
#define FAULT_NP_SEL VEC_NP, ERR_SEL, "#NP(sel)"
#define FAULT_NP_IDT VEC_NP, ERR_IDT, "#NP(vec)"
#define FAULT_SS_0 VEC_SS, ERR_ZERO, "#SS(0)"
#define FAULT_SS_SEL VEC_SS, ERR_SEL, "#SS(sel)"
#define FAULT_PF VEC_PF, ERR_NONE, "#PF(flags)" /* raised by cpu/paging.c */
#define FAULT_SEG VEC_GP, ERR_SEG, "#GP(0), or #SS(0) for SS" /* operand: enum sreg */
#define FAULT_AC_0 VEC_AC, ERR_ZERO, "#AC(0)"
#define FAULT_TS_0 VEC_TS, ERR_ZERO, "#TS(0)"
#define FAULT_TS_SEL VEC_TS, ERR_SEL, "#TS(sel)"

#define CHECK_ROW(id_, rule_, cite_, operands_, from_, vector_, error_, text_)                         \
  {.id = (id_), .rule = (rule_), .cite = (cite_), .fault = (text_), .operands = (operands_), .vector = (vector_), \
   .error = (error_), .from = (from_)},
#define CHECK_EXPAND(...) CHECK_ROW(__VA_ARGS__)
#define CHECK(id_, rule_, cite_, fault_, operands_, from_) \
  CHECK_EXPAND(#id_, rule_, cite_, operands_, FROM_##from_, FAULT_##fault_)
const struct check_row check_rows[CHECKS] = {
#include "cpu/checks.def"
};
#undef CHECK

int check_find(const char *id) {
  for (int k = 0; k < CHECKS; k++)
    if (!strcmp(check_rows[k].id, id)) return k;
  return -1;
}

void check_failed(struct cpu *cpu, enum check_id id, u32 operand) {
  const struct check_row *row = &check_rows[id];
  u32 ext = cpu->event_class != EVENT_NONE ? ERROR_EXT : 0;
  switch ((enum check_error)row->error) {
    case ERR_ZERO: cpu_raise_error(cpu, row->vector, ext);
    case ERR_SEG: cpu_raise_error(cpu, operand == SS ? VEC_SS : VEC_GP, ext);
    case ERR_SEL: cpu_raise_error(cpu, row->vector, (operand & 0xfffc) | ext);
    case ERR_IDT: cpu_raise_error(cpu, row->vector, (operand & 0xff) * 8 | ERROR_IDT | ext);
    default: cpu_raise(cpu, row->vector);
  }
}
