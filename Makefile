# ringwalk: builds build/libringwalk.a, build/ringwalk and the tests.
#
#   make                  everything            make deps          install what is missing (Debian)
#   make demo             see it work           make check         all tests; the last line is the sum
#   make check-NAME       one part of check     make check-all     with the long suites
#   make check-native     against this processor, in full
#   make bench            processor time over native
#   make fuzz             fuzzers, FUZZ_RUNS executions each
#   make clean            (keeps the downloaded packages; distclean does not)
#
# Variables: OBJ=dir (default build), SAN=1 (ASan and UBSan, in build-san), OPT=0|1 (in build-O0, build-O1),
# V=1 (show commands), SHARED=1 (link shared libraries alone), LIB_DIRS="base mmu" (only these folders into the library).
#
# Other folders add to this by a file FOLDER/rules.mk or tests/FOLDER/rules.mk, which may set
#   ROM_OBJS    += objects that go into the library       GEN_HEADERS += headers made before any compilation
#   CHECKS      += NAME, with CHECK_NAME = shell command whose last line is "N passed, N failed",
#                  and CHECK_NEEDS += files it needs built
#   CHECKS_LONG += NAME, the same, only for check-all

ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
PYTHON ?= python3

OPT ?= 2
ifdef SAN
OBJ ?= build-san
OPTFLAGS := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
TAIL_CALLS := 0
else ifeq ($(OPT),2)
OBJ ?= build
OPTFLAGS := -O2
TAIL_CALLS := 1
else
OBJ ?= build-O$(OPT)
OPTFLAGS := -O$(OPT)
TAIL_CALLS := 0
endif
DEBS ?= build/debs

LIB_DIRS ?= base msr mmu cpu loader machine linux_abi explain vectors debugger
LIB_PKGS := capstone libelf libdw libedit ncursesw jansson
PKGS := $(LIB_PKGS) check

CFLAGS ?= -g -Wall -Wextra -Wshadow
BASE_CFLAGS = -std=gnu11 $(OPTFLAGS) $(CFLAGS) -fno-strict-aliasing -fno-plt -DRW_TAIL_CALLS=$(TAIL_CALLS) \
  -I. -I$(OBJ)/gen
# Handlers must end in jumps and have no prologue; under sanitizers only the include paths matter.
GCC_HOT_CFLAGS := $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null)),,-fno-partial-inlining -fno-ipa-icf)
HOT_CFLAGS := $(if $(filter 1,$(TAIL_CALLS)),-fno-stack-protector -fcf-protection=none \
  -foptimize-sibling-calls -fomit-frame-pointer $(GCC_HOT_CFLAGS))
# Looked up when first used, which is after `deps` has run when `deps` is asked for.
# ncurses asks for an older X/Open than the rest is written for.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(filter-out -D_XOPEN_SOURCE=% -D_DEFAULT_SOURCE,$(shell pkg-config --cflags $(PKGS))))$(PKG_CFLAGS)
LIB_LIBS = $(eval LIB_LIBS := $(shell pkg-config --libs $(LIB_PKGS)))$(LIB_LIBS) -lm -pthread
# The program is started thousands of times, and the dynamic linker's work on these is a third of a short run's time:
# so they come from their archives, where all are installed. SHARED=1: from shared libraries, as under sanitizers.
ARCHIVED := capstone dw elf z lzma bz2 edit bsd md ncursesw tinfo jansson
HAVE_ARCHIVES = $(filter $(words $(ARCHIVED)),$(words $(filter /%,$(foreach l,$(ARCHIVED),$(shell $(CC) -print-file-name=lib$l.a)))))
PROGRAM_LIBS = $(eval PROGRAM_LIBS := $(if $(and $(if $(SAN)$(SHARED),,1),$(HAVE_ARCHIVES)),-no-pie -Wl$(comma)-Bstatic \
  $(ARCHIVED:%=-l%) -Wl$(comma)-Bdynamic -lm -pthread,$(LIB_LIBS)))$(PROGRAM_LIBS)
UNIT_LIBS = $(eval UNIT_LIBS := $(shell pkg-config --libs check))$(UNIT_LIBS)

