# Guest programs of our own: tests/guest/NAME.c, built statically for each architecture and C library.
# A file tests/guest/NAME.{32,64}.S, if there is one, is linked into that width's build.

GUEST_NAMES := $(sort $(basename $(notdir $(wildcard tests/guest/*.c))))
# A source may say where it makes sense, in a comment: "only: i386", "only: x86_64", "only: glibc".
guest-only = $(basename $(notdir $(shell grep -sl 'only: $(1)' /dev/null tests/guest/*.c)))
GUESTS_64 := $(filter-out $(call guest-only,i386),$(GUEST_NAMES))
GUESTS_32 := $(filter-out $(call guest-only,x86_64),$(GUEST_NAMES))
GUESTS_MUSL := $(filter-out $(call guest-only,glibc),$(GUESTS_64))
# Those that make system calls by number need no second C library; musl has other names for some on i386.
GUESTS_MUSL_32 := $(filter-out raw% times $(call guest-only,glibc),$(GUESTS_32))
# And a few as static position-independent programs.
GUESTS_PIE := hello formats heap jumps environment vdso
GUESTS := $(GUESTS_64:%=$(OBJ)/guest/x86_64/%) $(GUESTS_32:%=$(OBJ)/guest/i386/%) \
  $(GUESTS_MUSL:%=$(OBJ)/guest/musl/%) $(GUESTS_MUSL_32:%=$(OBJ)/guest/musl-i386/%) \
  $(GUESTS_PIE:%=$(OBJ)/guest/x86_64-pie/%) $(GUESTS_PIE:%=$(OBJ)/guest/i386-pie/%)

# The programs ask for exact arithmetic and for the faults they make on purpose.
GUEST_CFLAGS := -std=gnu11 -O1 -g -Wall -Wextra -Wno-format-truncation -Wno-infinite-recursion \
  -fno-strict-aliasing -ffp-contract=off -fno-builtin-printf -fno-pie -mno-red-zone -Itests/guest
define guest-rule
$$(OBJ)/guest/$(1)/%: tests/guest/%.c $$(wildcard tests/guest/*.h tests/guest/*.S) | $$(READY)
	@mkdir -p $$(@D)
	$$(Q)$(3) $$(GUEST_CFLAGS) $(4) -o $$@ $$< $$(wildcard tests/guest/$$*.$(2).S) $$(filter %.table.S,$$^) \
	  $(or $(5),-lm)
endef
$(eval $(call guest-rule,x86_64,64,$(CC) -m64,-static -no-pie))
$(eval $(call guest-rule,i386,32,$(CC) -m32 -msse2 -mfpmath=387,-static -no-pie))
$(eval $(call guest-rule,musl,64,musl-gcc,-static -no-pie))
# Debian's musl for i386 is unpacked by `make deps`: headers and archives, without a compiler of its own.
MUSL_32 := $(DEBS)/i386/usr/lib/i386-linux-musl
$(eval $(call guest-rule,musl-i386,32,$(CC) -m32 -msse2 -mfpmath=387 -nostdinc -nostdlib \
  -isystem $(DEBS)/i386/usr/include/i386-linux-musl -isystem `$(CC) -print-file-name=include`,\
  -static -no-pie $(MUSL_32)/crt1.o $(MUSL_32)/crti.o,\
  $(MUSL_32)/libc.a `$(CC) -m32 -print-libgcc-file-name` $(MUSL_32)/crtn.o))
$(eval $(call guest-rule,x86_64-pie,64,$(CC) -m64,-fpie -static-pie))
$(eval $(call guest-rule,i386-pie,32,$(CC) -m32,-fpie -static-pie))

# What the C library's archives hold of variants, for variants.c.
variants-of = tests/guest/variants.table $(foreach l,c m,`$(CC) $(1) -print-file-name=lib$l.a`)
$(OBJ)/guest/x86_64/variants: $(OBJ)/gen/x86_64.table.S
$(OBJ)/guest/i386/variants: $(OBJ)/gen/i386.table.S
$(OBJ)/gen/%.table.S: tests/guest/variants.table | $(READY)
	@mkdir -p $(@D)
	$(Q)$(call variants-of,$(if $(filter i386,$*),-m32,-m64)) > $@

guests: $(GUESTS)
