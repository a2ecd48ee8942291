#include <switchgear/observe.h>

#include "store/journal.h"
#include "store/panel.h"

size_t swg_journal_read(const swg_panel *panel, uint64_t *cursor, swg_event *events, size_t count)
{
    if (panel == NULL || cursor == NULL || (events == NULL && count > 0)) {
        return 0;
    }
    return swg__journal_read(&panel->block, cursor, events, count);
}