LIB_SRCS := $(wildcard $(addsuffix /*.c,$(LIB_DIRS))) app/api.c
APP_SRCS := $(filter-out app/api.c,$(wildcard app/*.c))
UNIT_SRCS := $(wildcard tests/unit/*.c)
ROM_OBJS :=
GEN_HEADERS :=
CHECKS :=
CHECKS_LONG :=
CHECK_NEEDS :=

comma := ,
Q := $(if $(V),,@)
SAY = $(if $(V),@:,@echo " " $(1) $(2))

# `make check` and `make demo` start from a bare machine: install first, then build.
SELF_INSTALLING := check check-all check-native demo bench fuzz
READY := $(if $(filter $(SELF_INSTALLING) check-%,$(MAKECMDGOALS)),deps,have-packages)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
# All processors, unless -j says otherwise.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

LIB := $(OBJ)/libringwalk.a
RINGWALK := $(OBJ)/ringwalk
UNIT := $(OBJ)/unit

include mk/deps.mk
include $(sort $(wildcard */rules.mk tests/*/rules.mk))
include mk/tests.mk
include mk/check.mk

LIB_OBJS = $(LIB_SRCS:%.c=$(OBJ)/%.o) $(ROM_OBJS)
APP_OBJS := $(APP_SRCS:%.c=$(OBJ)/%.o)
UNIT_OBJS := $(UNIT_SRCS:%.c=$(OBJ)/%.o)

.PHONY: all lib clean distclean have-packages FORCE
all: $(LIB) $(if $(APP_SRCS),$(RINGWALK)) $(if $(UNIT_SRCS),$(UNIT))
lib: $(LIB)

have-packages:
	@command -v pkg-config >/dev/null || { echo "missing: pkg-config; run 'make deps' as root" >&2; exit 1; }; \
	m=; for p in $(PKGS); do pkg-config --exists $$p || m="$$m $$p"; done; \
	[ -z "$$m" ] || { echo "missing libraries:$$m; run 'make deps' as root" >&2; exit 1; }

# The flags of the last build, so that a changed flag rebuilds.
$(OBJ)/.flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(BASE_CFLAGS) $(HOT_CFLAGS)' | cmp -s - $@ || echo '$(CC) $(BASE_CFLAGS) $(HOT_CFLAGS)' > $@

$(OBJ)/cpu/%.o: MODULE_CFLAGS = $(HOT_CFLAGS)
$(OBJ)/%.o: %.c $(OBJ)/.flags | $(READY) $(GEN_HEADERS)
	@mkdir -p $(@D)
	$(call SAY,CC,$<)
	$(Q)$(CC) $(BASE_CFLAGS) $(PKG_CFLAGS) $(MODULE_CFLAGS) -MMD -MP -c -o $@ $<

$(OBJ)/%.o: %.S $(OBJ)/.flags | $(READY) $(GEN_HEADERS)
	@mkdir -p $(@D)
	$(call SAY,AS,$<)
	$(Q)$(CC) -I. -I$(OBJ)/gen -g -MMD -MP -c -o $@ $<

# The list of members, so that a deleted source leaves the archive.
$(OBJ)/.members: FORCE
	@mkdir -p $(@D)
	@echo '$(LIB_OBJS)' | cmp -s - $@ || echo '$(LIB_OBJS)' > $@

$(LIB): $(LIB_OBJS) $(OBJ)/.members
	$(call SAY,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(LIB_OBJS)

$(RINGWALK): $(APP_OBJS) $(LIB)
	$(call SAY,LD,$@)
	$(Q)$(CC) $(BASE_CFLAGS) -o $@ $(APP_OBJS) $(LIB) $(PROGRAM_LIBS)

clean:
	find $(OBJ) -mindepth 1 -maxdepth 1 ! -name debs -exec rm -rf {} + 2>/dev/null || true

distclean:
	rm -rf $(OBJ) $(DEBS)

-include $(LIB_SRCS:%.c=$(OBJ)/%.d) $(APP_SRCS:%.c=$(OBJ)/%.d) $(UNIT_SRCS:%.c=$(OBJ)/%.d)
