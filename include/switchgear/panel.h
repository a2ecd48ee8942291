/* Panels: where circuits live. One pointer-free block of memory, on the heap, in memory the caller
 * owns, or in POSIX shared memory for every process of the host. */
#ifndef SWITCHGEAR_PANEL_H
#define SWITCHGEAR_PANEL_H

#include <switchgear/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who may open a shared panel. */
#define SWG_ACCESS_OWNER 1u /* mode 0600, the default */
#define SWG_ACCESS_GROUP 2u /* mode 0660 */

/* 0 = default. Set `size` to sizeof(swg_panel_config), or use SWG_PANEL(). */
typedef struct swg_panel_config {
    uint32_t size;
    uint32_t circuits;  /* rows for circuits: 256; 1 to 1 000 000 */
    uint32_t processes; /* rows for processes: 256; 1 to 4 095 */
    uint32_t journal;   /* events kept: 1 024; 16 to 1 000 000, rounded up to a power of two */
    uint32_t access;    /* SWG_ACCESS_OWNER, or SWG_ACCESS_GROUP: open to the group */
} swg_panel_config;
#define SWG_PANEL(...) (&(swg_panel_config){.size = sizeof(swg_panel_config), __VA_ARGS__})

/* Bytes a block of this configuration takes; NULL is all defaults; 0 if the configuration is
 * invalid.  Threads: any. */
size_t swg_panel_bytes(const swg_panel_config *config);

/* Lays out an empty block in `memory` (64-byte aligned, `bytes` at least swg_panel_bytes()).
 * Errors: SWG_EINVAL, SWG_ENEWER.  Threads: nobody else may use the memory yet. */
int swg_panel_format(void *memory, size_t bytes, const swg_panel_config *config);

/* Opens the block in `memory`, which the caller keeps mapped until swg_panel_close(). Checks its
 * signature and sizes first and never reads past `bytes`.
 * Errors: SWG_EINVAL, SWG_EMAGIC, SWG_ELAYOUT, SWG_ENOMEM, SWG_EFULL (no process row).
 * Threads: any thread, any process. */
int swg_panel_attach(swg_panel **panel, void *memory, size_t bytes);

/* Opens a panel. NULL name: on the heap, for this process. "/name": POSIX shared memory, created,
 * or joined if it exists; then `config` may be NULL, and a panel of other sizes is joined as it is
 * and answers SWG_DIFFERS (the panel is open all the same).
 * Errors: those of format and attach; SWG_ESYS with errno; SWG_EACCESS.
 * Threads: any thread, any process; any number of processes may start at once. */
int swg_panel_open(swg_panel **panel, const char *name, const swg_panel_config *config);

/* Closes the handle and sets it to NULL; circuits borrowed from it are invalid from here on. A
 * shared block stays for the others and for the next start.  Threads: nobody else may be using the
 * handle. */
void swg_panel_close(swg_panel **panel);

/* Removes a shared panel's name; processes that have it open keep it.
 * Errors: SWG_EINVAL, SWG_ENOENT, SWG_ESYS.  Threads: any thread, any process. */
int swg_panel_unlink(const char *name);

/* Gives back what dead processes held: probes, bulkhead slots, half-claimed rows. Returns the
 * number of processes reaped, or an error.  Threads: any thread, any process; lock-free. */
int swg_panel_reap(swg_panel *panel, int64_t now_ns);

#ifdef __cplusplus
}
#endif
#endif
