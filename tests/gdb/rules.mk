# The gdb stub, by Debian's gdb and by hand: tests/gdb/check.

GDB_SUBJECTS := $(OBJ)/gdb/subject.x86_64 $(OBJ)/gdb/subject.i386 $(OBJ)/gdb/subject.pie

$(OBJ)/gdb/subject.x86_64: GDB_WIDTH := -m64 -static -fno-pie -no-pie
$(OBJ)/gdb/subject.i386: GDB_WIDTH := -m32 -msse2 -static -fno-pie -no-pie
$(OBJ)/gdb/subject.pie: GDB_WIDTH := -m64 -static-pie -fpie
$(GDB_SUBJECTS): tests/gdb/subject.c | $(READY)
	@mkdir -p $(@D)
	$(call SAY,CC,$@)
	$(Q)$(CC) -std=gnu11 -g -O1 -Wall -Wextra $(GDB_WIDTH) -o $@ $<

CHECKS += gdb
CHECK_gdb = tests/gdb/check $(RINGWALK) $(OBJ)
CHECK_NEEDS += $(RINGWALK) $(GDB_SUBJECTS) $(ROM_DEMO_BINS)
