/* Texts that are understood mean the same when they are written again. */
#include "tunnel/lane_ticket.h"

#include "proto/fuzz_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_from(data, size);
    struct lane_ticket ticket, made;
    struct lane_key key, again;
    char dst[LANE_TICKET_TEXT_SIZE], key_text[LANE_KEY_TEXT_SIZE];
    if (lane_key_parse(text, &key) == 0) {
        FUZZ_CHECK(lane_key_parse(span_of(lane_key_format(&key, key_text)), &again) == 0);
        FUZZ_CHECK(id_equal(&key.session, &again.session) && key.worker == again.worker);
    }
    if (lane_ticket_parse(text, &ticket) < 0)
        return 0;
    key = (struct lane_key){.worker = ticket.worker, .session = ticket.session};
    lane_ticket_make(&key, ticket.number, ticket.end, dst);
    FUZZ_CHECK(lane_ticket_parse(span_of(dst), &made) == 0);
    FUZZ_CHECK(made.number == ticket.number && lane_ticket_verify(&made, &key));
    return 0;
}
