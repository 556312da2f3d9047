/* The manuals that are cited: section numbers and titles everywhere are those of these revisions (tools/citations).
 * Features that came later are cited by the section that describes them there, or by a document of their own. */
#ifndef BASE_MANUALS_H
#define BASE_MANUALS_H

/* "SDM 3A 6.13 (Error Code)": volume 3A, section 6.13; "SDM 2A INT n": volume 2A, that instruction's page; "SDM 2 MOV":
 * in whichever part of volume 2. Volume 3A has chapters 1 to 13, 3B 14 to 22, 3C from 23 on. */
#define MANUAL_SDM "Intel 64 and IA-32 Architectures Software Developer's Manual, 325462-074US, April 2021"

/* "APM 2 6.1.1 (SYSCALL and SYSRET)", "APM 3 SYSCALL", likewise. */
#define MANUAL_APM "AMD64 Architecture Programmer's Manual, Volumes 1 to 5, 40332 revision 4.08, April 2024"

#endif
