# Guest code: assembled and linked for the guest, whatever the host's compiler and flags, then embedded.

ROM_CC := gcc
ROM_CFLAGS := -std=gnu11 -O2 -Wall -Wextra -Wshadow -Werror -I. -ffreestanding -fPIC -fvisibility=hidden \
  -mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fomit-frame-pointer \
  -fasynchronous-unwind-tables -fno-tree-vectorize -fno-ident -g0 -U_FORTIFY_SOURCE
ROM_ARCH64 := -m64 -march=x86-64 -mtune=generic
ROM_ARCH32 := -m32 -march=i586 -mtune=generic -mpreferred-stack-boundary=2
ROM_LDFLAGS := -shared -Bsymbolic -z now -z max-page-size=4096 -z noexecstack --hash-style=both \
  --eh-frame-hdr --build-id=none --no-undefined --fatal-warnings -T roms/vdso.lds

R := $(OBJ)/roms
ROM_ENTRIES := entry64 entry32
ROM_VDSOS := vdso64 vdso32_sysenter vdso32_syscall vdso32_int80
.SECONDARY: $(ROM_VDSOS:vdso32_%=$(R)/enter32_%.o)
ROM_OBJS += $(ROM_ENTRIES:%=$(R)/rom_%.o) $(ROM_VDSOS:%=$(R)/rom_%.o)

$(R)/%.o: roms/%.S roms/linux_entry.h roms/rules.mk | $(READY)
	@mkdir -p $(@D)
	$(call SAY,ROM,$<)
	$(Q)$(ROM_CC) $(ROM_ARCH64) -I. -c -o $@ $<

$(R)/entry32.o: roms/entry32.S roms/linux_entry.h roms/rules.mk | $(READY)
	@mkdir -p $(@D)
	$(call SAY,ROM,$<)
	$(Q)$(ROM_CC) $(ROM_ARCH32) -I. -c -o $@ $<

$(ROM_ENTRIES:%=$(R)/%.bin): %.bin: %.o
	$(Q)objcopy -O binary -j .text $< $@

$(R)/vdso64.o: roms/vdso.c roms/linux_entry.h roms/rules.mk | $(READY)
	@mkdir -p $(@D)
	$(call SAY,ROM,$<)
	$(Q)$(ROM_CC) $(ROM_ARCH64) $(ROM_CFLAGS) -c -o $@ $<

$(R)/vdso32.o: roms/vdso.c roms/linux_entry.h roms/rules.mk | $(READY)
	@mkdir -p $(@D)
	$(call SAY,ROM,$<)
	$(Q)$(ROM_CC) $(ROM_ARCH32) $(ROM_CFLAGS) -c -o $@ $<

$(R)/enter32_%.o: roms/vdso32.S roms/linux_entry.h roms/rules.mk | $(READY)
	@mkdir -p $(@D)
	$(call SAY,ROM,"$< $*")
	$(Q)$(ROM_CC) $(ROM_ARCH32) -I. -DENTER_$(shell echo $* | tr a-z A-Z) -c -o $@ $<

$(R)/vdso64.elf: $(R)/vdso64.o roms/vdso.lds roms/vdso64.map
	$(Q)ld -m elf_x86_64 $(ROM_LDFLAGS) -soname linux-vdso.so.1 --version-script=roms/vdso64.map -o $@ $<

$(R)/vdso32_%.elf: $(R)/enter32_%.o $(R)/vdso32.o roms/vdso.lds roms/vdso32.map
	$(Q)ld -m elf_i386 $(ROM_LDFLAGS) -soname linux-gate.so.1 --version-script=roms/vdso32.map \
	  -e __kernel_vsyscall -o $@ $(filter %.o,$^)

$(R)/%.so: $(R)/%.elf
	$(Q)objcopy -S $< $@

$(ROM_ENTRIES:%=$(R)/rom_%.o): $(R)/rom_%.o: $(R)/%.bin roms/embed.S
	$(Q)$(CC) -DNAME=rom_$* -DIMAGE='"$<"' -c -o $@ roms/embed.S

# The symbols that the host must know, from the unstripped image: -DLANDING_PAD=0x123 and so on, 0 if absent.
ROM_SYMBOL = -D$(1)=$$(nm $(3) | awk '$$3 == "$(2)" { a = "0x" $$1 } END { print a ? a : 0 }')
ROM_SYMBOLS = -DVDSO $(call ROM_SYMBOL,VSYSCALL,__kernel_vsyscall,$(1)) \
  $(call ROM_SYMBOL,LANDING_PAD,int80_landing_pad,$(1)) \
  $(call ROM_SYMBOL,SIGRETURN,__kernel_sigreturn,$(1)) \
  $(call ROM_SYMBOL,RT_SIGRETURN,__kernel_rt_sigreturn,$(1))

$(ROM_VDSOS:%=$(R)/rom_%.o): $(R)/rom_%.o: $(R)/%.so $(R)/%.elf roms/embed.S
	$(Q)$(CC) -DNAME=rom_$* -DIMAGE='"$<"' $(call ROM_SYMBOLS,$(R)/$*.elf) -c -o $@ roms/embed.S

# Demonstration ROMs (roms/MANIFEST): roms/NAME.S -> NAME.bin, 64 KiB that end with the reset vector.
# The one kernel among them has a linker script of its own.
ROM_DEMOS := $(shell sed -n 's/^\[\(.*\)\]$$/\1/p' roms/MANIFEST)
ROM_DEMO_BINS := $(ROM_DEMOS:%=$(R)/%.bin)
$(R)/%.demo.elf: ROM_DEMO_LDS := roms/demo.lds
$(R)/multiboot.demo.elf: ROM_DEMO_LDS := roms/kernel.lds
.SECONDARY: $(ROM_DEMOS:%=$(R)/%.demo.o) $(ROM_DEMOS:%=$(R)/%.demo.elf)
all: $(ROM_DEMO_BINS)

ROM_DEMO_INCLUDES := roms/text.inc roms/demo.inc roms/demo64.inc
$(ROM_DEMOS:%=$(R)/%.demo.o): $(R)/%.demo.o: roms/%.S $(ROM_DEMO_INCLUDES) roms/rules.mk | $(READY)
	@mkdir -p $(@D)
	$(call SAY,ROM,$<)
	$(Q)$(ROM_CC) -m64 -I. -c -o $@ $<

$(R)/%.demo.elf: $(R)/%.demo.o roms/demo.lds roms/kernel.lds
	$(Q)ld -m elf_x86_64 -T $(ROM_DEMO_LDS) --build-id=none -z noexecstack --no-warn-rwx-segments -o $@ $<

$(ROM_DEMO_BINS): $(R)/%.bin: $(R)/%.demo.elf
	$(Q)objcopy -O binary --gap-fill 0xff $< $@
