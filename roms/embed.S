/* Puts one guest image into the library. NAME, IMAGE (a file) and a vDSO's offsets come from rules.mk. */
#define PASTE(a, b) a##b
#define JOIN(a, b) PASTE(a, b)

  .section .rodata
  .balign 16
#ifdef VDSO
image:
  .incbin IMAGE
image_end:

  /* struct rom_vdso */
  .section .data.rel.ro, "aw"
  .balign 8
  .globl NAME
  .type NAME, @object
NAME:
  .quad image
  .long image_end - image
  .long VSYSCALL, LANDING_PAD, SIGRETURN, RT_SIGRETURN
  .balign 8
  .size NAME, . - NAME
#else
  .globl NAME
  .type NAME, @object
NAME:
  .incbin IMAGE
image_end:
  .size NAME, . - NAME

  .balign 4
  .globl JOIN(NAME, _size)
  .type JOIN(NAME, _size), @object
JOIN(NAME, _size):
  .long image_end - NAME
  .size JOIN(NAME, _size), 4
#endif

  .section .note.GNU-stack, "", @progbits
