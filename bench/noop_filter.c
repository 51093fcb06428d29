/*
 * noop_filter: a mail filter that receives everything and does nothing, as the reference for ours.
 *
 *   noop_filter SOCKET [lean]
 *
 * By default it asks for every step of a message and answers each with "continue", as a plain content filter does. With
 * "lean" it asks for the same steps as capture_milter, and lets Postfix wait for an answer only where capture_milter
 * does (the end of the message): the remaining difference is then not caused by the number of round trips.
 *
 * Never changes, stores or refuses a message. Started by bench/stack.py; ends on SIGTERM.
 */

#include <libmilter/mfapi.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
    (void)ctx; (void)host; (void)address;
    return SMFIS_CONTINUE;
}

static sfsistat on_word(SMFICTX *ctx, char *word)
{
    (void)ctx; (void)word;
    return SMFIS_CONTINUE;
}

static sfsistat on_unknown(SMFICTX *ctx, const char *command)
{
    (void)ctx; (void)command;
    return SMFIS_CONTINUE;
}

static sfsistat on_path(SMFICTX *ctx, char **arguments)
{
    (void)ctx; (void)arguments;
    return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    (void)ctx; (void)name; (void)value;
    return SMFIS_CONTINUE;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *chunk, size_t size_bytes)
{
    (void)ctx; (void)chunk; (void)size_bytes;
    return SMFIS_CONTINUE;
}

static sfsistat on_step(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_CONTINUE;
}

static sfsistat negotiate_lean(SMFICTX *ctx, unsigned long offered_actions, unsigned long offered_steps,
                               unsigned long unused_1, unsigned long unused_2, unsigned long *actions,
                               unsigned long *steps, unsigned long *other_1, unsigned long *other_2)
{
    (void)ctx; (void)offered_actions; (void)unused_1; (void)unused_2;
    *actions = 0;
    *steps = offered_steps & (SMFIP_NOHELO | SMFIP_NODATA | SMFIP_NOUNKNOWN | SMFIP_NOEOH | SMFIP_NR_CONN | SMFIP_NR_MAIL |
                              SMFIP_NR_RCPT | SMFIP_NR_HDR | SMFIP_NR_BODY | SMFIP_HDR_LEADSPC);
    *other_1 = 0;
    *other_2 = 0;
    return SMFIS_CONTINUE;
}

/* If "no reply" was negotiated for a step, its callback has to return SMFIS_NOREPLY. */
static sfsistat quiet_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
    (void)ctx; (void)host; (void)address;
    return SMFIS_NOREPLY;
}

static sfsistat quiet_path(SMFICTX *ctx, char **arguments)
{
    (void)ctx; (void)arguments;
    return SMFIS_NOREPLY;
}

static sfsistat quiet_body(SMFICTX *ctx, unsigned char *chunk, size_t size_bytes)
{
    (void)ctx; (void)chunk; (void)size_bytes;
    return SMFIS_NOREPLY;
}

static sfsistat quiet_header(SMFICTX *ctx, char *name, char *value)
{
    (void)ctx; (void)name; (void)value;
    return SMFIS_NOREPLY;
}

static struct smfiDesc eager = {
    "noop", SMFI_VERSION, 0, on_connect, on_word, on_path, on_path, on_header, on_step, on_body, on_step, on_step, on_step,
    on_unknown, on_step, NULL,
};

static struct smfiDesc lean = {
    "noop", SMFI_VERSION, 0, quiet_connect, NULL, quiet_path, quiet_path, quiet_header, NULL, quiet_body, on_step, on_step,
    on_step, NULL, NULL, negotiate_lean,
};

int main(int count, char **arguments)
{
    char connection[512];
    int want_lean = count == 3 && strcmp(arguments[2], "lean") == 0;

    if (count < 2 || count > 3 || (count == 3 && !want_lean)) {
        fprintf(stderr, "usage: noop_filter SOCKET [lean]\n");
        return 2;
    }
    if (snprintf(connection, sizeof connection, "unix:%s", arguments[1]) >= (int)sizeof connection) {
        fprintf(stderr, "noop_filter: the path of the socket is too long\n");
        return 2;
    }
    umask(0111); /* Postfix, another user, has to connect */
    if (smfi_setconn(connection) == MI_FAILURE || smfi_register(want_lean ? lean : eager) == MI_FAILURE ||
        smfi_setbacklog(256) == MI_FAILURE || smfi_opensocket(1) == MI_FAILURE) {
        fprintf(stderr, "noop_filter: can't serve on %s\n", connection);
        return 1;
    }
    return smfi_main() == MI_SUCCESS ? 0 : 1;
}
