# The command line: tests/cli/check, with a program of its own, whose system calls strace has printed before.

CLI_CFLAGS := -O1 -Wall -Wextra -ffreestanding -fno-builtin -fno-stack-protector -fcf-protection=none -fno-pie
CLI_LDFLAGS := -no-pie -nostdlib -static -Wl,--build-id=none
CLI_PROGRAMS := $(OBJ)/cli/calls.x86_64 $(OBJ)/cli/calls.i386

$(OBJ)/cli/calls.x86_64: CLI_WIDTH := -m64
$(OBJ)/cli/calls.i386: CLI_WIDTH := -m32
$(CLI_PROGRAMS): tests/cli/calls.c | $(READY)
	@mkdir -p $(@D)
	$(call SAY,CC,$@)
	$(Q)$(CC) $(CLI_WIDTH) $(CLI_CFLAGS) $(CLI_LDFLAGS) -o $@ $<

CLI_I586 := $(OBJ)/cli/i586
$(CLI_I586): tests/cli/i586.c | $(READY)
	@mkdir -p $(@D)
	$(call SAY,CC,$@)
	$(Q)$(CC) -m32 -march=i586 $(filter-out -ffreestanding,$(CLI_CFLAGS)) $(CLI_LDFLAGS) -o $@ $<

CHECKS += cli
CHECK_cli = tests/cli/check $(RINGWALK) $(OBJ) $(DEBS)
CHECK_NEEDS += $(RINGWALK) $(CLI_PROGRAMS) $(CLI_I586)

# The table in the documentation is the program's own.
CHECKS += abidoc
CHECK_abidoc = tools/abidoc --check $(RINGWALK) docs/linux-abi.md
