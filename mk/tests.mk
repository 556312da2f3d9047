# Tests: unit binary, tree checks, guest programs, comparison with native runs, vectors, fuzzers, benchmarks.

.PHONY: check-native bench fuzz demo guests

# Unit tests: one Check binary; tests/unit/NAME.c exports `Suite *suite_NAME(void)`.
UNIT_NAMES := $(sort $(basename $(notdir $(UNIT_SRCS))))
$(OBJ)/gen/unit_main.c: FORCE
	@mkdir -p $(@D)
	@tools/unitmain $(UNIT_NAMES) > $@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(OBJ)/gen/unit_main.o: $(OBJ)/gen/unit_main.c $(OBJ)/.flags | $(READY)
	$(Q)$(CC) $(BASE_CFLAGS) $(PKG_CFLAGS) -c -o $@ $<

$(UNIT): $(UNIT_SRCS:%.c=$(OBJ)/%.o) $(OBJ)/gen/unit_main.o $(LIB)
	$(call SAY,LD,$@)
	$(Q)$(CC) $(BASE_CFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(UNIT_LIBS) $(LIB_LIBS)

ifneq ($(UNIT_SRCS),)
CHECKS += unit
CHECK_unit = $(UNIT)
CHECK_NEEDS += $(UNIT)
endif

# The tree's own rules.
CHECKS += layers
CHECK_layers = tools/layers
CHECKS += citations
CHECK_citations = tools/citations
ifeq ($(TAIL_CALLS),1)
CHECKS += tailcalls
CHECK_tailcalls = tools/tailcalls $(patsubst %.c,$(OBJ)/%.o,$(wildcard cpu/*.c))
CHECK_NEEDS += $(LIB)
endif

# Guest programs and the comparison of native and emulated runs.
include mk/guests.mk
ifneq ($(APP_SRCS),)
CHECKS += linux
CHECK_linux = tests/linux/compare $(if $(SAN),--timeout 300) --guests $(OBJ)/guest --debs $(DEBS) --four-ways $(RINGWALK) run
CHECK_NEEDS += $(RINGWALK) $(GUESTS)
# A kernel of 32 bits, on a processor that cannot have another. There is no NX in it, and no 64-bit code.
CHECKS_LONG += linux-i686
CHECK_linux-i686 = tests/linux/compare $(if $(SAN),--timeout 300) --guests $(OBJ)/guest --debs $(DEBS) --arch i386 \
  --only '^(?!(musl-)?i386 (faults|memory|sigreturns|width)$$)' $(RINGWALK) run -cpu i686,+sse2
# The variants of the C library for AVX2 and AVX-512. Where this machine rounds once, so must the emulated one.
ifneq ($(shell grep -w avx2 /proc/cpuinfo 2>/dev/null | grep -cw fma),0)
CHECKS += linux-avx
CHECK_linux-avx = tests/linux/compare $(if $(SAN),--timeout 300) --guests $(OBJ)/guest --debs $(DEBS) --hwcaps $(RINGWALK) run -cpu icelake
endif
# The C library's variants and functions, and Debian's programs, on a model with as much as this machine.
HOST_FLAGS := $(shell sed -n '/^flags/{p;q}' /proc/cpuinfo 2>/dev/null)
SIMILAR := $(if $(filter avx512vl,$(HOST_FLAGS)),icelake,$(if $(and $(filter avx2,$(HOST_FLAGS)),\
  $(filter fma,$(HOST_FLAGS))),haswell,x86-64))
COMPARE = tests/linux/compare $(if $(SAN),--timeout 600) --guests $(OBJ)/guest --debs $(DEBS)
CHECKS += libc programs
CHECK_libc = $(COMPARE) --set libc --hwcaps $(RINGWALK) run -cpu $(SIMILAR)
CHECK_programs = $(COMPARE) --set programs --hwcaps $(RINGWALK) run -cpu $(SIMILAR)
CHECKS_LONG += libc-full programs-small programs-more
CHECK_libc-full = $(COMPARE) --set libc --hwcaps --timeout 600 --count 20000 $(RINGWALK) run -cpu $(SIMILAR)
CHECK_programs-small = $(COMPARE) --set programs $(RINGWALK) run -cpu core2
CHECK_programs-more = $(COMPARE) --set more --hwcaps --timeout 600 $(RINGWALK) run -cpu $(SIMILAR)
endif

# Conformance vectors.
VECS := $(sort $(wildcard tests/vec/*.vec))
ifneq ($(and $(VECS),$(APP_SRCS)),)
CHECKS += vectors
CHECK_vectors = $(RINGWALK) check -q -j 2 --coverage --unreachable tests/vec/unreachable $(VECS)
# The suite holds on every model of `ringwalk info cpus`: on the defaults above, on the others here; and on models
# without a feature, where what needs it is skipped.
VEC_MODELS := pentium i686 core2 haswell zen3
VEC_MODELS_LONG := x86-64 x86-64-amd nehalem skylake-server icelake zen4
CHECKS += $(VEC_MODELS:%=vectors-%)
CHECKS_LONG += $(VEC_MODELS_LONG:%=vectors-%)
$(foreach m,$(VEC_MODELS) $(VEC_MODELS_LONG),$(eval CHECK_vectors-$m = $(RINGWALK) check -q -j 2 -cpu $m $(VECS)))
CHECKS_LONG += vectors-no-vme vectors-no-syscall
CHECK_vectors-no-vme = $(RINGWALK) check -q -j 2 -cpu intel,-vme $(VECS)
CHECK_vectors-no-syscall = $(RINGWALK) check -q -j 2 -cpu amd,-syscall $(VECS)
CHECKS_LONG += vectors-each-feature
CHECK_vectors-each-feature = tests/vec/each_feature $(RINGWALK) max amd -- $(VECS)
# Each row of cpu/checks.def turned round: some vector must fail.
CHECKS_LONG += inverted
CHECK_inverted = $(RINGWALK) check --invert all $(VECS)
CHECK_NEEDS += $(RINGWALK)
endif

# The processor against this machine's: tests/native/*.{c,S} are one program over the library, whose last line is
# "N passed, N failed"; --short takes a sample. A tests/native/rules.mk replaces this.
NATIVE_SRCS := $(wildcard tests/native/*.c tests/native/*.S)
ifneq ($(NATIVE_SRCS),)
ifeq ($(wildcard tests/native/rules.mk),)
NATIVE := $(OBJ)/native
$(NATIVE): $(addprefix $(OBJ)/,$(addsuffix .o,$(basename $(NATIVE_SRCS)))) $(LIB)
	$(call SAY,LD,$@)
	$(Q)$(CC) $(BASE_CFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(LIB_LIBS)
-include $(addprefix $(OBJ)/,$(addsuffix .d,$(basename $(NATIVE_SRCS))))

CHECKS += native
CHECK_native = $(NATIVE) --short
CHECKS_LONG += native-full
CHECK_native-full = $(NATIVE)
CHECK_NEEDS += $(NATIVE)
check-native: $(NATIVE)
	$(NATIVE)
endif
endif

# Fuzzers: tests/fuzz/NAME.c is one libFuzzer harness; its seeds are in tests/fuzz/seeds/NAME/. Everything is
# compiled a second time, by clang. A tests/fuzz/rules.mk replaces this.
FUZZ_SRCS := $(wildcard tests/fuzz/*.c)
FUZZ_RUNS ?= 50000000
FUZZ_RUNS_SHORT ?= 20000
FUZZ_NAMES := $(basename $(notdir $(FUZZ_SRCS)))
FUZZERS := $(FUZZ_NAMES:%=$(OBJ)/fuzz/%)
ifneq ($(FUZZ_SRCS),)
ifeq ($(wildcard tests/fuzz/rules.mk),)
FUZZ_CFLAGS = -std=gnu11 -O1 -g -fno-strict-aliasing -DRW_TAIL_CALLS=0 -I. -I$(OBJ)/gen \
  -fsanitize=address,undefined -fno-sanitize-recover=all -fsanitize=fuzzer-no-link
FUZZ_LIB_OBJS = $(LIB_SRCS:%.c=$(OBJ)/fuzz/obj/%.o)

$(OBJ)/fuzz/obj/%.o: %.c | $(READY) $(GEN_HEADERS)
	@mkdir -p $(@D)
	$(call SAY,CLANG,$<)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

$(FUZZERS): $(OBJ)/fuzz/%: $(OBJ)/fuzz/obj/tests/fuzz/%.o $(LIB_SRCS:%.c=$(OBJ)/fuzz/obj/%.o) $(ROM_OBJS)
	$(call SAY,LD,$@)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIB_LIBS)
-include $(LIB_SRCS:%.c=$(OBJ)/fuzz/obj/%.d) $(FUZZ_SRCS:%.c=$(OBJ)/fuzz/obj/%.d)

CHECKS += fuzz
CHECK_fuzz = tools/fuzz $(FUZZ_RUNS_SHORT) $(FUZZERS)
CHECK_NEEDS += $(FUZZERS)
fuzz: $(FUZZERS)
	tools/fuzz $(FUZZ_RUNS) $(FUZZERS)
endif
endif

# Benchmarks: processor time over native, each guest paired with a native run.
BENCH_NAMES := $(basename $(notdir $(wildcard tests/bench/guests/*.c)))
BENCH := $(BENCH_NAMES:%=$(OBJ)/bench/64/%) $(BENCH_NAMES:%=$(OBJ)/bench/32/%)
$(OBJ)/bench/64/%: tests/bench/guests/%.c | $(READY)
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 -Wall -Wextra -m64 -static -o $@ $< -lm -pthread
$(OBJ)/bench/32/%: tests/bench/guests/%.c | $(READY)
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 -Wall -Wextra -m32 $(if $(filter fp64,$*),-mfpmath=387,-msse2) -static -o $@ $< -lm -pthread
$(OBJ)/bench/modes: tests/bench/modes.c $(LIB) | $(READY)
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) -o $@ $< $(LIB) $(LIB_LIBS)
bench: $(BENCH) $(RINGWALK) $(OBJ)/bench/modes
	BUSYBOX64=$(DEBS)/amd64/bin/busybox BUSYBOX32=$(DEBS)/i386/bin/busybox \
	BASH64=$(DEBS)/amd64/bin/bash-static BASH32=$(DEBS)/i386/bin/bash-static \
	tests/bench/compare --build $(OBJ)/bench --only '^(?!avx|vec)' ringwalk="$(RINGWALK) run"
	tests/bench/compare --build $(OBJ)/bench --only '^(avx|vec)' ringwalk="$(RINGWALK) run -cpu icelake"
	$(OBJ)/bench/modes
	tests/bench/debugger $(RINGWALK) $(OBJ)/bench/64

demo: $(RINGWALK) deps
	@tools/demo $(RINGWALK) $(DEBS) $(OBJ)/demo
