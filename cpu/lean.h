/* Further instances of an inline body (cpu/handler.h): tables without an 8-bit width, and lean ones, which
 * leave out the forms that others can stand in for (cpu/insn.h: B -> M, C -> N, S -> X), for instructions
 * that are many or rare. */
#ifndef CPU_LEAN_H
#define CPU_LEAN_H

#include "cpu/handler.h"

/* BODY_V: as BODY_E, for operands of the operand size: widths 16..64. */
#define BODY_V(name, inl, ...)                                                                    \
  H_ALL_FORMS(name, 16, inl, __VA_ARGS__) H_ALL_FORMS(name, 32, inl, __VA_ARGS__)                 \
  H_ALL_FORMS(name, 64, inl, __VA_ARGS__)                                                         \
  static handler_fn *const t_##name[WIDTHS][FORMS] = {                                            \
      [W16] = {H_ROW(name, 16)}, [W32] = {H_ROW(name, 32)}, [W64] = {H_ROW(name, 64)}};           \
  const struct body body_##name = {WIDTHS, t_##name};

/* BODY_RV: no memory operand but for the stack: forms R and X, widths 16..64. */
#define BODY_RV(name, inl, ...)                                                                   \
  H_DECL_X(name, 16) H_DECL_X(name, 32) H_DECL_X(name, 64)                                        \
  H_INST(name, 16, R, inl, __VA_ARGS__) H_INST(name, 32, R, inl, __VA_ARGS__)                     \
  H_INST(name, 64, R, inl, __VA_ARGS__) H_INST(name, 16, X, inl, __VA_ARGS__)                     \
  H_INST(name, 32, X, inl, __VA_ARGS__) H_INST(name, 64, X, inl, __VA_ARGS__)                     \
  static handler_fn *const t_##name[WIDTHS][FORMS] = {                                            \
      [W16] = {[FORM_R] = h_##name##_16_R, [FORM_X] = h_##name##_16_X},                           \
      [W32] = {[FORM_R] = h_##name##_32_R, [FORM_X] = h_##name##_32_X},                           \
      [W64] = {[FORM_R] = h_##name##_64_R, [FORM_X] = h_##name##_64_X}};                          \
  const struct body body_##name = {WIDTHS, t_##name};

#define H_LEAN(name, w, inl, ...)                                                                 \
  H_DECL_X(name, w)                                                                               \
  H_INST(name, w, R, inl, __VA_ARGS__) H_INST(name, w, M, inl, __VA_ARGS__)                       \
  H_INST(name, w, N, inl, __VA_ARGS__) H_INST(name, w, P, inl, __VA_ARGS__)                       \
  H_INST(name, w, X, inl, __VA_ARGS__)
#define H_LEAN_ROW(name, w)                                                                       \
  [FORM_R] = h_##name##_##w##_R, [FORM_M] = h_##name##_##w##_M, [FORM_N] = h_##name##_##w##_N,    \
  [FORM_P] = h_##name##_##w##_P, [FORM_X] = h_##name##_##w##_X

/* BODY_LEAN: r/m operand, widths 8..64; _V: widths 16..64; _LOCK: form L too; BODY_LEAN1: one width. */
#define BODY_LEAN(name, inl, ...)                                                                 \
  H_LEAN(name, 8, inl, __VA_ARGS__) H_LEAN(name, 16, inl, __VA_ARGS__)                            \
  H_LEAN(name, 32, inl, __VA_ARGS__) H_LEAN(name, 64, inl, __VA_ARGS__)                           \
  static handler_fn *const t_##name[WIDTHS][FORMS] = {{H_LEAN_ROW(name, 8)}, {H_LEAN_ROW(name, 16)}, \
                                                      {H_LEAN_ROW(name, 32)}, {H_LEAN_ROW(name, 64)}}; \
  const struct body body_##name = {WIDTHS, t_##name};
#define BODY_LEAN_LOCK(name, inl, ...)                                                            \
  H_LEAN(name, 8, inl, __VA_ARGS__) H_LEAN(name, 16, inl, __VA_ARGS__)                            \
  H_LEAN(name, 32, inl, __VA_ARGS__) H_LEAN(name, 64, inl, __VA_ARGS__)                           \
  H_INST(name, 8, L, inl, __VA_ARGS__) H_INST(name, 16, L, inl, __VA_ARGS__)                      \
  H_INST(name, 32, L, inl, __VA_ARGS__) H_INST(name, 64, L, inl, __VA_ARGS__)                     \
  static handler_fn *const t_##name[WIDTHS][FORMS] = {                                            \
      {H_LEAN_ROW(name, 8), [FORM_L] = h_##name##_8_L},                                           \
      {H_LEAN_ROW(name, 16), [FORM_L] = h_##name##_16_L},                                         \
      {H_LEAN_ROW(name, 32), [FORM_L] = h_##name##_32_L},                                         \
      {H_LEAN_ROW(name, 64), [FORM_L] = h_##name##_64_L}};                                        \
  const struct body body_##name = {WIDTHS, t_##name};
#define BODY_LEAN_V(name, inl, ...)                                                               \
  H_LEAN(name, 16, inl, __VA_ARGS__) H_LEAN(name, 32, inl, __VA_ARGS__)                           \
  H_LEAN(name, 64, inl, __VA_ARGS__)                                                              \
  static handler_fn *const t_##name[WIDTHS][FORMS] = {                                            \
      [W16] = {H_LEAN_ROW(name, 16)}, [W32] = {H_LEAN_ROW(name, 32)}, [W64] = {H_LEAN_ROW(name, 64)}}; \
  const struct body body_##name = {WIDTHS, t_##name};
#define BODY_LEAN_V_LOCK(name, inl, ...)                                                          \
  H_LEAN(name, 16, inl, __VA_ARGS__) H_LEAN(name, 32, inl, __VA_ARGS__)                           \
  H_LEAN(name, 64, inl, __VA_ARGS__)                                                              \
  H_INST(name, 16, L, inl, __VA_ARGS__) H_INST(name, 32, L, inl, __VA_ARGS__)                     \
  H_INST(name, 64, L, inl, __VA_ARGS__)                                                           \
  static handler_fn *const t_##name[WIDTHS][FORMS] = {                                            \
      [W16] = {H_LEAN_ROW(name, 16), [FORM_L] = h_##name##_16_L},                                 \
      [W32] = {H_LEAN_ROW(name, 32), [FORM_L] = h_##name##_32_L},                                 \
      [W64] = {H_LEAN_ROW(name, 64), [FORM_L] = h_##name##_64_L}};                                \
  const struct body body_##name = {WIDTHS, t_##name};
#define BODY_LEAN1(name, w, inl, ...)                                                             \
  H_LEAN(name, w, inl, __VA_ARGS__)                                                               \
  static handler_fn *const t_##name[1][FORMS] = {{H_LEAN_ROW(name, w)}};                          \
  const struct body body_##name = {1, t_##name};

#endif
