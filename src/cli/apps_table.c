#include "cli/apps_table.h"

#include "base/cleanup.h"
#include "cli/share_text.h"
#include "cli/table.h"

static void add_row(struct table *t, const struct api_app *app)
{
    _cleanup_(buf_deinit) struct buf shared = BUF_INIT(16384);
    share_text_app(app, clock_realtime(), &shared);
    bool told = app->health != API_HEALTH_UNKNOWN && app->health != API_HEALTH_DISABLED;
    table_row(t, (const char *const[]){app->slug, app->agent, app->display_name,
                                       told ? api_health_name(app->health) : "", buf_cstr(&shared),
                                       app->url});
}

void apps_table_print(const struct api_apps *apps, struct output *out)
{
    if (apps->n_apps == 0)
        return;
    struct table *t = table_new(
        (const char *const[]){"APP", "AGENT", "NAME", "HEALTH", "SHARED WITH", "URL", NULL});
    for (size_t i = 0; i < apps->n_apps; i++)
        add_row(t, &apps->apps[i]);
    table_print(t, out);
    table_free(t);
}
